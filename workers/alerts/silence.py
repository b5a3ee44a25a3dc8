"""Is an integration silent: no webhook on a working day where there usually are some? Pure.

What is usual is learned from the same weekday of the last six weeks. A merchant with many edits is missed after half a
day, one with few only after as many working days as it takes to expect five. One with no rhythm is never missed.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from workers.ledger.records import WebhookDay

WEEKS_LEARNED = 6
WEEKS_NEEDED = 3
# Webhooks that should have come before their absence means something.
EXPECTED = 5
# After the latest first webhook of such a day.
PATIENCE = timedelta(hours=2)
# Never before, and at the latest, whatever was learned.
EARLIEST, LATEST = time(10), time(17)
SATURDAY = 5
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)

Days = Mapping[date, WebhookDay]


@dataclass(frozen=True, slots=True)
class Silent:
    """No webhook since that day, on which some were to be expected; `expected`: how many until now."""

    since: date
    expected: int


def zone() -> tzinfo:
    """The zone of the working day. Where no zones are installed it is an hour off in summer, which is harmless here."""
    try:
        return ZoneInfo("Europe/Brussels")
    except ZoneInfoNotFoundError:
        return timezone(timedelta(hours=1))


def judge(days: Days, now: datetime, *, at: tzinfo | None = None) -> Silent | Literal["heard", "unknown"]:
    """What can be said now; `unknown`: it is too early, no working day, or too little is known."""
    local = now.astimezone(at or zone())
    today = local.date()
    if today in days:
        return "heard"
    if today.weekday() >= SATURDAY or local.time() < _enough_waited(days, today, local.tzinfo):
        return "unknown"
    silent = _silent(days, today)
    return silent if silent.expected >= EXPECTED else "unknown"


def _silent(days: Days, today: date) -> Silent:
    """Walks back to the last day with a webhook, over all that should have had some."""
    since, expected, day = today, 0, today
    while day not in days and days and day > min(days):
        if day.weekday() < SATURDAY and (usual := _usual(days, day)):
            since, expected = day, expected + usual
        day -= DAY
    return Silent(since, expected)


def _usual(days: Days, day: date) -> int:
    """How many webhooks come on such a day; 0 when too little is known."""
    numbers = [days[one].number if one in days else 0 for one in _alike(days, day)]
    return statistics.median_low(numbers) if len(numbers) >= WEEKS_NEEDED else 0


def _alike(days: Days, day: date) -> list[date]:
    """The same weekday of the weeks before, as far as we were there. The first day of all was perhaps only half a day."""
    if not days:
        return []
    before = (day - WEEK * weeks for weeks in range(1, WEEKS_LEARNED + 1))
    return [one for one in before if one > min(days)]


def _enough_waited(days: Days, day: date, at: tzinfo | None) -> time:
    """The time of such a day by which a first webhook always had come, and then some."""
    firsts = [days[one].first.astimezone(at) for one in _alike(days, day) if one in days]
    if not firsts:
        return LATEST
    latest = max(firsts, key=lambda first: first.time())
    patient = latest + PATIENCE
    return LATEST if patient.date() > latest.date() else min(max(patient.time(), EARLIEST), LATEST)
