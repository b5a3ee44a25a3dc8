"""Tells registered addresses what happened: later, again after a failure, and if wanted badly (lost, twice, out of order)."""

import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from sandbox.teamleader.account import Event

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
WORKERS = 8
KEPT_DELIVERIES = 50_000


@dataclass
class DeliverySettings:
    """Durations in seconds, fractions from 0 to 1. How the real service retries is not known."""

    delay: float = 0.0
    shuffle: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    timeout: float = 5.0
    retry_after: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    seed: int = 0


@dataclass
class Delivery:
    """One event for one address, and every attempt to deliver it."""

    number: int
    event: Event
    url: str
    attempts: list[dict[str, Any]] = field(default_factory=list)
    state: str = "pending"

    def body(self) -> dict[str, Any]:
        return {
            "type": self.event.type,
            "subject": {"type": self.event.subject_type, "id": self.event.subject_id},
            "account": {"type": "account", "id": self.event.account},
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "url": self.url,
            "state": self.state,
            "attempts": self.attempts,
        } | self.body()


class Postman:
    """Delivers from threads of its own, which start with the first event and end with `close`."""

    def __init__(self, urls_for: Callable[[Event], list[str]], settings: DeliverySettings | None = None) -> None:
        self.settings = settings or DeliverySettings()
        self._urls_for = urls_for
        self._random = random.Random(self.settings.seed)
        self._numbers = itertools.count(1)
        self._deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        self._due: list[tuple[float, int, Delivery]] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._under_way = 0

    def announce(self, event: Event) -> None:
        with self._changed:
            for url in self._urls_for(event):
                self._accept(event, url)
                if self._random.random() < self.settings.duplicate:
                    self._accept(event, url)
            if self._due and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sandbox-postman", daemon=True)
                self._thread.start()

    def deliveries(self) -> list[Delivery]:
        with self._changed:
            return list(self._deliveries)

    def forget(self) -> None:
        """Drops what is pending and the record of what was."""
        with self._changed:
            self._due.clear()
            self._deliveries.clear()

    def is_idle(self) -> bool:
        with self._changed:
            return not self._due and not self._under_way

    def close(self) -> None:
        with self._changed:
            thread, self._thread = self._thread, None
            self._due.clear()
            self._changed.notify_all()
        if thread is not None:
            thread.join()

    def _accept(self, event: Event, url: str) -> None:
        delivery = Delivery(next(self._numbers), event, url)
        self._deliveries.append(delivery)
        if self._random.random() < self.settings.drop:
            delivery.state = "dropped"
        elif urlsplit(url).hostname not in LOOPBACK:
            delivery.state = "refused: the sandbox only calls this machine"
        else:
            wait = self.settings.delay + self._random.random() * self.settings.shuffle
            self._schedule(delivery, wait)

    def _schedule(self, delivery: Delivery, wait: float) -> None:
        heapq.heappush(self._due, (time.monotonic() + wait, next(self._numbers), delivery))
        self._changed.notify_all()

    def _run(self) -> None:
        client = httpx.Client(trust_env=False, limits=httpx.Limits(max_connections=WORKERS))
        with client, ThreadPoolExecutor(WORKERS, "sandbox-delivery") as pool:
            while delivery := self._next():
                pool.submit(self._deliver, client, delivery)

    def _next(self) -> Delivery | None:
        """Waits for the next delivery that is due; None once closed."""
        with self._changed:
            while self._thread is threading.current_thread():
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._under_way += 1
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None

    def _deliver(self, client: httpx.Client, delivery: Delivery) -> None:
        started = time.time()
        try:
            status = client.post(delivery.url, json=delivery.body(), timeout=self.settings.timeout).status_code
            outcome = str(status)
            delivered = 200 <= status < 300
        except httpx.HTTPError as error:
            outcome, delivered = type(error).__name__, False
        with self._changed:
            self._under_way -= 1
            delivery.attempts.append({"at": started, "seconds": time.time() - started, "outcome": outcome})
            self._settle(delivery, delivered)

    def _settle(self, delivery: Delivery, delivered: bool) -> None:
        retries = self.settings.retry_after
        if delivered:
            delivery.state = "delivered"
        elif len(delivery.attempts) > len(retries):
            delivery.state = "given up"
        elif self._thread is not None:
            self._schedule(delivery, retries[len(delivery.attempts) - 1])
