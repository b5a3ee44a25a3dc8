"""Work on whole accounts: what runs and ran, what a run would take, start, pause, resume, cancel, and the report."""

from datetime import timedelta
from itertools import islice
from typing import Any

from flask import Response, abort, request

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_bulk
from workers.bulk.jobs import Job, Json
from workers.bulk.missed_invoices import DAYS
from workers.bulk.registry import by_name
from workers.operations_bulk import MOST_DAYS, Started
from workers.operators import Role

# What is begun on this page; other kinds begin where they belong.
STARTED_HERE = ("sweep", "drift", "invoices")
ACTS = ("pause", "resume", "cancel")
# Why a run is over that failed and was cancelled then (ask.lua).
GIVEN_UP = "given_up"
# How often a page with something under way looks for news.
NEWS_EVERY = timedelta(seconds=3)
LINES = 100

pages = Pages("jobs")


@pages.get("/integrations/<integration>/jobs", needs=Role.VIEWER, tab="jobs")
def shown(here: Here, integration: Integration) -> Answer:
    return _all(here, integration)


@pages.get("/integrations/<integration>/jobs/news", needs=Role.VIEWER, by_itself=True)
def news(here: Here, integration: Integration) -> Answer:
    """The same page, for a browser that asks by itself."""
    return _all(here, integration)


@pages.get("/integrations/<integration>/jobs/<kind>", needs=Role.VIEWER)
def one(here: Here, integration: Integration, kind: str) -> Answer:
    return _one(here, integration, kind)


@pages.get("/integrations/<integration>/jobs/<kind>/news", needs=Role.VIEWER, by_itself=True)
def one_news(here: Here, integration: Integration, kind: str) -> Answer:
    return _one(here, integration, kind)


@pages.post("/integrations/<integration>/jobs/<kind>/plan", needs=Role.OPERATOR)
def plan(here: Here, integration: Integration, kind: str) -> Answer:
    """What it would take. A POST, for counting customers uses up calls."""
    parameters = _parameters(kind)
    made = operations_bulk.plan(here.services, integration.id, kind, parameters)
    return here.page("job_plan.html", kind=kind, parameters=parameters, plan=made)


@pages.post("/integrations/<integration>/jobs/<kind>/start", needs=Role.OPERATOR)
def start(here: Here, integration: Integration, kind: str) -> Answer:
    try:
        started = _start(here, integration.id, kind, _parameters(kind))
    except ValueError:
        return here.go("jobs.shown", integration=integration.id, said=f"jobs.refused.{kind}", done=False)
    said = "jobs.started" if started.is_new else "jobs.under_way"
    return here.go("jobs.one", integration=integration.id, kind=kind, said=said, done=started.is_new)


@pages.post("/integrations/<integration>/jobs/<kind>/turn", needs=Role.OPERATOR)
def turn(here: Here, integration: Integration, kind: str) -> Answer:
    """Pauses, resumes or cancels; what somebody else did before is said, and nothing more."""
    act = request.form.get("act", "")
    if kind not in by_name() or act not in ACTS:
        abort(400)
    job, changed = operations_bulk.turn(here.services, integration.id, kind, act, by=here.by)  # type: ignore[arg-type]
    said = _said(act, job) if changed else "jobs.said.nothing"
    return here.go("jobs.one", integration=integration.id, kind=kind, said=said, done=changed)


def _said(act: str, job: Job | None) -> str:
    given_up = job is not None and job.reason == GIVEN_UP
    return "jobs.said.given_up" if given_up else f"jobs.said.{act}"


def _all(here: Here, integration: Integration) -> Response:
    jobs = {job.kind: job for job in operations_bulk.jobs(here.services, integration.id)}
    kinds = [kind for kind in by_name() if kind in STARTED_HERE or kind in jobs]
    return here.page(
        "jobs.html",
        jobs={kind: jobs.get(kind) for kind in kinds},
        started_here=STARTED_HERE,
        runs=any(not job.is_over for job in jobs.values()),
        days=DAYS,
        most_days=MOST_DAYS,
        **_shared(here),
    )


def _one(here: Here, integration: Integration, kind: str) -> Response:
    job = operations_bulk.job(here.services, integration.id, kind) if kind in by_name() else None
    if job is None:
        return here.go("jobs.shown", integration=integration.id, said="jobs.never", done=False)
    lines = list(islice(operations_bulk.report(here.services, integration.id, kind), LINES + 1))
    return here.page(
        "job.html",
        job=job,
        runs=not job.is_over,
        lines=lines[:LINES],
        more_lines=len(lines) > LINES or job.more > 0,
        numbers=operations_bulk.figures_of(job),
        earlier=[old for old in operations_bulk.history(here.services, integration.id, kind) if old.run != job.run],
        **_shared(here),
    )


def _shared(here: Here) -> dict[str, Any]:
    return {"may_act": here.operator.may(Role.OPERATOR), "seconds": round(NEWS_EVERY.total_seconds())}


def _parameters(kind: str) -> Json:
    """What the form of a kind says; a kind that does not begin here has none."""
    if kind not in STARTED_HERE:
        abort(400)
    if kind == "drift":
        return {"repair": request.form.get("repair") == "yes", "create": request.form.get("create") == "yes"}
    if kind == "invoices":
        return {"days": request.form.get("days", DAYS, type=int)}
    return {}


def _start(here: Here, integration: str, kind: str, parameters: Json) -> Started:
    if kind == "drift":
        return operations_bulk.start_drift(
            here.services,
            integration,
            repair=bool(parameters["repair"]),
            create=bool(parameters["create"]),
            total=request.form.get("total", type=int),
            by=here.by,
        )
    if kind == "invoices":
        return operations_bulk.start_invoices(here.services, integration, days=int(str(parameters["days"])), by=here.by)
    return operations_bulk.start_sweep(here.services, integration, by=here.by)
