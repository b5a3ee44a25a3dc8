"""The wake-ups that wait inside a worker process: a line for each integration instead of one for all.

Stands between Dramatiq's consumer, which fetches, and its threads, which work. In Redis everybody waits in one line, so that
one is kept short: what may not start yet waits here, where whoever is owed little overtakes a backlog.
"""

import queue
import threading
import time
from collections import deque
from typing import Any

from workers.shares import Shares

# Wake-ups that wait for one integration. More are dropped: the clock sends them again within seconds.
LONGEST = 16
# How often a thread without work looks whether it should end.
LOOK_SECONDS = 1.0


class Lines(queue.Queue[Any]):
    """A `queue.Queue` of Dramatiq's work items whose `get` hands out the next one that may start, by `Shares`.

    A thread holds its share from `get` to `task_done`.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self.threads = threads
        self._shares = Shares(threads)
        self._holders: dict[int, tuple[str, float]] = {}
        self._next: str | None = None

    def wants(self, integration: str, subject: str) -> bool:
        """Whether this wake-up is of use: not when its subject waits here already, or very many of its integration do."""
        with self.mutex:
            line = self._lines.get(integration, ())
            return len(line) < LONGEST and all(_ids(item)[1] != subject for item in line)

    def is_crowded(self) -> bool:
        """Whether more waits here than this process can start at once."""
        with self.mutex:
            return sum(map(len, self._lines.values())) >= self.threads

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Waits for one that may start. Without waiting: whatever is left, so that at the end all can be given back.

        The `timeout` of Dramatiq's threads is for polling; these are woken.
        """
        if block:
            return super().get(timeout=LOOK_SECONDS)
        with self.mutex:
            if not self._lines:
                raise queue.Empty
            return self._pop(next(iter(self._lines)))

    def task_done(self) -> None:
        with self.mutex:
            who, began = self._holders.pop(threading.get_ident())
            self._shares.give_back(who, began, time.monotonic())
            self.not_empty.notify()
        super().task_done()

    # -- what `queue.Queue` asks of its kinds, always under its lock --------------------------------------------------------

    def _init(self, maxsize: int) -> None:
        # The order of the lines is the order of turns: who was served goes behind the others.
        self._lines: dict[str, deque[Any]] = {}

    def _qsize(self) -> int:
        """1 when something may start. Who that is is remembered: a moment later the answer may be another."""
        self._next = self._shares.next_of(self._lines, time.monotonic())
        return int(self._next is not None)

    def _put(self, item: Any) -> None:
        self._lines.setdefault(_ids(item)[0], deque()).append(item)

    def _get(self) -> Any:
        who, now = self._next, time.monotonic()
        assert who is not None, "only called when _qsize found one"
        self._shares.take(who, now)
        self._holders[threading.get_ident()] = (who, now)
        item = self._pop(who)
        # A share that is given back may let two start; and of those who wait for work only one was woken.
        self.not_empty.notify()
        return item

    def _pop(self, who: str) -> Any:
        line = self._lines.pop(who)
        item = line.popleft()
        if line:
            self._lines[who] = line
        return item


def _ids(item: Any) -> tuple[str, str]:
    integration, subject = item.message.args
    return integration, subject
