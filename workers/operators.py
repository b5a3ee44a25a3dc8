"""The people who may use the console: names, roles, and the integrations they are limited to. Every change is audited.

A record holds the hash of a password and never a password. Signing in is `workers.sign_in`, who is signed in `workers.sessions`.
"""

import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, cast

import redis
from redis.client import Pipeline

from config.keys import OPERATORS, OPERATORS_SIGNED_IN, console_sessions_of
from workers import audit, passwords
from workers.ledger.records import from_ms

# How `described` writes rights and `rights_in` reads them. No integration's name holds a space.
ALL, ONLY, AND, DISABLED = "all integrations", "only ", " + ", ", disabled"
NAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}")

Why = Literal[
    "name_unusable",
    "name_taken",
    "unknown_operator",
    "password_short",
    "password_long",
    "unknown_integration",
    "no_integration",
    "oneself",
]


class Role(StrEnum):
    """What an operator may do; each may also do what those before it may."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


class Refused(Exception):
    """A change that cannot be made: `why` for a program, the message for a person."""

    def __init__(self, why: Why, sentence: str) -> None:
        super().__init__(sentence)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One person. `limit` None: every integration. Sessions that began under another `epoch` have ended."""

    name: str
    role: Role
    password: str = field(repr=False)
    epoch: str = field(repr=False)
    limit: frozenset[str] | None = None
    disabled: bool = False
    created: datetime
    created_by: str
    changed: datetime
    changed_by: str

    def may_see(self, integration: str) -> bool:
        return self.limit is None or integration in self.limit

    def may(self, needs: Role, *, unlimited: bool = False) -> bool:
        """Whether the role suffices; `unlimited`: for what concerns the deployment as a whole."""
        return not self.disabled and self.role.includes(needs) and not (unlimited and self.limit is not None)


def usable_name(name: str) -> str:
    """The name as it is stored; raises `Refused`."""
    name = name.strip().lower()
    if not NAME.fullmatch(name):
        raise Refused(
            "name_unusable",
            "A name is at most 64 small letters, digits and . _ @ + - and begins with a letter or digit, for example an.peeters",
        )
    return name


def usable_limit(words: Iterable[str], known: Collection[str]) -> frozenset[str] | None:
    """The integrations an operator is limited to; none named = all of them. Raises `Refused` for one that does not exist."""
    limit = frozenset(words)
    if unknown := sorted(limit - set(known)):
        there = f" There is: {', '.join(sorted(known))}." if known else ""
        raise Refused("unknown_integration", f"There is no integration named {', '.join(unknown)}.{there}")
    return limit or None


# -- looking -------------------------------------------------------------------------------------------


def find(store: "redis.Redis", name: str) -> Operator | None:
    found = cast(bytes | None, store.hget(OPERATORS, name))
    return from_record(name, found) if found else None


def everybody(store: "redis.Redis") -> list[Operator]:
    """All operators by name, also those that are disabled."""
    found = cast(dict[bytes, bytes], store.hgetall(OPERATORS))
    return [from_record(name.decode(), record) for name, record in sorted(found.items())]


def who_may(store: "redis.Redis", needs: Role, *, integration: str = "", unlimited: bool = False) -> list[str]:
    """The names of those who can do something that somebody else may not."""
    able = (one for one in everybody(store) if one.may(needs, unlimited=unlimited))
    return [one.name for one in able if not integration or one.may_see(integration)]


def last_signed_in(store: "redis.Redis") -> dict[str, datetime]:
    """When each operator last signed in; those who never did are left out."""
    found = cast(dict[bytes, bytes], store.hgetall(OPERATORS_SIGNED_IN))
    return {name.decode(): at for name, ms in found.items() if (at := from_ms(ms))}


# -- changing ------------------------------------------------------------------------------------------


def add(
    store: "redis.Redis", name: str, *, password: str, role: Role, limit: frozenset[str] | None = None, by: str
) -> Operator:
    """Adds a person; raises `Refused`."""
    name, now = usable_name(name), datetime.now(UTC)
    operator = Operator(
        name=name,
        role=role,
        password=passwords.hashed(_long_enough(password)),
        epoch=new_epoch(),
        limit=limit,
        created=now,
        created_by=by,
        changed=now,
        changed_by=by,
    )

    def adding(pipe: Pipeline) -> None:
        if pipe.hexists(OPERATORS, name):
            raise Refused("name_taken", f"There is an operator named {name} already.")
        pipe.multi()
        pipe.hset(OPERATORS, name, _to_record(operator))
        audit.note(pipe, by=by, what="operator added", subject=name, after=described(operator))

    store.transaction(adding, OPERATORS)
    return operator


def set_role(store: "redis.Redis", name: str, role: Role, *, by: str) -> Operator:
    return _change(store, name, lambda one: replace(one, role=role), by=by, what="operator role")


def set_limit(store: "redis.Redis", name: str, limit: frozenset[str] | None, *, by: str) -> Operator:
    """Limits a person to some integrations; None lifts the limit."""
    return _change(store, name, lambda one: replace(one, limit=limit), by=by, what="operator limit")


def set_rights(store: "redis.Redis", name: str, *, role: Role, limit: frozenset[str] | None, by: str) -> Operator:
    """Role and limit at once."""
    return _change(store, name, lambda one: replace(one, role=role, limit=limit), by=by, what="operator rights")


