"""What an operator does with files: noted who did it, one job for two operators, nothing left lying about."""

import io
import os
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.keys import IntegrationKeys
from tests.integration.bulk.test_export import files
from tests.integration.bulk.test_import import table
from tests.integration.bulk.town import INTEGRATION, Town
from workers import audit, integrations, operations_files
from workers.bulk.csv_files import Unreadable
from workers.bulk.housekeeping import expire_files


@contextmanager
def no_room() -> Iterator[None]:
    """The system lets this process write no byte into a file, as on a full disk; a right would not stop root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def notes(town: Town) -> list[tuple[str, str, str]]:
    found = [(one.by, one.what, one.subject) for one in audit.entries(town.store, integration=INTEGRATION)]
    return [note for note in found if note[1].split()[0] in ("export", "import", "file")][::-1]


def test_two_operators_who_start_an_export_get_one(town: Town) -> None:
    one = operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    two = operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="operator:jan")

    assert (one.is_new, two.is_new) == (True, False)
    assert one.job.run == two.job.run
    assert notes(town) == [("cli:els", "export started", one.job.run)]


def test_what_is_fetched_and_removed_is_noted(town: Town) -> None:
    operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    file_id = str(town.run("export").result["file"])

    file, content = operations_files.open_file(town.services, INTEGRATION, file_id, by="operator:jan")
    content.close()
    operations_files.remove_file(town.services, INTEGRATION, file_id, by="operator:jan")

    assert file.rows > 50
    assert notes(town)[1:] == [("operator:jan", "file downloaded", file_id), ("operator:jan", "file removed", file_id)]
    assert files(town).all() == []


def test_files_are_checked_before_anything_starts(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Goed"}, {"customerNumber": "2", "email": "fout"}))

    checked = operations_files.check_import(town.services, INTEGRATION, [path])

    assert (checked.rows, checked.good) == (2, 1)
    assert [(row.file, row.line, row.number) for row in checked.refused] == [("rows.csv", 3, "2")]
    assert checked.files[0].missing == ()
    assert operations_files.plan_import(town.services, INTEGRATION, checked, dry_run=True).total == 1
    assert town.jobs.look(INTEGRATION, "import") is None


def test_a_disk_that_refuses_the_rows_is_said_in_a_sentence(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Een"}))

    with no_room(), pytest.raises(Unreadable, match="full or cannot be written"):
        operations_files.check_import(town.services, INTEGRATION, [path])

    assert operations_files.check_import(town.services, INTEGRATION, [path]).good == 1


def test_a_disk_that_refuses_what_is_uploaded_is_said_in_a_sentence(town: Town) -> None:
    sent = [("rows.csv", io.BytesIO(b"customerNumber,email"))]

    with (
        no_room(),
        pytest.raises(Unreadable, match="full or cannot be written"),
        operations_files.taken_in(town.services, INTEGRATION, sent),
    ):
        pass


def test_a_second_import_does_not_mix_with_the_first(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Een"}))
    first = operations_files.check_import(town.services, INTEGRATION, [path])
    path.write_text(table({"customerNumber": "2", "lastname": "Twee"}))
    second = operations_files.check_import(town.services, INTEGRATION, [path])

    operations_files.start_import(town.services, INTEGRATION, first, dry_run=False, by="cli:els")
    started = operations_files.start_import(town.services, INTEGRATION, second, dry_run=False, by="operator:jan")
    town.run("import")

    assert not started.is_new
    assert started.job.by == "cli:els"
    assert list(town.twikey.office.default.customers) == ["1"]
    assert list((files(town).folder / "work").iterdir()) == []


def test_files_that_cannot_be_understood_leave_nothing_behind(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b"customerNumber,l\r\n1,nl\r\n" + "2,é".encode("latin-1"))

    with pytest.raises(Unreadable, match="line 2"):
        operations_files.check_import(town.services, INTEGRATION, [path])

    assert list((files(town).folder / "work").iterdir()) == []


def test_housekeeping_keeps_what_a_job_works_on_and_clears_the_rest(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Een"}))
    started = operations_files.check_import(town.services, INTEGRATION, [path])
    forgotten = operations_files.check_import(town.services, INTEGRATION, [path])
    operations_files.start_import(town.services, INTEGRATION, started, dry_run=False, by="cli:els")
    long_ago = time.time() - 2 * 86_400
    for name in (started.desk, forgotten.desk):
        os.utime(files(town).workspace(name), (long_ago, long_ago))

    expire_files(town.services)

    assert [path.name for path in (files(town).folder / "work").iterdir()] == [started.desk]
    assert town.run("import").state == "done"


def test_the_files_of_a_removed_integration_go_even_when_the_removal_died_before_it(town: Town) -> None:
    operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    town.run("export")
    folder = files(town).folder
    files(town).workspace("job_killed").mkdir(parents=True)
    integrations.remove(town.services, INTEGRATION, by="cli:els")

    left = [path.name[:5] for path in folder.iterdir()]
    expire_files(town.services)

    assert sorted(left) == ["file_", "work"]
    assert not folder.exists()


def test_a_folder_that_the_store_does_not_know_is_never_deleted(town: Town) -> None:
    operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    town.run("export")
    backups = town.services.settings.files_dir / "backups"
    backups.mkdir()
    (backups / "monday.tar").touch()
    mine = sorted(files(town).folder.iterdir())
    town.store.flushall()

    expire_files(town.services)

    assert (backups / "monday.tar").exists()
    assert sorted(files(town).folder.iterdir()) == mine


def test_what_others_put_into_a_folder_of_ours_stays(town: Town) -> None:
    operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    town.run("export")
    foreign = files(town).folder / "monday.tar"
    foreign.touch()
    os.utime(foreign, (0, 0))

    expire_files(town.services)
    while_it_lives = foreign.exists()
    integrations.remove(town.services, INTEGRATION, by="cli:els")
    expire_files(town.services)

    assert while_it_lives
    assert list(foreign.parent.iterdir()) == [foreign]


def test_an_integration_added_again_keeps_its_files(town: Town) -> None:
    options = {"twikey_url": "https://api.twikey.com/creditor", "twikey_key": "key"}
    integrations.remove(town.services, INTEGRATION, by="cli:els")
    integrations.add(town.services, INTEGRATION, options, by="cli:els")
    desk = files(town).workspace("job_new")
    desk.mkdir(parents=True)

    expire_files(town.services)

    assert desk.exists()


def test_a_removal_that_died_half_way_keeps_its_files(town: Town) -> None:
    town.store.hset(IntegrationKeys(INTEGRATION).options, "state", "closed")
    desk = files(town).workspace("job_new")
    desk.mkdir(parents=True)

    expire_files(town.services)

    assert desk.exists()


def test_a_file_that_bears_the_name_of_a_removed_integration_is_not_touched(town: Town) -> None:
    integrations.remove(town.services, INTEGRATION, by="cli:els")
    folder = town.services.settings.files_dir
    shutil.rmtree(folder / INTEGRATION, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INTEGRATION).write_text("not ours")

    expire_files(town.services)

    assert (folder / INTEGRATION).read_text() == "not ours"


def test_files_expire_by_the_clock_and_that_is_noted(town: Town) -> None:
    operations_files.start_export(town.services, INTEGRATION, full=False, about=None, by="cli:els")
    file_id = str(town.run("export").result["file"])
    file = files(town).get(file_id)
    old = file.to_json().replace(file.expires_at.isoformat(" "), "2020-01-01 00:00:00+00:00")
    town.store.hset(files(town).keys.files, file_id, old)

    expire_files(town.services)

    assert files(town).all() == []
    assert notes(town)[-1] == ("service", "file expired", file_id)


def test_a_dry_run_of_kept_rows_leaves_them_to_be_imported(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Een"}))
    desk = operations_files.check_import(town.services, INTEGRATION, [path]).desk

    operations_files.start_kept_import(town.services, INTEGRATION, desk, dry_run=True, by="operator:an")
    dry = town.run("import")
    meanwhile = list(town.twikey.office.default.customers)
    kept = operations_files.checked_before(town.services, INTEGRATION, desk)
    operations_files.start_kept_import(town.services, INTEGRATION, desk, dry_run=False, by="operator:an")
    again = operations_files.start_kept_import(town.services, INTEGRATION, desk, dry_run=False, by="operator:jan")
    real = town.run("import")

    assert dry.result["to_create"] == 1
    assert operations_files.of_these_rows(dry, desk)
    assert meanwhile == []
    assert kept.good == 1
    assert (again.is_new, again.job.run) == (False, real.run)
    assert real.result["created"] == 1
    assert list(town.twikey.office.default.customers) == ["1"]
    with pytest.raises(operations_files.NoSuchRows):
        operations_files.start_kept_import(town.services, INTEGRATION, desk, dry_run=False, by="operator:jan")
    assert list((files(town).folder / "work").iterdir()) == []


def test_starting_the_same_rows_again_does_not_take_them_from_the_run_under_way(town: Town, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(table({"customerNumber": "1", "lastname": "Een"}))
    checked = operations_files.check_import(town.services, INTEGRATION, [path])

    for by in ("cli:els", "operator:jan"):
        operations_files.start_import(town.services, INTEGRATION, checked, dry_run=False, by=by)

    assert town.run("import").result["created"] == 1
