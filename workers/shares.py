"""Fair shares of a process' threads: who may take another one while others wait. Pure; the time is handed in.

An API that hangs holds a thread for 15 s, and a backlog takes all it can get. So nobody gets many threads while few are
free, and whoever is slow gets one: neither keeps others waiting, however many of them there are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

# At most so many threads of a process for one integration: its call budget needs no more.
PLACES = 4
# Longer than two ordinary calls, shorter than the 8 s for which one that hangs is waited for.
SLOW_SECONDS = 4.0


@dataclass(slots=True)
class Shares:
    """Who has how many of so many threads, and since when. Not safe for threads by itself. Times in seconds, monotonic."""

    threads: int
    places: int = PLACES
    _began: dict[str, list[float]] = field(default_factory=dict)
    _last_was_slow: set[str] = field(default_factory=set)

    def next_of(self, waiting: Iterable[str], now: float) -> str | None:
        """Who of those that wait takes the next free thread: of those who may, the first of those who have fewest."""
        free, room_for_slow = self.threads - self._taken(), max(1, self.threads // 2) - self._taken_by_slow(now)
        may = (who for who in waiting if free > 0 and self._may_take(who, now, free, room_for_slow))
        return min(may, key=self.has, default=None)

    def take(self, who: str, now: float) -> None:
        self._began.setdefault(who, []).append(now)

    def give_back(self, who: str, began: float, now: float) -> None:
        """`began`: as it was at `take`."""
        self._began[who].remove(began)
        if not self._began[who]:
            del self._began[who]
        if now - began > SLOW_SECONDS:
            self._last_was_slow.add(who)
        else:
            self._last_was_slow.discard(who)

    def has(self, who: str) -> int:
        return len(self._began.get(who, ()))

    def _may_take(self, who: str, now: float, free: int, room_for_slow: int) -> bool:
        place = self.has(who) + 1
        if self._is_slow(who, now):
            return place == 1 and room_for_slow > 0
        # Of four places the second is only taken while 2/5 of all threads are free, the fourth while 4/5 are.
        return place == 1 or (place <= self.places and place * self.threads <= (self.places + 1) * free)

    def _is_slow(self, who: str, now: float) -> bool:
        """Its last work took long, or something it has in hand does."""
        return who in self._last_was_slow or any(now - began > SLOW_SECONDS for began in self._began.get(who, ()))

    def _taken(self) -> int:
        return sum(map(len, self._began.values()))

    def _taken_by_slow(self, now: float) -> int:
        return sum(len(began) for who, began in self._began.items() if self._is_slow(who, now))
