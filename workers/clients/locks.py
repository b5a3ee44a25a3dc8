"""One at a time: over all processes by a lock in Redis, and within a process without asking Redis."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import redis
from redis.exceptions import LockError

from workers.clients.errors import NAMES, Api, Unavailable

# Longer than one whole HTTP call and a slow Redis: a lock is a lease, and two holders would spend two tokens.
LEASE_SECONDS = 30.0
WAIT_SECONDS = 10.0
POLL_SECONDS = 0.05


class Busy(Unavailable):
    """Somebody else was inside for longer than we wanted to wait."""


class OneAtATime:
    """A named section that one thread of one process enters at a time."""

    def __init__(self, store: "redis.Redis", key: str, api: Api) -> None:
        self._store = store
        self._key = key
        self._api: Api = api
        self._thread = threading.Lock()

    @contextmanager
    def in_process(self, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
        """Raises `Busy` when another thread is inside for longer than `wait` seconds."""
        if not self._thread.acquire(timeout=wait):
            raise self._busy()
        try:
            yield
        finally:
            self._thread.release()

    @contextmanager
    def everywhere(self, *, wait: float = WAIT_SECONDS) -> Iterator[None]:
        """Raises `Busy` when another process is inside for longer than `wait` seconds. Enter `in_process` first."""
        lock = self._store.lock(self._key, timeout=LEASE_SECONDS, sleep=POLL_SECONDS, blocking_timeout=wait)
        if not lock.acquire():
            raise self._busy()
        try:
            yield
        finally:
            with suppress(LockError):  # the lease ended before we did
                lock.release()

    def _busy(self) -> Busy:
        return Busy(self._api, f"somebody else has been signing in to {NAMES[self._api]} for too long")
