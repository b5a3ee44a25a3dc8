"""A real redis-server with an append-only file, which can be killed, cut, filled and made to refuse."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, cast

import redis

REFUSALS = ("READONLY", "OOM", "NOREPLICAS", "MISCONF", "BUSY", "NOAUTH", "LOADING")


class Store:
    """`client` goes straight to the server, not through the proxy."""

    def __init__(self, folder: Path, port: int, *, fsync: str = "everysec") -> None:
        self.folder = folder
        self.port = port
        self._fsync = fsync
        self._process: subprocess.Popen[bytes] | None = None
        self.client = redis.Redis(port=port, socket_timeout=30)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "blocked.rdb").mkdir(exist_ok=True)

    def start(self, *, slow_loading: bool = False) -> None:
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "logfile": str(self.folder / "redis.log"),
            "appendonly": "yes",
            "appendfsync": self._fsync,
            "aof-use-rdb-preamble": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            "enable-protected-configs": "yes",
            "key-load-delay": "1500" if slow_loading else "0",
            "loading-process-events-interval-bytes": "1024" if slow_loading else "2097152",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        binary = shutil.which("redis-server") or "redis-server"
        self._process = subprocess.Popen([binary, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.client.ping()
            except redis.RedisError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def kill(self) -> None:
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
        self.client.close()

    def pause(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def cut_tail(self, size: int) -> int:
        """Cuts the end off the append-only file, as a power loss does; answers how many bytes went."""
        newest = max(self.folder.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
        length = newest.stat().st_size
        cut = min(size, length // 2)
        os.truncate(newest, length - cut)
        return cut

    def refuse(self, how: str, seconds: float) -> None:
        """Makes the server refuse what we ask, in its own words, for a while."""
        client = self.client
        match how:
            case "READONLY":
                client.execute_command("REPLICAOF", "127.0.0.1", "1")
                time.sleep(seconds)
                client.execute_command("REPLICAOF", "NO", "ONE")
            case "OOM":
                self._configured("maxmemory", "1", "0", seconds)
            case "NOREPLICAS":
                self._configured("min-replicas-to-write", "1", "0", seconds)
            case "MISCONF":
                self._misconf(seconds)
            case "BUSY":
                script = "local e = redis.call('TIME')[1] + ARGV[1] while redis.call('TIME')[1] + 0 < e do end"
                client.config_set("busy-reply-threshold", "100")
                busy = threading.Thread(target=self._eval, args=(script, round(seconds)))
                busy.start()
                busy.join()
                client.config_set("busy-reply-threshold", "5000")
            case "NOAUTH":
                client.config_set("requirepass", "chaos")
                client.execute_command("CLIENT", "KILL", "TYPE", "normal")
                time.sleep(seconds)
                client.config_set("requirepass", "")
            case "LOADING":
                self.kill()
                self.start(slow_loading=True)
                self.wait(seconds=60)
                client.config_set("key-load-delay", "0")

    def dump(self) -> bytes:
        """Everything that was ever written: the whole append-only file, and the values of every database now."""
        parts = [path.read_bytes() for path in self.folder.glob("appendonlydir/*.aof")]
        for database in range(3):
            with contextlib.closing(redis.Redis(port=self.port, db=database)) as client:
                parts += [_value(client, key) for key in client.scan_iter(count=1000)]
        return b"\n".join(parts)

    def used_mb(self) -> float:
        return int(cast(dict[str, Any], self.client.info("memory"))["used_memory"]) / 1e6

    @property
    def version(self) -> str:
        return str(cast(dict[str, Any], self.client.info("server"))["redis_version"])

    def _configured(self, name: str, value: str, before: str, seconds: float) -> None:
        self.client.config_set(name, value)
        time.sleep(seconds)
        self.client.config_set(name, before)

    def _misconf(self, seconds: float) -> None:
        """A snapshot that fails, because its file is a folder; then Redis takes no writes."""
        self.client.config_set("dbfilename", "blocked.rdb")
        self.client.config_set("save", "3600 1")
        with contextlib.suppress(redis.RedisError):
            self.client.bgsave()
        time.sleep(seconds)
        self.client.config_set("save", "")
        self.client.config_set("dbfilename", "dump.rdb")

    def _eval(self, script: str, seconds: int) -> None:
        with contextlib.suppress(redis.RedisError):
            self.client.eval(script, 0, seconds)


def _value(client: "redis.Redis", key: bytes) -> bytes:
    kind = cast(bytes, client.type(key))
    match kind:
        case b"string":
            value: Any = client.get(key)
        case b"hash":
            value = client.hgetall(key)
        case b"list":
            value = client.lrange(key, 0, -1)
        case b"set":
            value = client.smembers(key)
        case b"zset":
            value = client.zrange(key, 0, -1)
        case b"stream":
            value = client.xrange(key)
        case _:
            value = None
    return key + b" " + repr(value).encode()
