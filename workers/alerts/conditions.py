"""What is wrong now, and what is well again: from one look at an integration, or at the deployment. Pure.

Where it cannot be told nothing is said, and what is open stays open: while credentials are refused an integration is
neither late nor on time. What an operator paused or switched off is nobody's trouble any more.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from workers.alerts import silence
from workers.alerts.kinds import Kind
from workers.clients.errors import NAMES
from workers.ledger.records import Survey

LATE_AFTER = timedelta(minutes=15)
# An integration that is not served (any more): nothing of it can be wrong.
NOT_SERVED = ("connecting", "closed")
# Why an integration is paused when a person wanted it so; by itself it is paused for any other reason.
PAUSED_BY_A_PERSON = ("", "paused_by_operator")
# A channel may stumble; failing is to have failed this often in a row.
FAILING_AFTER = 3

Raised = Mapping[Kind, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or well, with an integration (`""`: with the deployment).

    `number` counts what the kind counts; of what was raised, how often since the last look. `detail`: more, in words.
    `moot`: neither, because nobody wants to know; what was open is closed without a word.
    """

    kind: Kind
    integration: str
    wrong: bool
    number: int = 1
    detail: str = ""
    since: datetime | None = None
    moot: bool = False


def of_integration(survey: Survey, raised: Raised, *, webhooks: bool) -> list[Finding]:
    """What one look shows. `webhooks`: the survey holds the webhooks by day, so silence can be judged."""
    if survey.standing.state in NOT_SERVED:
        return []
    found = [*_raised(survey, raised), *_state(survey), _dead(survey), *_late(survey)]
    return [*found, *_silence(survey)] if webhooks else found


def of_store(problems: Iterable[str]) -> Finding:
    """Whether the store keeps what it accepted."""
    said = " ".join(problems)
    return Finding(Kind.STORE_NOT_DURABLE, "", bool(said), detail=said)


def of_channels(failures: Mapping[str, int]) -> Finding:
    """Whether alerts get through; `failures` in a row, by channel."""
    failing = sorted(name for name, number in failures.items() if number >= FAILING_AFTER)
    return Finding(Kind.CHANNEL_FAILING, "", bool(failing), detail=", ".join(failing))


def _raised(survey: Survey, raised: Raised) -> Iterator[Finding]:
    for kind in (Kind.FOREIGN_ACCOUNT, Kind.REGISTRATION_LOST):
        if number := raised.get(kind, 0):
            yield Finding(kind, survey.integration, True, number)


def _state(survey: Survey) -> Iterator[Finding]:
    state, reason, since = survey.standing.state, survey.standing.reason, survey.standing.since
    if state == "active":
        yield Finding(Kind.RECONNECT_NEEDED, survey.integration, False)
        yield Finding(Kind.PAUSED_ITSELF, survey.integration, False)
    elif state == "reconnect_needed":
        yield Finding(Kind.RECONNECT_NEEDED, survey.integration, True, detail=reason, since=since)
    elif state == "paused" and reason not in PAUSED_BY_A_PERSON:
        yield Finding(Kind.PAUSED_ITSELF, survey.integration, True, detail=reason, since=since)


def _dead(survey: Survey) -> Finding:
    most_first = sorted(survey.dead_reasons.items(), key=lambda one: (-one[1], one[0]))
    detail = ", ".join(f"{reason} {number}" for reason, number in most_first)
    return Finding(Kind.DEAD_LETTERS, survey.integration, survey.dead > 0, survey.dead, detail)


def _late(survey: Survey) -> Iterator[Finding]:
    if survey.standing.state == "paused":
        yield Finding(Kind.UPDATES_LATE, survey.integration, False, moot=True)
    if survey.standing.state != "active":
        return
    waiting_for = survey.at - _waiting_since(survey)
    trouble = ", ".join(f"{NAMES[api]} fails or asks for a pause" for api in NAMES if api in survey.in_trouble)
    yield Finding(
        Kind.UPDATES_LATE, survey.integration, waiting_for >= LATE_AFTER, survey.owed, trouble, survey.owed_since
    )


def _waiting_since(survey: Survey) -> datetime:
    """What was held for days, until somebody connected again, is late only a quarter of an hour after that."""
    since = survey.owed_since or survey.at
    return max(since, survey.standing.since or since)


def _silence(survey: Survey) -> Iterator[Finding]:
    if survey.standing.state == "paused" or not survey.auto_update:
        yield Finding(Kind.SILENCE, survey.integration, False, moot=True)
        return
    if survey.standing.state != "active":
        return
    judged = silence.judge(survey.webhook_days, survey.at)
    if isinstance(judged, silence.Silent):
        since = datetime.combine(judged.since, time(), silence.zone())
        detail = f"about {judged.expected} were to be expected"
        yield Finding(Kind.SILENCE, survey.integration, True, detail=detail, since=since)
    elif judged == "heard":
        yield Finding(Kind.SILENCE, survey.integration, False)
