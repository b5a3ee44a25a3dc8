"""What an operator can do with dead letters: find them, try out what a replay would change, replay or give up several.

Beside `operations`, which has the same for one. Replaying all of a choice is a bulk job: `operations_bulk.start_replay`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import redis

from config.store import time_of
from mapping import Problem
from workers import operations
from workers.clients.errors import ApiFailure, NotFound, Refused
from workers.dead_letters import Choice, by_reason, kind_of
from workers.ledger.records import DeadLetter, SubjectState
from workers.services import Services
from workers.sync.compare import Difference

# What a dry run looks at, at most.
TRIED_AT_MOST = 20
TRIED_FOR = timedelta(seconds=12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The dead letters of a choice. `reasons`: how many of each there are when the reason is left open."""

    everything: int
    reasons: dict[str, int]
    letters: tuple[DeadLetter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of several. `left`: not reached, because the store went away; doing it again is harmless."""

    done: tuple[str, ...] = ()
    not_dead: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


Would = Literal["change", "create", "nothing", "not_create", "cannot_map", "refused", "gone", "invoice", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a replay of one would do now. `unknown`: we could not find out, and `sentence` says why."""

    subject: str
    would: Would
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class DryRun:
    """What was tried out; `left`: how many were not looked at, because of their number, the time, or an API that fails."""

    tried: tuple[Tried, ...]
    left: int


def find(services: Services, integration: str, choice: Choice) -> Found:
    """The dead letters of a choice, newest first."""
    now, every = time_of(services.store), list(operations.dead_letters(services, integration))
    any_reason = replace(choice, reason="")
    fitting = [letter for letter in every if any_reason.includes(letter, now)]
    chosen = [letter for letter in fitting if choice.includes(letter, now)]
    return Found(everything=len(every), reasons=by_reason(fitting), letters=tuple(reversed(chosen)))


def look(services: Services, integration: str, subjects: Sequence[str]) -> list[SubjectState]:
    """Those that are dead now; the others were replayed, given up or brought over meanwhile."""
    states = services.ledger(integration).look_at(subjects)
    return [state for state in states if state is not None and state.story is not None]


def replay_some(services: Services, integration: str, subjects: Sequence[str], *, by: str) -> Done:
    """Tries several again. Who is not dead (any more) is left alone."""
    return _each(subjects, lambda one: operations.replay(services, integration, one, by=by) is not None)


def discard_some(services: Services, integration: str, subjects: Sequence[str], why: str, *, by: str) -> Done:
    """Gives several up, for a reason that is kept."""
    return _each(subjects, lambda one: operations.discard(services, integration, one, why, by=by))


def dry_run(services: Services, integration: str, subjects: Sequence[str]) -> DryRun:
    """What a replay would change, without changing it: one call to each API per customer, of the first few."""
    tried: list[Tried] = []
    ends = time.monotonic() + TRIED_FOR.total_seconds()
    for subject in subjects[:TRIED_AT_MOST]:
        tried.append(_try(services, integration, subject))
        # An API that fails for one fails for the next.
        if tried[-1].would == "unknown" or time.monotonic() > ends:
            break
    return DryRun(tuple(tried), len(subjects) - len(tried))


def _each(subjects: Sequence[str], act: Callable[[str], bool]) -> Done:
    done: list[str] = []
    not_dead: list[str] = []
    for place, subject in enumerate(subjects):
        try:
            (done if act(subject) else not_dead).append(subject)
        except redis.RedisError:
            return Done(done=tuple(done), not_dead=tuple(not_dead), left=tuple(subjects[place:]))
    return Done(done=tuple(done), not_dead=tuple(not_dead))


def _try(services: Services, integration: str, subject: str) -> Tried:
    if kind_of(subject) == "invoice":
        return Tried(subject=subject, would="invoice")
    try:
        seen = operations.preview(services, integration, subject)
    except NotFound:
        return Tried(subject=subject, would="gone")
    except Refused as refused:
        return Tried(subject=subject, would="refused", sentence=refused.sentence)
    except ApiFailure as failure:
        return Tried(subject=subject, would="unknown", sentence=failure.sentence)
    if seen.customer is None:
        return Tried(subject=subject, would="cannot_map", problems=seen.problems)
    if seen.in_twikey is None:
        creates = services.integration(integration).create_unknown
        return Tried(subject=subject, would="create" if creates else "not_create", differences=seen.differences)
    return Tried(subject=subject, would="change" if seen.differences else "nothing", differences=seen.differences)
