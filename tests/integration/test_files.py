"""Shared files: whole before they are listed, for operators alone, gone when their time is over."""

import hashlib
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from workers.bulk.append import make_private
from workers.files import NoSuchFile, SharedFiles

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.fixture
def files(store: "redis.Redis", tmp_path: Path) -> SharedFiles:
    return SharedFiles.of(store, tmp_path / "files", "acme", timedelta(days=14))


def made(files: SharedFiles, content: bytes = b"content", **changes: Any) -> Path:
    source = files.workspace("job_of_test") / "made.zip"
    make_private(source.parent)
    source.write_bytes(content)
    given = {"file_id": "file_1", "name": "customers.zip", "kind": "export", "rows": 3, "by": "cli:els", "now": NOW}
    files.add(source, **{**given, **changes})
    return source


def test_a_file_is_listed_with_all_that_is_known_of_it(files: SharedFiles) -> None:
    made(files, counts={"left_out": 1})

    (file,) = files.all()
    assert (file.id, file.name, file.kind, file.rows, file.made_by) == (
        "file_1",
        "customers.zip",
        "export",
        3,
        "cli:els",
    )
    assert (file.size, file.sha256) == (7, hashlib.sha256(b"content").hexdigest())
    assert (file.made_at, file.expires_at) == (NOW, NOW + timedelta(days=14))
    assert file.counts == {"left_out": 1}
    with files.open("file_1") as content:
        assert content.read() == b"content"


def test_only_the_owner_may_read_it(files: SharedFiles) -> None:
    made(files)

    assert stat.S_IMODE((files.folder / "file_1").stat().st_mode) == 0o600
    for folder in (files.folder, files.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_adding_it_again_after_a_crash_before_it_was_listed_ends_the_same(
    files: SharedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files.store, "hset", crash)
        with pytest.raises(KeyboardInterrupt):
            made(files)
    listed_meanwhile = files.all()
    files.add(
        files.workspace("job_of_test") / "made.zip",
        file_id="file_1",
        name="a.zip",
        kind="export",
        rows=3,
        by="x",
        now=NOW,
    )

    assert listed_meanwhile == []
    assert [file.size for file in files.all()] == [7]


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a/b", "file_2", "file_1\n", ".", "file_1/../file_1", "x" * 300]
)
def test_only_ids_of_the_list_open_a_file(files: SharedFiles, name: str, tmp_path: Path) -> None:
    made(files)
    (files.folder / "file_2").write_bytes(b"not listed")

    for act in (files.get, files.open, files.remove):
        with pytest.raises(NoSuchFile):
            act(name)
    assert (files.folder / "file_2").exists()


@pytest.mark.parametrize(
    ("field", "value"), [("file_id", "../x_______"), ("name", "../x"), ("name", "a\n.zip"), ("file_id", "")]
)
def test_nothing_is_added_under_a_name_that_is_not_ours(files: SharedFiles, field: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"not an id of ours|letters, digits"):
        made(files, **{field: value})


def test_a_file_that_another_machine_made_is_explained(files: SharedFiles) -> None:
    made(files)
    (files.folder / "file_1").unlink()

    with pytest.raises(NoSuchFile, match="TLTW_FILES_DIR"):
        files.open("file_1")


def test_a_removed_file_is_gone_from_list_and_disk(files: SharedFiles) -> None:
    made(files)

    files.remove("file_1")

    assert files.all() == []
    assert not (files.folder / "file_1").exists()


def test_files_expire(files: SharedFiles) -> None:
    made(files)
    made(files, file_id="file_2", now=NOW + timedelta(days=1))

    expired = files.expire(NOW + timedelta(days=14))

    assert [file.id for file in expired] == ["file_1"]
    assert [file.id for file in files.all()] == ["file_2"]


def test_what_was_left_behind_is_cleared_but_not_what_is_at_work(files: SharedFiles) -> None:
    made(files)
    before = NOW - timedelta(days=2)
    for name in ("file_unlisted", "work/job_dead", "work/job_alive"):
        path = files.folder / name
        path.mkdir() if "job" in name else path.touch()
        os.utime(path, (before.timestamp(), before.timestamp()))
    fresh = files.folder / "file_fresh"
    fresh.touch()
    os.utime(fresh, (NOW.timestamp(), NOW.timestamp()))

    files.expire(NOW, is_alive={"job_alive", "job_of_test"}.__contains__)

    assert sorted(path.name for path in files.folder.iterdir()) == ["file_1", "file_fresh", "work"]
    assert sorted(path.name for path in (files.folder / "work").iterdir()) == ["job_alive", "job_of_test"]


def test_the_newest_comes_first(files: SharedFiles) -> None:
    made(files)
    made(files, file_id="file_2", now=NOW + timedelta(hours=1))

    assert [file.id for file in files.all()] == ["file_2", "file_1"]
