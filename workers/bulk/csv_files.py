"""Opens what people give us to import: CSV files as ours, as Twikey's own export or as a spreadsheet saved them, and zips.

Only text comes out of here; what the cells mean is `mapping.csv_rows`. Nothing that a zip says becomes part of a path.
"""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import IO

from mapping.csv_rows import NUMBER

# Far more than the customers of anybody; a small zip can unpack to terabytes.
MOST_BYTES = 2 * 1024**3
MOST_FILES = 20_000
# Of our own zip: about customers, not customers.
NOT_CUSTOMERS = frozenset({"problems.csv"})
ENCRYPTED = 0x1
DELIMITERS = ",;\t"


class Unreadable(Exception):
    """A file, or the rest of it, cannot be understood at all. The message is a sentence that names the file and the line."""


@dataclass(frozen=True, slots=True)
class Line:
    """The cells of one row, and the line of the file on which it begins."""

    number: int
    cells: Sequence[str]


@contextmanager
def tables(path: Path, *, most_bytes: int = MOST_BYTES) -> "Iterator[Iterator[tuple[str, Iterator[Line]]]]":
    """The tables in a file, each with its name: itself, or the CSV files in a zip. Read each before the next.

    `most_bytes`: what a zip may unpack to; more is `Unreadable`.
    """
    try:
        with path.open("rb") as file:
            is_zip = file.read(2) == b"PK"
            file.seek(0)
            if is_zip:
                with zipfile.ZipFile(file) as archive:
                    yield _in_zip(path.name, archive, most_bytes)
            else:
                yield iter([(path.name, lines(path.name, file))])
    except (zipfile.BadZipFile, NotImplementedError, zlib.error) as broken:
        raise Unreadable(f"{path.name} is a zip that cannot be read; unpack it and import its files.") from broken
    except OSError as missing:
        raise Unreadable(f"{path.name} cannot be read: {missing.strerror}.") from missing


def lines(name: str, file: IO[bytes]) -> Iterator[Line]:
    """The rows of one file, without empty ones. Raises `Unreadable` at the line where it cannot go on."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    number = 0
    try:
        first = text.readline()
        # Excel in Belgium and the Netherlands puts semicolons between cells.
        delimiter = next((one for one in DELIMITERS if NUMBER.casefold() in _cells(first, one)), ",")
        reader = csv.reader(chain([first], text), delimiter=delimiter, strict=True)
        for cells in reader:
            if any(cells):
                yield Line(number + 1, cells)
            number = reader.line_num
    except UnicodeDecodeError as error:
        raise Unreadable(f"{name} is not UTF-8 after line {number}: save it as “CSV UTF-8”.") from error
    except csv.Error as error:
        raise Unreadable(f"{name}, line {number + 1}: a quote is missing or too many.") from error
    finally:
        # The file is closed by whoever opened it, perhaps already.
        if not file.closed:
            text.detach()


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip(' "\r\n').casefold() for cell in line.split(delimiter)]


def _in_zip(name: str, archive: zipfile.ZipFile, most_bytes: int) -> Iterator[tuple[str, Iterator[Line]]]:
    found = [info for info in archive.infolist() if _is_table(info)]
    if not found:
        raise Unreadable(f"{name} holds no CSV file.")
    if len(found) > MOST_FILES or sum(info.file_size for info in found) > most_bytes:
        most = f"more than {most_bytes:,} bytes, or {MOST_FILES:,} files"
        raise Unreadable(f"{name} unpacks to {most}; import its files a few at a time.")
    if any(info.flag_bits & ENCRYPTED for info in found):
        raise Unreadable(f"{name} has a password; unpack it and import its files.")
    for info in found:
        with archive.open(info) as member:
            yield f"{name}/{Path(info.filename).name}", lines(info.filename, member)


def _is_table(info: zipfile.ZipInfo) -> bool:
    name = Path(info.filename).name
    return not info.is_dir() and name.lower().endswith(".csv") and name not in NOT_CUSTOMERS and name[0] not in "._"
