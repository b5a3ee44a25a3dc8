"""Missed invoices: unknown customers of recent invoices are created, known ones left alone, and the summary is right."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.alerts import smtp_server
from config.keys import IntegrationKeys
from sandbox.world import character
from tests.integration.alerts.conftest import MailServer
from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers.alerts import book
from workers.alerts.channels.log import LogChannel
from workers.alerts.channels.smtp import SmtpChannel
from workers.alerts.messages import Message
from workers.alerts.rounds import Rounds
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
        assert [sent.message.number for sent in book.newest(town.store, 10)] == [6], lives
    assert deaths > 8


def test_the_summary_goes_out_by_mail_once_with_counts_and_a_link_and_nobodys_name(
    booked: Town, mail_server: Callable[..., MailServer]
) -> None:
    server, others = mail_server(), Listening()
    place = smtp_server(server.url)
    assert place is not None
    mail = SmtpChannel(place, sender="tltw@example.com", to=("books@example.com",))
    rounds = Rounds(booked.services, (LogChannel(), mail, others))
    rounds.run()

    run(booked)
    rounds.run()
    rounds.run()

    (sent,) = (mail for mail in server.mails if "Missed invoices" in mail["Subject"])
    assert sent["Subject"] == "Missed invoices of default: 4 customers (127.0.0.1)"
    text = sent.get_content()
    for line in (
        "8 booked invoices of the last 30 days",
        "  1 paid",
        "  2 further ones of the same customers",
        "customers: 4",
        "  2 brought over",
        "  1 known to Twikey, left alone",
        "  1 could not be sent: tltw dead-letters list",
    ):
        assert f"{line}\n" in text.replace("\r\n", "\n")
    assert f"{booked.services.settings.console_url}/integrations/default/jobs/invoices" in text
    for customer in (ONE, TWO, THREE, AN):
        document = booked.account.find(customer.kind, customer.id)
        assert document is not None
        names = [document.data.get(name) for name in ("name", "last_name")]
        addresses = [one["email"] for one in document.data.get("emails", [])]
        assert not [word for word in (*names, *addresses, customer.id) if word and str(word) in text]
    assert not [message for message in others.heard if message.kind == "missed_invoices"]


class Listening:
    """Another channel, for which the summary is not."""

    name = "slack"

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def send(self, message: Message, *, alert_id: str) -> None:
        self.heard.append(message)

    def close(self) -> None:
        """Nothing to give back."""
