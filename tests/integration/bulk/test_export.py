"""Export: every customer once, in files that Twikey takes, whatever changes, fails or dies meanwhile."""

import csv
import hashlib
import io
import os
import random
import stat
import zipfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mapping.csv_rows import COLUMNS, read_header, read_row
from sandbox.faults import Fault
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.store import CustomerStore
from sandbox.world import CHARACTERS, character
from tests.integration.bulk.town import INTEGRATION, Town
from workers.bulk import csv_export
from workers.bulk.kinds import bulk_tools
from workers.bulk.parts import PART_BYTES, Parts
from workers.bulk.registry import KINDS
from workers.bulk.runner import Runner
from workers.bulk.workspace import Workspace
from workers.files import SharedFiles


class Died(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def files(town: Town) -> SharedFiles:
    settings = town.services.settings
    return SharedFiles.of(town.store, settings.files_dir, INTEGRATION, settings.files_kept)


def start(town: Town, **parameters: Any) -> None:
    town.jobs.start(INTEGRATION, "export", {"full": False, **parameters}, by="cli:els")


def export(town: Town, **parameters: Any) -> dict[str, bytes]:
    start(town, **parameters)
    return opened(town)


def opened(town: Town) -> dict[str, bytes]:
    """Runs the job to its end; the files in its zip by name."""
    job = town.run("export")
    assert job.state == "done", job
    with files(town).open(str(job.result["file"])) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows(contents: dict[str, bytes]) -> list[dict[str, str]]:
    found = []
    for name, content in contents.items():
        if name.startswith("customers-"):
            reader = csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True)
            assert reader.fieldnames == list(COLUMNS)
            found += list(reader)
    return found


def problems(contents: dict[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(contents["problems.csv"].decode(), newline="")))


def grow(town: Town, total: int) -> None:
    """Adds made up customers to the account."""
    stored = list(town.account.customers.all("contact")) + list(town.account.customers.all("company"))
    town.account.customers = CustomerStore(GeneratedWorld(total))
    for customer in stored:
        town.account.customers.put(customer)


def everybody(town: Town) -> list[str]:
    return sorted(one.id for kind in ("contact", "company") for one in town.account.customers.all(kind))  # type: ignore[arg-type]


# -- what is in it --------------------------------------------------------------------------------------------------------


def test_every_customer_is_in_it_once_and_the_summary_tells_the_truth(town: Town) -> None:
    contents = export(town)

    assert sorted(row["customerNumber"] for row in rows(contents)) == everybody(town)
    summary = contents["summary.txt"].decode()
    digest = hashlib.sha256(contents["customers-0001.csv"]).hexdigest()
    assert f"{len(CHARACTERS):,} rows" in summary
    assert f"{digest}  customers-0001.csv" in summary
    assert "integration default" in summary


def test_the_rows_are_what_the_mapping_says(town: Town) -> None:
    found = {row["customerNumber"]: row for row in rows(export(town))}

    person, firm = found[character("ordinary-person").id], found[character("two-streets").id]
    assert (person["firstname"], person["lastname"], person["mobile"]) == ("An", "Peeters", "+32475123456")
    assert (firm["companyName"], firm["address"], firm["city"]) == (
        "Hoofdzetel & Magazijn NV",
        "Dok Noord 3A 101",
        "Gent",
    )
    assert found[character("formula-name").id]["companyName"] == "'=cmd|' /C calc'!A0"


def test_what_needs_a_look_is_listed_with_its_place(town: Town) -> None:
    contents = export(town)

    told = [one for one in problems(contents) if one["customerNumber"] == character("long-name").id]
    assert [(one["column"], "too long" in one["what"]) for one in told] == [("companyName", True)]
    line = contents[told[0]["file"]].decode().split("\r\n")[int(told[0]["line"]) - 1]
    assert line.startswith(character("long-name").id)


def test_who_cannot_be_known_to_twikey_is_left_out_and_named(town: Town) -> None:
    nameless = town.account.create("company", {"name": None}, silent=True).id

    contents = export(town)

    assert nameless not in {row["customerNumber"] for row in rows(contents)}
    assert [(one["file"], one["column"]) for one in problems(contents) if one["customerNumber"] == nameless] == [
        ("", "companyName")
    ]
    assert town.job("export").result["left_out"] == 1


def test_no_part_is_larger_than_twikey_takes_and_all_have_the_header(town: Town) -> None:
    grow(town, 5_000)

    contents = export(town)

    parts = {name: content for name, content in contents.items() if name.startswith("customers-")}
    assert len(parts) >= 3
    assert all(len(content) <= PART_BYTES for content in parts.values())
    assert all(len(content) > PART_BYTES - 1_000 for content in list(parts.values())[:-1])
    assert sorted(row["customerNumber"] for row in rows(contents)) == everybody(town)


