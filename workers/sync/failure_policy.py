"""Says what to do about a failure: again (when), wait, or give up. Pure; the only place that decides it.

| what failed                              | then                                                                  |
|------------------------------------------|-----------------------------------------------------------------------|
| no usable answer                         | again, full-jitter backoff from 2 s to 15 min; dead after 12 attempts  |
| 429                                      | that API of that integration pauses until the time it names           |
| our credentials are refused              | the integration needs reconnecting; its work is held                  |
| the request is refused, cannot be mapped | dead at once                                                          |
| a mistake of our own                     | like no usable answer, so that it is seen and a repaired release heals it |

While an API is down for everybody its circuit is open and few attempts are made. So that a long outage buries nobody,
the twelve attempts only count as final once a day has passed or the API works for others (docs/decisions/0003).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from mapping import CannotMap
from workers.clients.errors import (
    ApiFailure,
    ReconnectNeeded,
    Throttled,
    Unavailable,
)
from workers.ledger.records import Claim, Story

FIRST_WAIT = timedelta(seconds=2)
LONGEST_WAIT = timedelta(minutes=15)
ATTEMPTS = 12
GIVE_UP_AFTER = timedelta(days=1)
# A 429 that names no time.
PAUSE_WITHOUT_A_TIME = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=24)
RECONNECT_NEEDED = "reconnect_needed"
INTERNAL = "internal_error"
SETTINGS_UNREADABLE = "settings_unreadable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from a failure. `reconnect`: all work of the integration is held until a person reconnects."""

    action: Literal["retry", "defer", "dead"]
    reason: str
    api: Literal["teamleader", "twikey"] = "teamleader"
    api_failed: bool = False
    delay: timedelta = timedelta(0)
    story: Story | None = None
    reconnect: bool = False


def judge(failure: Exception, claim: Claim, *, now: datetime, jitter: float) -> Verdict:
    """What to do about a failure of the work under this claim. `jitter` is a random number from 0 to 1."""
    match failure:
        case Throttled():
            return Verdict("defer", "throttled", failure.api, delay=pause_after(failure, now=now, jitter=jitter))
        case ReconnectNeeded():
            return Verdict("defer", RECONNECT_NEEDED, failure.api, reconnect=True)
        case Unavailable():
            return _again_or_dead(failure.reason, claim, now, jitter, failure.api, _story(failure, claim))
        case CannotMap():
            problems = tuple((problem.field, problem.sentence, problem.reason) for problem in failure.problems)
            story = Story(
                "cannot_map", str(failure), problems=problems, attempts=claim.attempts + 1, event_id=claim.event_id
            )
            return Verdict("dead", "cannot_map", story=story)
        case ApiFailure():
            return Verdict("dead", failure.reason, failure.api, story=_story(failure, claim))
        case _:
            sentence = f"A mistake of our own ({type(failure).__name__}); the log has it under event {claim.event_id}."
            story = Story(INTERNAL, sentence, attempts=claim.attempts + 1, event_id=claim.event_id)
            return _again_or_dead(INTERNAL, claim, now, jitter, "teamleader", story, api_failed=False)


def backoff(attempts: int, jitter: float) -> timedelta:
    """Full jitter: anywhere between nothing and a ceiling that doubles (AWS architecture blog, 2015, "full")."""
    ceiling: timedelta = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempts, 20))
    return ceiling * jitter


def _again_or_dead(
    reason: str,
    claim: Claim,
    now: datetime,
    jitter: float,
    api: Literal["teamleader", "twikey"],
    story: Story,
    *,
    api_failed: bool = True,
) -> Verdict:
    day_passed = claim.first_failed is not None and now - claim.first_failed >= GIVE_UP_AFTER
    if claim.attempts + 1 >= ATTEMPTS and (day_passed or not claim.probing):
        return Verdict("dead", reason, api, api_failed=api_failed, story=story)
    return Verdict("retry", reason, api, api_failed=api_failed, delay=backoff(claim.attempts, jitter))


def pause_after(failure: Throttled, *, now: datetime, jitter: float = 0) -> timedelta:
    """For how long an API that said 429 gets no calls."""
    wait = PAUSE_WITHOUT_A_TIME if failure.until is None else failure.until - now
    # A time in the past or far away is a mistake of the API's: come back soon, but not at once.
    return min(max(wait, timedelta(seconds=1)), LONGEST_PAUSE) + timedelta(seconds=jitter)


def _story(failure: ApiFailure, claim: Claim) -> Story:
    return Story(
        reason=failure.reason,
        sentence=failure.sentence,
        api=failure.api,
        status=failure.status,
        code=failure.code,
        field=failure.field,
        attempts=claim.attempts + 1,
        event_id=claim.event_id,
    )
