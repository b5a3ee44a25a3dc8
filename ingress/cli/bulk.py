"""Commands about work on whole accounts: sweep, full comparison, missed invoices, and the jobs behind them."""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TextIO

import click
from rich.text import Text

from ingress.cli import job_result
from ingress.cli.progress import agree, end_as, follow, lasts, told
from ingress.cli.shared import (
    FAILED,
    NOT_FOUND,
    answer,
    command,
    console,
    integration_option,
    json_option,
    refuse,
    table_of,
    when,
    who,
)
from workers import operations_bulk
from workers.bulk import invoice_summary
from workers.bulk.drift_report import COLUMNS, details
from workers.bulk.jobs import Job, Json
from workers.bulk.missed_invoices import DAYS
from workers.operations_bulk import Started
from workers.services import Services

SHOWN = 40
wait_option = click.option("--wait/--no-wait", default=True, show_default=True, help="Follow it until it is over.")


@click.command()
@wait_option
@integration_option
@json_option
@command
def sweep(services: Services, wait: bool, name: str, as_json: bool) -> None:
    """Look now for edits and invoices in Teamleader whose webhook never reached us.

    It runs by itself every ten minutes, and whenever auto-update is switched on or the connection is restored.
    """
    try:
        started = operations_bulk.start_sweep(services, name, by=who())
    except ValueError as off:
        refuse(str(off), FAILED)
    _see_through(services, started, wait=wait, as_json=as_json)


@click.command()
@click.option("--repair", is_flag=True, help="Bring over again what differs, and create what is missing.")
@click.option("--no-create", is_flag=True, help="With --repair: create nobody.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--last", is_flag=True, help="Show the report of the last comparison; start nothing.")
@click.option(
    "--csv", "csv_to", type=click.Path(path_type=Path), help="Write the report as CSV to this file; - is here."
)
@wait_option
@integration_option
@json_option
@command
def drift(
    services: Services,
    repair: bool,
    no_create: bool,
    yes: bool,
    last: bool,
    csv_to: Path | None,
    wait: bool,
    name: str,
    as_json: bool,
) -> None:
    """Compare every customer of Teamleader with Twikey, field by field. Says first what that takes.

    Reads each customer in full: one call each to Teamleader and to Twikey. Runs by itself once a week, without repairing.
    The report names customers by id, and fields, never values: tltw preview company ID shows those.
    """
    if last:
        job = operations_bulk.job(services, name, "drift")
        if job is None:
            refuse("There was no comparison yet. Start one: tltw drift", NOT_FOUND)
    else:
        plan = operations_bulk.plan_drift(services, name, repair=repair, create=not no_create)
        takes = f"about {plan.calls:,} calls to Teamleader: {lasts(plan)}"
        agree(f"{plan.sentence}\nThat takes {takes}.", ask=not yes, as_json=as_json)
        job = _started(
            services,
            operations_bulk.start_drift(
                services, name, repair=repair, create=not no_create, total=plan.total, by=who()
            ),
            wait=wait,
            as_json=as_json,
        )
    lines = list(operations_bulk.report(services, name, "drift"))
    if csv_to:
        _write_csv(lines, csv_to)
    if as_json:
        answer({"job": job, "report": lines}, as_json=True)
    elif str(csv_to) != "-":
        _show_drift(job, lines)
    end_as(job, wait=wait or last)


@click.group()
def invoices() -> None:
    """Invoices whose import was missed."""


@invoices.command("import")
@click.option("--days", type=click.IntRange(1, operations_bulk.MOST_DAYS), default=DAYS, show_default=True)
@wait_option
@integration_option
@json_option
@command
def import_(services: Services, days: int, wait: bool, name: str, as_json: bool) -> None:
    """Create the customers of recent booked, unpaid invoices that Twikey does not know.

    With auto-update off a customer that Twikey knows is left alone; with it on it is brought up to date, as always.
    Doing it again does nothing twice.
    """
    started = operations_bulk.start_invoices(services, name, days=days, by=who())
    _see_through(services, started, wait=wait, as_json=as_json)


@click.group()
def jobs() -> None:
    """See, follow, pause, resume or cancel work on whole accounts."""


@jobs.command("list")
@integration_option
@json_option
@command
def list_(services: Services, name: str, as_json: bool) -> None:
    """List what runs, and how the last run of everything else ended."""
    found = operations_bulk.jobs(services, name)
    if as_json:
        answer(found, as_json=True)
    elif not found:
        console.print("There was no job yet.")
    else:
        table = table_of("job", "state", "done", "started", "ended", "by", "", whole=("job",))
        for job in found:
            times = (when(job.started), when(job.ended) if job.ended else "")
            table.add_row(*map(Text, (job.kind, _state(job), _done(job), *times, job.by, told(job))))
        console.print(table)