def test_an_account_without_customers_gives_a_file_with_the_header_alone(town: Town) -> None:
    town.account.customers = CustomerStore()

    contents = export(town)

    assert contents["customers-0001.csv"] == (",".join(COLUMNS) + "\r\n").encode()
    assert town.job("export").result["rows"] == 0


def test_a_byte_order_mark_only_for_who_asks_for_it(town: Town) -> None:
    assert not export(town)["customers-0001.csv"].startswith(b"\xef\xbb\xbf")
    assert export(town, byte_order_mark=True)["customers-0001.csv"].startswith(b"\xef\xbb\xbf")


def test_a_full_export_has_the_invoicing_addresses(town: Town) -> None:
    found = {row["customerNumber"]: row for row in rows(export(town, full=True))}

    assert sorted(found) == everybody(town)
    assert found[character("two-streets").id]["address"] == "Postbus 17"
    assert sum(path.endswith(".info") for path in town.calls()) == len(CHARACTERS)


def test_the_file_is_for_the_operator_alone(town: Town) -> None:
    export(town)

    file = files(town).all()[0]
    path = files(town).folder / file.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (file.rows, file.made_by, file.kind) == (len(CHARACTERS), "cli:els", "export")
    assert list((files(town).folder / "work").iterdir()) == []


# -- what happens meanwhile -----------------------------------------------------------------------------------------------


