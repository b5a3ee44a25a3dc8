"""What an operator can do with bulk jobs: start, look, pause, resume, cancel. Beside `operations`, and like it the only way in."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from workers import audit
from workers.bulk.jobs import Job, Jobs, Json, Plan
from workers.bulk.kinds import bulk_tools
from workers.bulk.missed_invoices import DAYS
from workers.bulk.registry import by_name
from workers.bulk.sweep import EVERY, window
from workers.dead_letters import Choice
from workers.services import Services

# A sweep later than this is worth a word: two were missed.
LATE = 3 * EVERY
MOST_DAYS = 365


@dataclass(frozen=True, slots=True)
class Started:
    """A run; `is_new` False: it was under way already, with its own parameters."""

    job: Job
    is_new: bool


def plan_drift(services: Services, integration: str, *, repair: bool, create: bool) -> Plan:
    """What a full comparison would do. Makes a dozen calls or so to count the customers; raises what the client raises."""
    parameters = {"repair": repair, "create": create}
    return by_name()["drift"].plan(parameters, bulk_tools(services, integration))


def start_drift(
    services: Services, integration: str, *, repair: bool, create: bool, total: int | None, by: str
) -> Started:
    """Starts the full comparison. `repair`: what differs becomes owed; `create`: what is missing too, where that is allowed."""
    parameters = {"repair": repair, "create": create, "total": total}
    return start(services, integration, "drift", parameters, by=by)


def plan(services: Services, integration: str, kind: str, parameters: Json) -> Plan:
    """What a run of a kind would do. May make some calls, so it raises what the client raises."""
    return by_name()[_known(kind)].plan(parameters, bulk_tools(services, integration))


def figures_of(job: Job) -> dict[str, int]:
    """The figures of a result, those of what it groups among them, without what is none."""
    flat: dict[str, object] = {}
    for name, value in job.result.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return {name: value for name, value in flat.items() if isinstance(value, int) and value}


def start_sweep(services: Services, integration: str, *, by: str) -> Started:
    """Starts a sweep now. Raises ValueError while auto-update is off: then nothing automatic is done."""
    if not services.ledger(integration).auto_update():
        raise ValueError(
            f"Automatic updates of {integration} are off, so nothing is swept. "
            "Switching them on sweeps by itself: tltw integration enable"
        )
    return start(services, integration, "sweep", {}, by=by)


def start_invoices(services: Services, integration: str, *, days: int = DAYS, by: str) -> Started:
    """Starts the import of missed invoices of the last days."""
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"from 1 to {MOST_DAYS} days")
    return start(services, integration, "invoices", {"days": days}, by=by)


def start_replay(services: Services, integration: str, choice: Choice, *, total: int, by: str) -> Started:
    """Starts replaying all dead letters of a choice, at a pace. While one is under way that one is answered."""
    return start(services, integration, "replay", {**choice.parts, "total": total}, by=by)


def jobs(services: Services, integration: str) -> list[Job]:
    """The run under way, or the last one, of every kind that was ever started."""
    known = Jobs(services.store)
    return [job for kind in by_name() if (job := known.look(integration, kind)) is not None]


def job(services: Services, integration: str, kind: str) -> Job | None:
    """The run of one kind under way, or the last one."""
    return Jobs(services.store).look(integration, _known(kind))


def history(services: Services, integration: str, kind: str) -> list[Job]:
    """How runs of a kind ended, newest first."""
    return Jobs(services.store).history(integration, _known(kind))


def report(services: Services, integration: str, kind: str) -> Iterator[Json]:
    """What the last run of a kind has to tell, line by line; `Job.more` says how many lines were left out."""
    return Jobs(services.store).report(integration, _known(kind))


def turn(
    services: Services, integration: str, kind: str, act: Literal["pause", "resume", "cancel"], *, by: str
) -> tuple[Job | None, bool]:
    """Pauses, resumes or cancels; the job as it is now and whether that changed anything. A step under way is finished."""
    acts = Jobs(services.store)
    job, changed = {"pause": acts.pause, "resume": acts.resume, "cancel": acts.cancel}[act](integration, _known(kind))
    if changed:
        audit.note(services.store, by=by, what=f"{kind} {act}", integration=integration, subject=job.run if job else "")
    return job, changed


def swept_until(services: Services, integration: str) -> datetime:
    """Up to when nothing that changed in Teamleader is missed."""
    return window(services.store, integration).complete


def start(services: Services, integration: str, kind: str, parameters: Json, *, by: str) -> Started:
    """Starts a job of any kind, or answers the run that is under way."""
    job, is_new = Jobs(services.store).start(integration, kind, parameters, by=by)
    if is_new:
        given = json.dumps(parameters) if parameters else ""
        audit.note(services.store, by=by, what=f"{kind} started", integration=integration, subject=job.run, after=given)
    return Started(job, is_new)


def _known(kind: str) -> str:
    if kind not in by_name():
        raise ValueError(f"There is no kind of job named {kind!r}. There is: {', '.join(by_name())}.")
    return kind
