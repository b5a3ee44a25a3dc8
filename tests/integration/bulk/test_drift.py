"""The full comparison: what is equal, different, missing, cannot be sent; what repairing does; that it survives and gives way."""

import csv
import io
import json
import shutil
from datetime import timedelta
from typing import Any

import pytest

from config.keys import IntegrationKeys
from sandbox.faults import Fault
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.world import character
from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers import operations_files
from workers.bulk.drift import Finding
from workers.bulk.kinds import bulk_tools
from workers.bulk.registry import by_name
from workers.bulk.runner import Runner
from workers.ledger import Cause

FEW = pytest.mark.parametrize(
    "world",
    [{"characters": tuple(character(slug) for slug in ("company-1", "company-2", "company-3", "ordinary-person"))}],
)
SOME = pytest.mark.parametrize("world", [{"characters": (), "generated": GeneratedWorld(230, seed=3)}])
ONE, TWO, THREE, AN = (character(slug) for slug in ("company-1", "company-2", "company-3", "ordinary-person"))


def start(town: Town, **parameters: Any) -> None:
    town.jobs.start(INTEGRATION, "drift", parameters, by="cli:els")


def found(town: Town) -> dict[str, Any]:
    return {str(line["subject"]).partition(":")[2]: line for line in town.jobs.report(INTEGRATION, "drift")}


def shared(town: Town, which: str) -> bytes:
    files = operations_files.files_of(town.services, INTEGRATION)
    with files.open(str(town.job("drift").result[which])) as file:
        return file.read()


def as_csv(town: Town) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(shared(town, "file").decode(), newline="")))


@pytest.fixture
def differing(town: Town) -> Town:
    """Company 1 is equal, 2 differs in two fields, 3 and An are missing, and a fourth has no name."""
    for one in (ONE, TWO):
        town.sync(f"company:{one.id}", Cause.OPERATOR)
    town.twikey.office.default.customers[TWO.id].profile |= {"companyName": "Wrong", "city": "Elsewhere"}
    town.account.create("company", {"name": ""}, customer_id="0000-nameless", silent=True)
    for kind, customer_id in [("company", c.id) for c in (ONE, TWO, THREE)] + [
        ("contact", AN.id),
        ("company", "0000-nameless"),
    ]:
        customer = town.account.find(kind, customer_id)  # type: ignore[arg-type]
        assert customer is not None
        customer.data["updated_at"] = "2026-01-01T00:00:00+00:00"
    town.forget_calls()
    town.twikey.log.clear()
    return town


@FEW
def test_the_report_names_fields_and_reasons_and_nothing_is_written(differing: Town) -> None:
    town = differing
    start(town)

    job = town.run("drift")

    counts = {name: job.result[name] for name in ("equal", "different", "missing", "unmappable", "edited")}
    assert counts == {"equal": 1, "different": 1, "missing": 2, "unmappable": 1, "edited": 0}
    assert found(town)[TWO.id]["fields"] == ["companyName", "city"]
    assert found(town)["0000-nameless"]["reasons"] == ["companyName: nameless"]
    assert ONE.id not in found(town)
    assert "Wrong" not in str(found(town))
    assert {record.method for record in town.twikey.log.records(prefix="/creditor/customer")} == {"GET"}
    assert town.ledger.pending() == 0


@FEW
def test_repair_brings_over_what_differs_and_creates_what_is_missing(differing: Town) -> None:
    start(differing, repair=True)

    job = differing.run("drift")

    assert job.result["repaired"] == 3
    assert (differing.in_twikey(TWO.id) or {})["companyName"] == TWO.fields["name"]
    assert differing.in_twikey(THREE.id) is not None
    assert differing.in_twikey(AN.id) is not None


@FEW
@pytest.mark.parametrize(
    ("settings_more", "parameters"),
    [({"TLTW_UPDATE_ONLY": "on"}, {}), ({}, {"create": False})],
    ids=["option", "asked"],
)
def test_repair_creates_nobody_when_the_integration_does_not_or_nobody_asked(
    differing: Town, parameters: dict[str, Any]
) -> None:
    start(differing, repair=True, **parameters)

    job = differing.run("drift")

    assert job.result["repaired"] == 1
    assert (differing.in_twikey(TWO.id) or {})["companyName"] == TWO.fields["name"]
    assert differing.in_twikey(THREE.id) is None


@FEW
def test_an_operator_may_compare_and_repair_while_auto_update_is_off(differing: Town) -> None:
    differing.ledger.set_auto_update(False)
    start(differing, repair=True)

    job = differing.run("drift")

    assert (job.state, job.result["repaired"]) == ("done", 3)
    assert (differing.in_twikey(TWO.id) or {})["companyName"] == TWO.fields["name"]


@FEW
def test_who_is_edited_while_it_runs_is_counted_and_left_to_the_live_sync(differing: Town) -> None:
    start(differing)
    differing.edit_silently("company", THREE.id, name="Edited meanwhile")

    job = differing.run("drift")

    assert (job.result["edited"], job.result["missing"]) == (1, 1)


@FEW
def test_an_account_whose_customers_cannot_be_read_says_so(differing: Town) -> None:
    differing.twikey.faults.add(Fault("status", status=405, prefix="/creditor/customer", method="GET"))
    start(differing)

    job = differing.run("drift")

    assert (job.state, job.reason) == ("failed", "refused")
    assert "does not let us read" in job.sentence


