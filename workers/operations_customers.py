"""What an operator can do about one customer. The command line and the console call these and nothing else."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from mapping import Kind
from workers import audit
from workers.ask import at_once, teamleader_says, twikey_has
from workers.clients.errors import ApiFailure, NotFound
from workers.customer import (
    BROUGHT,
    Judged,
    Sides,
    id_of,
    judge,
    kind_of,
    number_of,
    page_in_twikey,
    sides,
)
from workers.integrations import ACTIVE
from workers.ledger.records import NOTED, Causes, SubjectState, Turn
from workers.operations import refresh
from workers.services import Services
from workers.sync.decide import WITHHELD
from workers.sync.run import Tools

OWED = "owed"
# `done_off`: but for CC or an invoicing address, which are withheld while auto-update is off. `held`: the integration does no work.
Refreshed = Literal["done", "done_off", "failed", "under_way", "held"]
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

    @property
    def because(self) -> frozenset[str]:
        """The causes by name."""
        return frozenset(cause.name.lower() for cause in self.causes)


@dataclass(frozen=True, slots=True)
class CustomerStory:
    """What is known of a customer now, and how it came to that, newest first. `state` None: nothing was ever heard of it."""

    subject: str
    state: SubjectState | None
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerView:
    """Everything about one customer. `number`: its number at Twikey, or empty when it can have none.

    `twikey_url`: its page there, when that is known. `active`: whether work of its integration runs. `failures`: why a side could not be asked; the rest is there all the same.
    """

    subject: str
    kind: Kind
    id: str
    number: str
    auto_update: bool
    active: bool
    story: CustomerStory
    sides: Sides
    judged: Judged
    failures: tuple[ApiFailure, ...] = ()
    moves: bool = False
    twikey_url: str = ""


def look(
    services: Services, integration: str, subject: str, *, fresh: timedelta = timedelta(0), now: datetime | None = None
) -> CustomerView:
    """One customer: what the ledger knows, and what both sides say now (one call each). Writes nothing.

    While an event is younger than `fresh` nobody is asked: that comparison would be over in a moment (`moves`).
    """
    tools, known = services.tools(integration), story(services, integration, subject)
    auto_update, active = tools.ledger.auto_update(), tools.ledger.state() == ACTIVE
    number = number_of(subject, tools.mapping)
    now = now or datetime.now(UTC)
    moves = _moves(known.state, fresh, now)
    seen, failures = (Sides(), ()) if moves else _ask(services, tools, subject, number, auto_update)
    return CustomerView(
        subject=subject,
        kind=kind_of(subject),
        id=id_of(subject),
        number=number,
        auto_update=auto_update,
        active=active,
        story=known,
        sides=seen,
        judged=judge(known.state, seen, auto_update=auto_update, active=active),
        failures=failures,
        moves=moves,
        twikey_url="" if seen.in_twikey is False else page_in_twikey(services.settings.twikey_customer_url, number),
    )


def _moves(state: SubjectState | None, fresh: timedelta, now: datetime) -> bool:
    since = state.wanted_since if state and state.owed and not state.attempts else None
    return since is not None and now - since < fresh


def _ask(
    services: Services, tools: Tools, subject: str, number: str, auto_update: bool
) -> tuple[Sides, tuple[ApiFailure, ...]]:
    kind, customer_id, integration = kind_of(subject), id_of(subject), tools.integration.id
    document, in_twikey = at_once(
        lambda: teamleader_says(services, integration, lambda teamleader: teamleader.customer(kind, customer_id)),
        lambda: twikey_has(services, integration, number) if number else None,
    )
    seen = sides(
        kind,
        None if isinstance(document, ApiFailure) else document,
        None if isinstance(in_twikey, ApiFailure) else in_twikey,
        asked_twikey=bool(number) and not isinstance(in_twikey, ApiFailure),
        auto_update=auto_update,
        settings=tools.mapping,
        teamleader_at=tools.integration.teamleader.auth_url,
    )
    if isinstance(document, NotFound):
        seen, document = replace(seen, in_teamleader=False), None
    return seen, tuple(answer for answer in (document, in_twikey) if isinstance(answer, ApiFailure))


def refresh_now(services: Services, integration: str, subject: str, *, most: timedelta, by: str) -> Refreshed:
    """Brings one customer over, also with auto-update off, and waits a little to say how it ended."""
    refresh(services, integration, subject, by=by)
    ledger = services.ledger(integration)
    if ledger.state() != ACTIVE:
        return "held"
    state = wait_for_end(services, integration, subject, most=most)
    if state is None or state.owed:
        return "under_way"
    if state.story is not None or state.outcome not in BROUGHT:
        return "failed"
    return "done_off" if state.reason == WITHHELD else "done"


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
