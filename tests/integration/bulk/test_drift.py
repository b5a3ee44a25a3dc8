"""The full comparison: what is equal, different, missing, cannot be sent; what repairing does; that it survives and gives way."""

from typing import Any

import pytest

from config.keys import IntegrationKeys
from sandbox.faults import Fault
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.world import character
from tests.integration.bulk.town import INTEGRATION, Live, Town
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
        assert town.job("drift").result["missing"] == 230
    assert deaths >= 5


def _as_if_missing(subject: str, tools: Any, _variant: Any) -> Any:
    tools.keep()
    return Finding(subject, "missing")


@FEW
def test_what_was_compared_counts_when_the_next_one_fails(differing: Town) -> None:
    differing.teamleader.faults.add(Fault("status", status=500, prefix="/companies.info", customer=TWO.id, count=2))
    start(differing)

    Runner(differing.services).run_once()
    waits = differing.job("drift")
    differing.run("drift")

    assert (waits.state, waits.reason) == ("waiting", "unavailable")
    assert waits.done >= 1
    assert differing.job("drift").done == 5
