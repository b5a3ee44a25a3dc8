"""What happened in each hour of the last day: how much, and how long edits took to reach Twikey. Reads only.

The scripts of the ledger count while they work (`common.lua`). How long something took is not kept one by one but as the smallest of some
fixed bounds that it kept, so every percentile here is such a bound: "half of them took at most 2 s".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import redis

from config.keys import IntegrationKeys

HOURS = 24
HOUR = timedelta(hours=1)
# What took longer than the last bound.
LATER = timedelta.max
WITHIN = "in"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One hour, from `began` on. `arrived`: how many edits reached Twikey within each bound, and not within a smaller one."""

    began: datetime
    accepted: int = 0
    synced: int = 0
    unchanged: int = 0
    skipped: int = 0
    gone: int = 0
    failed: int = 0
    dead: int = 0
    arrived: Mapping[timedelta, int] = field(default_factory=dict)

    @property
    def p50(self) -> timedelta | None:
        """The bound that half of the edits kept, from the first event to Twikey; `LATER` beyond the last, None without any."""
        return percentile(self.arrived, 0.5)

    @property
    def p95(self) -> timedelta | None:
        return percentile(self.arrived, 0.95)


COUNTED = ("accepted", "synced", "unchanged", "skipped", "gone", "failed", "dead")


def last_hours(store: "redis.Redis", integrations: Sequence[str], *, now: datetime) -> dict[str, list[Hour]]:
    """The 24 hours up to the one that is under way, oldest first, of each integration. One round trip."""
    newest = int(now.timestamp()) // 3600
    hours = range(newest - HOURS + 1, newest + 1)
    pipeline = store.pipeline(transaction=False)
    for integration in integrations:
        keys = IntegrationKeys(integration)
        for hour in hours:
            pipeline.hgetall(keys.counts_of_hour(hour))
    answers = iter(cast(list[dict[bytes, bytes]], pipeline.execute()))
    return {one: [_hour(hour, next(answers)) for hour in hours] for one in integrations}


def together(days: Iterable[Sequence[Hour]]) -> list[Hour]:
    """Several days of the same hours, added up."""
    return [_sum(same) for same in zip(*days, strict=True)]


def whole_day(hours: Sequence[Hour]) -> Hour:
    """All hours as one."""
    return _sum(hours)


def percentile(arrived: Mapping[timedelta, int], share: float) -> timedelta | None:
    """The smallest bound that at least this share kept."""
    wanted, seen = share * sum(arrived.values()), 0
    for bound in sorted(arrived):
        seen += arrived[bound]
        if seen and seen >= wanted:
            return bound
    return None


def _sum(hours: Sequence[Hour]) -> Hour:
    arrived: dict[timedelta, int] = {}
    for hour in hours:
        for bound, number in hour.arrived.items():
            arrived[bound] = arrived.get(bound, 0) + number
    counted = {name: sum(getattr(hour, name) for hour in hours) for name in COUNTED}
    return Hour(began=hours[0].began, arrived=arrived, **counted)


def _hour(hour: int, fields: Mapping[bytes, bytes]) -> Hour:
    numbers = {name.decode(): int(value) for name, value in fields.items()}
    arrived = {_bound(name): number for name, number in numbers.items() if name not in COUNTED}
    counted = {name: numbers.get(name, 0) for name in COUNTED}
    return Hour(began=datetime.fromtimestamp(hour * 3600, UTC), arrived=arrived, **counted)


def _bound(name: str) -> timedelta:
    return timedelta(milliseconds=int(name.removeprefix(WITHIN))) if name.startswith(WITHIN) else LATER
