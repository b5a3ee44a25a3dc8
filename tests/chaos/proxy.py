"""A small TCP proxy that makes bad weather: slow, cut, silent, byte by byte, or an answer lost after the work was done."""

import contextlib
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass

from sandbox.serve import stop_listening

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Weather:
    """Durations in seconds; `pause` is the one between slices; `lose_answers` is the share of answers whose connection is
    reset instead."""

    latency: float = 0.0
    jitter: float = 0.0
    slices: bool = False
    pause: float = 0.0
    black_hole: bool = False
    refuse: bool = False
    lose_answers: float = 0.0


FINE = Weather()


class Proxy:
    """Forwards a port of its own to another one on this machine."""

    def __init__(self, target_port: int, *, seed: int = 0) -> None:
        self.weather = FINE
        self._target = target_port
        self._random = random.Random(seed)
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="chaos-proxy", daemon=True).start()

    def cut(self) -> int:
        """Resets every connection; answers how many."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._reset(pair)
        return len(pairs)

    def close(self) -> None:
        stop_listening(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.weather.refuse:
                _reset_one(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=2)
            except OSError:
                _reset_one(client)
                continue
            self._join(client, server)

    def _join(self, client: socket.socket, server: socket.socket) -> None:
        pair = (client, server)
        for one in pair:
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._pairs.add(pair)
        for source, sink, is_answer in ((client, server, False), (server, client, True)):
            threading.Thread(target=self._pump, args=(source, sink, is_answer, pair), daemon=True).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, is_answer: bool, pair: tuple[socket.socket, socket.socket]
    ) -> None:
        try:
            while data := source.recv(65536):
                weather = self.weather
                if weather.black_hole:
                    # What a dead link swallowed never arrives; the peers find out by time-outs.
                    while self.weather.black_hole:
                        time.sleep(0.05)
                    break
                if is_answer and self._random.random() < weather.lose_answers:
                    break
                if weather.latency or weather.jitter:
                    time.sleep(max(0.0, weather.latency + self._random.uniform(-1, 1) * weather.jitter))
                for part in [data[n : n + 1] for n in range(len(data))] if weather.slices else [data]:
                    sink.sendall(part)
                    if weather.pause:
                        time.sleep(weather.pause)
        except OSError:
            pass
        self._reset(pair)

    def _reset(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for one in pair:
            _reset_one(one)


def _reset_one(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    # Wakes a thread that waits in recv; close alone would not.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
