"""The report of a full comparison as files among the *Shared files*: a CSV for people, a JSON for programs, with every line.

The store keeps the first lines for a quick look; here are all of them. They gather in the job's workspace, one row for each
customer, so a step that is done again writes nothing twice. Ids, names of fields and reasons; never a value.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import structlog

from mapping.csv_rows import defuse
from workers.bulk.append import AppendFile, csv_line
from workers.bulk.jobs import Job, Json
from workers.bulk.workspace import Workspace
from workers.files import NoSuchFile, SharedFile, SharedFiles

COLUMNS = ("customer", "found", "details")
_TABLE = "CREATE TABLE IF NOT EXISTS findings (subject TEXT PRIMARY KEY, line TEXT NOT NULL)"

log = structlog.get_logger()


class Told(Protocol):
    """A customer and what was found; `as_json` is its line."""

    @property
    def subject(self) -> str: ...

    def as_json(self) -> Json: ...


def gather(desk: Workspace, compared: Iterable[str], told: Iterable[Told]) -> None:
    """Keeps the lines of some customers. Of who was compared before, in a step that did not count, only the new line stays."""
    desk.db.execute(_TABLE)
    desk.db.executemany("DELETE FROM findings WHERE subject = ?", [(subject,) for subject in compared])
    desk.db.executemany(
        "INSERT INTO findings VALUES (?, ?)", [(finding.subject, json.dumps(finding.as_json())) for finding in told]
    )
    desk.commit({})


def published(job: Job, files: SharedFiles) -> tuple[SharedFile, SharedFile] | None:
    """The CSV and the JSON of this run, when they are listed already."""
    try:
        return files.get(_id(job, "csv")), files.get(_id(job, "json"))
    except NoSuchFile:
        return None


def publish(job: Job, files: SharedFiles, desk: Workspace, counts: Mapping[str, int], *, lines: int) -> None:
    """Writes both files and lists them. `lines`: how many there must be; what a lost disk took is said in the log and the JSON."""
    desk.db.execute(_TABLE)
    (there,) = desk.db.execute("SELECT count(*) FROM findings").fetchone()
    lost = max(0, lines - there)
    if lost:
        log.warning("Lines of a comparison are on another disk, or lost.", number=lost)
    now = datetime.now(UTC)
    head = {
        "integration": job.integration,
        "began": str(job.started or now),
        "ended": str(now),
        "by": job.by,
        "counts": dict(counts),
        "lines_lost": lost,
    }
    for kind, path in (("csv", _write_csv(desk)), ("json", _write_json(desk, head))):
        files.add(
            path,
            file_id=_id(job, kind),
            name=f"drift-{job.integration}-{job.started or now:%Y%m%d-%H%M}.{kind}",
            kind=job.kind,
            rows=there,
            by=job.by,
            now=now,
            counts=counts,
        )


def details(line: Json) -> str:
    """Names of fields, or reasons, as one cell."""
    found = line.get("fields") or line.get("reasons") or ()
    assert isinstance(found, list | tuple)
    return ", ".join(map(str, found))


def _id(job: Job, kind: str) -> str:
    return f"{job.run.replace('job_', 'file_')}_{kind}"


def _lines(desk: Workspace) -> Iterator[str]:
    return (line for (line,) in desk.db.execute("SELECT line FROM findings ORDER BY rowid"))


def _write_csv(desk: Workspace) -> Path:
    def rows() -> Iterator[bytes]:
        yield csv_line(COLUMNS)
        for text in _lines(desk):
            line = json.loads(text)
            yield csv_line([defuse(cell) for cell in (line["subject"], line["found"], details(line))])

    return _write(desk.folder / "report.csv", rows())


def _write_json(desk: Workspace, head: Json) -> Path:
    """One line of the file for each customer, so that it can be read line by line as well."""

    def parts() -> Iterator[bytes]:
        yield json.dumps(head).removesuffix("}").encode() + b', "customers": ['
        for number, line in enumerate(_lines(desk)):
            yield (",\n" if number else "\n").encode() + line.encode()
        yield b"\n]}\n"

    return _write(desk.folder / "report.json", parts())


def _write(path: Path, parts: Iterable[bytes]) -> Path:
    with closing(AppendFile(path, length=0)) as file:
        for part in parts:
            file.write(part)
        file.sync()
    return path
