"""The sweep: finds what was edited or booked in Teamleader and whose webhook never reached us, and makes it owed.

It lists contacts, companies and booked invoices that changed since the last point known to be complete, a little overlapping,
and marks what is newer than the ledger knows. It reads no customer and writes none: that is the workers' business, with all
their rules. The point moves when all three lists are done, and never backwards; until then a next sweep begins at the old one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import redis

from config.keys import IntegrationKeys
from config.store import time_of
from workers.bulk.backlog import LOOK_AGAIN, mark_some
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.listing import Customers, Invoices, Kind, Place, from_json
from workers.bulk.policy import JobStopped
from workers.bulk.sweep_decide import Finding, judge_customer, judge_invoice
from workers.bulk.walk import Record
from workers.ledger import Cause, Ledger
from workers.sync.decide import AUTO_UPDATE_OFF
from workers.sync.invoice import customer_of

EVERY = timedelta(minutes=10)
# Two clocks differ, and a list may show an edit late.
OVERLAP = 2 * EVERY
# An invoice dated earlier is not news, whoever touches it now; an import by hand goes back as far.
INVOICES_BACK = timedelta(days=30)
SWEEP = frozenset({Cause.SWEEP})
WHAT = {"contacts.list": "contacts", "companies.list": "companies", "invoices.list": "invoices"}


@dataclass(frozen=True, slots=True)
class Window:
    """`begun`: when we came to know the integration; `complete`: up to when nothing is missed."""

    begun: datetime
    complete: datetime

    @property
    def since(self) -> datetime:
        """Where the next sweep begins."""
        return max(self.begun, self.complete - OVERLAP)


def window(store: "redis.Redis", integration: str) -> Window:
    """What is known to be complete. An integration seen for the first time is complete up to now."""
    key = IntegrationKeys(integration).sweep
    now = time_of(store).isoformat()
    pipeline = store.pipeline()
    pipeline.hsetnx(key, "begun", now)
    pipeline.hsetnx(key, "complete", now)
    pipeline.hmget(key, "begun", "complete")
    begun, complete = pipeline.execute()[-1]
    return Window(datetime.fromisoformat(begun.decode()), datetime.fromisoformat(complete.decode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The cursor: lists still to do, the first of them under way, and the subjects found but not marked yet."""

    started: str
    lists: tuple[Place, ...]
    found: tuple[str, ...] = ()

    def as_json(self) -> Json:
        return {
            "started": self.started,
            "lists": [place.as_json() for place in self.lists],
            "found": list(self.found),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Position":
        lists = tuple(from_json(place) for place in stored["lists"])
        return cls(started=stored["started"], lists=lists, found=tuple(stored["found"]))


@dataclass(frozen=True, slots=True)
class Sweep:
    """The kind of job."""

    name: str = "sweep"

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        since = window(tools.store, tools.integration.id).since
        sentence = f"Looks for what changed in Teamleader since {since.isoformat()}: at least 3 calls, one more per 100 changes."
        return Plan(sentence=sentence, calls=3)

    def step(self, job: Job, tools: BulkTools) -> Step:
        """One page of a list, or marking what was found. Stops when auto-update is switched off."""
        if not tools.ledger.auto_update():
            sentence = "Automatic updates are off, so nothing is swept. Switching them on sweeps from where it ended."
            raise JobStopped(AUTO_UPDATE_OFF, sentence)
        at = Position.from_json(job.cursor) if job.cursor else _begin(tools)
        return _mark(job, at, tools) if at.found else _page(job, at, tools)


def _begin(tools: BulkTools) -> Position:
    seen = window(tools.store, tools.integration.id)
    oldest = max(seen.begun, seen.since - INVOICES_BACK).date().isoformat()
    since = seen.since.replace(microsecond=0).isoformat()
    invoices = Invoices.booked(updated_since=since, invoice_date_after=oldest)
    lists = (Customers.since("contact", seen.since), Customers.since("company", seen.since), invoices)
    return Position(started=time_of(tools.store).isoformat(), lists=lists)


def _page(job: Job, at: Position, tools: BulkTools) -> Step:
    place = at.lists[0]
    rows = tools.teamleader.rows(place.action, place.request())
    new, then = place.look(rows)
    found = _newer(place, new, tools)
    lists = (then, *at.lists[1:]) if then else at.lists[1:]
    counted = _counted(job.result, {WHAT[place.action]: len(new), "calls": 1})
    return _step(job, replace(at, lists=lists, found=tuple(found)), counted, tools, looked_at=len(new))


def _mark(job: Job, at: Position, tools: BulkTools) -> Step:
    marked = mark_some(tools.ledger, at.found, SWEEP, event_id=job.run)
    counted = _counted(job.result, {"marked": marked})
    step = _step(job, replace(at, found=at.found[marked:]), counted, tools, looked_at=0)
    return step if marked else replace(step, again_in=LOOK_AGAIN, progress="waits until what is owed is done")


def _step(job: Job, at: Position, counted: Json, tools: BulkTools, *, looked_at: int) -> Step:
    finished = not at.lists and not at.found
    if finished:
        # Before the commit: if we die in between the last step runs again and says the same.
        tools.store.hset(IntegrationKeys(tools.integration.id).sweep, "complete", at.started)
    doing = WHAT[at.lists[0].action] if at.lists else "marking what was found"
    return Step(
        cursor=at.as_json(),
        done=job.done + looked_at,
        progress="" if finished else doing,
        result=counted,
        finished=finished,
    )


def _newer(place: Place, rows: Sequence[Record], tools: BulkTools) -> list[str]:
    """The subjects to mark, each once."""
    named = [row for row in rows if isinstance(row.get("id"), str)]
    if isinstance(place, Customers):
        findings = _judge_customers(place.kind, named, tools)
    else:
        findings = _judge_invoices(named, tools.ledger)
    return list(dict.fromkeys(subject for subject, finding in findings if finding == "newer"))


def _judge_customers(kind: Kind, rows: Sequence[Record], tools: BulkTools) -> list[tuple[str, Finding]]:
    subjects = [f"{kind}:{row['id']}" for row in rows]
    states = tools.ledger.look_at(subjects)
    sync_added = f"{kind}.added" in tools.integration.extra_event_types
    return [
        (subject, judge_customer(row, state, sync_added=sync_added))
        for subject, row, state in zip(subjects, rows, states, strict=True)
    ]


def _judge_invoices(rows: Sequence[Record], ledger: Ledger) -> list[tuple[str, Finding]]:
    subjects = [f"invoice:{row['id']}" for row in rows]
    customers = [customer if isinstance(customer := customer_of(row), str) else "" for row in rows]
    states = ledger.look_at([*subjects, *customers])
    of_customers = states[len(rows) :]
    return [
        (subject, judge_invoice(row, invoice, customer))
        for subject, row, invoice, customer in zip(subjects, rows, states[: len(rows)], of_customers, strict=True)
    ]


def _counted(result: Json, more: Mapping[str, int]) -> Json:
    names = ("contacts", "companies", "invoices", "marked", "calls")
    return {name: cast(int, result.get(name, 0)) + more.get(name, 0) for name in names}
