"""A queue with a line for each integration instead of one for all, whose `get` hands out what may start by fair shares."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from workers.shares import PLACES, Shares

T = TypeVar("T")
# Threads that wait are woken; this long only if that should ever fail.
WAIT_SECONDS = 5.0


class FairQueue(queue.Queue[T]):
    """A `queue.Queue` for so many threads. `who` says in whose line an item waits; it begins to work at `get`, until
    `task_done` in the same thread."""

    def __init__(self, threads: int, who: Callable[[T], str], *, places: int = PLACES) -> None:
        super().__init__()
        self.threads = threads
        self._who = who
        self._shares = Shares(threads, places)
        self._holders: dict[int, tuple[str, float]] = {}
        self._answered: dict[int, bool] = {}
        self._next: str | None = None
        self._closed = False

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Waits for something that may start; the `timeout` of Dramatiq's threads is for polling, and is not needed here.

        Without waiting: whatever is left, so that at the end all can be given back.
        """
        if block:
            return super().get(timeout=WAIT_SECONDS)
        with self.mutex:
            if not self._lines:
                raise queue.Empty
            return self._pop(next(iter(self._lines)))

    def task_done(self) -> None:
        thread = threading.get_ident()
        with self.mutex:
            who, began = self._holders.pop(thread)
            self._shares.give_back(who, began, answered=self._answered.pop(thread, None))
            self.not_empty.notify()
        super().task_done()

    def tell(self, *, answered: bool) -> None:
        """Says, in the thread that is at work, whether its API answered. Who gets no answer has one thread until it does."""
        self._answered[threading.get_ident()] = answered

    def send_home(self) -> None:
        """Nothing starts any more: threads that wait, or come to wait, get `queue.Empty`. Tell them to end first."""
        with self.mutex:
            self._closed = True
            self.not_empty.notify_all()

    # -- what `queue.Queue` asks of its kinds, always under its lock --------------------------------------------------------

    def _init(self, maxsize: int) -> None:
        self._lines: dict[str, deque[T]] = {}

    def _qsize(self) -> int:
        """1 when something may start. Who that is is remembered: a moment later the answer may be another."""
        self._next = self._shares.next_of(self._lines, time.monotonic())
        return int(self._closed or self._next is not None)

    def _put(self, item: T) -> None:
        self._lines.setdefault(self._who(item), deque()).append(item)

    def _get(self) -> T:
        if self._closed:
            raise queue.Empty
        who, now = self._next, time.monotonic()
        assert who is not None, "only called when _qsize found somebody"
        self._shares.take(who, now)
        self._holders[threading.get_ident()] = (who, now)
        item = self._pop(who)
        # A share that is given back may let two start, and only one of those who wait for work was woken.
        self.not_empty.notify()
        return item

    def _pop(self, who: str) -> T:
        line = self._lines[who]
        item = line.popleft()
        if not line:
            del self._lines[who]
        return item
