"""What an operator can do about one customer. The command line and the console call these and nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers import audit
from workers.ledger.records import NOTED, Causes, SubjectState, Turn
from workers.services import Services

OWED = "owed"


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
