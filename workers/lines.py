"""The wake-ups that wait inside a worker process, in fair lines.

Stands between Dramatiq's consumer, which fetches, and its threads, which work. In Redis everybody waits in one line, so that
one is kept short: what may not start yet waits here, where whoever is owed little overtakes a backlog.
"""

from typing import Any

from workers.fair_queue import FairQueue

# Wake-ups that wait for one integration. More are dropped: the clock sends them again within seconds.
LONGEST = 16


class Lines(FairQueue[Any]):
    """Dramatiq's work items, a line for each integration."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads, lambda item: _ids(item)[0])

    def wants(self, integration: str, subject: str) -> bool:
        """Whether this wake-up is of use: not when its subject waits here already, or very many of its integration do."""
        with self.mutex:
            line = self._lines.get(integration, ())
            return len(line) < LONGEST and all(_ids(item)[1] != subject for item in line)

    def is_crowded(self) -> bool:
        """Whether more waits here than this process can start at once."""
        with self.mutex:
            return sum(map(len, self._lines.values())) >= self.threads


def _ids(item: Any) -> tuple[str, str]:
    integration, subject = item.message.args
    return integration, subject
