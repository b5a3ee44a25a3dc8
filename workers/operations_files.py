"""What an operator can do with files: export, import, and the *Shared files*. Beside `operations`, and like it the only way in."""

import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from typing import IO

from workers import audit
from workers.bulk import csv_export, csv_import
from workers.bulk.import_desk import REFUSED, FileFacts, ImportDesk, Told
from workers.bulk.jobs import Plan
from workers.bulk.kinds import bulk_tools
from workers.bulk.workspace import Workspace
from workers.files import SharedFile, SharedFiles
from workers.operations_bulk import Started, start
from workers.services import Services

# So many refused rows are shown; the result file has them all.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in the files to import, before anything is asked or written. `refused`: the first of these rows."""

    desk: str
    files: tuple[FileFacts, ...]
    rows: int
    good: int
    refused: tuple[Told, ...]


def plan_export(services: Services, integration: str, *, full: bool) -> Plan:
    """What an export would do. Makes a dozen calls or so to count the customers; raises what the client raises."""
    return csv_export.Export().plan({"full": full}, bulk_tools(services, integration))


def start_export(
    services: Services, integration: str, *, full: bool, byte_order_mark: bool = False, about: int | None, by: str
) -> Started:
    """Starts an export, or answers the one that is under way. `about`: how many customers the plan counted."""
    parameters = {"full": full, "byte_order_mark": byte_order_mark, "about": about}
    return start(services, integration, csv_export.NAME, parameters, by=by)


def check_import(services: Services, integration: str, paths: Sequence[Path]) -> Checked:
    """Reads and checks every row of the files, and keeps them for `start_import`. Raises `csv_files.Unreadable`.

    Whoever does not start the import then calls `discard_import`; what is forgotten is cleared away after a day.
    """
    name = "import_" + token_urlsafe(9)
    with closing(Workspace(files_of(services, integration).workspace(name))) as workspace:
        desk = ImportDesk(workspace)
        try:
            facts = tuple(desk.take_in(paths, services.tools(integration).mapping))
        except BaseException:
            workspace.remove()
            raise
        refused = tuple(told for told, _ in zip(desk.told(outcome=REFUSED), range(SHOWN), strict=False))
    rows = sum(one.rows for one in facts)
    return Checked(name, facts, rows, rows - sum(one.refused for one in facts), refused)


def discard_import(services: Services, integration: str, checked: Checked) -> None:
    """Deletes the rows of an import that is not started."""
    shutil.rmtree(files_of(services, integration).workspace(checked.desk), ignore_errors=True)


def plan_import(services: Services, integration: str, checked: Checked, *, dry_run: bool) -> Plan:
    """How many calls an import takes at most, and how long."""
    parameters = {"desk": checked.desk, "dry_run": dry_run}
    return csv_import.Import().plan(parameters, bulk_tools(services, integration))


def start_import(services: Services, integration: str, checked: Checked, *, dry_run: bool, by: str) -> Started:
    """Starts an import; when one is under way already, answers that and forgets the rows of this one."""
    started = start(services, integration, csv_import.NAME, {"desk": checked.desk, "dry_run": dry_run}, by=by)
    if not started.is_new:
        discard_import(services, integration, checked)
    return started


def files_of(services: Services, integration: str) -> SharedFiles:
    """The *Shared files* of an integration; look with it, change through the functions below."""
    settings = services.settings
    return SharedFiles.of(services.store, settings.files_dir, integration, settings.files_kept)


def open_file(services: Services, integration: str, file_id: str, *, by: str) -> tuple[SharedFile, IO[bytes]]:
    """Hands a file to an operator, which is noted. Raises `NoSuchFile`."""
    files = files_of(services, integration)
    file, content = files.get(file_id), files.open(file_id)
    audit.note(services.store, by=by, what="file downloaded", integration=integration, subject=file.id)
    return file, content


def remove_file(services: Services, integration: str, file_id: str, *, by: str) -> SharedFile:
    """Deletes a file before its time. Raises `NoSuchFile`."""
    file = files_of(services, integration).remove(file_id)
    audit.note(services.store, by=by, what="file removed", integration=integration, subject=file.id)
    return file
