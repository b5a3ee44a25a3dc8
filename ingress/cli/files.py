"""Commands about files: export all customers, import files of customers, and the *Shared files* these leave."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.text import Text

from ingress.cli.bulk import wait_option
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
from workers import operations_files
from workers.bulk.csv_files import Unreadable
from workers.bulk.jobs import Job, Plan
from workers.files import NoSuchFile, SharedFile
from workers.operations_files import Checked
from workers.services import Services

# So many refused rows are shown; the result file has them all.
SHOWN = 20
OUTCOMES = {
    "to_create": "would be created",
    "to_update": "would be updated",
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged: Twikey has it like that already",
    "refused": "refused: see the result file, line by line",
    "failed": "failed: import the file again for these",
}
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@click.option("--full", is_flag=True, help="Ask for each customer by itself, which brings its invoicing address.")
@click.option(
    "--bom", is_flag=True, help="For a look in Excel: mark the files as UTF-8. Twikey may not know its columns then."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Save the zip here as well.")
@yes_option
@wait_option
@integration_option
@json_option
@command
def export(
    services: Services,
    full: bool,
    bom: bool,
    output: Path | None,
    yes: bool,
    wait: bool,
    name: str,
    as_json: bool,
) -> None:
    """Write all contacts and companies of Teamleader as CSV, in the files that Twikey imports.

    The zip lands in Shared files (tltw files list). It holds parts of at most 200 KB, a summary with checksums, and
    problems.csv with every customer that needs a look. Nothing is written to Twikey.

    \b
    tltw export                     quick: 100 customers a call, with their primary addresses
    tltw export --full              with invoicing addresses; says first how long that takes
    tltw export -o customers.zip    and save it here
    """
    if output and output.exists():
        refuse(f"{output} is there already, and nothing was started: name another file.", FAILED)
    if output and not output.parent.is_dir():
        refuse(f"There is no folder {output.parent}, and nothing was started.", FAILED)
    plan = operations_files.plan_export(services, name, full=full)
    agree(_sentence(plan), ask=full and not yes, as_json=as_json)
    started = operations_files.start_export(services, name, full=full, byte_order_mark=bom, about=plan.total, by=who())
    job = started.job
    if not started.is_new and not as_json:
        console.print(f"An export is under way already, since {when(job.started)} by {job.by}.", markup=False)
    if wait:
        job = follow(services, job, quiet=as_json)
    if output and job.state == "done":
        _save(services, name, str(job.result["file"]), output)
    answer({"plan": plan, "job": job}, as_json=as_json, text=_export_told(job))
    end_as(job, wait=wait)


@click.command("import")
@click.argument(
    "paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--dry-run", is_flag=True, help="Compare with Twikey and tell what would be done; write nothing.")
@yes_option
@wait_option
@integration_option
@json_option
@command
def import_(
    services: Services,
    paths: tuple[Path, ...],
    dry_run: bool,
    yes: bool,
    wait: bool,
    name: str,
    as_json: bool,
) -> None:
    """Bring customers from CSV files into Twikey: those of tltw export, Twikey's own export, or your own.

    Every row is checked before anything happens. Then each is compared with Twikey, and written only where it differs, so
    that importing a file twice does nothing twice. Empty cells change nothing. The result, line by line, lands in Shared
    files.

    \b
    tltw import customers.zip --dry-run     what would be created, updated, left alone, refused
    tltw import customers.zip               do it
    """
    try:
        checked = operations_files.check_import(services, name, paths)
    except Unreadable as unreadable:
        refuse(str(unreadable), FAILED)
    if not as_json:
        _show_checked(checked)
    plan = operations_files.plan_import(services, name, checked, dry_run=dry_run)
    if not checked.good:
        _give_up(services, name, checked, as_json=as_json)
    try:
        agree(_sentence(plan), ask=not (dry_run or yes), as_json=as_json)
    except (click.Abort, SystemExit):
        operations_files.discard_import(services, name, checked)
        raise
    started = operations_files.start_import(services, name, checked, dry_run=dry_run, by=who())
    job = started.job
    if not started.is_new:
        refuse(
            f"Nothing was started: an import is under way, since {when(job.started)} by {job.by}. Wait for it, then try again.",
            FAILED,
        )
    if wait:
        job = follow(services, job, quiet=as_json)
    answer({"checked": checked, "plan": plan, "job": job}, as_json=as_json, text=_import_told(job))
    end_as(job, wait=wait)


@click.group()
def files() -> None:
    """See, fetch or delete what exports and imports left. Files are deleted by themselves after some days."""


@files.command("list")
@integration_option
@json_option
@command
def list_(services: Services, name: str, as_json: bool) -> None:
    """List the shared files, newest first."""
    found = operations_files.files_of(services, name).all()
    if as_json:
        answer(found, as_json=True)
    elif not found:
        console.print("There are no shared files. Make some: tltw export")
    else:
        _table(found)


@files.command()
@click.argument("file_id", metavar="ID")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to; - for standard output. Default: its name, here."
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@integration_option
@json_option
@command
def get(services: Services, file_id: str, output: Path | None, force: bool, name: str, as_json: bool) -> None:
    """Save a shared file here. It holds customers: keep it as you would keep them. That you fetched it is noted."""
    file, path = _save(services, name, file_id, output, force=force)
    if path is not None:
        answer({"file": file, "path": str(path)}, as_json=as_json, text=f"{path}: {file.size:,} bytes.")


@files.command()
@click.argument("file_id", metavar="ID")
@integration_option
@json_option
@command
def remove(services: Services, file_id: str, name: str, as_json: bool) -> None:
    """Delete a shared file now."""
    try:
        file = operations_files.remove_file(services, name, file_id, by=who())
    except NoSuchFile as missing:
        refuse(str(missing), NOT_FOUND)
    answer({"removed": file.id}, as_json=as_json, text=f"{file.name} was deleted.")


def _save(
    services: Services, name: str, file_id: str, output: Path | None, *, force: bool = False
) -> tuple[SharedFile, Path | None]:
    try:
        file, content = operations_files.open_file(services, name, file_id, by=who())
    except NoSuchFile as missing:
        refuse(str(missing), NOT_FOUND)
    path = output or Path(file.name)
    with content:
        if str(path) == "-":
            shutil.copyfileobj(content, sys.stdout.buffer)
            return file, None
        try:
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
            with open(os.open(path, flags, 0o600), "wb") as target:
                shutil.copyfileobj(content, target)
        except FileExistsError:
            refuse(f"{path} is there already; say --force to replace it.", FAILED)
        except OSError as error:
            refuse(f"{path} cannot be written: {error.strerror}. Elsewhere: tltw files get {file.id} -o FILE", FAILED)
    return file, path


def _show_checked(checked: Checked) -> None:
    for file in checked.files:
        told = f"{file.name}: {file.rows:,} rows" + (f", {file.refused:,} refused" if file.refused else "")
        told += f"; not ours and left alone: {', '.join(file.extra)}" if file.extra else ""
        told += f"; not in the file: {', '.join(file.missing)}" if file.missing else ""
        console.print(told, markup=False, soft_wrap=True)
    for row in checked.refused[:SHOWN]:
        console.print(f"  {row.file}, line {row.line}: {row.what}", markup=False, soft_wrap=True)
    refused = checked.rows - checked.good
    if refused > SHOWN:
        console.print(f"  … and {refused - SHOWN:,} more; the result file has them all.")


def _give_up(services: Services, name: str, checked: Checked, *, as_json: bool) -> NoReturn:
    operations_files.discard_import(services, name, checked)
    answer({"checked": checked}, as_json=as_json, text="There is no row that could be imported.")
    raise SystemExit(FAILED)


def _export_told(job: Job) -> str:
    if job.state != "done":
        return _not_done(job)
    told = job.result
    return (
        f"{told['rows']:,} customers ({told['companies']:,} companies, {told['contacts']:,} persons), "
        f"{told['left_out']:,} left out, {told['remarks']:,} with a remark.\n"
        f"{_not_read(told.get('refused', 0), told.get('unanswered', 0))}"
        f"{told['name']}: fetch it with: tltw files get {told['file']}"
    )


def _not_read(refused: object, unanswered: object) -> str:
    if not (refused or unanswered):
        return ""
    return f"Not read, see problems.csv: {refused:,} refused by Teamleader, {unanswered:,} not answered for in five tries.\n"


def _import_told(job: Job) -> str:
    if job.state != "done":
        return _not_done(job)
    counts = [f"  {job.result[outcome]:>9,}  {words}" for outcome, words in OUTCOMES.items() if job.result.get(outcome)]
    return "\n".join([*counts, f"Line by line: tltw files get {job.result['file']}"])


def _not_done(job: Job) -> str:
    if not job.is_over:
        return f"{job.progress or told(job) or 'It has begun.'}\nFollow it: tltw jobs show {job.kind} --follow"
    return f"The {job.kind} is {job.state}. {job.sentence}".rstrip()


def _sentence(plan: Plan) -> str:
    return f"{plan.sentence} That takes about {lasts(plan)}."


def _table(found: list[SharedFile]) -> None:
    table = table_of("made", "id", "name", "rows", "size", "by", "until", whole=("id",))
    for file in found:
        cells = (
            when(file.made_at),
            file.id,
            file.name,
            f"{file.rows:,}",
            _size(file.size),
            file.made_by,
            when(file.expires_at),
        )
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print("Fetch one: tltw files get ID    Delete one: tltw files remove ID", markup=False)


def _size(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB" if size >= 1_000_000 else f"{size / 1_000:.1f} KB"
