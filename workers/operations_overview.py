"""How all integrations stand, and the service itself. Reads only; as many round trips for hundreds of integrations as for one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import redis

from config.integrations import Integration
from config.keys import CLOCK_TICKED, IntegrationKeys
from config.secrets import SecretUnreadable
from workers import operations
from workers.clients.teamleader.oauth_protocol import TokenPair
from workers.figures import Hour, last_hours
from workers.ledger.records import from_ms
from workers.operations import IntegrationView
from workers.services import Services
from workers.standing import Level, Standing, standing

CLOCK_SILENT_AFTER = timedelta(seconds=10)
DURABILITY = ("appendonly", "maxmemory", "maxmemory-policy")


@dataclass(frozen=True, slots=True)
class Row:
    """One integration among others."""

    view: IntegrationView
    standing: Standing


@dataclass(frozen=True, slots=True)
class Connection:
    """How an integration is connected to Teamleader, as far as the store tells; None: not (yet) or unreadable.

    `renewed`: when the present access token came; an old one is renewed when it is needed. `looked`: at the registration of our
    webhook; `refused`: the event types that Teamleader does not take.
    """

    renewed: datetime | None
    looked: datetime | None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Detail:
    """What a closer look shows: the last 24 hours, oldest first, and the connection."""

    hours: Sequence[Hour]
    connection: Connection


@dataclass(frozen=True, slots=True)
class Service:
    """What all integrations share. `durable` None: the store does not let us look."""

    durable: bool | None
    ticked: datetime | None
    ticks: bool


def rows(services: Services, integrations: Sequence[Integration], *, now: datetime) -> list[Row]:
    """Each integration with how it stands, the worst first."""
    order = list(Level)
    found = [Row(view, standing(view, now)) for view in operations.views(services, integrations)]
    return sorted(found, key=lambda row: (order.index(row.standing.level), row.view.label or row.view.id))


def details(services: Services, integrations: Sequence[str], *, now: datetime) -> dict[str, Detail]:
    """A closer look at a few."""
    hours = last_hours(services.store, integrations, now=now)
    pipeline = services.store.pipeline(transaction=False)
    for integration in integrations:
        keys = IntegrationKeys(integration)
        pipeline.mget(keys.token, keys.registration)
    connections = [_connection(services, *answer) for answer in pipeline.execute()]
    return {one: Detail(hours[one], connection) for one, connection in zip(integrations, connections, strict=True)}


def service(services: Services) -> Service:
    """The store and the clock."""
    pipeline = services.store.pipeline(transaction=False)
    pipeline.time()
    pipeline.get(CLOCK_TICKED)
    pipeline.config_get(*DURABILITY)
    time, ticked, config = pipeline.execute(raise_on_error=False)
    for answer in (time, ticked):
        if isinstance(answer, Exception):
            raise answer
    now, at = datetime.fromtimestamp(time[0] + time[1] / 1e6, UTC), from_ms(ticked)
    durable = None if isinstance(config, redis.ResponseError) else _durable(cast(Mapping[str, str], config))
    return Service(durable, at, at is not None and now - at <= CLOCK_SILENT_AFTER)


def _durable(config: Mapping[str, str]) -> bool:
    evicts = config.get("maxmemory", "0") != "0" and config.get("maxmemory-policy") != "noeviction"
    return config.get("appendonly") != "no" and not evicts


def _connection(services: Services, token: bytes | None, registration: bytes | None) -> Connection:
    pair = _pair(services, token)
    looked, *refused = (registration or b"").decode().split() or ["0"]
    return Connection(
        renewed=_moment(pair.obtained_at) if pair else None,
        looked=from_ms(looked),
        refused=tuple(refused),
    )


def _pair(services: Services, token: bytes | None) -> TokenPair | None:
    if token is None:
        return None
    try:
        return TokenPair.from_json(json.loads(services.cipher.decrypt(token)))
    except SecretUnreadable:
        return None


def _moment(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
