"""One customer as it is now in Teamleader and in Twikey, field by field, and what that means. Pure; the words are said elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast
from urllib.parse import quote, urlsplit

from config.parse import CUSTOMER_NUMBER
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
from workers.sync.decide import WITHHELD
from workers.sync.freshness import SECOND

CC = "cc"
BROUGHT = ("synced", "unchanged")
# Why a value is not sent although nothing is wrong with it: a rule of the mapping (its table says them all).
Unsent = Literal["", "empty", "no_mobile", "country_alone", "no_language", "cc_off", "cc_same"]
_UNSENT: Mapping[str, Unsent] = {"mobile": "no_mobile", "country": "country_alone", "l": "no_language", CC: "cc_same"}
# What a remark of the mapping means for the claim that Twikey has a customer as it is in Teamleader, by its reason. `lost`: a value
# of Teamleader does not arrive, or not whole. `kept`: Teamleader has none, and the claim fails if Twikey has one.
REMARKED: Mapping[str, Literal["lost", "kept"]] = {
    "cut": "lost",
    "too_long": "lost",
    "invalid": "lost",
    "missing": "kept",
    "only_invoicing": "kept",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One field in its three places, by its name in the table of the mapping.

    `ours` None: it is not sent. `twikey` None: Twikey has nothing there, or does not show it (`hidden`). `withheld`: it is sent
    only while auto-update is on; `waits`: and Twikey was not seen to have it already. `unsent`: the rule that leaves it out.
    """

    name: str
    teamleader: str = ""
    ours: str | None = None
    twikey: str | None = None
    hidden: bool = False
    differs: bool = False
    withheld: bool = False
    waits: bool = False
    unsent: Unsent = ""
    remarks: tuple[Remark, ...] = ()

    @property
    def unusable(self) -> bool:
        """Whether Twikey cannot be as Teamleader is here, for what stands in Teamleader."""
        found = {REMARKED[remark.reason] for remark in self.remarks if remark.reason in REMARKED}
        return ("lost" in found and self.twikey != self.teamleader) or ("kept" in found and bool(self.twikey))


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

    @property
    def unusable(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if row.unusable)


def sides(
    kind: Kind,
    document: Mapping[str, object] | None,
    in_twikey: Mapping[str, object] | None,
    *,
    asked_twikey: bool,
    auto_update: bool,
    settings: MappingSettings,
    teamleader_at: str = "",
) -> Sides:
    """Puts what both sides answered beside what we would send. `document` None: Teamleader could not be asked.

    `teamleader_at`: the configured address of Teamleader's web application.
    """
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
        web_url=_safe(document.get("web_url"), teamleader_at),
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
    withheld = full.fields.get(at_twikey) if full and ours is None else None
    return Compared(
        name=name,
        teamleader=told[name],
        ours=ours,
        twikey=twikey,
        hidden=in_twikey is not None and not shown,
        differs=shown and ours is not None and (twikey or "") != ours,
        withheld=withheld is not None,
        waits=withheld is not None and not (shown and (twikey or "") == withheld),
        unsent=_unsent(name, told[name], full, settings) if ours is None and withheld is None else "",
        remarks=tuple(remark for remark in (customer.warnings if customer else ()) if remark.field == name),
    )


def _unsent(name: str, told: str, full: TwikeyCustomer | None, settings: MappingSettings) -> Unsent:
    """The rule by which even a full mapping leaves a field out; empty when it has something else to say of it."""
    if full is None or any(remark.field == name for remark in full.warnings):
        return ""
    if not told:
        return "empty"
    return "cc_off" if name == CC and not settings.cc_parameter else _UNSENT.get(name, "")


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


def _safe(url: object, teamleader_at: str) -> str:
    """An address of Teamleader's that a page may link to: https, or where we know Teamleader to be. Others could be a script."""
    if not isinstance(url, str):
        return ""
    if url.startswith("https://"):
        return url
    try:
        there, known = urlsplit(url), urlsplit(teamleader_at)
    except ValueError:
        return ""
    return url if teamleader_at and there[:2] == known[:2] else ""


def page_in_twikey(template: str, number: str) -> str:
    """Where Twikey shows a customer to people; empty when that is not known (`TLTW_TWIKEY_CUSTOMER_URL`)."""
    return template.replace(CUSTOMER_NUMBER, quote(number, safe="")) if number else ""


# -- what it means ---------------------------------------------------------------------------------------

