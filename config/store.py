"""Connections to the store (Redis or Valkey), and whether it can be trusted with promises.

Timeouts and retries are always said out loud: redis-py's own defaults retry for seconds behind one's back.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as StoreUnreachable
from redis.retry import Retry

Client = TypeVar("Client", bound=redis.Redis)


def connect(url: str) -> "redis.Redis":
    """A client for workers, clock and commands. One repeat on a broken connection.

    A script whose answer got lost may so run twice, which is harmless: a claim then waits for its own lease to end, a
    commit counts as overtaken and the work is done once more.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=2,
        socket_timeout=5,
        **_few_round_trips(url),
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(StoreUnreachable,)),
    )


def connect_ingress(url: str, kind: type[Client]) -> Client:
    """A client for the web process, which must answer within 3 s whatever the store does; `kind` keeps to that time.

    These time-outs are only there to end early what is hopeless: several of them can follow each other.
    """
    client = kind.from_url(
        url,
        socket_connect_timeout=0.8,
        socket_timeout=1.5,
        **_few_round_trips(url),
        # One repeat, only for a connection that the store closed (a restart); never after a time-out.
        retry=Retry(NoBackoff(), 1, supported_errors=(StoreUnreachable,)),
    )
    return cast(Client, client)


def _few_round_trips(url: str) -> dict[str, Any]:
    """How every connection is made: with no more questions than password and database.

    By default redis-py also asks for the third protocol, tells its name and its version, and offers to be told of
    maintenance: four round trips, each of them with a time-out of its own.
    """
    # redis-py refuses the last option on a Unix socket.
    return {"protocol": 2, "driver_info": None} | ({} if url.startswith("unix:") else {"socket_keepalive": True})


def queue_url(store_url: str, configured: str = "") -> str:
    """Where Dramatiq queues: its own database, because its maintenance walks over all keys (`KEYS`)."""
    if configured:
        return configured
    parts = urlsplit(store_url)
    query = dict(parse_qsl(parts.query))
    in_path = "" if parts.scheme == "unix" else parts.path.strip("/")
    # redis-py lets the query win over the path.
    query["db"] = str(int(query.get("db") or in_path or 0) + 1)
    if parts.scheme == "unix":
        return f"unix://{parts.netloc}{parts.path}?{urlencode(query)}"
    return urlunsplit(parts._replace(path="", query=urlencode(query)))


def time_of(store: "redis.Redis") -> datetime:
    """The store's own time: the one clock that all processes share."""
    seconds, micros = store.time()
    return datetime.fromtimestamp(seconds + micros / 1_000_000, UTC)


CLOCKS_MAY_DIFFER = timedelta(seconds=2)
# `tltw clock` ticks every second.
CLOCK_SILENT_AFTER = timedelta(seconds=10)
DURABILITY = ("appendonly", "maxmemory", "maxmemory-policy")


def clock_problem(store_time: tuple[int, int], *, asked: float, answered: float) -> str:
    """How this machine's clock differs from the store's (a sentence), or nothing when by no more than 2 s.

    `store_time` is what TIME said, `asked` and `answered` are the seconds on this machine's clock around it: a slow answer is
    not taken for a wrong clock.
    """
    seconds, micros = store_time
    at_store = seconds + micros / 1e6
    ahead = timedelta(seconds=max(asked - at_store, min(0.0, answered - at_store)))
    if abs(ahead) <= CLOCKS_MAY_DIFFER:
        return ""
    by = f"{abs(ahead).total_seconds():.0f} s {'ahead of' if ahead > timedelta(0) else 'behind'}"
    return f"This machine's clock is {by} the store's: let both follow a time server (NTP)."


def clock_problem_here(store: "redis.Redis") -> str:
    """The same, asked now."""
    asked = time.time()
    return clock_problem(store.time(), asked=asked, answered=time.time())


def durability_problems(store: "redis.Redis") -> list[str]:
    """Why this store may lose accepted events, as sentences; empty when it is durable.

    A store that does not let us look (some hosted ones refuse CONFIG) is not accused.
    """
    try:
        return durability_problems_in(cast(dict[str, str], store.config_get(*DURABILITY)))
    except redis.ResponseError:
        return []


def durability_problems_in(answer: Mapping[str, str]) -> list[str]:
    """The same, from what CONFIG GET answered about `DURABILITY`."""
    problems = []
    if answer.get("appendonly") == "no":
        problems.append("the store keeps no append-only file: a restart loses accepted events. Set appendonly yes.")
    if answer.get("maxmemory", "0") != "0" and answer.get("maxmemory-policy") != "noeviction":
        problems.append("the store may evict our records when it is full. Set maxmemory-policy noeviction.")
    return problems