@jobs.command()
@click.argument("kind")
@click.option("--follow", "following", is_flag=True, help="Stay until it is over.")
@integration_option
@json_option
@command
def show(services: Services, kind: str, following: bool, name: str, as_json: bool) -> None:
    """Show one job and how its earlier runs ended, for example: tltw jobs show sweep"""
    job = _the(operations_bulk.job(services, name, kind), kind)
    if following:
        job = follow(services, job, quiet=as_json)
    earlier = [old for old in operations_bulk.history(services, name, kind) if old.run != job.run]
    if as_json:
        answer({"job": job, "earlier": earlier}, as_json=True)
        return
    console.print("\n".join(_lines(job)), markup=False, soft_wrap=True)
    for old in earlier[:5]:
        console.print(f"  before: {when(old.started)} by {old.by}: {_state(old)}, {_done(old)}", markup=False)


def _turning(act: Literal["pause", "resume", "cancel"], meaning: str) -> None:
    @jobs.command(act, help=meaning)
    @click.argument("kind")
    @integration_option
    @json_option
    @command
    def turn(services: Services, kind: str, name: str, as_json: bool) -> None:
        found, changed = operations_bulk.turn(services, name, kind, act, by=who())
        job = _the(found, kind)
        answer(job, as_json=as_json, text=_turned(job, act, changed=changed))
        if not changed:
            raise SystemExit(FAILED)


_turning("pause", "Pause a job after the step under way. It keeps its place.")
_turning("resume", "Go on with a job that was paused, or that failed, from where it was.")
_turning("cancel", "End a job for good after the step under way, or give up one that failed. What it did stays done.")


# -- how a run is started and seen through -----------------------------------------------------------


def _see_through(services: Services, started: Started, *, wait: bool, as_json: bool) -> None:
    job = _started(services, started, wait=wait, as_json=as_json)
    answer(job, as_json=as_json, text="\n".join(_lines(job)))
    end_as(job, wait=wait)


def _started(services: Services, started: Started, *, wait: bool, as_json: bool) -> Job:
    job, first = started.job, ""
    if not started.is_new and not as_json:
        how = "paused" if job.state == "paused" else "under way already"
        first = f"It is {how}, since {when(job.started)} by {job.by}; this is that run."
    if wait:
        return follow(services, job, first=first, quiet=as_json)
    if first:
        console.print(first, markup=False)
    return job


# -- how a job is shown ------------------------------------------------------------------------------


def _the(job: Job | None, kind: str) -> Job:
    if job is None:
        refuse(f"There was no {kind} yet.", NOT_FOUND)
    return job


def _state(job: Job) -> str:
    return f"{job.state}, will {job.asked}" if job.asked else job.state


def _done(job: Job) -> str:
    return f"{job.done:,}" if job.total is None else f"{job.done:,} of {job.total:,}"


def _turned(job: Job, act: str, *, changed: bool) -> str:
    if not changed:
        return f"{job.kind} is {_state(job)}; there is nothing to {act}."
    if job.asked:
        return f"{job.kind}: the step under way is finished first, then it will {act}."
    return f"{job.kind} is {job.state}."


def _lines(job: Job) -> list[str]:
    """A job as text."""
    lines = [f"{job.kind}: {_state(job)}, {_done(job)}"]
    if why := told(job):
        lines.append(f"  {why}" + (f" ({job.reason})" if job.reason else ""))
    lines.append(f"  started {when(job.started)} by {job.by}" + (f", ended {when(job.ended)}" if job.ended else ""))
    if job.kind == "sweep" and job.result:
        lines.append(
            f"  {_numbers(job, 'contacts', 'companies', 'invoices')} had changed; {job.result['marked']} were missed"
        )
        lines.append(f"  {job.result['calls']} calls to Teamleader")
    elif job.kind == "invoices" and job.result:
        lines += (f"  {line}" for line in invoice_summary.lines(job, job.result))
    else:
        lines += (f"  {line}" for line in (*job_result.figures(job), *job_result.files(job)))
    if not job.is_over:
        lines.append(f"  Follow it: tltw jobs show {job.kind} --follow")
    return lines


def _numbers(job: Job, *names: str) -> str:
    return ", ".join(f"{job.result.get(name, 0)} {name}" for name in names)


def _show_drift(job: Job, lines: list[Json]) -> None:
    console.print("\n".join(_lines(job)), markup=False, soft_wrap=True)
    if not lines:
        return
    table = table_of("customer", "", "fields or reasons", whole=("customer",))
    for cells in _cells(lines[:SHOWN]):
        table.add_row(*map(Text, cells))
    console.print(table)
    if (more := len(lines) + job.more - min(len(lines), SHOWN)) > 0:
        where = "; the files have them all" if job.result.get("file") else ""
        console.print(f"… and {more:,} more{where}.", markup=False)
    if job.more:
        console.print(
            f"What is quick to look at, here and with --csv, are the first {len(lines):,} lines.", markup=False
        )


def _cells(lines: Iterable[Json]) -> Iterable[tuple[str, str, str]]:
    for line in lines:
        yield str(line["subject"]), str(line["found"]), details(line)


def _write_csv(lines: Iterable[Json], to: Path) -> None:
    def write(out: TextIO) -> None:
        rows = csv.writer(out)
        rows.writerow(COLUMNS)
        rows.writerows(_cells(lines))

    if str(to) == "-":
        write(sys.stdout)
        return
    with to.open("w", newline="", encoding="utf-8") as out:
        write(out)
