"""Who is signed in to the console: sessions live in the store, which knows only hashes of their ids.

A session ends when nobody used it for `IDLE`, `LONGEST` after it began, when it is ended, or when its operator's epoch changes
(new password, disabled, signed out everywhere) or the operator is removed. A copy of the store signs nobody in.
"""

import functools
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, cast

import redis

from config.keys import OPERATORS, OPERATORS_SIGNED_IN, console_session, console_sessions_of
from workers import operators
from workers.ledger.records import from_ms
from workers.operators import Operator

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
ID = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One signed-in browser. `key` names it without being able to stand for it: the hash of what the cookie holds."""

    key: str
    operator: Operator
    browser: str
    began: datetime
    seen: datetime


def new_id() -> str:
    """What goes into a cookie: 256 random bits."""
    return secrets.token_urlsafe(32)


def key_of(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()


def begin(store: "redis.Redis", operator: Operator, *, browser: str = "") -> str:
    """Signs an operator in; answers the id for the cookie, which is kept nowhere else."""
    session_id = new_id()
    key = key_of(session_id)
    store.register_script(_script("session_begin"))(
        keys=[console_session(key), console_sessions_of(operator.name), OPERATORS_SIGNED_IN],
        args=[key, operator.name, operator.epoch, browser, _ms(IDLE), _ms(LONGEST)],
    )
    return session_id


def look(store: "redis.Redis", session_id: str, *, active: bool = True) -> Session | None:
    """The session of this id, and that somebody uses it now; None when there is none (any more)."""
    if not ID.fullmatch(session_id):
        return None
    return _look(store, key_of(session_id), active=active)


def end(store: "redis.Redis", session: Session) -> None:
    pipeline = store.pipeline()
    pipeline.delete(console_session(session.key))
    pipeline.zrem(console_sessions_of(session.operator.name), session.key)
    pipeline.execute()


def of(store: "redis.Redis", name: str) -> list[Session]:
    """The sessions of an operator, the one used last first."""
    keys = cast(list[bytes], store.zrange(console_sessions_of(name), 0, -1))
    found = (_look(store, key.decode(), active=False) for key in keys)
    return sorted((session for session in found if session), key=lambda session: session.seen, reverse=True)


def _look(store: "redis.Redis", key: str, *, active: bool) -> Session | None:
    script = store.register_script(_script("session_look"))
    answer: Any = script(keys=[console_session(key), OPERATORS], args=[_ms(IDLE), int(active)])
    if not answer:
        return None
    name, record, epoch, browser, began, seen = (value.decode() for value in answer)
    operator = operators.from_record(name, record)
    if operator.disabled or operator.epoch != epoch:
        return None
    return Session(key=key, operator=operator, browser=browser, began=_time(began), seen=_time(seen))


def _time(ms: str) -> datetime:
    at = from_ms(ms)
    assert at is not None
    return at


def _ms(span: timedelta) -> int:
    return round(span.total_seconds() * 1000)


@functools.cache
def _script(name: str) -> str:
    return resources.files("workers").joinpath(f"{name}.lua").read_text()