@SOME
def test_everybody_is_compared_once_and_the_progress_knows_what_is_left(town: Town) -> None:
    tools = bulk_tools(town.services, INTEGRATION)
    plan = by_name()["drift"].plan({}, tools)
    town.hurry()
    start(town, total=plan.total)
    works, seen = Runner(town.services), []
    while not town.job("drift").is_over:
        town.hurry()
        works.run_once()
        seen.append((town.job("drift").done, town.job("drift").total))

    assert plan.total == 230
    assert plan.calls == 230 + 2 + 2
    assert plan.longest > plan.shortest
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert {total for _, total in seen} == {230}
    assert (town.job("drift").done, town.job("drift").result["missing"]) == (230, 230)
    assert len(list(town.jobs.report(INTEGRATION, "drift"))) == 230


@SOME
def test_a_death_at_any_round_trip_leaves_every_line_once(
    town: Town, mortal: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.bulk.drift.compare", _as_if_missing)
    deaths = 0
    for lives in range(1, 140, 17):
        town.begin_again()
        start(town)

        deaths += mortal(Runner(town.services), lives)
        town.store.hset(IntegrationKeys(INTEGRATION).job("drift"), "lease", 1)
        while not town.job("drift").is_over:
            town.hurry()
            Runner(town.services).run_once()

        subjects = [line["subject"] for line in town.jobs.report(INTEGRATION, "drift")]
        assert len(subjects) == len(set(subjects)) == 230, lives
        assert sorted(row["customer"] for row in as_csv(town)) == sorted(subjects), lives
        assert town.job("drift").result["missing"] == 230
    assert deaths >= 5


def _as_if_missing(subject: str, tools: Any, _variant: Any) -> Any:
    tools.keep()
    return Finding(subject, "missing")


@FEW
def test_what_was_compared_counts_when_the_next_one_fails(differing: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(minutes=1))  # up to the failure in one turn
    differing.teamleader.faults.add(Fault("status", status=500, prefix="/companies.info", customer=TWO.id, count=2))
    start(differing)

    Runner(differing.services).run_once()
    waits = differing.job("drift")
    differing.run("drift")

    assert (waits.state, waits.reason) == ("waiting", "unavailable")
    assert waits.done >= 1
    assert differing.job("drift").done == 5


@FEW
@pytest.mark.parametrize("prefix", ["/companies.info", "/creditor/customer"])
def test_one_customer_that_is_never_answered_for_is_reported_and_the_others_compared(
    differing: Town, prefix: str
) -> None:
    side = differing.teamleader if prefix == "/companies.info" else differing.twikey
    side.faults.add(Fault("status", status=500, prefix=prefix, customer=TWO.id))
    start(differing, repair=True)

    job = differing.run("drift", most=20)

    assert (job.state, job.result["unanswered"], job.done, job.result["repaired"]) == ("done", 1, 5, 2)
    assert next(row for row in as_csv(differing) if row["customer"] == f"company:{TWO.id}")["found"] == "unanswered"
    assert "HTTP 500" in found(differing)[TWO.id]["reasons"][0]
    assert side.faults.listed()[0].hits >= 5


@FEW
def test_one_customer_that_is_refused_is_reported_and_the_others_compared(differing: Town) -> None:
    differing.teamleader.faults.add(Fault("status", status=403, prefix="/companies.info", customer=TWO.id))
    start(differing)

    job = differing.run("drift", most=20)

    assert (job.state, job.result["refused"], job.result["missing"]) == ("done", 1, 2)


@FEW
def test_during_an_outage_nobody_is_given_up(differing: Town) -> None:
    differing.teamleader.faults.add(Fault("status", status=500, count=30))
    start(differing)

    job = differing.run("drift")

    assert (job.state, job.result["unanswered"], job.done) == ("done", 0, 5)


@FEW
def test_the_report_is_among_the_shared_files_as_csv_and_json(differing: Town) -> None:
    start(differing)
    job = differing.run("drift")

    report = list(differing.jobs.report(INTEGRATION, "drift"))
    document = json.loads(shared(differing, "json_file"))
    listed = operations_files.files_of(differing.services, INTEGRATION).all()
    assert {(row["customer"], row["found"]) for row in as_csv(differing)} == {
        (line["subject"], line["found"]) for line in report
    }
    assert next(row["details"] for row in as_csv(differing) if row["found"] == "different") == "companyName, city"
    assert sorted(document["customers"], key=str) == sorted(report, key=str)
    assert document["counts"]["equal"] == job.result["equal"] == 1
    assert (document["by"], document["lines_lost"]) == ("cli:els", 0)
    assert {(file.kind, file.rows, file.made_by) for file in listed} == {("drift", 4, "cli:els")}
    assert [file.name.rpartition(".")[2] for file in listed] in (["csv", "json"], ["json", "csv"])
    work = operations_files.files_of(differing.services, INTEGRATION).folder / "work"
    assert list(work.iterdir()) == []


@SOME
def test_the_files_hold_more_lines_than_the_store_keeps(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.bulk.drift.compare", _as_if_missing)
    monkeypatch.setattr("workers.bulk.jobs.REPORT_LINES", 50)
    start(town)

    assert town.run("drift").more == 180
    assert len({row["customer"] for row in as_csv(town)}) == 230


@SOME
def test_a_disk_that_was_lost_is_said_and_the_comparison_ends_all_the_same(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.bulk.drift.compare", _as_if_missing)
    start(town)
    works = Runner(town.services)
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(0))
    while town.job("drift").done < 100:
        town.hurry()
        works.run_once()
    before = town.job("drift").done
    shutil.rmtree(operations_files.files_of(town.services, INTEGRATION).workspace(town.job("drift").run))

    job = town.run("drift")

    assert (job.state, job.result["missing"]) == ("done", 230)
    assert len(as_csv(town)) == 230 - before
    assert json.loads(shared(town, "json_file"))["lines_lost"] == before
