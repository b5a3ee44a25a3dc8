"""The parts of an export: files of at most so many bytes, each with the header, none with half a row.

Twikey takes files of at most 200 KB (support.twikey.com, document_upload, looked up 2026-11-22). Whether it means 200,000
or 204,800 bytes is not said, so it is the smaller.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.bulk.append import AppendFile, csv_line

PART_BYTES = 200_000
_NAME = re.compile(r"customers-([0-9]{4,})\.csv")


@dataclass(frozen=True, slots=True)
class Written:
    """How far the parts are: the open one's number, its length in bytes and its lines. Commit it to be able to go on."""

    part: int = 0
    length: int = 0
    lines: int = 0


class Parts:
    """Writes rows into part after part. One writer only."""

    def __init__(
        self,
        folder: Path,
        header: Sequence[str],
        written: Written = Written(),  # frozen
        *,
        limit: int = PART_BYTES,
        byte_order_mark: bool = False,
    ) -> None:
        """Goes on where `written` says; what was written after that is cut off. Raises `append.TooShort`."""
        self._folder = folder
        self._limit = limit
        self._header = (codecs.BOM_UTF8 if byte_order_mark else b"") + csv_line(header)
        self._part, self._lines = written.part, written.lines
        for path in paths(folder):
            if number_of(path) > written.part:
                path.unlink()
        self._file = AppendFile(self._path(), length=written.length) if written.part else None

    def add(self, cells: Sequence[str]) -> tuple[int, int]:
        """Writes one row; answers the number of its part and its line there. ValueError for one that fits into none."""
        line = csv_line(cells)
        if len(self._header) + len(line) > self._limit:
            raise ValueError("a row is larger than a whole part may be")
        if self._file is None or self._file.length + len(line) > self._limit:
            self._next_part()
        assert self._file is not None
        self._file.write(line)
        self._lines += 1
        return self._part, self._lines

    def sync(self) -> Written:
        """Puts everything on the disk; answers what may now be committed."""
        if self._file is None:
            return Written()
        return Written(self._part, self._file.sync(), self._lines)

    def finish(self) -> None:
        """Puts the last part on the disk. An export of nobody has one with the header alone."""
        if self._file is None:
            self._next_part()
        self.sync()

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _next_part(self) -> None:
        if self._file:
            self._file.sync()
            self._file.close()
        self._part, self._lines = self._part + 1, 1
        self._file = AppendFile(self._path(), length=0)
        self._file.write(self._header)

    def _path(self) -> Path:
        return self._folder / f"customers-{self._part:04}.csv"


def paths(folder: Path) -> Iterator[Path]:
    """The parts in a folder, in their order."""
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    return iter(sorted(found, key=number_of))


def number_of(path: Path) -> int:
    """The number of a part. ValueError when it is none."""
    if found := _NAME.fullmatch(path.name):
        return int(found[1])
    raise ValueError(f"{path.name} is not a part of an export")
