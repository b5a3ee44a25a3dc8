"""Reads both lists of an account at once, the next page of each while the last one is looked through."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import redis

from workers.bulk.walk import Record, Spot
from workers.clients.errors import ApiFailure

Fetch = Callable[[str, Spot], list[Record]]
# Takes a page and says of each record whether it was met for the first time.
Take = Callable[[str, Spot, Sequence[Record]], Sequence[bool]]


@dataclass(slots=True)
class Ahead:
    """Walks the lists by kind. `spots` is always where to go on: what is fetched and not taken yet is fetched again."""

    fetch: Fetch
    take: Take
    spots: dict[str, Spot | None]
    pages: int = 0
    failure: ApiFailure | redis.RedisError | None = None
    _flying: dict[Future[list[Record]], tuple[str, Spot]] = field(default_factory=dict)

    def go_on(self, *, seconds: float) -> None:
        """Takes page after page for about so long, or until one cannot be had: then `failure` says why.

        No page that was asked for is wasted: each costs a call of the minute.
        """
        ends = time.monotonic() + seconds
        with ThreadPoolExecutor(len(self.spots), thread_name_prefix="ahead") as pool:
            for kind, spot in self.spots.items():
                self._ask(pool, kind, spot)
            while self._flying:
                ready, _ = wait(self._flying, return_when=FIRST_COMPLETED)
                for future in ready:
                    self._one_page(pool, future, more=time.monotonic() < ends)

    def _one_page(self, pool: ThreadPoolExecutor, future: Future[list[Record]], *, more: bool) -> None:
        kind, spot = self._flying.pop(future)
        try:
            records = future.result()
        except (ApiFailure, redis.RedisError) as failure:
            self.failure = failure
            return
        self.pages += 1
        more = more and self.failure is None
        unsure = spot.ends_a_round(records)
        asked = self._ask(pool, kind, spot.after(records, [False] * len(records))) if more and not unsure else None
        new = self.take(kind, spot, records)
        self.spots[kind] = after = spot.after(records, new)
        if asked and after:
            self._flying[asked] = (kind, after)
        elif more and unsure:
            self._ask(pool, kind, after)

    def _ask(self, pool: ThreadPoolExecutor, kind: str, spot: Spot | None) -> "Future[list[Record]] | None":
        if spot is None:
            return None
        future = pool.submit(self.fetch, kind, spot)
        self._flying[future] = (kind, spot)
        return future


def spots_from(told: Mapping[str, object]) -> dict[str, Spot | None]:
    """The inverse of `spots_told`."""
    return {kind: Spot(*spot) if isinstance(spot, list) else None for kind, spot in told.items()}


def spots_told(spots: Mapping[str, Spot | None]) -> dict[str, object]:
    """Where the walks are, as JSON."""
    return {kind: [spot.since, spot.page, spot.met] if spot else None for kind, spot in spots.items()}
