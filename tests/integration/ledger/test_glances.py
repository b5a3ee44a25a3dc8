"""Many integrations at a glance: one round trip, nothing written, and customers that nobody has to count."""

import time
from datetime import UTC, datetime

import pytest

from workers.ledger import Cause, Ledger, Outcome, Story, glances

WEBHOOK = frozenset({Cause.WEBHOOK})


@pytest.fixture
def glance(scripts):
    def glance(integration="acme"):
        (one,) = glances(scripts, [integration])
        return one

    return glance


@pytest.fixture
def sync(ledger, claimed):
    def sync(subject="contact:1", outcome=Outcome.SYNCED, **how):
        ledger.mark(subject, WEBHOOK)
        ledger.commit(claimed(ledger, subject), outcome, **how)

    return sync


def test_an_integration_nobody_heard_of_is_all_zero(glance):
    nobody = glance("nobody")

    assert (nobody.customers, nobody.changed, nobody.held, nobody.books.accepted) == (0, None, 0, 0)
    assert nobody.survey.standing.state == "active"


def test_a_customer_counts_from_its_first_success_on_and_once(glance, sync):
    sync()
    sync()
    sync("company:1", Outcome.UNCHANGED)
    sync("contact:2", Outcome.SKIPPED, reason="unknown_in_twikey")

    assert glance().customers == 2


def test_a_customer_that_is_gone_no_longer_counts_until_it_is_back(glance, sync):
    sync()
    sync(outcome=Outcome.GONE)
    sync(outcome=Outcome.GONE)
    gone = glance().customers
    sync()

    assert (gone, glance().customers) == (0, 1)


def test_one_that_died_or_failed_after_a_success_still_counts(ledger, claimed, glance, sync):
    sync()
    ledger.mark("contact:1", WEBHOOK)
    ledger.fail(claimed(ledger), "retry", reason="unavailable")
    ledger.fail(claimed(ledger), "dead", reason="refused", story=Story("refused"))

    assert (glance().customers, glance().survey.dead) == (1, 1)


def test_invoices_are_no_customers(glance, sync):
    sync("invoice:1", reason="customer_marked")

    assert (glance().customers, glance().changed) == (0, None)


def test_a_change_is_what_was_written_not_what_was_equal_already(glance, sync):
    before = datetime.now(UTC)
    sync()
    changed = glance().changed
    time.sleep(0.005)
    sync(outcome=Outcome.UNCHANGED)

    assert abs((changed - before).total_seconds()) < 30
    assert glance().changed == changed


def test_many_are_looked_at_at_once_in_their_order(scripts, sync):
    names = [f"shop-{number}" for number in range(60)]
    for number, name in enumerate(names):
        other = Ledger(scripts, name)
        other.begin(auto_update=True)
        for customer in range(number % 4):
            other.mark(f"contact:{customer}", WEBHOOK)

    found = glances(scripts, names)

    assert [one.survey.integration for one in found] == names
    assert [one.books.pending for one in found] == [number % 4 for number in range(60)]


def test_looking_writes_nothing(scripts, ledger, store, sync):
    sync()
    before = {key: store.dump(key) for key in store.scan_iter("*")}

    glances(scripts, ["acme", "nobody"], at_one_instant=True)

    assert {key: store.dump(key) for key in store.scan_iter("*")} == before
