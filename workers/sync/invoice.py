"""Reads an invoice: whose it is, and whether it concerns us at all. Pure.

Draft, paid and zero-amount invoices are not imported (support article; docs of Twikey's own integration, 2026-11-22).
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from workers.sync.decide import Skip

DRAFT = "invoice_draft"
PAID = "invoice_paid"
ZERO = "invoice_zero"
NO_CUSTOMER = "invoice_without_customer"


def customer_of(invoice: Mapping[str, object]) -> str | Skip:
    """The subject (`contact:<id>` or `company:<id>`) that the invoice is for, or why it is skipped."""
    if invoice.get("status") == "draft":
        return Skip(DRAFT)
    if invoice.get("paid") is True or invoice.get("status") == "matched":
        return Skip(PAID)
    if _amount(invoice) == 0:
        return Skip(ZERO)
    customer = _dig(invoice, "invoicee", "customer")
    if not isinstance(customer, Mapping) or customer.get("type") not in ("contact", "company"):
        return Skip(NO_CUSTOMER)
    return f"{customer['type']}:{customer.get('id')}" if customer.get("id") else Skip(NO_CUSTOMER)


def _amount(invoice: Mapping[str, object]) -> Decimal | None:
    try:
        return Decimal(str(_dig(invoice, "total", "payable", "amount")))
    except InvalidOperation:
        # An amount we cannot read is no reason to forget the customer.
        return None


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