def set_disabled(store: "redis.Redis", name: str, disabled: bool, *, by: str) -> Operator:
    """A disabled operator is signed out at once, everywhere, and stays so until enabled again."""
    what = "operator disabled" if disabled else "operator enabled"
    return _change(store, name, lambda one: replace(one, disabled=disabled, epoch=new_epoch()), by=by, what=what)


def set_password(store: "redis.Redis", name: str, password: str, *, by: str) -> Operator:
    """Ends all sessions of that person as well."""
    stored = passwords.hashed(_long_enough(password))
    return _change(
        store, name, lambda one: replace(one, password=stored, epoch=new_epoch()), by=by, what="operator password"
    )


def sign_out_everywhere(store: "redis.Redis", name: str, *, by: str) -> Operator:
    return _change(store, name, lambda one: replace(one, epoch=new_epoch()), by=by, what="operator signed out")


def renew_hash(store: "redis.Redis", name: str, password: str, before: str) -> None:
    """Stores the hash of the same password anew, after we raised its cost. Nobody changed anything, so nothing is noted."""
    stored = passwords.hashed(password)

    def renewing(pipe: Pipeline) -> None:
        one = _found(pipe, name)
        pipe.multi()
        if one.password == before:
            pipe.hset(OPERATORS, name, _to_record(replace(one, password=stored)))

    store.transaction(renewing, OPERATORS)


def remove(store: "redis.Redis", name: str, *, by: str) -> None:
    """Removes a person; its sessions end with it. Raises `Refused` when there is none of this name."""

    def removing(pipe: Pipeline) -> None:
        one = _found(pipe, name)
        pipe.multi()
        pipe.hdel(OPERATORS, name)
        pipe.hdel(OPERATORS_SIGNED_IN, name)
        pipe.delete(console_sessions_of(name))
        audit.note(pipe, by=by, what="operator removed", subject=name, before=described(one))

    store.transaction(removing, OPERATORS)


def described(operator: Operator) -> str:
    """An operator's rights in a few words, as the audit log shows them."""
    limit = ALL if operator.limit is None else ONLY + AND.join(sorted(operator.limit))
    return f"{operator.role}, {limit}" + (DISABLED if operator.disabled else "")


@dataclass(frozen=True, slots=True)
class Rights:
    """What `described` says of an operator."""

    role: Role
    limit: tuple[str, ...] | None
    disabled: bool


def rights_in(text: str) -> Rights | None:
    """The rights that `described` wrote, to be said in another language; None for any other text."""
    role, comma, rest = text.removesuffix(DISABLED).partition(", ")
    if not comma or role not in set(Role) or (rest != ALL and not rest.startswith(ONLY)):
        return None
    limit = None if rest == ALL else tuple(rest.removeprefix(ONLY).split(AND))
    return Rights(Role(role), limit, disabled=text.endswith(DISABLED))


def new_epoch() -> str:
    """Random and not counted: somebody who is removed and added again must not find old sessions alive."""
    return secrets.token_urlsafe(9)


def _change(store: "redis.Redis", name: str, change: Callable[[Operator], Operator], *, by: str, what: str) -> Operator:
    """Changes a record and notes it, both or neither, whatever others change meanwhile."""
    changed: list[Operator] = []

    def changing(pipe: Pipeline) -> None:
        before = _found(pipe, name)
        after = replace(change(before), changed=datetime.now(UTC), changed_by=by)
        changed[:] = [after]
        pipe.multi()
        pipe.hset(OPERATORS, name, _to_record(after))
        rights = [described(one) for one in (before, after)]
        told = dict(zip(("before", "after"), rights, strict=True)) if rights[0] != rights[1] else {}
        audit.note(pipe, by=by, what=what, subject=name, **told)

    store.transaction(changing, OPERATORS)
    return changed[0]


def _found(store: "redis.Redis", name: str) -> Operator:
    operator = find(store, name)
    if operator is None:
        raise Refused("unknown_operator", f"There is no operator named {name}.")
    return operator


def _long_enough(password: str) -> str:
    if len(password) < passwords.SHORTEST:
        raise Refused(
            "password_short", f"A password has at least {passwords.SHORTEST} characters; several words are fine."
        )
    if len(password) > passwords.LONGEST:
        raise Refused("password_long", f"A password has at most {passwords.LONGEST} characters.")
    return password


# -- as it is stored -----------------------------------------------------------------------------------


def _to_record(operator: Operator) -> str:
    return json.dumps(
        {
            "role": operator.role,
            "password": operator.password,
            "epoch": operator.epoch,
            "limit": None if operator.limit is None else sorted(operator.limit),
            "disabled": operator.disabled,
            "created": operator.created.isoformat(),
            "created_by": operator.created_by,
            "changed": operator.changed.isoformat(),
            "changed_by": operator.changed_by,
        }
    )


def from_record(name: str, stored: bytes | str) -> Operator:
    """The operator of a stored record."""
    record: dict[str, Any] = json.loads(stored)
    limit = record.pop("limit")
    return Operator(
        name=name,
        role=Role(record.pop("role")),
        limit=None if limit is None else frozenset(limit),
        created=datetime.fromisoformat(record.pop("created")),
        changed=datetime.fromisoformat(record.pop("changed")),
        **record,
    )
