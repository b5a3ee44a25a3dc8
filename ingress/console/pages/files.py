"""All customers as files: export, import, and the *Shared files* these leave. The rows of an import wait on the disk for a person's yes."""

from collections.abc import Sequence
from datetime import datetime
from mimetypes import guess_type

from flask import Response, request, send_file

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from ingress.console.pages.jobs import NEWS_EVERY
from workers import operations_bulk, operations_files
from workers.bulk import csv_export, csv_import
from workers.bulk.csv_files import Limits, Unreadable
from workers.bulk.jobs import Job
from workers.files import NoSuchFile
from workers.operations_files import Checked, NoSuchRows
from workers.operators import Role

# What can be uploaded at once, with all its parts and also unpacked. Rows have a limit of their own: tiny ones, each of
# them refused, would be millions, and would fill the disk with what is wrong with them.
UPLOAD_BYTES = 16 * 1000**2
UPLOAD = Limits(
    bytes=UPLOAD_BYTES, rows=250_000, tables=500, instead="Split it, or use `tltw import`, which takes more."
)
KINDS = (csv_export.NAME, csv_import.NAME)
OUTCOMES = ("to_create", "to_update", "unchanged", "refused", "failed")

pages = Pages("files")


@pages.get("/integrations/<integration>/files", needs=Role.VIEWER, tab="files")
def shown(here: Here, integration: Integration) -> Answer:
    return _all(here, integration)


@pages.get("/integrations/<integration>/files/news", needs=Role.VIEWER, by_itself=True)
def news(here: Here, integration: Integration) -> Answer:
    """The same page, for a browser that asks by itself."""
    return _all(here, integration)


# -- export ----------------------------------------------------------------------------------------------


@pages.post("/integrations/<integration>/files/export/plan", needs=Role.OPERATOR)
def export_plan(here: Here, integration: Integration) -> Answer:
    """What it would take. A POST, for counting customers uses up calls."""
    full, for_excel = _ticked("full"), _ticked("for_excel")
    plan = operations_files.plan_export(here.services, integration.id, full=full)
    return here.page("export_plan.html", plan=plan, full=full, for_excel=for_excel)


@pages.post("/integrations/<integration>/files/export/start", needs=Role.OPERATOR)
def export_start(here: Here, integration: Integration) -> Answer:
    started = operations_files.start_export(
        here.services,
        integration.id,
        full=_ticked("full"),
        byte_order_mark=_ticked("for_excel"),
        about=request.form.get("about", type=int),
        by=here.by,
    )
    said = "jobs.started" if started.is_new else "jobs.under_way"
    return here.go("jobs.one", integration=integration.id, kind=csv_export.NAME, said=said, done=started.is_new)


# -- import ----------------------------------------------------------------------------------------------


@pages.post("/integrations/<integration>/files/import", needs=Role.OPERATOR, most_bytes=UPLOAD_BYTES)
def upload(here: Here, integration: Integration) -> Answer:
    """Checks every row and keeps them; nothing is asked of Twikey and nothing written."""
    given = [(file.filename, file.stream) for file in request.files.getlist("file") if file.filename]
    if not given:
        return _all(here, integration, problem=here.words("files.choose"))
    try:
        with operations_files.taken_in(here.services, integration.id, given) as paths:
            checked = operations_files.check_import(here.services, integration.id, paths, limits=UPLOAD)
    except Unreadable as unreadable:
        return _all(here, integration, problem=here.words("files.unreadable"), unreadable=unreadable)
    return here.go("files.rows", integration=integration.id, desk=checked.desk)


@pages.get("/integrations/<integration>/files/import/<desk>", needs=Role.OPERATOR)
def rows(here: Here, integration: Integration, desk: str) -> Answer:
    """What was found in the files, and what importing them would do, as far as one knows yet."""
    job = operations_bulk.job(here.services, integration.id, csv_import.NAME)
    if job is not None and operations_files.of_these_rows(job, desk) and not job.is_over:
        return here.go("jobs.one", integration=integration.id, kind=csv_import.NAME)
    try:
        checked = operations_files.checked_before(here.services, integration.id, desk)
    except NoSuchRows:
        return here.go("files.shown", integration=integration.id, said="files.rows_gone", done=False)
    compared = _compared(job, checked)
    plan = operations_files.plan_import(here.services, integration.id, checked, dry_run=compared is None)
    return here.page("import_rows.html", checked=checked, plan=plan, compared=compared, outcomes=OUTCOMES)


