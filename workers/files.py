"""*Shared files*: what exports and imports leave for the operator. On disk for some days, listed in Redis.

A file is listed when it is whole and on the disk, never before. Its id is ours, and only ids that are listed are opened, so
no name from outside ever becomes part of a path. It is handed to operators alone; nothing here listens to a network.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import IO, Self, cast

import redis

from config.keys import IntegrationKeys
from workers.bulk.append import make_private, sync_folder

_ID = re.compile(r"[A-Za-z0-9_-]{6,64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_WORK = "work"
# How the names begin that we give to files, and to the workspaces of jobs and imports. Nothing else is ever cleared away.
_FILE, _WORKSPACES = "file_", ("job_", "import_")
# Not listed, not worked on, and untouched for so long: left behind by a process that died, or by a job that was cancelled.
_LEFT_BEHIND = timedelta(days=1)
_CHUNK = 256 * 1024


class NoSuchFile(Exception):
    """There is no shared file with this id, or no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """One file as it is listed. `kind` is the kind of job that made it, `rows` its customers, `counts` what else it tells."""

    id: str
    name: str
    kind: str
    size: int
    rows: int
    sha256: str
    made_at: datetime
    made_by: str
    expires_at: datetime
    counts: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> str:
        values = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(
            {name: str(value) if isinstance(value, datetime) else value for name, value in values.items()}
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        values = json.loads(text)
        times = {name: datetime.fromisoformat(values[name]) for name in ("made_at", "expires_at")}
        return cls(**{**values, **times})


@dataclass(frozen=True, slots=True)
class SharedFiles:
    """The shared files of one integration. Cheap to make; raises `redis.RedisError` and `OSError`."""

    store: "redis.Redis"
    folder: Path
    keys: IntegrationKeys
    kept: timedelta

    @classmethod
    def of(cls, store: "redis.Redis", root: Path, integration: str, kept: timedelta) -> Self:
        return cls(store, root / integration, IntegrationKeys(integration), kept)

    def workspace(self, job_id: str) -> Path:
        """The folder in which a job makes its files, on the same disk."""
        return self.folder / _WORK / _checked(job_id)

    def workspaces(self, prefix: str) -> list[str]:
        """The names of those that are on this disk, of one kind."""
        work = self.folder / _WORK
        return [path.name for path in work.glob(f"{prefix}*")] if work.exists() else []

    def add(
        self,
        source: Path,
        *,
        file_id: str,
        name: str,
        kind: str,
        rows: int,
        by: str,
        now: datetime,
        counts: Mapping[str, object] = MappingProxyType({}),
    ) -> SharedFile:
        """Moves a finished file of this disk in, and lists it. Doing it again after a crash ends the same.

        Raises ValueError for an id or a name that is not ours.
        """
        if not _NAME.fullmatch(name):
            raise ValueError("the name of a shared file holds letters, digits, dots, - and _ only")
        target = self._path(file_id)
        make_private(self.folder)
        size, digest = _measure(source if source.exists() else target)
        if source.exists():
            os.replace(source, target)
        sync_folder(self.folder)
        file = SharedFile(
            id=file_id,
            name=name,
            kind=kind,
            size=size,
            rows=rows,
            sha256=digest,
            made_at=now.astimezone(UTC),
            made_by=by,
            expires_at=(now + self.kept).astimezone(UTC),
            counts=dict(counts),
        )
        self.store.hset(self.keys.files, file_id, file.to_json())
        return file

    def all(self) -> list[SharedFile]:
        """Newest first."""
        listed = cast(dict[bytes, bytes], self.store.hgetall(self.keys.files))
        return sorted(map(SharedFile.from_json, listed.values()), key=lambda file: file.made_at, reverse=True)

    def get(self, file_id: str) -> SharedFile:
        """Raises `NoSuchFile`."""
        found = self.store.hget(self.keys.files, file_id) if _ID.fullmatch(file_id) else None
        if found is None:
            raise NoSuchFile(f"There is no shared file {file_id!r} (any more).")
        return SharedFile.from_json(cast(bytes, found))

    def open(self, file_id: str) -> IO[bytes]:
        """Opens a listed file for reading. Raises `NoSuchFile`, also when this machine does not see it."""
        file = self.get(file_id)
        try:
            return self._path(file.id).open("rb")
        except FileNotFoundError:
            sentence = (
                f"{file.name} is listed but not in {self.folder}: it was made on another machine. "
                "Ask for it there, or let all processes share TLTW_FILES_DIR."
            )
            raise NoSuchFile(sentence) from None

    def remove(self, file_id: str) -> SharedFile:
        """Takes a file from the list, then from the disk. Raises `NoSuchFile`."""
        file = self.get(file_id)
        self.store.hdel(self.keys.files, file.id)
        self._path(file.id).unlink(missing_ok=True)
        return file

    def expire(self, now: datetime, *, is_alive: Callable[[str], bool] = lambda _job: False) -> list[SharedFile]:
        """Removes what is too old, and what was left behind unlisted; `is_alive` tells whether a job still works."""
        expired = [file for file in self.all() if file.expires_at <= now]
        for file in expired:
            self.remove(file.id)
        if self.folder.exists():
            self._clear_left_behind(now, is_alive)
        return expired

    def clear(self) -> None:
        """Deletes everything of an integration that was removed, listed or not; the folders too, when nothing else is in them."""
        for path in self._files():
            path.unlink(missing_ok=True)
        for path in self._workspaces():
            shutil.rmtree(path, ignore_errors=True)
        for folder in (self.folder / _WORK, self.folder):
            with suppress(OSError):  # not there, or something in it that is not ours
                folder.rmdir()

    def _clear_left_behind(self, now: datetime, is_alive: Callable[[str], bool]) -> None:
        listed = {file.id for file in self.all()}
        for path in self._files():
            if path.name not in listed and _is_older(path, now - _LEFT_BEHIND):
                path.unlink(missing_ok=True)
        for path in self._workspaces():
            if _is_older(path, now - _LEFT_BEHIND) and not is_alive(path.name):
                shutil.rmtree(path, ignore_errors=True)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.name.startswith(_FILE) and path.is_file()]

    def _workspaces(self) -> list[Path]:
        work = self.folder / _WORK
        return [path for path in work.iterdir() if path.name.startswith(_WORKSPACES)] if work.exists() else []

    def _path(self, file_id: str) -> Path:
        return self.folder / _checked(file_id)


def _checked(ours: str) -> str:
    if not _ID.fullmatch(ours):
        raise ValueError("this is not an id of ours")
    return ours


def _measure(path: Path) -> tuple[int, str]:
    """The size and the checksum of a file, which is on the disk and readable by us alone afterwards."""
    os.chmod(path, 0o600)
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def _is_older(path: Path, than: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < than
    except FileNotFoundError:
        return False
