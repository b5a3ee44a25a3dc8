"""Starts the bulk jobs that are due by the clock: a sweep every ten minutes, and at once after anything we may have slept through.

Several bulk processes may do this at the same time: starting is atomic, and a run that began just now counts as this one.
"""

import threading
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import redis
import structlog

from config.keys import IntegrationKeys
from config.store import time_of
from workers.bulk.jobs import Jobs
from workers.bulk.sweep import EVERY, window
from workers.ledger.records import from_ms
from workers.services import Services

LOOK_EVERY = timedelta(seconds=5)
BY = "service"
# When several processes see the same change, or one is started again and again.
JUST_NOW = timedelta(seconds=15)
AFTER_A_START = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What decides for one integration. `able`: active and with auto-update on; `was_able`: when it was last looked at."""

    able: bool
    was_able: bool
    active: bool
    begun: datetime
    swept: datetime | None
    compared: datetime | None


@dataclass(frozen=True, slots=True)
class Start:
    """A job to start, unless a run of it began less than `unless_within` ago."""

    kind: str
    unless_within: timedelta
    why: str


def due(sight: Sight, *, now: datetime, first_look: bool, compare_every: timedelta) -> Iterator[Start]:
    """What is to be started now. `first_look`: this process has just begun, so nobody may have looked for a while."""
    if sight.able:
        if not sight.was_able:
            yield Start("sweep", JUST_NOW, "it was connected, resumed or switched on")
        elif first_look:
            yield Start("sweep", AFTER_A_START, "the bulk process was started")
        elif sight.swept is None or now - sight.swept >= EVERY:
            yield Start("sweep", EVERY, "the clock")
    if sight.active and compare_every and now - (sight.compared or sight.begun) >= compare_every:
        yield Start("drift", compare_every, "the clock")


@dataclass(slots=True)
class Schedule:
    """Looks every few seconds, until stopped."""

    services: Services
    compare_every: timedelta
    _stopping: threading.Event = field(default_factory=threading.Event)
    _looked: set[str] = field(default_factory=set)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """One thread's life. A store that is away is waited for."""
        while not self._stopping.is_set():
            try:
                self.look()
            except redis.RedisError as error:
                log.warning("The store does not answer; the schedule waits for it.", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 # whatever it is, it is looked again in a few seconds
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("The schedule met a mistake of our own.", error=type(error).__name__, traceback=where)
            self._stopping.wait(LOOK_EVERY.total_seconds())

    def look(self) -> None:
        """Starts what is due, for every integration."""
        store = self.services.store
        names = [integration.id for integration in self.services.integrations()]
        now = time_of(store)
        for name, sight in zip(names, sights(store, names), strict=True):
            first_look = name not in self._looked
            for start in due(sight, now=now, first_look=first_look, compare_every=self.compare_every):
                self._start(name, start)
            if sight.able != sight.was_able:
                # After the start: dying in between, another process sees the change again.
                store.hset(IntegrationKeys(name).sweep, "able", int(sight.able))
            self._looked.add(name)

    def _start(self, name: str, start: Start) -> None:
        _, is_new = Jobs(self.services.store).start(name, start.kind, {}, by=BY, unless_within=start.unless_within)
        if is_new:
            log.info("A bulk job is due.", integration=name, job=start.kind, why=start.why)


def sights(store: "redis.Redis", names: Iterable[str]) -> list[Sight]:
    """How the integrations stand, in one round trip but for those seen for the first time."""
    keys = [IntegrationKeys(name) for name in names]
    pipeline = store.pipeline(transaction=False)
    for one in keys:
        pipeline.hmget(one.options, "auto_update", "state")
        pipeline.hmget(one.sweep, "begun", "able")
        pipeline.hget(one.job("sweep"), "started")
        pipeline.hget(one.job("drift"), "started")
    found: list[Any] = pipeline.execute()
    return [_sight(store, one, *found[4 * n : 4 * n + 4]) for n, one in enumerate(keys)]


def _sight(
    store: "redis.Redis",
    keys: IntegrationKeys,
    options: list[bytes | None],
    swept_before: list[bytes | None],
    swept: bytes | None,
    compared: bytes | None,
) -> Sight:
    auto_update, state = options
    begun, able = swept_before
    active = (state or b"active") == b"active"
    return Sight(
        able=active and auto_update == b"on",
        was_able=able == b"1",
        active=active,
        begun=datetime.fromisoformat(begun.decode()) if begun else window(store, keys.integration).begun,
        swept=from_ms(swept),
        compared=from_ms(compared),
    )