def one_step_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it is in the middle after a turn, however quick this machine is: a page of each list, or a few customers."""
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(0))
    monkeypatch.setattr(csv_export, "STEP_SECONDS", 0)


def between_pages(town: Town, monkeypatch: pytest.MonkeyPatch, act: Callable[[int], None]) -> None:
    """Lets every step read one page of each list, and something happen before each."""
    monkeypatch.setattr(csv_export, "STEP_SECONDS", 0)
    page, calls = csv_export._page, iter(range(10**6))

    def paged(*args: Any) -> Any:
        act(next(calls))
        return page(*args)

    monkeypatch.setattr(csv_export, "_page", paged)


def test_edits_additions_and_deletions_meanwhile_leave_neither_gaps_nor_doubles(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(town, 1_000)
    chance, deleted = random.Random(7), set()

    def life(call: int) -> None:
        with town.account.lock:
            ids = [one.id for one in town.account.customers.all("contact")]
            gone, edited = chance.sample(ids, 2)
            town.account.delete("contact", gone, silent=True)
            deleted.add(gone)
            town.account.edit("contact", edited, {"language": "fr"}, silent=True)
            if call < 5:
                town.account.create("contact", {"last_name": f"Nieuw {call}"}, silent=True)

    between_pages(town, monkeypatch, life)

    numbers = [row["customerNumber"] for row in rows(export(town))]

    assert len(numbers) == len(set(numbers))
    assert set(everybody(town)) <= set(numbers)
    assert set(numbers) - set(everybody(town)) <= deleted
    assert int(str(town.job("export").result["edited"])) > 0


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_process_that_dies_anywhere_leaves_neither_gaps_nor_doubles(
    town: Town, monkeypatch: pytest.MonkeyPatch, seed: int, full: bool
) -> None:
    """Dies before and after whatever leaves a trace: rows, sync, both commits, putting together, listing.

    The first time each is done, and at random later on; after its listing at random only, for then it is over.
    """
    grow(town, 100 if full else 1_500)
    chance, deaths = random.Random(seed), []

    def deadly(owner: Any, name: str, often: float) -> None:
        real = getattr(owner, name)

        def perhaps_die(where: str) -> None:
            first = where not in deaths and where != "add done"
            if first or (chance.random() < often and len(deaths) < 40):
                deaths.append(where)
                raise Died(name)

        def fragile(*args: Any, **more: Any) -> Any:
            perhaps_die(name)
            answer = real(*args, **more)
            perhaps_die(name + " done")
            return answer

        monkeypatch.setattr(owner, name, fragile)

    monkeypatch.setattr(csv_export, "STEP_SECONDS", 0)
    deadly(Workspace, "commit", 0.08)
    deadly(csv_export._Work, "_write", 0.002)
    deadly(csv_export._Work, "put_together", 0.3)
    deadly(SharedFiles, "add", 0.3)
    deadly(Workspace, "remove", 0.3)
    start(town, full=full)

    runner = Runner(town.services)
    for _ in range(2_000):
        town.store.hset(town.ledger.keys.job("export"), mapping={"lease": 0, "claims": 0})  # the lease is over
        town.hurry()
        try:
            runner.run_once()
        except Died:
            continue
        if town.job("export").is_over:
            break
    monkeypatch.undo()

    contents = opened(town)
    assert len(set(deaths)) >= 8
    assert sorted(row["customerNumber"] for row in rows(contents)) == everybody(town)
    assert len(files(town).all()) == 1
    assert town.job("export").result["rows"] == len(everybody(town))


def test_a_job_whose_files_are_gone_starts_over(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(town, 1_000)
    one_step_a_turn(monkeypatch)
    start(town)
    Runner(town.services).run_once()
    begun = town.job("export")
    desk = Workspace(files(town).workspace(begun.run))
    desk.start_over()
    desk.close()

    assert 0 < begun.done < 1_000
    assert sorted(row["customerNumber"] for row in rows(opened(town))) == everybody(town)


@pytest.mark.parametrize("which", [0, -1])
def test_a_disk_that_lost_what_was_committed_makes_it_start_over(
    town: Town, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """In the part that is being written, or in one that was finished long ago."""
    grow(town, 500)
    assert Parts.__init__.__kwdefaults__
    monkeypatch.setitem(
        Parts.__init__.__kwdefaults__, "limit", 30_000
    )  # so that hundreds of customers are several parts
    one_step_a_turn(monkeypatch)
    start(town)
    folder = files(town).workspace(town.job("export").run)
    while len(written := sorted(folder.glob("customers-*.csv"))) < 2:
        town.hurry()
        Runner(town.services).run_once()
    os.truncate(written[which], 10)

    contents = opened(town)

    numbers = sorted(row["customerNumber"] for row in rows(contents))
    assert numbers == everybody(town)


def test_while_another_process_still_has_the_files_the_job_waits(town: Town) -> None:
    start(town)
    desk = Workspace(files(town).workspace(town.job("export").run))

    Runner(town.services).run_once()
    waiting = town.job("export")
    desk.close()

    assert not waiting.is_over
    assert len(rows(opened(town))) == len(CHARACTERS)


def test_a_job_that_met_a_full_disk_goes_on_when_there_is_room_again_in_the_same_process(town: Town) -> None:
    start(town)
    folder = files(town).workspace(town.job("export").run)
    # As a full disk does: the folder can be made and its database cannot. (A right would not stop the root of a container.)
    (folder / "state.db").mkdir(parents=True)

    failed = town.run("export")
    (folder / "state.db").rmdir()
    town.jobs.resume(INTEGRATION, "export")

    assert (failed.state, failed.reason) == ("failed", "disk_refuses")
    assert len(rows(opened(town))) == len(CHARACTERS)


def test_an_error_is_not_the_end_of_the_list(town: Town) -> None:
    grow(town, 600)
    town.teamleader.faults.add(Fault("status", prefix="/contacts.list", status=503, count=3))

    assert sorted(row["customerNumber"] for row in rows(export(town))) == everybody(town)


@pytest.mark.parametrize(("status", "found"), [(500, "unanswered"), (403, "refused")])
def test_one_customer_that_cannot_be_read_is_named_and_the_others_exported(town: Town, status: int, found: str) -> None:
    one = character("company-2").id
    town.teamleader.faults.add(Fault("status", prefix="/companies.info", customer=one, status=status))

    contents = export(town, full=True)

    assert sorted([*(row["customerNumber"] for row in rows(contents)), one]) == everybody(town)
    assert [row["customerNumber"] for row in problems(contents) if "could not be read" in row["what"]] == [one]
    assert town.job("export").result[found] == 1
    assert "1 customers left out because Teamleader refused" in contents["summary.txt"].decode()


def test_a_full_export_gives_nobody_up_during_an_outage(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    one_step_a_turn(monkeypatch)
    start(town, full=True)
    Runner(town.services).run_once()
    begun = town.job("export")
    outage = town.teamleader.faults.add(Fault("status", status=503, count=40))

    contents = opened(town)

    assert not begun.is_over
    assert outage.hits == 40
    assert sorted(row["customerNumber"] for row in rows(contents)) == everybody(town)


# -- the plan -------------------------------------------------------------------------------------------------------------


def test_the_plan_tells_calls_and_time(town: Town) -> None:
    grow(town, 2_000)
    tools = bulk_tools(town.services, INTEGRATION)
    (kind,) = [kind for kind in KINDS if kind.name == "export"]

    short = kind.plan({"full": False}, tools)
    full = kind.plan({"full": True}, tools)

    assert short.total == pytest.approx(2_000 + len(CHARACTERS), rel=0.05)
    assert short.calls < 30
    assert full.calls == short.calls + (full.total or 0)
    assert "2,0" in short.sentence
    assert full.shortest < full.longest


# -- and back -------------------------------------------------------------------------------------------------------------


def test_what_was_written_is_read_back_without_a_problem(town: Town) -> None:
    for row in rows(export(town)):
        read_row([row[column] for column in COLUMNS], read_header(COLUMNS), town.services.tools(INTEGRATION).mapping)
