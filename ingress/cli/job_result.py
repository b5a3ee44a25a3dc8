"""What a job came to, in words: its figures, and the files that it left. The words are those of the console, in English."""

from collections.abc import Iterator

from workers import operations_bulk
from workers.bulk.jobs import Job

WORDS = {
    "already_known": "known to Twikey, left alone",
    "calls": "calls to Teamleader",
    "companies": "companies",
    "contacts": "contacts",
    "created": "created",
    "dead": "dead letters (again)",
    "different": "different",
    "edited": "edited meanwhile, left to live sync",
    "equal": "equal",
    "failed": "failed: import the file again for these",
    "gone": "no longer in Teamleader",
    "left_out": "left out: Twikey could not know them",
    "missing": "missing in Twikey",
    "not_dead": "no longer dead when it was their turn",
    "owed": "still on their way",
    "refused": "refused, the file says why",
    "remarks": "with a remark, see problems.csv",
    "repaired": "being repaired",
    "replayed": "replayed",
    "rows": "rows",
    "skipped": "skipped",
    "synced": "brought over",
    "to_create": "would be created",
    "to_do": "still to do",
    "to_update": "would be updated",
    "unanswered": "not read: no answer, five times",
    "unchanged": "as they should be already",
    "unmappable": "cannot be sent",
    "updated": "updated",
}


def figures(job: Job) -> Iterator[str]:
    """One line for each figure that is not none; the size of a file is told with the file."""
    for name, number in operations_bulk.figures_of(job).items():
        if name != "size":
            yield f"{number:>9,}  {WORDS.get(name, name)}"


def files(job: Job) -> Iterator[str]:
    """What it left in the shared files, and how to fetch it."""
    made = job.result
    if job.kind == "drift" and "file" in made:
        yield f"every line of the report, as CSV: tltw files get {made['file']}"
        yield f"and as JSON: tltw files get {made['json_file']}"
    elif "file" in made:
        yield f"{made['name']}, {made['size']:,} bytes: fetch it with: tltw files get {made['file']}"
        yield f"its SHA-256 checksum: {made['sha256']}"
