"""The book of alerts, kept in Redis: what is open, what was raised, and the messages that are to go out.

A round reads the book, decides, and writes what changed together with its messages in one transaction, which fails when
another clock wrote the book meanwhile: then that one has told. So a message exists exactly when the book says so.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, cast

import redis
from redis.exceptions import WatchError

from config.keys import ALERTS_BOOK, ALERTS_MESSAGES, ALERTS_RAISED
from workers.alerts.decide import Alert, Book
from workers.alerts.kinds import Kind
from workers.alerts.messages import Message
from workers.alerts.raised import field_of

# The newest are kept, for channels that fail for a day and for `tltw alerts list`.
MESSAGES_KEPT = 500
TOLD = "told"
KINDS = {kind.value: kind for kind in Kind}
TIMES = ("since", "noticed", "seen", "well_since", "told")

# By kind and integration, how often it was raised since the last round.
AllRaised = Mapping[tuple[Kind, str], int]
Deciding = Callable[[Book, AllRaised], tuple[Book, list[Message]]]
Pipeline = Any  # redis-py types what a pipeline answers as what a client answers


@dataclass(frozen=True, slots=True)
class Sent:
    """A message and its place in the stream."""

    place: str
    message: Message


def keep(store: "redis.Redis", deciding: Deciding) -> Literal["kept", "unchanged", "overtaken"]:
    """Lets `deciding` turn the book, and keeps the outcome. `overtaken`: another clock did so at the same moment."""
    with store.pipeline() as pipeline:
        pipeline.watch(ALERTS_BOOK)  # type: ignore[no-untyped-call] # of redis-py
        stored = cast(dict[bytes, bytes], pipeline.hgetall(ALERTS_BOOK))
        raised = cast(dict[bytes, bytes], pipeline.hgetall(ALERTS_RAISED))
        after, messages = deciding(_book(stored), dict(_raised(raised)))
        pipeline.multi()
        _write_book(pipeline, {name.decode(): value for name, value in stored.items()}, dict(_fields(after)))
        _take_raised(pipeline, raised, after)
        for message in messages:
            pipeline.xadd(ALERTS_MESSAGES, {"m": message.to_json()}, maxlen=MESSAGES_KEPT, approximate=True)
        if not pipeline.command_stack:
            return "unchanged"
        try:
            pipeline.execute()
        except WatchError:
            return "overtaken"
        return "kept"


def read(store: "redis.Redis") -> Book:
    """The book as it is kept."""
    return _book(cast(dict[bytes, bytes], store.hgetall(ALERTS_BOOK)))


def newest(store: "redis.Redis", most: int) -> list[Sent]:
    """The last messages, newest first."""
    return _sent(store.xrevrange(ALERTS_MESSAGES, count=most))


def after(store: "redis.Redis", place: str, most: int) -> list[Sent]:
    """The messages that came after a place, oldest first."""
    return _sent(store.xrange(ALERTS_MESSAGES, min=f"({place}", count=most))


def _sent(entries: Any) -> list[Sent]:
    return [Sent(place.decode(), Message.from_json(values[b"m"])) for place, values in entries]


def _write_book(pipeline: Pipeline, before: Mapping[str, bytes], after: Mapping[str, str]) -> None:
    for name, value in after.items():
        if before.get(name) != value.encode():
            pipeline.hset(ALERTS_BOOK, name, value)
    for name in before.keys() - after.keys():
        pipeline.hdel(ALERTS_BOOK, name)


def _take_raised(pipeline: Pipeline, stored: Mapping[bytes, bytes], after: Book) -> None:
    """Takes off what this round has seen; what was raised meanwhile stays."""
    known = {field_of(*key).encode() for key in after.alerts}
    for name, number in stored.items():
        if name not in known:  # an integration that is no more
            pipeline.hdel(ALERTS_RAISED, name)
        elif int(number):
            pipeline.hincrby(ALERTS_RAISED, name.decode(), -int(number))


def _raised(stored: Mapping[bytes, bytes]) -> Iterator[tuple[tuple[Kind, str], int]]:
    for name, number in stored.items():
        kind, _, integration = name.decode().partition(":")
        if kind in KINDS and int(number) > 0:
            yield (KINDS[kind], integration), int(number)


def _fields(book: Book) -> Iterator[tuple[str, str]]:
    for (kind, integration), alert in book.alerts.items():
        yield field_of(kind, integration), _to_json(alert)
    for kind, at in book.told.items():
        yield f"{TOLD}:{kind.value}", at.isoformat()


def _book(stored: Mapping[bytes, bytes]) -> Book:
    alerts: dict[tuple[Kind, str], Alert] = {}
    told: dict[Kind, datetime] = {}
    for name, value in stored.items():
        kind, _, rest = name.decode().partition(":")
        if kind == TOLD and rest in KINDS:
            told[KINDS[rest]] = datetime.fromisoformat(value.decode())
        elif kind in KINDS:
            alerts[KINDS[kind], rest] = _from_json(value)
    return Book(alerts, told)


def _to_json(alert: Alert) -> str:
    values = {field.name: getattr(alert, field.name) for field in fields(alert)}
    return json.dumps(
        {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
    )


def _from_json(text: bytes) -> Alert:
    values: dict[str, Any] = json.loads(text)
    times = {name: datetime.fromisoformat(values[name]) for name in TIMES if values[name]}
    return Alert(**values | times | {"kind": Kind(values["kind"])})
