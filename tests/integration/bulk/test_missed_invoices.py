"""Missed invoices: unknown customers of recent invoices are created, known ones left alone, and the summary is right."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.keys import IntegrationKeys
from sandbox.world import character
from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers.bulk.jobs import Job
from workers.bulk.runner import Runner

ONE, TWO, THREE, AN = (character(slug) for slug in ("company-1", "company-2", "company-3", "ordinary-person"))


def run(town: Town, days: int = 30) -> Job:
    town.jobs.start(INTEGRATION, "invoices", {"days": days}, by="cli:els")
    return town.run("invoices")


@pytest.fixture
def booked(town: Town) -> Town:
    """Auto-update off. One is known to Twikey, Two has three invoices, An one; others are paid, empty, drafts, old, nameless."""
    town.ledger.set_auto_update(False)
    town.twikey.office.default.add(ONE.id, {"companyName": "Known, with another name"})
    for kind, customer in (("company", ONE), ("company", TWO), ("company", TWO), ("company", TWO), ("contact", AN)):
        town.account.add_invoice(kind, customer.id)  # type: ignore[arg-type]
    paid = town.account.add_invoice("company", THREE.id)
    town.account.change_invoice(paid["id"], {"paid": True})
    town.account.add_invoice("company", THREE.id, amount=0)
    town.account.add_invoice("company", THREE.id, book=False)
    old = town.account.add_invoice("company", THREE.id)
    long_ago = (datetime.now(UTC) - timedelta(days=40)).date().isoformat()
    town.account.change_invoice(old["id"], {"invoice_date": long_ago})
    nameless = town.account.create("company", {"name": ""}, silent=True).id
    town.account.add_invoice("company", nameless)
    return town


def test_unknown_customers_are_created_and_known_ones_left_alone(booked: Town) -> None:
    job = run(booked)

    assert job.result == {
        "invoices": 8,
        "same_customer": 2,
        "invoice_paid": 1,
        "invoice_zero": 1,
        "customers": {"synced": 2, "already_known": 1, "dead": 1},
    }
    assert booked.in_twikey(TWO.id) is not None
    assert booked.in_twikey(AN.id) is not None
    assert booked.in_twikey(THREE.id) is None
    assert (booked.in_twikey(ONE.id) or {})["companyName"] == "Known, with another name"
    assert [line["reason"] for line in booked.jobs.report(INTEGRATION, "invoices")] == ["cannot_map"]


def test_importing_again_does_nothing_twice(booked: Town) -> None:
    run(booked)
    writes = len(booked.twikey.office.default.writes)

    again = run(booked)

    assert again.result["customers"] == {"already_known": 1, "unchanged": 2, "dead": 1}
    assert len(booked.twikey.office.default.writes) == writes


def test_more_days_find_older_invoices(booked: Town) -> None:
    job = run(booked, days=45)

    assert job.result["invoices"] == 9
    assert booked.in_twikey(THREE.id) is not None


def test_customers_of_hundreds_of_invoices_come_a_few_at_a_time(town: Town) -> None:
    town.ledger.set_auto_update(False)
    ids = [town.account.create("contact", {"last_name": f"Nr {n}"}, silent=True).id for n in range(120)]
    for one in ids:
        town.account.add_invoice("contact", one)
    town.jobs.start(INTEGRATION, "invoices", {}, by="cli:els")
    works, most = Runner(town.services), 0
    while not town.job("invoices").is_over:
        town.hurry()
        works.run_once()
        most = max(most, len(town.owed()))
        town.work_off()

    assert town.job("invoices").result["customers"] == {"synced": 120}
    assert set(ids) <= set(town.twikey.office.default.customers)
    assert most <= 50


def test_a_death_at_any_round_trip_leaves_the_summary_right(town: Town, mortal: Live) -> None:
    ids = [town.account.create("contact", {"last_name": f"Nr {n}"}, silent=True).id for n in range(6)]
    for one in ids:
        town.account.add_invoice("contact", one)
        town.account.add_invoice("contact", one)
    deaths = 0
    for lives in range(1, 22):
        town.begin_again()
        town.ledger.set_auto_update(False)
        town.twikey.office.default.customers.clear()
        town.jobs.start(INTEGRATION, "invoices", {}, by="cli:els")

        deaths += mortal(Runner(town.services), lives)
        town.work_off()
        town.store.hset(IntegrationKeys(INTEGRATION).job("invoices"), "lease", 1)
        job = town.run("invoices")

        expected: dict[str, Any] = {"invoices": 12, "same_customer": 6, "customers": {"synced": 6}}
        assert job.result == expected, lives
        assert set(ids) == set(town.twikey.office.default.customers)
    assert deaths > 8
