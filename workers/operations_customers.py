"""What an operator can do about one customer. The command line and the console call these and nothing else."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from mapping import CannotMap, Kind, customer_number
from workers import audit
from workers.clients.errors import ApiFailure, NotFound
from workers.customer import Judged, Sides, judge, kind_of, sides
from workers.ledger.records import NOTED, Causes, SubjectState, Turn
from workers.services import Services
from workers.sync.run import Tools

T = TypeVar("T")
OWED = "owed"
LOOK_EVERY = timedelta(milliseconds=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a customer's story.

    `what`: how a piece of work ended (a word of the ledger), `owed` for what is to be done now, or what somebody did, as the
    audit log calls it; then `by` tells who. `waited`: since the first event; `worked`: since a worker took it up. `times`: so
    often in a row, the last time then.
    """

    at: datetime
    what: str
    reason: str = ""
    causes: Causes = frozenset()
    waited: timedelta | None = None
    worked: timedelta | None = None
    times: int = 1
    by: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class CustomerStory:
    """What is known of a customer now, and how it came to that, newest first. `state` None: nothing was ever heard of it."""

    subject: str
    state: SubjectState | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """Everything about one customer. `number`: its number at Twikey, or empty when it can have none.

    `failures`: why a side could not be asked; the rest is there all the same.
    """

    subject: str
    kind: Kind
    id: str
    number: str
    auto_update: bool
    story: CustomerStory
    sides: Sides
    judged: Judged
    failures: tuple[ApiFailure, ...] = ()


def look(services: Services, integration: str, subject: str, *, live: bool = True) -> CustomerView:
    """One customer: what the ledger knows and, with `live`, what both sides say now (one call each). Writes nothing."""
    tools, known = services.tools(integration), story(services, integration, subject)
    auto_update = tools.ledger.auto_update()
    kind, customer_id = kind_of(subject), subject.partition(":")[2]
    number = _number(customer_id, tools)
    seen, failures = _ask(tools, kind, customer_id, number, auto_update) if live else (Sides(), ())
    return CustomerView(
        subject=subject,
        kind=kind,
        id=customer_id,
        number=number,
        auto_update=auto_update,
        story=known,
        sides=seen,
        judged=judge(known.state, seen, auto_update=auto_update),
        failures=failures,
    )


def _ask(
    tools: Tools, kind: Kind, customer_id: str, number: str, auto_update: bool
) -> tuple[Sides, tuple[ApiFailure, ...]]:
    document, no_document = _tried(lambda: tools.teamleader.customer(kind, customer_id))
    in_twikey, no_twikey = _tried(lambda: tools.twikey.get(number)) if number else (None, None)
    seen = sides(
        kind,
        document,
        in_twikey,
        asked_twikey=bool(number) and no_twikey is None,
        auto_update=auto_update,
        settings=tools.mapping,
    )
    if isinstance(no_document, NotFound):
        seen, no_document = replace(seen, in_teamleader=False), None
    return seen, tuple(failure for failure in (no_document, no_twikey) if failure is not None)


def _tried(ask: Callable[[], T]) -> tuple[T | None, ApiFailure | None]:
    """One side that does not answer takes nothing from the other."""
    try:
        return ask(), None
    except ApiFailure as failure:
        return None, failure


def _number(customer_id: str, tools: Tools) -> str:
    try:
        return customer_number(customer_id, tools.mapping.customer_number_prefix)
    except CannotMap:
        return ""


def wait_for_end(services: Services, integration: str, subject: str, *, most: timedelta) -> SubjectState | None:
    """Waits until nothing is owed to a customer, for a while; answers how it stands then."""
    ledger, ends = services.ledger(integration), time.monotonic() + most.total_seconds()
    while (state := ledger.look(subject)) and state.owed and time.monotonic() < ends:
        time.sleep(LOOK_EVERY.total_seconds())
    return state


def story(services: Services, integration: str, subject: str) -> CustomerStory:
    """The story of one customer: what happened and who pressed what. Two round trips, however long the story is.

    The record of a customer keeps its latest turns only (docs/decisions/0015); the audit log keeps everything people did.
    """
    state = services.ledger(integration).look(subject)
    if state is None:
        return CustomerStory(subject, None, ())
    acts = audit.some(services.store, [turn.noted for turn in state.past if turn.what == NOTED])
    lines = sorted(_lines(state, acts), key=lambda line: line.at, reverse=True)
    return CustomerStory(subject, state, tuple(lines))


def _lines(state: SubjectState, acts: dict[str, audit.Entry]) -> Iterator[Line]:
    if state.owed and state.wanted_since:
        yield Line(at=state.wanted_since, what=OWED, causes=state.causes, times=state.attempts + 1)
    for turn in state.past:
        if turn.what != NOTED:
            yield _of_turn(turn)
        elif turn.noted in acts:
            yield _of_act(acts[turn.noted])


def _of_turn(turn: Turn) -> Line:
    return Line(
        at=turn.at,
        what=turn.what,
        reason=turn.reason,
        causes=turn.causes,
        waited=turn.waited,
        worked=turn.worked,
        times=turn.times,
    )


def _of_act(entry: audit.Entry) -> Line:
    return Line(at=entry.at, what=entry.what, by=entry.by, before=entry.before, after=entry.after)
