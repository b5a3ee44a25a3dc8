"""What a customer costs in the store measured on real servers: fakeredis does not know."""

import pytest

from workers.ledger import Cause, Outcome

pytestmark = pytest.mark.parametrize("store", ["valkey", "redis"], indirect=True)

WEBHOOK = frozenset({Cause.WEBHOOK})
CUSTOMERS = 1_000
OWED_AT_MOST, SETTLED_AT_MOST = 700, 400
EVENT = "6f1b2a3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"
FINGERPRINT = "0123456789abcdef012345"


def subject(number):
    return f"company:0a1b2c3d-4e5f-4a6b-8c7d-{number:012d}"


def bytes_per_customer(ledger, customers=CUSTOMERS):
    """The records, and each customer's share of the sets that list customers."""
    store = ledger.scripts.store
    records = sum(store.memory_usage(ledger.keys.subject(subject(n)), samples=0) for n in range(customers))
    lists = (ledger.keys.due, ledger.keys.held, ledger.keys.dead)
    shared = sum(store.memory_usage(name, samples=0) or 0 for name in lists)
    return (records + shared) / customers


@pytest.fixture
def report(request, record_property):
    """Shows a figure in the run's output (`-rP`) and in its report."""

    def report(what, figure, limit):
        record_property(what, figure)
        print(f"{request.node.callspec.params['store']}: {what} costs {figure:.0f} bytes (at most {limit})")

    return report


def test_an_owed_customer_is_small(ledger, report):
    for number in range(CUSTOMERS):
        ledger.mark(subject(number), WEBHOOK, event_id=EVENT)

    figure = bytes_per_customer(ledger)

    report("an owed customer", figure, OWED_AT_MOST)
    assert figure <= OWED_AT_MOST


def test_an_owed_customer_with_a_past_is_small_too(ledger, claimed, report):
    sync_all(ledger, claimed)
    for number in range(CUSTOMERS):
        ledger.mark(subject(number), WEBHOOK, event_id=EVENT)

    figure = bytes_per_customer(ledger)

    report("an owed customer that was synced before", figure, OWED_AT_MOST)
    assert figure <= OWED_AT_MOST


def test_a_settled_customer_is_small(ledger, claimed, report):
    sync_all(ledger, claimed)

    figure = bytes_per_customer(ledger)

    report("a settled customer", figure, SETTLED_AT_MOST)
    assert figure <= SETTLED_AT_MOST


def test_a_settled_customer_with_a_long_past_is_small_too(ledger, claimed, report):
    for reason in ("unknown_in_twikey", "", "already_known", "", "unknown_in_twikey", "", ""):
        outcome = Outcome.SKIPPED if reason else Outcome.SYNCED
        sync_all(ledger, claimed, outcome=outcome, reason=reason, customers=100)

    figure = bytes_per_customer(ledger, 100)

    report("a settled customer with a full past", figure, SETTLED_AT_MOST)
    assert figure <= SETTLED_AT_MOST


def sync_all(ledger, claimed, *, outcome=Outcome.SYNCED, reason="", customers=CUSTOMERS):
    roomy = type(ledger)(ledger.scripts, ledger.integration, calls_per_minute=CUSTOMERS * 2)
    for number in range(customers):
        ledger.mark(subject(number), WEBHOOK, event_id=EVENT)
        claim = claimed(roomy, subject(number))
        updated_at = "2026-11-22T10:00:00+01:00"
        roomy.commit(claim, outcome, reason=reason, fingerprint=FINGERPRINT, source_updated_at=updated_at)
