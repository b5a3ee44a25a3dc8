"""What an operator can do with files: export, import, and the *Shared files*. Beside `operations`, and like it the only way in."""

import json
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import IO, Any, Self

from mapping.errors import Problem
from workers import audit
from workers.bulk import csv_export, csv_import
from workers.bulk.append import make_private
from workers.bulk.csv_files import LIMITS, Limits, Unreadable
from workers.bulk.import_desk import FileFacts, ImportDesk, Told
from workers.bulk.jobs import Job, Plan
from workers.bulk.kinds import bulk_tools
from workers.bulk.workspace import DISK_REFUSES, Workspace, disk_refuses
from workers.files import SharedFile, SharedFiles
from workers.operations_bulk import Started, start
from workers.services import Services

# So many files come in over a network at once; more belong in a zip.
MOST_UPLOADS = 50
# Of the name of a file on the disk; file systems take 255.
_NAME_BYTES = 120
_DESK = "import_"
_CHECKED = "checked.json"


class NoSuchRows(Exception):
    """The rows of an import are not there (any more): imported, given up, cleared away, or on another machine's disk."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found in the files to import, before anything is asked or written.

    `refused`: the first of these rows. `at`: when, in ISO 8601; "" in what an older version checked.
    """

    desk: str
    files: tuple[FileFacts, ...]
    rows: int
    good: int
    refused: tuple[Told, ...]
    at: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        told = json.loads(text)
        files = (FileFacts(**one | {name: tuple(one[name]) for name in ("extra", "missing")}) for one in told["files"])
        return cls(**told | {"files": tuple(files), "refused": tuple(map(_told, told["refused"]))})


def _told(values: dict[str, Any]) -> Told:
    return Told(**values | {"problems": tuple(Problem(**one) for one in values.get("problems", ()))})


def plan_export(services: Services, integration: str, *, full: bool) -> Plan:
    """What an export would do. Makes a dozen calls or so to count the customers; raises what the client raises."""
    return csv_export.Export().plan({"full": full}, bulk_tools(services, integration))


def start_export(
    services: Services, integration: str, *, full: bool, byte_order_mark: bool = False, about: int | None, by: str
) -> Started:
    """Starts an export, or answers the one that is under way. `about`: how many customers the plan counted."""
    parameters = {"full": full, "byte_order_mark": byte_order_mark, "about": about}
    return start(services, integration, csv_export.NAME, parameters, by=by)


@contextmanager
def taken_in(services: Services, integration: str, uploads: Sequence[tuple[str, IO[bytes]]]) -> Iterator[list[Path]]:
    """Puts files that come over a network on the disk while they are looked at. What a crash leaves goes after a day.

    Raises `csv_files.Unreadable` for too many, and when the disk refuses them.
    """
    if len(uploads) > MOST_UPLOADS:
        raise Unreadable(
            f"These are {len(uploads):,} files; at most {MOST_UPLOADS} come in at once. Zip them, or split.",
            why="too_many",
            count=MOST_UPLOADS,
        )
    folder = files_of(services, integration).workspace("upload_" + token_urlsafe(9))
    try:
        with _a_refusing_disk_said():
            make_private(folder)
            paths = [_put(folder / str(number), name, content) for number, (name, content) in enumerate(uploads)]
        yield paths
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_import(services: Services, integration: str, paths: Sequence[Path], *, limits: Limits = LIMITS) -> Checked:
    """Reads and checks every row of the files, and keeps them for `start_import`. Raises `csv_files.Unreadable`.

    It raises that also when the disk refuses the rows. Whoever does not start the import then calls `discard_import`; what is forgotten is cleared away after a day.
    `limits`: of all files together.
    """
    with _a_refusing_disk_said():
        return _checked(services, integration, paths, limits)


@contextmanager
def _a_refusing_disk_said() -> Iterator[None]:
    """In a sentence, and as for any file that cannot be taken in."""
    try:
        yield
    except (OSError, sqlite3.Error) as failure:
        if disk_refuses(failure):
            raise Unreadable(
                f"{DISK_REFUSES} Make room, then do it again; nothing was taken in.", why="disk"
            ) from failure
        raise


