"""Opens what people give us to import: CSV files as ours, as Twikey's own export or as a spreadsheet saved them, and zips.

Only text comes out of here; what the cells mean is `mapping.csv_rows`. Nothing that a zip says becomes part of a path, and
nothing is read past the limits of the import.
"""

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import IO

from mapping.csv_rows import NUMBER

# Of a line of the file. Twelve cells are far shorter; a file without ends of lines would come as one.
MOST_CHARACTERS = 1_000_000
# Of the name of a file within a zip, which is kept with every row of it.
SHOWN_CHARACTERS = 80
# Of our own zip: about customers, not customers.
NOT_CUSTOMERS = frozenset({"problems.csv"})
ENCRYPTED = 0x1
# The others are rare, and a few bytes of them can ask for gigabytes of memory.
PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# What a damaged zip raises, by where it is damaged; the name of a file in it may be no UTF-8 though it says so.
# NotImplementedError: what zipfile says of a version or a way of packing that it does not know.
BROKEN = (zipfile.BadZipFile, NotImplementedError, zlib.error, struct.error, EOFError, UnicodeDecodeError)
DELIMITERS = ",;\t"


class Unreadable(Exception):
    """A file, or the rest of it, cannot be understood at all. The message is a sentence that names the file and the line.

    `why`: the same in a word, with what it is about (`about`), for who says it in another language.
    """

    def __init__(self, sentence: str, *, why: str, **about: str | int) -> None:
        super().__init__(sentence)
        self.why, self.about = why, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all files of one import may hold together. `bytes`: unpacked; `instead`: what to do with more, as a sentence."""

    bytes: int = 2 * 1024**3
    rows: int = 5_000_000
    tables: int = 20_000
    instead: str = "Split it, and import the parts one after the other."


# Far more than the customers of anybody; a small zip can unpack to terabytes.
LIMITS = Limits()


class Allowance:
    """What is left of the limits of one import: what a file takes is gone for the next. All methods raise `Unreadable`."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self._limits = limits
        self._bytes, self._rows, self._tables = limits.bytes, limits.rows, limits.tables

    def take_file(self, name: str, *, size: int, tables: int = 1) -> None:
        """Before anything of it is read. `size`: in bytes, unpacked."""
        self._bytes -= size
        self._tables -= tables
        if self._bytes < 0:
            raise self._too_much(name, f"{self._limits.bytes:,} bytes, unpacked")
        if self._tables < 0:
            raise self._too_much(name, f"{self._limits.tables:,} files")

    def take_row(self, name: str) -> None:
        self._rows -= 1
        if self._rows < 0:
            raise self._too_much(name, f"{self._limits.rows:,} rows")

    def _too_much(self, name: str, most: str) -> Unreadable:
        return Unreadable(
            f"With {name} it is more than can come in at once, {most}. {self._limits.instead}",
            why="too_much",
            file=name,
        )


@dataclass(frozen=True, slots=True)
class Line:
    """The cells of one row, and the line of the file on which it begins."""

    number: int
    cells: Sequence[str]


@contextmanager
def tables(path: Path, allowance: Allowance) -> "Iterator[Iterator[tuple[str, Iterator[Line]]]]":
    """The tables in a file, each with its name: itself, or the CSV files in a zip. Read each before the next.

    Takes from the allowance what it reads. Raises `Unreadable`, also while the tables are read.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            file.seek(0)
            if is_zip:
                with zipfile.ZipFile(file) as archive:
                    yield _in_zip(path.name, archive, allowance)
            else:
                allowance.take_file(path.name, size=path.stat().st_size)
                yield iter([(path.name, lines(path.name, file, allowance))])
    except BROKEN as broken:
        raise Unreadable(
            f"{path.name} is a zip that cannot be read; unpack it and import its files.", why="zip", file=path.name
        ) from broken
    except OSError as missing:
        why = missing.strerror or "it is damaged"
        raise Unreadable(f"{path.name} cannot be read: {why}.", why="unread", file=path.name) from missing


def lines(name: str, file: IO[bytes], allowance: Allowance) -> Iterator[Line]:
    """The rows of one file, without empty ones. Raises `Unreadable` at the line where it cannot go on.

    Empty ones are taken from the allowance as well: they keep us as busy. The first line is not: it names the columns.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    number = 0
    try:
        found = _whole_lines(name, text)
        first = next(found, "")
        # Excel in Belgium and the Netherlands puts semicolons between cells.
        delimiter = next((one for one in DELIMITERS if NUMBER.casefold() in _cells(first, one)), ",")
        reader = csv.reader(chain([first], found), delimiter=delimiter, strict=True)
        for cells in reader:
            if number:
                allowance.take_row(name)
            if any(cells):
                yield Line(number + 1, cells)
            number = reader.line_num
    except UnicodeDecodeError as error:
        after = f" after line {number}" if number else ""
        raise Unreadable(
            f"{name} is not UTF-8{after}: save it as “CSV UTF-8”.", why="not_utf8", file=name, line=max(number, 1)
        ) from error
    except csv.Error as error:
        raise Unreadable(
            f"{name}, line {number + 1}: a quote is missing or too many.", why="quote", file=name, line=number + 1
        ) from error
    finally:
        # The file is closed by whoever opened it, perhaps already.
        if not file.closed:
            text.detach()


def _whole_lines(name: str, text: io.TextIOWrapper) -> Iterator[str]:
    for number in count(1):
        line = text.readline(MOST_CHARACTERS)
        if len(line) == MOST_CHARACTERS:
            raise Unreadable(
                f"{name}, line {number}: it is too long to be a row. Save the file as “CSV UTF-8”.",
                why="no_rows",
                file=name,
                line=number,
            )
        if not line:
            return
        yield line


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip(' "\r\n').casefold() for cell in line.split(delimiter)]


def _in_zip(name: str, archive: zipfile.ZipFile, allowance: Allowance) -> Iterator[tuple[str, Iterator[Line]]]:
    found = [info for info in archive.infolist() if _is_table(info)]
    if not found:
        raise Unreadable(f"{name} holds no CSV file.", why="no_csv", file=name)
    allowance.take_file(name, size=sum(info.file_size for info in found), tables=len(found))
    if any(info.flag_bits & ENCRYPTED for info in found):
        raise Unreadable(f"{name} has a password; unpack it and import its files.", why="zip", file=name)
    if any(info.compress_type not in PACKED for info in found):
        raise Unreadable(f"{name} is packed in an unusual way; unpack it and import its files.", why="zip", file=name)
    for info in found:
        shown = f"{name}/{Path(info.filename).name[-SHOWN_CHARACTERS:]}"
        with archive.open(info) as member:
            yield shown, lines(shown, member, allowance)


def _is_table(info: zipfile.ZipInfo) -> bool:
    name = Path(info.filename).name
    return not info.is_dir() and name.lower().endswith(".csv") and name not in NOT_CUSTOMERS and name[0] not in "._"
