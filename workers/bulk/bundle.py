"""Puts finished files into one zip, streaming: no file is ever held in memory, however many there are."""

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

_CHUNK = 256 * 1024
_ONLY_THE_OWNER = 0o100600 << 16


@dataclass(frozen=True, slots=True)
class Packed:
    """One file as it went into the zip."""

    name: str
    size: int
    lines: int
    sha256: str

    @property
    def rows(self) -> int:
        """Its lines but the first."""
        return max(0, self.lines - 1)


class Bundle:
    """A zip while it is made, in a `with` block; on the disk when the block ends well. `at` dates its files."""

    def __init__(self, path: Path, *, at: datetime) -> None:
        self.path = path
        self._at = at.astimezone(UTC).timetuple()[:6]
        self._file: IO[bytes]
        self._zip: zipfile.ZipFile

    def __enter__(self) -> "Bundle":
        self._file = open(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        return self

    def __exit__(self, *failure: object) -> None:
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def add(self, path: Path, *, name: str = "") -> Packed:
        """Copies one file in."""
        digest, size, lines = hashlib.sha256(), 0, 0
        with path.open("rb") as source, self._entry(name or path.name) as target:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
                target.write(chunk)
        return Packed(name or path.name, size, lines, digest.hexdigest())

    def add_text(self, name: str, text: str) -> None:
        with self._entry(name) as target:
            target.write(text.encode())

    def _entry(self, name: str) -> IO[bytes]:
        info = zipfile.ZipInfo(name, self._at)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = _ONLY_THE_OWNER
        return self._zip.open(info, "w")


def pack(bundle: Bundle, files: Iterable[Path], check: Callable[[], None]) -> list[Packed]:
    """Copies files in, one after the other; `check` is called before each and may raise to stop."""
    packed = []
    for path in files:
        check()
        packed.append(bundle.add(path))
    return packed
