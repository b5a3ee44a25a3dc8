"""The rows of an import, in the workspace of its job: what each says, and what became of it.

They are checked when they come in, all of them, before anything is written anywhere. They are on the disk until the import is
over, because a job must be able to go on after its process died.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mapping import CannotMap, MappingSettings
from mapping.csv_rows import HeaderWrong, number_in, read_header, read_row
from mapping.errors import Problem
from workers.bulk.csv_files import LIMITS, Allowance, Limits, Line, Unreadable, tables
from workers.bulk.workspace import Workspace

REFUSED = "refused"
# So many refused rows are told when they come in; the result file has them all.
MOST_TOLD = 100
_DOUBLED = Problem("customerNumber", "doubled", "It stands in the files more than once; only its first row counts.")
_TABLE = """
CREATE TABLE IF NOT EXISTS rows (
  n INTEGER PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL, number TEXT NOT NULL, fields TEXT NOT NULL,
  intent TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', what TEXT NOT NULL DEFAULT '',
  tries INTEGER NOT NULL DEFAULT 0
);
"""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One row that may be imported. `intent` and `what`: what we were about to do when we died, if we did."""

    n: int
    number: str
    fields: Mapping[str, str]
    intent: str
    what: str
    tries: int


@dataclass(frozen=True, slots=True)
class Told:
    """One row and what became of it, for people. `problems`: what is wrong with it, by column, as long as it is known."""

    file: str
    line: int
    number: str
    outcome: str
    what: str
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found in one file. `extra`: columns that are not ours; `missing`: columns of ours that it has not."""

    name: str
    rows: int
    refused: int
    extra: tuple[str, ...]
    missing: tuple[str, ...]


class ImportDesk:
    """Use it in one thread."""

    def __init__(self, desk: Workspace) -> None:
        self.desk = desk
        self.refused: list[Told] = []
        desk.db.executescript(_TABLE)

    def take_in(self, paths: Iterable[Path], settings: MappingSettings, *, limits: Limits = LIMITS) -> list[FileFacts]:
        """Reads and checks all rows of all files; `refused` has the first that are not in order.

        Raises `Unreadable` for a file that cannot be understood, or is too much.
        """
        facts, allowance = [], Allowance(limits)
        for path in paths:
            with tables(path, allowance) as found:
                facts += [self._take_in(name, lines, settings) for name, lines in found]
        self.desk.commit({})
        return facts

    def next_rows(self, after: int, most: int) -> list[ImportRow]:
        """Rows that nothing became of yet, in their order."""
        found = self.desk.db.execute(
            "SELECT n, number, fields, intent, what, tries FROM rows WHERE n > ? AND outcome = '' ORDER BY n LIMIT ?",
            (after, most),
        )
        return [ImportRow(n, number, json.loads(fields), *rest) for n, number, fields, *rest in found]

    def intend(self, n: int, intent: str, what: str) -> None:
        self.desk.db.execute("UPDATE rows SET intent = ?, what = ? WHERE n = ?", (intent, what, n))

    def end(self, n: int, outcome: str, what: str) -> None:
        self.desk.db.execute("UPDATE rows SET outcome = ?, what = ? WHERE n = ?", (outcome, what, n))

    def try_later(self, n: int) -> None:
        self.desk.db.execute("UPDATE rows SET tries = tries + 1 WHERE n = ?", (n,))

    def told(self) -> Iterator[Told]:
        """What became of the rows, in their order."""
        found = self.desk.db.execute("SELECT file, line, number, outcome, what FROM rows ORDER BY n")
        return (Told(*row) for row in found)

    def counts(self) -> dict[str, int]:
        """How many rows by outcome; "" is still to do."""
        return dict(self.desk.db.execute("SELECT outcome, count(*) FROM rows GROUP BY outcome").fetchall())

    def _take_in(self, name: str, lines: Iterator[Line], settings: MappingSettings) -> FileFacts:
        try:
            header = read_header(next(lines, Line(1, ())).cells)
        except HeaderWrong as wrong:
            raise Unreadable(f"{name}: {wrong}", why="header", file=name) from None
        rows = refused = 0
        for line in lines:
            rows += 1
            try:
                customer = read_row(line.cells, header, settings)
                number, fields, problems = customer.number, customer.fields, self._doubled(customer.number)
            except CannotMap as cannot:
                number, fields, problems = number_in(line.cells, header), {}, cannot.problems
            what = " ".join(f"{one.field}: {one.sentence}".removeprefix(": ") for one in problems)
            refused += bool(problems)
            if problems and len(self.refused) < MOST_TOLD:
                self.refused.append(Told(name, line.number, number, REFUSED, what, problems))
            self._insert(name, line.number, number, fields, what)
        return FileFacts(name, rows, refused, header.extra, header.missing)

    def _doubled(self, number: str) -> tuple[Problem, ...]:
        return () if self.desk.first_time([number])[0] else (_DOUBLED,)

    def _insert(self, file: str, line: int, number: str, fields: Mapping[str, str], problem: str) -> None:
        values = (file, line, number, json.dumps(dict(fields)), REFUSED if problem else "", problem)
        self.desk.db.execute(
            "INSERT INTO rows (file, line, number, fields, outcome, what) VALUES (?, ?, ?, ?, ?, ?)", values
        )
