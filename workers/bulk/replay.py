"""Replays dead letters: makes those of a choice owed again, a few at a time, and says what became of them.

A replay is a mark in the ledger, so a worker does the work and doing it twice is harmless. Only letters that were dead when the
run began are meant: who dies again during the run is told, not tried again. The pace leaves three quarters of the calls to
live work. It never talks to an API.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from config.store import time_of
from workers.bulk.backlog import LOOK_AGAIN, mark_some
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.dead_letters import Choice
from workers.ledger import Cause, Ledger
from workers.ledger.records import SubjectState

REPLAY = frozenset({Cause.REPLAY})
# Letters read per step, and made owed per step.
READ, AT_A_TIME = 200, 10
# The share of the calls to Teamleader that replays use up: one in so many.
ONE_CALL_IN = 4
# The outcome is waited for this long after the last was made owed; an outage may last longer than anybody wants to look on.
PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The cursor. `died_ms`, `subject`: the last letter that was read; `more`: there may be others behind it.

    `found`: meant, and not made owed yet; `awaited`: of whom the outcome is waited for, until `until_ms`.
    """

    died_ms: int = 0
    subject: str = ""
    more: bool = True
    found: tuple[str, ...] = ()
    awaited: tuple[str, ...] = ()
    until_ms: int = 0

    @property
    def is_the_end(self) -> bool:
        return not (self.more or self.found or self.awaited)

    def as_json(self) -> Json:
        place: dict[str, object] = {"died_ms": self.died_ms, "subject": self.subject, "more": self.more}
        return place | {"found": list(self.found), "awaited": list(self.awaited), "until_ms": self.until_ms}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Position":
        return cls(**{**stored, "found": tuple(stored["found"]), "awaited": tuple(stored["awaited"])})


@dataclass(frozen=True, slots=True)
class Sorted:
    """What is to be done about the letters that were found."""

    dead: tuple[str, ...]
    marked_before: tuple[str, ...]
    not_dead: int


@dataclass(frozen=True, slots=True)
class Replay:
    """The kind of job. Parameters: those of a `Choice`, and `total`, how many there were when somebody looked."""

    name: str = "replay"

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        number = count(tools.ledger, choice_of(parameters), time_of(tools.store))
        time = pause(number, tools.integration.teamleader.calls_per_minute)
        return Plan(
            sentence=f"Tries {number:,} dead letters again, as each customer is by then.",
            calls=number,
            total=number,
            shortest=time,
            longest=time,
        )

    def step(self, job: Job, tools: BulkTools) -> Step:
        """Reads some of the list, or makes the next few owed and counts who is done."""
        at = Position.from_json(job.cursor) if job.cursor else Position()
        return _read(job, at, tools) if at.more and not at.found else _replay(job, at, tools)


def choice_of(parameters: Json) -> Choice:
    return Choice(**{name: str(parameters.get(name, "")) for name in ("reason", "kind", "age", "text")})


def count(ledger: Ledger, choice: Choice, now: datetime) -> int:
    """How many dead letters are meant."""
    number, at = 0, Position()
    while letters := ledger.dead_letters_after(at.died_ms, at.subject, until=now, limit=READ):
        number += sum(choice.includes(letter, now) for letter in letters)
        at = Position(died_ms=_ms(letters[-1].died), subject=letters[-1].subject)
    return number


def pause(number: int, calls_per_minute: int) -> timedelta:
    """How long so many replays take at their pace."""
    return timedelta(minutes=number * ONE_CALL_IN / calls_per_minute)


def _read(job: Job, at: Position, tools: BulkTools) -> Step:
    assert job.started is not None
    letters = tools.ledger.dead_letters_after(at.died_ms, at.subject, until=job.started, limit=READ)
    if not letters:
        return _step(job, replace(at, more=False), {}, {})
    choice, last = choice_of(job.parameters), letters[-1]
    found = tuple(letter.subject for letter in letters if choice.includes(letter, job.started))
    return _step(job, replace(at, died_ms=_ms(last.died), subject=last.subject, found=found), {}, {})


def _replay(job: Job, at: Position, tools: BulkTools) -> Step:
    now = time_of(tools.store)
    awaited = dict(zip(at.awaited, tools.ledger.look_at(at.awaited), strict=True))
    ended = {one: state for one, state in awaited.items() if state is None or not state.owed}
    several = at.found[:AT_A_TIME]
    found = _sort(job, several, tools.ledger.look_at(several))
    marked = mark_some(tools.ledger, found.dead, REPLAY, event_id=job.run)
    still = tuple(one for one in at.awaited if one not in ended)
    after = replace(
        at,
        found=(*found.dead[marked:], *at.found[AT_A_TIME:]),
        awaited=(*still, *found.marked_before, *found.dead[:marked]),
        until_ms=_ms(now + PATIENCE) if marked or found.marked_before else at.until_ms,
    )
    outcomes = Counter("gone" if state is None else state.outcome for state in ended.values())
    if not (after.more or after.found) and _ms(now) > after.until_ms:
        outcomes["owed"] += len(after.awaited)
        after = replace(after, awaited=())
    more = {"replayed": marked + len(found.marked_before), "not_dead": found.not_dead}
    step = _step(job, after, more, outcomes)
    lines = [_line(one, state) for one, state in ended.items() if state and state.story]
    return replace(step, lines=lines, again_in=_again_in(after, marked, tools))


def _again_in(at: Position, marked: int, tools: BulkTools) -> timedelta:
    if marked:
        return max(LOOK_AGAIN, pause(marked, tools.integration.teamleader.calls_per_minute))
    waits = at.found or (at.awaited and not at.more)
    return LOOK_AGAIN if waits else timedelta(0)


def _sort(job: Job, subjects: Sequence[str], states: Sequence[SubjectState | None]) -> Sorted:
    """Who is to be made owed. Whom we made owed just before we died counts once, also when that ended meanwhile."""
    ours = tuple(one for one, state in zip(subjects, states, strict=True) if state and state.event_id == job.run)
    dead = tuple(
        one for one, state in zip(subjects, states, strict=True) if state and state.story and state.event_id != job.run
    )
    return Sorted(dead, ours, len(subjects) - len(ours) - len(dead))


def _line(subject: str, state: SubjectState) -> Json:
    assert state.story is not None
    return {"subject": subject, "reason": state.story.reason, "sentence": state.story.sentence}


def _step(job: Job, at: Position, more: Mapping[str, int], outcomes: Mapping[str, int]) -> Step:
    before = {name: cast(int, job.result.get(name, 0)) + more.get(name, 0) for name in ("replayed", "not_dead")}
    customers = cast("dict[str, int]", job.result.get("customers", {}))
    counted = {name: customers.get(name, 0) + outcomes.get(name, 0) for name in dict.fromkeys((*customers, *outcomes))}
    done = sum(counted.values()) + before["not_dead"]
    known = done + len(at.found) + len(at.awaited)
    expected = cast(int, job.parameters.get("total") or 0)
    return Step(
        cursor=at.as_json(),
        done=done,
        total=max(known, expected) if at.more else known,
        progress="" if at.is_the_end else "making them owed" if at.more or at.found else "waiting for the last ones",
        result={**before, "customers": counted},
        finished=at.is_the_end,
    )


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
