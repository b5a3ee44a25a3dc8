"""Follows a bulk job on the terminal until it is over."""

import time
from datetime import UTC, datetime, timedelta

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ingress.cli.shared import console
from workers.bulk.jobs import Job, Jobs
from workers.services import Services

LOOK_EVERY_SECONDS = 0.4
# Nobody has taken it up for so long: probably nobody is there.
SILENCE = timedelta(seconds=10)


def follow(services: Services, job: Job, *, quiet: bool = False) -> Job:
    """Waits until this run is over and answers how it ended. Ctrl-C stops looking; the job goes on."""
    jobs = Jobs(services.store)
    bar = Progress(
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
    with bar:
        task = bar.add_task(job.kind, total=job.total, told="")
        while True:
            now = jobs.look(job.integration, job.kind)
            if now is None or now.run != job.run:
                return job
            job = now
            bar.update(task, total=job.total, completed=job.done, told=_told(job))
            if job.is_over or job.state == "paused":
                return job
            time.sleep(LOOK_EVERY_SECONDS)


def _told(job: Job) -> str:
    if job.sentence:
        return job.sentence
    waited = datetime.now(UTC) - (job.changed or datetime.now(UTC))
    if job.state == "waiting" and not job.done and waited > SILENCE:
        return "Nobody works on it yet. Is `tltw run` (or `tltw bulk`) running?"
    return f"{job.progress} so far" if job.total is None and job.progress else job.progress
