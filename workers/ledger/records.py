"""The words of the ledger: why a subject is looked at, and what became of it."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Self


class Cause(enum.StrEnum):
    """Why a subject should be looked at. The value is the letter that the ledger keeps."""

    WEBHOOK = "w"
    ADDED = "a"
    INVOICE = "i"
    INVOICE_MANUAL = "m"
    OPERATOR = "o"
    REPLAY = "r"
    SWEEP = "s"
    DELETED = "x"

    @property
    def automatic(self) -> bool:
        """Whether the auto-update option decides about it."""
        return self in AUTOMATIC


AUTOMATIC = frozenset({Cause.WEBHOOK, Cause.ADDED, Cause.INVOICE, Cause.SWEEP})
Causes = frozenset[Cause]


class Outcome(enum.StrEnum):
    SYNCED = "synced"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    GONE = "gone"


def to_letters(causes: Causes) -> str:
    return "".join(sorted(causes))


def from_letters(letters: str) -> Causes:
    return frozenset(Cause(letter) for letter in letters)


def from_ms(text: bytes | str | None) -> datetime | None:
    """A time as the ledger keeps it (ms since 1970), or None for absent or zero."""
    value = int(float(text or 0))
    return datetime.fromtimestamp(value / 1000, UTC) if value else None


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of an event. `wake`: a wake-up is useful; otherwise one is on its way or the clock sends it.

    `closed`: nothing was recorded, because the integration was removed.
    """

    accepted: bool
    wake: bool = False
    skipped_reason: str = ""
    duplicate: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on one subject, and what the ledger knows about it. Only its holder may write the customer."""

    subject: str
    token: str
    want: int
    causes: Causes
    attempts: int
    first_failed: datetime | None
    must_write: bool
    auto_update: bool
    fingerprint: str
    event_id: str
    probing: bool
    wanted_since: datetime | None
    at: datetime
    last_synced: datetime | None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Loan:
    """The right to be the only writer of a customer for a while, for somebody who is no worker: an import."""

    subject: str
    token: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A claim that was not granted: `settled`, `leased`, `paused`, `circuit_open`, `no_budget`, …"""

    reason: str
    again_at: datetime | None


@dataclass(frozen=True, slots=True)
class Story:
    """How a subject died: everything an operator needs, and no personal data. `problems`: field, sentence and reason of each.

    `attempts`: the one that it died of included.
    """

    reason: str
    sentence: str = ""
    api: str = ""
    status: int | None = None
    code: str = ""
    field: str = ""
    problems: tuple[tuple[str, str, str], ...] = ()
    attempts: int = 1
    event_id: str = ""

    def to_json(self) -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({name: value for name, value in values.items() if value}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        values = json.loads(text)
        values["problems"] = tuple(tuple(problem) for problem in values.get("problems", ()))
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn in the story of a subject: what became of it, or what somebody did about it.

    `waited`: from its first event until then; `worked`: from the claim until then. `times`: so often in a row, the last
    time then. `noted`: the id of the entry in the audit log, for what somebody did.
    """

    at: datetime
    what: str
    reason: str = ""
    causes: Causes = frozenset()
    waited: timedelta | None = None
    worked: timedelta | None = None
    times: int = 1
    noted: str = ""


NOTED = "noted"
WHATS = {
    "s": "synced",
    "u": "unchanged",
    "k": "skipped",
    "g": "gone",
    "d": "dead",
    "r": "retry",
    "w": "defer",
    "a": "again",
    "v": "verify",
    "l": "lost",
    "n": NOTED,
}


def past_from(text: str) -> tuple[Turn, ...]:
    """The past of a subject as the scripts keep it (`remember` in common.lua), newest first."""
    return tuple(_turn(*turn.split(".")) for turn in text.split(";") if turn)


def _turn(
    what: str, causes: str, when: str, waited: str = "", worked: str = "", times: str = "", reason: str = ""
) -> Turn:
    ms = int(when, 36)
    at = datetime.fromtimestamp(ms / 1000, UTC)
    if what == "n":
        return Turn(at=at, what=NOTED, noted=f"{ms}-{int(waited, 36)}")
    return Turn(
        at=at,
        what=WHATS.get(what, what),
        reason=reason,
        causes=from_letters(causes),
        waited=_span(waited),
        worked=_span(worked),
        times=int(times, 36) if times else 1,
    )


def _span(ms: str) -> timedelta | None:
    return timedelta(milliseconds=int(ms, 36)) if ms else None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A subject that failed for good, kept until a person acts or a later sync succeeds."""

    subject: str
    died: datetime
    story: Story


@dataclass(frozen=True, slots=True)
class SubjectState:
    """What the ledger knows of one subject. All times are aware; None = never."""

    subject: str
    owed: bool
    causes: Causes
    wanted_since: datetime | None
    due: datetime | None
    leased_until: datetime | None
    attempts: int
    outcome: str
    reason: str
    ended: datetime | None
    synced: datetime | None
    source_updated_at: str
    event_id: str
    held: bool
    story: Story | None
    past: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an integration, why (a reason of the runbook, or empty) and since when."""

    state: str
    reason: str
    since: datetime | None


ACTIVE = Standing("active", "", None)


@dataclass(frozen=True, slots=True)
class Books:
    """Where every accepted event is (promise P5)."""

    accepted: int
    synced: int
    unchanged: int
    coalesced: int
    skipped: int
    gone: int
    dead: int
    pending: int

    @property
    def adds_up(self) -> bool:
        ended = self.synced + self.unchanged + self.coalesced + self.skipped + self.gone + self.dead
        return self.accepted == ended + self.pending


def books_from(counts: Mapping[bytes, bytes], pending: int) -> Books:
    """The books of the ledger's counters and of how much is due."""
    names = ("accepted", "synced", "unchanged", "coalesced", "skipped", "gone", "dead")
    return Books(**{name: int(counts.get(name.encode(), 0)) for name in names}, pending=pending)


@dataclass(frozen=True, slots=True)
class WebhookDay:
    """The webhooks of edits that came on one day, and when the first did."""

    number: int
    first: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How one integration stands at one instant.

    `owed_since`: for how long the customer that waits longest has been waiting, sweeps apart; None when nobody waits. Of a
    long backlog only both ends are looked at. `in_trouble`: the APIs that fail or ask us to stay away.
    """

    integration: str
    at: datetime
    standing: Standing = ACTIVE
    auto_update: bool = True
    owed: int = 0
    owed_since: datetime | None = None
    dead: int = 0
    dead_reasons: Mapping[str, int] = field(default_factory=dict)
    in_trouble: tuple[str, ...] = ()
    webhook_days: Mapping[date, WebhookDay] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """One integration at a glance. `customers`: how many were brought over and are not gone; `changed`: when the last one was."""

    survey: Survey
    books: Books
    held: int
    customers: int
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing that happened to a subject; `waited` since its first event, `worked` since the claim, where there were any."""

    at: datetime
    subject: str
    what: str
    detail: str
    event_id: str
    waited: timedelta | None = None
    worked: timedelta | None = None
