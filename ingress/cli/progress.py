"""Follows a bulk job on the terminal until it is over. Looking changes nothing: Ctrl-C only stops looking."""

import time
from datetime import UTC, datetime, timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ingress.cli.shared import console
from workers.bulk.jobs import Job, Jobs
from workers.services import Services

LOOK_EVERY_SECONDS = 0.3
# Nobody has taken it up for so long: probably nobody is there.
SILENCE = timedelta(seconds=5)


def follow(services: Services, job: Job, *, quiet: bool = False) -> Job:
    """Waits until this run is over or paused, and answers how it stands. After Ctrl-C it says how to look again."""
    try:
        return _follow(services, job, quiet=quiet)
    except KeyboardInterrupt:
        console.print(f"\nIt goes on without you. Look again: tltw jobs show {job.kind} --follow", markup=False)
        return Jobs(services.store).look(job.integration, job.kind) or job


def _follow(services: Services, job: Job, *, quiet: bool) -> Job:
    jobs = Jobs(services.store)
    with _bar(quiet=quiet) as bar:
        task = bar.add_task(job.kind, total=job.total, completed=job.done, told=told(job))
        while not job.is_over and job.state != "paused":
            time.sleep(LOOK_EVERY_SECONDS)
            now = jobs.look(job.integration, job.kind)
            if now is None or now.run != job.run:
                # A new run began: this one is among the ended ones.
                return next((old for old in jobs.history(job.integration, job.kind) if old.run == job.run), job)
            job = now
            bar.update(task, total=job.total, completed=job.done, told=told(job))
    return job


def told(job: Job) -> str:
    """What it does or waits for, in a few words."""
    if job.sentence:
        return job.sentence
    if job.state == "waiting" and job.started and datetime.now(UTC) - job.started > SILENCE:
        return "Nobody works on it yet. Is tltw run (or tltw bulk) running?"
    return job.progress


def _bar(*, quiet: bool) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}", markup=False),
        console=console,
        disable=quiet or not console.is_terminal,
        transient=True,
    )