def _checked(services: Services, integration: str, paths: Sequence[Path], limits: Limits) -> Checked:
    name = _DESK + token_urlsafe(9)
    with closing(Workspace(files_of(services, integration).workspace(name))) as workspace:
        desk = ImportDesk(workspace)
        try:
            facts = tuple(desk.take_in(paths, services.tools(integration).mapping, limits=limits))
            rows = sum(one.rows for one in facts)
            good = rows - sum(one.refused for one in facts)
            checked = Checked(
                name, facts, rows, good, tuple(desk.refused), datetime.now(UTC).isoformat(timespec="seconds")
            )
            # Last and whole: where it is, everything is.
            begun = workspace.folder / f"{_CHECKED}.begun"
            begun.write_text(checked.to_json(), encoding="utf-8")
            begun.replace(workspace.folder / _CHECKED)
        except BaseException:
            workspace.remove()
            raise
    return checked


def checked_before(services: Services, integration: str, desk: str) -> Checked:
    """What `check_import` found, for as long as the rows wait to be imported. Raises `NoSuchRows`."""
    try:
        if not desk.startswith(_DESK):
            raise ValueError
        found = (files_of(services, integration).workspace(desk) / _CHECKED).read_text(encoding="utf-8")
    except (FileNotFoundError, ValueError):
        raise NoSuchRows(desk) from None
    return Checked.from_json(found)


def waiting(services: Services, integration: str) -> list[Checked]:
    """What was checked and is still there, also when a run has it in hand; newest first."""
    found = []
    for folder in files_of(services, integration).workspaces(_DESK):
        with suppress(NoSuchRows):
            found.append(checked_before(services, integration, folder))
    return sorted(found, key=lambda one: one.at, reverse=True)


def discard_import(services: Services, integration: str, checked: Checked) -> None:
    """Deletes the rows of an import that is not started."""
    shutil.rmtree(files_of(services, integration).workspace(checked.desk), ignore_errors=True)


def plan_import(services: Services, integration: str, checked: Checked, *, dry_run: bool) -> Plan:
    """How many calls an import takes at most, and how long."""
    return csv_import.plan_of(checked.good, dry_run=dry_run, calls_per_minute=services.settings.twikey_calls_per_minute)


def start_import(services: Services, integration: str, checked: Checked, *, dry_run: bool, by: str) -> Started:
    """Starts an import; when one is under way already, answers that and forgets the rows of this one."""
    started = start(services, integration, csv_import.NAME, {"desk": checked.desk, "dry_run": dry_run}, by=by)
    if not started.is_new and not of_these_rows(started.job, checked.desk):
        discard_import(services, integration, checked)
    return started


def start_kept_import(services: Services, integration: str, desk: str, *, dry_run: bool, by: str) -> Started:
    """As `start_import`, but when another import is under way these rows wait on. Raises `NoSuchRows`.

    A dry run works on a copy, so that the same rows can be imported afterwards; `of_these_rows` knows it as one of theirs.
    """
    checked = checked_before(services, integration, desk)
    if not dry_run:
        return start(services, integration, csv_import.NAME, {"desk": desk, "dry_run": False}, by=by)
    copy = replace(checked, desk=_copied(services, integration, desk))
    parameters = {"desk": copy.desk, "dry_run": True, "rows_of": desk}
    started = start(services, integration, csv_import.NAME, parameters, by=by)
    if not started.is_new:
        discard_import(services, integration, copy)
    return started


def of_these_rows(job: Job, desk: str) -> bool:
    """Whether a run of the import is about these rows."""
    return desk in (job.parameters.get("desk"), job.parameters.get("rows_of"))


def needs_rows(job: Job, desk: str) -> bool:
    """Whether a run still needs these rows: under way, or failed, which can be resumed."""
    return of_these_rows(job, desk) and (not job.is_over or job.state == "failed")


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


def _put(folder: Path, name: str, content: IO[bytes]) -> Path:
    """Names come from a browser: what is no letter of a name is left out, and what is too long loses its beginning."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(filter(str.isprintable, last)).strip(". ").encode()
    path = folder / (plain[-_NAME_BYTES:].decode(errors="ignore") or "file")
    make_private(folder)
    with path.open("wb") as target:
        shutil.copyfileobj(content, target)
    return path


def _copied(services: Services, integration: str, desk: str) -> str:
    """Copies the rows of an import; answers the name of the copy. Raises `NoSuchRows`."""
    name, files = _DESK + token_urlsafe(9), files_of(services, integration)
    source, target = files.workspace(desk), files.workspace(name)
    try:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("lock", _CHECKED))
    except (FileNotFoundError, shutil.Error):
        shutil.rmtree(target, ignore_errors=True)
        raise NoSuchRows(desk) from None
    return name