What = Literal[
    "gone",
    "dead",
    "trying",
    "on_the_way",
    "stands_still",
    "unknown",
    "cannot_map",
    "held",
    "withheld",
    "differs",
    "unusable",
    "unseen",
    "equal",
]
Why = Literal["", "off", "never", "edited_since", "changed_in_twikey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How a customer stands. `why`: what may have led to a difference. `count`: fields that differ or cannot be used, or attempts that failed."""

    level: Level
    what: What
    why: Why = ""
    count: int = 0
    since: datetime | None = None


def judge(state: SubjectState | None, seen: Sides, *, auto_update: bool, active: bool) -> Judged:
    """The one thing that matters most about a customer now. `active`: the work of its integration runs."""
    if state is not None and state.story is not None:
        return Judged(level=Level.TROUBLE, what="dead", since=state.ended)
    if seen.in_teamleader is False:
        return Judged(level=Level.OFF, what="gone")
    if state is not None and state.owed:
        return _owed(state, active)
    if seen.problems:
        return Judged(level=Level.LOOK, what="cannot_map", count=len(seen.problems))
    if seen.in_twikey is False:
        return Judged(level=Level.OFF, what="unknown")
    if seen.differing:
        return Judged(level=Level.LOOK, what="differs", why=_why(state, seen, auto_update), count=len(seen.differing))
    if seen.unusable:
        return Judged(level=Level.LOOK, what="unusable", count=len(seen.unusable))
    if waits := _waits(state, seen):
        level = Level.LOOK if waits == "surely" else Level.OFF
        what: What = "held" if state and state.held else "withheld"
        return Judged(level=level, what=what, since=state.synced if state else None)
    if seen.in_teamleader is None or seen.in_twikey is None:
        return Judged(level=Level.OFF, what="unseen", since=state.synced if state else None)
    return Judged(level=Level.WELL, what="equal", since=state.synced if state else None)


@dataclass(frozen=True, slots=True)
class Remembered:
    """How the ledger left a customer, for lists: `word` as in words/customers.toml, and when it was last brought over."""

    level: Level
    word: str
    since: datetime | None = None


def remembered(state: SubjectState | None, *, active: bool) -> Remembered:
    """How a customer stands while nobody is asked: by the rules of `judge`, so that a state has one colour everywhere."""
    if state is None:
        return Remembered(Level.OFF, "unheard")
    unasked = Sides(in_teamleader=False if state.outcome == "gone" else None)
    judged = judge(state, unasked, auto_update=True, active=active)
    if judged.what != "unseen" and (state.synced or judged.what != "held"):
        return Remembered(judged.level, judged.what, state.synced)
    if state.synced:
        return Remembered(Level.WELL, "synced", state.synced)
    return Remembered(Level.OFF, "skipped" if state.outcome == "skipped" else "unheard")


def _owed(state: SubjectState, active: bool) -> Judged:
    if not active:
        return Judged(level=Level.LOOK, what="stands_still", since=state.wanted_since)
    if state.attempts:
        return Judged(level=Level.LOOK, what="trying", count=state.attempts, since=state.wanted_since)
    return Judged(level=Level.WELL, what="on_the_way", since=state.wanted_since)


def _why(state: SubjectState | None, seen: Sides, auto_update: bool) -> Why:
    if not auto_update:
        return "off"
    if state is None or state.synced is None:
        return "never"
    return (
        "edited_since" if _edited_since(state.synced, state.source_updated_at, seen.updated_at) else "changed_in_twikey"
    )


def _edited_since(synced: datetime, source_updated_at: str, updated_at: datetime | None) -> bool:
    """Whether Teamleader has an edit that our last sync did not bring.

    That sync was read before it ended, so an edit before its end was in it, but for one of those few moments: then a webhook is
    on its way. The second after the last one that is wholly known (`freshness.seen_until`) was read too; that says the same
    where Teamleader's clock is ahead of the store's.
    """
    known = _moment(source_updated_at)
    last = max(synced, known + SECOND) if known else synced
    return updated_at is not None and updated_at > last


def _waits(state: SubjectState | None, seen: Sides) -> Literal["", "maybe", "surely"]:
    """Whether Twikey lacks something because automatic updates were off; nothing differs otherwise.

    What both sides show decides. Where that cannot be seen the ledger does: it knows surely what a sync by hand left out, but
    of an edit that was held only that there was one.
    """
    compared = seen.in_teamleader is not None and seen.in_twikey is not None
    if any(row.waits and not row.hidden for row in seen.rows):
        return "surely"
    if compared and not any(row.hidden and (row.waits or row.ours) for row in seen.rows):
        return ""
    if state is None:
        return ""
    brought = state.outcome in BROUGHT
    if brought and state.reason == WITHHELD:
        return "surely"
    return "maybe" if state.held and not (compared and brought) else ""


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
