"""The folder of one job while it runs: a lock, and a small database whose commits are the job's checkpoints.

Everything a job has done so far is one transaction here: how far it got, how long its files are, whom it has seen. That is
why a job can be killed anywhere: what was not committed never happened. It needs no memory, however big the account is.
When the folder is gone, or another machine's, the job starts anew; the folder holds nothing that cannot be made again.
"""

import errno
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workers.bulk.append import make_private

# What the disk of TLTW_FILES_DIR may refuse: no room, read-only, not ours, broken. sqlite has its own words for the same.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_SQLITE_REFUSALS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
}
DISK_REFUSES = "The disk of TLTW_FILES_DIR is full or cannot be written."

_TABLES = """
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class WorkspaceBusy(Exception):
    """Another process is still at work in this folder, perhaps one that was believed dead."""


def disk_refuses(failure: BaseException) -> bool:
    """Whether a disk is to blame, not a mistake of ours."""
    if isinstance(failure, sqlite3.Error):
        # The extended codes of one kind share its lowest byte: https://sqlite.org/rescode.html (2026-11-26)
        return getattr(failure, "sqlite_errorcode", 0) & 0xFF in _SQLITE_REFUSALS
    return isinstance(failure, OSError) and failure.errno in _REFUSALS


class Workspace:
    """Use it in one thread, and close it."""

    def __init__(self, folder: Path) -> None:
        """Opens or makes the folder. Raises `WorkspaceBusy`, and what a disk raises that refuses (`disk_refuses`)."""
        make_private(folder)
        self.folder = folder
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise WorkspaceBusy(folder.name) from None
        try:
            self.db = self._open()
        except BaseException:
            # Else this very process would find the folder busy for as long as it lives.
            os.close(self._lock)
            raise

    def load(self) -> dict[str, Any] | None:
        """What was committed last; None in a new folder."""
        found = self.db.execute("SELECT told FROM state").fetchone()
        return json.loads(found[0]) if found else None

    def commit(self, state: Mapping[str, Any]) -> None:
        """Makes this the point to go on from, together with everything done in the database since the last one."""
        self.db.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (json.dumps(state),))
        self.db.commit()

    def first_time(self, keys: Iterable[str]) -> list[bool]:
        """For each key whether it is here for the first time since the folder was made; all are remembered."""
        insert = self.db.execute
        return [insert("INSERT OR IGNORE INTO seen VALUES (?)", (key,)).rowcount == 1 for key in keys]

    def start_over(self) -> None:
        """Forgets and deletes everything but the lock."""
        self.db.close()
        for path in self.folder.iterdir():
            if path.name != "lock":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.db = self._open()

    def close(self) -> None:
        """What was not committed is forgotten."""
        self.db.close()
        if self._lock >= 0:
            os.close(self._lock)
        self._lock = -1

    def remove(self) -> None:
        """Deletes the folder, and closes it."""
        self.db.close()
        shutil.rmtree(self.folder)
        self.close()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.folder / "state.db")
        try:
            os.chmod(self.folder / "state.db", 0o600)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(_TABLES)
        except BaseException:
            database.close()
            raise
        return database
