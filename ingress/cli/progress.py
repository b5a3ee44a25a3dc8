"""A bulk job on the terminal: asked for before it starts, and followed until it is over.

Looking changes nothing: Ctrl-C only stops looking.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from ingress.cli.shared import FAILED, SETTINGS, console, refuse
from workers.bulk.jobs import Job, Jobs, Plan
from workers.services import Services

LOOK_EVERY_SECONDS = 0.3
# Nobody has taken it up for so long: probably nobody is there.
SILENCE = timedelta(seconds=5)


def agree(text: str, *, ask: bool, as_json: bool) -> None:
    """Says what is going to happen, and asks. Where nobody can answer, --yes must have been said before."""
    if not as_json:
        console.print(text, markup=False, soft_wrap=True)
    if not ask:
        return
    if as_json or not sys.stdin.isatty():
        refuse("Nothing was started, because nobody can be asked here: say --yes.", SETTINGS)
    click.confirm("Go on?", abort=True)


def lasts(plan: Plan) -> str:
    """How long, for a person."""
    shortest, longest = _duration(plan.shortest), _duration(plan.longest)
    return shortest if shortest == longest else f"{shortest}, up to {longest} beside other work"


def _duration(time: timedelta) -> str:
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.0f} h" if minutes < 48 * 60 else f"{minutes / 60 / 24:.0f} days"


def end_as(job: Job, *, wait: bool) -> None:
    """Ends the command with the exit code that says how a job ended that was waited for."""
    if wait and job.state in ("failed", "cancelled"):
        raise SystemExit(FAILED)


def follow(services: Services, job: Job, *, first: str = "", quiet: bool = False) -> Job:
    """Waits until this run is over or paused, and answers how it stands. After Ctrl-C it says how to look again.

    `first`: what is said before; whoever has read it can press Ctrl-C already.
    """
    try:
        if first:
            console.print(first, markup=False)
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
