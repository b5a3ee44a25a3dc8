"""Missed invoices: creates the customers of recent booked invoices that Twikey does not know.

It lists the booked invoices of the last days, leaves out what is paid or amounts to nothing, and makes the customers owed as a
manual invoice import does (`Cause.INVOICE_MANUAL`: with auto-update off a customer that Twikey knows is left alone). Then it
waits for them, a few at a time, so that the summary says what became of each; the summary also goes out by e-mail, where that
is configured.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, cast

from config.store import time_of
from workers.alerts.messages import deployment_name
from workers.bulk import invoice_summary
from workers.bulk.backlog import LOOK_AGAIN, mark_some
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.listing import Invoices
from workers.bulk.walk import Record
from workers.ledger import Cause, Outcome
from workers.ledger.records import SubjectState
from workers.sync.decide import Skip
from workers.sync.invoice import customer_of
from workers.sync.upsert import ALREADY_KNOWN

DAYS = 30
INVOICE_MANUAL = frozenset({Cause.INVOICE_MANUAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The cursor: where we are in the list, whom to make owed, and of whom the outcome is waited for."""

    place: Invoices | None
    found: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()

    def as_json(self) -> Json:
        place = self.place.as_json() if self.place else None
        return {"place": place, "found": list(self.found), "awaited": list(self.awaited)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Position":
        place = Invoices.from_json(stored["place"]) if stored["place"] else None
        return cls(place=place, found=tuple(stored["found"]), awaited=tuple(stored["awaited"]))


@dataclass(frozen=True, slots=True)
class MissedInvoices:
    """The kind of job. Parameters: `days`."""

    name: str = "invoices"

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        sentence = f"Imports the customers of the invoices booked in the last {_days(parameters)} days."
        return Plan(sentence=f"{sentence} One call per 100 invoices and one per customer.", calls=1)

    def step(self, job: Job, tools: BulkTools) -> Step:
        """Counts who is done, makes the next ones owed, and else reads a page of the list."""
        at = Position.from_json(job.cursor) if job.cursor else _begin(job, tools)
        step = _page(job, at, tools) if at.place and not at.found else _bring(job, at, tools)
        return replace(step, message=_summary(job, step.result, tools)) if step.finished else step


def _summary(job: Job, result: Json, tools: BulkTools) -> str:
    return invoice_summary.message(
        job,
        result,
        label=tools.integration.label,
        deployment=deployment_name(tools.settings.public_url),
        console_url=tools.settings.console_url,
        now=time_of(tools.store),
    ).to_json()


def _begin(job: Job, tools: BulkTools) -> Position:
    first_day = (time_of(tools.store) - timedelta(days=_days(job.parameters))).date()
    return Position(place=Invoices.booked(invoice_date_after=first_day.isoformat()))


def _page(job: Job, at: Position, tools: BulkTools) -> Step:
    assert at.place is not None
    new, then = at.place.look(tools.teamleader.rows(at.place.action, at.place.request()))
    customers, skipped = _customers(new)
    several = [one for one in dict.fromkeys(customers) if one not in at.awaited]
    states = tools.ledger.look_at(several)
    wanted = tuple(one for one, state in zip(several, states, strict=True) if not _ended_in(job, state))
    more = {**skipped, "invoices": len(new), "same_customer": len(customers) - len(wanted)}
    return _step(job, replace(at, place=then, found=wanted), more, {})


def _bring(job: Job, at: Position, tools: BulkTools) -> Step:
    awaited = dict(zip(at.awaited, tools.ledger.look_at(at.awaited), strict=True))
    found = dict(zip(at.found, tools.ledger.look_at(at.found), strict=True))
    ended = {subject: state for subject, state in awaited.items() if state is None or not state.owed}
    # Marked just before we died: once is enough, and its outcome is the one that counts.
    marked_before = [subject for subject, state in found.items() if _is_asked_for(state) or _ended_in(job, state)]
    unmarked = [subject for subject in at.found if subject not in marked_before]
    marked = mark_some(tools.ledger, unmarked, INVOICE_MANUAL, event_id=job.run)
    still = [subject for subject in at.awaited if subject not in ended]
    after = replace(at, found=tuple(unmarked[marked:]), awaited=(*still, *marked_before, *unmarked[:marked]))
    step = _step(job, after, {}, Counter(map(_outcome, ended.values())))
    lines = [_line(subject, state) for subject, state in ended.items() if state and state.story]
    nothing_to_do = after.found or (after.awaited and not after.place)
    return replace(step, lines=lines, again_in=LOOK_AGAIN if nothing_to_do else timedelta(0))


def _customers(rows: Sequence[Record]) -> tuple[list[str], dict[str, int]]:
    """The customers of the invoices that concern us, and of the others how many there are of which reason."""
    found: list[str] = []
    skipped: dict[str, int] = {}
    for row in rows:
        customer = customer_of(row)
        if isinstance(customer, Skip):
            skipped[customer.reason] = skipped.get(customer.reason, 0) + 1
        else:
            found.append(customer)
    return found, skipped


def _is_asked_for(state: SubjectState | None) -> bool:
    return state is not None and state.owed and Cause.INVOICE_MANUAL in state.causes


def _ended_in(job: Job, state: SubjectState | None) -> bool:
    """Twikey was asked about this customer since the run began: once is enough, however many invoices it has."""
    if state is None or state.owed or state.ended is None or job.started is None or state.ended < job.started:
        return False
    return state.outcome != Outcome.SKIPPED or state.reason == ALREADY_KNOWN


def _outcome(state: SubjectState | None) -> str:
    """The word under which a customer is counted."""
    if state is None:
        return "unknown"
    return state.reason if state.outcome == Outcome.SKIPPED and state.reason else state.outcome


def _line(subject: str, state: SubjectState) -> Json:
    assert state.story is not None
    return {"subject": subject, "reason": state.story.reason, "sentence": state.story.sentence}


def _step(job: Job, at: Position, more: Mapping[str, int], outcomes: Mapping[str, int]) -> Step:
    before = {name: cast(int, number) for name, number in job.result.items() if name != "customers"}
    customers = cast("dict[str, int]", job.result.get("customers", {}))
    result = {name: before.get(name, 0) + more.get(name, 0) for name in dict.fromkeys((*before, *more))}
    counted = {name: customers.get(name, 0) + outcomes.get(name, 0) for name in dict.fromkeys((*customers, *outcomes))}
    done = sum(counted.values())
    finished = not (at.place or at.found or at.awaited)
    return Step(
        cursor=at.as_json(),
        done=done,
        total=None if at.place else done + len(at.found) + len(at.awaited),
        progress="" if finished else "reading the list" if at.place else "bringing customers over",
        result={**result, "customers": counted},
        finished=finished,
    )


def _days(parameters: Json) -> int:
    return int(str(parameters.get("days", DAYS)))
