"""One customer as it is now in Teamleader and in Twikey, field by field, and what that means. Pure; the words are said elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

from mapping import (
    CannotMap,
    Kind,
    MappingSettings,
    Problem,
    Remark,
    TwikeyCustomer,
    Variant,
    customer_number,
    entered,
    map_customer,
    name_of,
)
from workers.ledger.records import SubjectState
from workers.standing import Level
from workers.sync.compare import is_shown, shown_by_twikey

CC = "cc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One field in its three places, by its name in the table of the mapping.

    `ours` None: it is not sent. `twikey` None: Twikey has nothing there, or does not show it (`hidden`). `withheld`: it is sent
    only while auto-update is on.
    """

    name: str
    teamleader: str = ""
    ours: str | None = None
    twikey: str | None = None
    hidden: bool = False
    differs: bool = False
    withheld: bool = False
    remarks: tuple[Remark, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """A customer on all sides. `in_teamleader` and `in_twikey` None: could not be asked, or not asked."""

    name: str = ""
    in_teamleader: bool | None = None
    in_twikey: bool | None = None
    rows: tuple[Compared, ...] = ()
    problems: tuple[Problem, ...] = ()
    web_url: str = ""
    updated_at: datetime | None = None
    customer: TwikeyCustomer | None = field(default=None, repr=False)

    @property
    def differing(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if row.differs)


def sides(
    kind: Kind,
    document: Mapping[str, object] | None,
    in_twikey: Mapping[str, object] | None,
    *,
    asked_twikey: bool,
    auto_update: bool,
    settings: MappingSettings,
) -> Sides:
    """Puts what both sides answered beside what we would send. `document` None: Teamleader could not be asked."""
    known = in_twikey is not None if asked_twikey else None
    if document is None:
        return Sides(in_twikey=known, rows=_only_twikey(kind, in_twikey or {}, settings))
    full, problems = _mapped(kind, document, Variant.FULL, settings)
    customer = full if auto_update else _mapped(kind, document, Variant.MANUAL, settings)[0]
    told = entered(kind, document)
    rows = (_row(name, told, customer, full, in_twikey, settings) for name in told)
    return Sides(
        name=name_of(kind, document),
        in_teamleader=True,
        in_twikey=known,
        rows=tuple(row for row in rows if row.teamleader or row.ours or row.twikey or row.remarks),
        problems=problems,
        web_url=_safe(document.get("web_url")),
        updated_at=customer.source_updated_at if customer else None,
        customer=customer,
    )


def parameter(name: str, settings: MappingSettings) -> str:
    """What Twikey calls a field of the table; empty: it is not sent at all."""
    return settings.cc_parameter if name == CC else name


def _row(
    name: str,
    told: Mapping[str, str],
    customer: TwikeyCustomer | None,
    full: TwikeyCustomer | None,
    in_twikey: Mapping[str, object] | None,
    settings: MappingSettings,
) -> Compared:
    at_twikey = parameter(name, settings)
    ours = customer.fields.get(at_twikey) if customer else None
    shown = in_twikey is not None and is_shown(at_twikey, in_twikey)
    twikey = shown_by_twikey(at_twikey, in_twikey) if in_twikey is not None and shown else None
    return Compared(
        name=name,
        teamleader=told[name],
        ours=ours,
        twikey=twikey,
        hidden=in_twikey is not None and not shown,
        differs=shown and ours is not None and (twikey or "") != ours,
        withheld=ours is None and full is not None and at_twikey in full.fields,
        remarks=tuple(remark for remark in (customer.warnings if customer else ()) if remark.field == name),
    )


def _only_twikey(kind: Kind, in_twikey: Mapping[str, object], settings: MappingSettings) -> tuple[Compared, ...]:
    names = ((name, shown_by_twikey(parameter(name, settings), in_twikey)) for name in entered(kind, {}))
    return tuple(Compared(name=name, twikey=twikey) for name, twikey in names if twikey)


def _mapped(
    kind: Kind, document: Mapping[str, object], variant: Variant, settings: MappingSettings
) -> tuple[TwikeyCustomer | None, tuple[Problem, ...]]:
    try:
        return map_customer(kind, document, variant=variant, settings=settings), ()
    except CannotMap as refused:
        return None, refused.problems


def _safe(url: object) -> str:
    """An address that a page may link to; anything but https could be a script."""
    return url if isinstance(url, str) and url.startswith("https://") else ""


# -- what it means ---------------------------------------------------------------------------------------

What = Literal["gone", "dead", "trying", "on_the_way", "unknown", "cannot_map", "held", "differs", "unseen", "equal"]
Why = Literal["", "off", "never", "edited_since", "changed_in_twikey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a customer stands. `why`: what may have led to a difference. `count`: fields that differ, or attempts."""

    level: Level
    what: What
    why: Why = ""
    count: int = 0
    since: datetime | None = None


def judge(state: SubjectState | None, seen: Sides, *, auto_update: bool, now: datetime) -> Judged:
    """The one thing that matters most about a customer now."""
    if state is not None and state.story is not None:
        return Judged(level=Level.TROUBLE, what="dead", since=state.ended)
    if seen.in_teamleader is False:
        return Judged(level=Level.OFF, what="gone")
    if state is not None and state.owed:
        return _owed(state, now)
    if seen.problems:
        return Judged(level=Level.LOOK, what="cannot_map", count=len(seen.problems))
    if seen.in_twikey is False:
        return Judged(level=Level.OFF, what="unknown")
    if seen.differing:
        return Judged(level=Level.LOOK, what="differs", why=_why(state, seen, auto_update), count=len(seen.differing))
    if state is not None and state.held:
        return Judged(level=Level.LOOK, what="held", since=state.ended)
    if seen.in_teamleader is None or seen.in_twikey is None:
        return Judged(level=Level.OFF, what="unseen", since=state.synced if state else None)
    return Judged(level=Level.WELL, what="equal", since=state.synced if state else None)


def failed_attempts(state: SubjectState, now: datetime) -> int:
    """An attempt is counted when it begins, and one that is under way has not failed."""
    under_way = state.leased_until is not None and state.leased_until > now
    return max(state.attempts - under_way, 0)


def _owed(state: SubjectState, now: datetime) -> Judged:
    if failed := failed_attempts(state, now):
        return Judged(level=Level.LOOK, what="trying", count=failed, since=state.wanted_since)
    return Judged(level=Level.WELL, what="on_the_way", since=state.wanted_since)


def _why(state: SubjectState | None, seen: Sides, auto_update: bool) -> Why:
    if not auto_update:
        return "off"
    if state is None or state.synced is None:
        return "never"
    known = _moment(state.source_updated_at)
    if known is None or (seen.updated_at is not None and seen.updated_at > known):
        return "edited_since"
    return "changed_in_twikey"


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def kind_of(subject: str) -> Kind:
    return cast(Kind, subject.partition(":")[0])


def id_of(subject: str) -> str:
    return subject.partition(":")[2]


def number_of(subject: str, settings: MappingSettings) -> str:
    """Its number at Twikey; empty when it can have none."""
    try:
        return customer_number(id_of(subject), settings.customer_number_prefix)
    except CannotMap:
        return ""
