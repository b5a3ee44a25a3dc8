"""Fair shares of a process' threads: who may take another one while others wait. Pure; the time is handed in.

An API that hangs holds a thread for 15 s, and a backlog takes all it can get. So nobody gets many threads while few are
free, and whoever gets no answers gets one: neither keeps others waiting, however many of them there are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

# At most so many threads of a process for one integration: its call budget needs no more.
PLACES = 4
# Longer than ordinary work, shorter than the 8 s for which an API that hangs is waited for.
LONG_SECONDS = 4.0


@dataclass(slots=True)
class Shares:
    """Who has how many of so many threads, and since when. Not safe for threads by itself. Times in seconds, monotonic."""

    threads: int
    places: int = PLACES
    _began: dict[str, list[float]] = field(default_factory=dict)
    _unwell: set[str] = field(default_factory=set)
    _turns: dict[str, int] = field(default_factory=dict)
    _turn: int = 0

    def next_of(self, waiting: Iterable[str], now: float) -> str | None:
        """Who takes the next free thread: of those who may, one of those who have fewest, whose last turn is longest ago."""
        free = self.threads - sum(map(len, self._began.values()))
        stuck = {who: len(began) for who, began in self._began.items() if who in self._unwell or _long(began, now)}
        room_for_unwell = max(1, self.threads // 2) - sum(stuck.values())

        def may(who: str) -> bool:
            place = self.has(who) + 1
            if who in self._unwell:
                return place == 1 and room_for_unwell > 0
            # Of four places the second is only taken while 2/5 of all threads are free, the fourth while 4/5 are.
            few_taken = place * self.threads <= (self.places + 1) * free
            return place == 1 or (who not in stuck and place <= self.places and few_taken)

        may_take = filter(may, waiting) if free > 0 else ()
        return min(may_take, key=lambda who: (self.has(who), self._turns.get(who, 0)), default=None)

    def take(self, who: str, now: float) -> None:
        self._began.setdefault(who, []).append(now)
        self._turn += 1
        self._turns[who] = self._turn

    def give_back(self, who: str, began: float, *, answered: bool | None) -> None:
        """`began`: as it was at `take`; `answered`: whether its API did, None when that was not tried."""
        self._began[who].remove(began)
        if not self._began[who]:
            del self._began[who]
        if answered is not None:
            (self._unwell.discard if answered else self._unwell.add)(who)

    def has(self, who: str) -> int:
        return len(self._began.get(who, ()))


def _long(began: Iterable[float], now: float) -> bool:
    return any(now - at > LONG_SECONDS for at in began)
