"""Which invoices concern us, and whose they are."""

import pytest

from workers.sync.decide import Skip
from workers.sync.invoice import customer_of

BOOKED = {
    "status": "outstanding",
    "paid": False,
    "total": {"payable": {"amount": 121.0, "currency": "EUR"}},
    "invoicee": {"name": "Dirk", "customer": {"type": "company", "id": "2a39e420-3ba3-4384-8024-fa702ef99c9f"}},
}


def test_a_booked_invoice_names_its_customer():
    assert customer_of(BOOKED) == "company:2a39e420-3ba3-4384-8024-fa702ef99c9f"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "draft"}, "invoice_draft"),
        ({"paid": True}, "invoice_paid"),
        ({"status": "matched"}, "invoice_paid"),
        ({"total": {"payable": {"amount": 0}}}, "invoice_zero"),
        ({"total": {"payable": {"amount": "0.00"}}}, "invoice_zero"),
        ({"invoicee": {"name": "Dirk"}}, "invoice_without_customer"),
        ({"invoicee": None}, "invoice_without_customer"),
        ({"invoicee": {"customer": {"type": "user", "id": "1"}}}, "invoice_without_customer"),
    ],
)
def test_an_invoice_that_is_not_imported_is_skipped_with_its_reason(change, reason):
    assert customer_of(BOOKED | change) == Skip(reason)


@pytest.mark.parametrize("total", [None, {}, {"payable": None}, {"payable": {"amount": "a lot"}}])
def test_an_amount_that_cannot_be_read_does_not_lose_the_customer(total):
    assert customer_of(BOOKED | {"total": total}) == "company:2a39e420-3ba3-4384-8024-fa702ef99c9f"
