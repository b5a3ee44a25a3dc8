"""Files that grow, survive kill -9, and are cut back to what was committed: the ground that exports and results stand on.

What is written becomes part of the file only when its length is committed elsewhere (see `workspace`). After a crash the
rest is cut off, so that doing the same work again leaves neither a gap nor a double.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final


class TooShort(Exception):
    """A file is shorter than what was committed: the disk lost something, and nobody can go on from here."""


class AppendFile:
    """One file, open for writing at its end. One writer only."""

    def __init__(self, path: Path, *, length: int) -> None:
        """Opens or makes the file, and cuts it back to `length`. Raises `TooShort`."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if os.fstat(descriptor).st_size < length:
            os.close(descriptor)
            raise TooShort(path.name)
        os.ftruncate(descriptor, length)
        os.lseek(descriptor, length, os.SEEK_SET)
        self._file = os.fdopen(descriptor, "wb")
        self.length = length

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.length += len(data)

    def sync(self) -> int:
        """Puts everything on the disk; answers the length that may now be committed."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self.length

    def close(self) -> None:
        self._file.close()


class _Answer:
    """What `csv.writer` writes into: it hands the line back."""

    def write(self, line: str) -> str:
        return line


_WRITER: Final = csv.writer(_Answer(), lineterminator="\r\n")


def csv_line(cells: Sequence[str]) -> bytes:
    """One line of CSV as RFC 4180 wants it, in UTF-8."""
    line: str = _WRITER.writerow(cells)  # it answers what `write` answered
    return line.encode()


def sync_folder(folder: Path) -> None:
    """Makes names that were created, renamed or removed in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_private(folder: Path) -> None:
    """Makes a folder, and whatever is missing above it, that only we can open."""
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