@pages.post("/integrations/<integration>/files/import/<desk>/start", needs=Role.OPERATOR)
def import_start(here: Here, integration: Integration, desk: str) -> Answer:
    dry_run = request.form.get("act") == "dry_run"
    try:
        started = operations_files.start_kept_import(here.services, integration.id, desk, dry_run=dry_run, by=here.by)
    except NoSuchRows:
        # Pressed twice, and the first press is through: its run is what one wants to see.
        return here.go("files.shown", integration=integration.id, said="files.rows_gone", done=False)
    of_these = operations_files.of_these_rows(started.job, desk)
    said = "jobs.started" if started.is_new else "jobs.under_way" if of_these else "files.another_import"
    return here.go("jobs.one", integration=integration.id, kind=csv_import.NAME, said=said, done=started.is_new)


@pages.post("/integrations/<integration>/files/import/<desk>/forget", needs=Role.OPERATOR)
def import_forget(here: Here, integration: Integration, desk: str) -> Answer:
    try:
        checked = operations_files.checked_before(here.services, integration.id, desk)
    except NoSuchRows:
        return here.go("files.shown", integration=integration.id, said="files.rows_gone", done=False)
    job = operations_bulk.job(here.services, integration.id, csv_import.NAME)
    if job is not None and operations_files.needs_rows(job, desk):
        said = "files.failed_needs_rows" if job.is_over else "jobs.under_way"
        return here.go("jobs.one", integration=integration.id, kind=csv_import.NAME, said=said, done=False)
    operations_files.discard_import(here.services, integration.id, checked)
    return here.go("files.shown", integration=integration.id, said="files.forgotten")


# -- shared files ----------------------------------------------------------------------------------------


@pages.post("/integrations/<integration>/files/<file_id>/download", needs=Role.OPERATOR)
def download(here: Here, integration: Integration, file_id: str) -> Answer:
    """Hands a file out, piece by piece. A POST, because it is noted who took customers away."""
    try:
        file, content = operations_files.open_file(here.services, integration.id, file_id, by=here.by)
    except NoSuchFile:
        return here.go("files.shown", integration=integration.id, said="files.file_gone", done=False)
    kind = guess_type(file.name)[0] or "application/octet-stream"
    response = send_file(content, kind, as_attachment=True, download_name=file.name, conditional=False, etag=False)
    response.content_length = file.size
    # It would say no-cache, which lets a browser keep the customers.
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/integrations/<integration>/files/<file_id>/remove", needs=Role.OPERATOR)
def remove(here: Here, integration: Integration, file_id: str) -> Answer:
    try:
        removed = operations_files.remove_file(here.services, integration.id, file_id, by=here.by)
    except NoSuchFile:
        return here.go("files.shown", integration=integration.id, said="files.file_gone", done=False)
    return here.go("files.shown", integration=integration.id, said="files.removed", said_with={"name": removed.name})


def _all(here: Here, integration: Integration, *, problem: str = "", unreadable: Unreadable | None = None) -> Response:
    jobs = [operations_bulk.job(here.services, integration.id, kind) for kind in KINDS]
    under_way = [job for job in jobs if job is not None and not job.is_over]
    may_act = here.operator.may(Role.OPERATOR)
    return here.page(
        "files.html",
        status=422 if problem else 200,
        files=operations_files.files_of(here.services, integration.id).all(),
        under_way=under_way,
        waiting=_waiting(here, integration, under_way) if may_act else [],
        may_act=may_act,
        most_bytes=UPLOAD_BYTES,
        days_kept=here.services.settings.files_kept.days,
        problem=problem,
        unreadable=unreadable,
        seconds=round(NEWS_EVERY.total_seconds()),
    )


def _waiting(here: Here, integration: Integration, under_way: Sequence[Job]) -> list[tuple[datetime | None, Checked]]:
    """Newest first, each with when it was checked. The rows of a run that is under way are not waiting: it stands on the page itself."""
    found = operations_files.waiting(here.services, integration.id)
    return [
        (datetime.fromisoformat(one.at) if one.at else None, one)
        for one in found
        if not any(operations_files.of_these_rows(job, one.desk) for job in under_way)
    ]


def _compared(job: Job | None, checked: Checked) -> Job | None:
    """The dry run of these rows, when that is what ran last and it came to its end."""
    if job is None or job.state != "done" or job.parameters.get("rows_of") != checked.desk:
        return None
    return job


def _ticked(name: str) -> bool:
    return request.form.get(name) == "yes"
