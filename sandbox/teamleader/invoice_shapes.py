"""How an invoice looks as a draft, booked, paid, empty, in `.info` and in `.list`."""

from datetime import datetime, timedelta
from typing import Any

from sandbox.teamleader.shapes import display_name, money, timestamp, web_url
from sandbox.world import Fields, Kind, stable_id

TERM_DAYS = 30
VAT = 0.21
ONLY_IN_INFO = (
    "grouped_lines", "payments", "payment_term", "custom_fields", "note", "currency", "expected_payment_method",
    "document_template", "on_hold_since", "peppol_status", "discounts", "invoice_content",
)  # fmt: skip
NULL_ON_A_DRAFT = (
    "invoice_number", "due_on", "paid_at", "purchase_order_number", "payment_reference", "note", "file", "deal",
    "project", "on_hold_since", "delivery_date", "peppol_status", "expected_payment_method", "invoice_content",
)  # fmt: skip


def draft(invoice_id: str, kind: Kind, customer: Fields, amount: float, at: datetime) -> Fields:
    nothing: Fields = dict.fromkeys(NULL_ON_A_DRAFT)
    return nothing | {
        "id": invoice_id,
        "department": {"type": "department", "id": stable_id("department")},
        "invoice_date": at.date().isoformat(),
        "status": "draft",
        "paid": False,
        "sent": False,
        "invoicee": _invoicee(kind, customer),
        "discounts": [],
        "grouped_lines": [],
        "total": _total(amount, amount),
        "payment_term": {"type": "after_invoice_date", "days": TERM_DAYS},
        "payments": [],
        "currency": "EUR",
        "currency_exchange_rate": {"from": "EUR", "to": "EUR", "rate": 1},
        "custom_fields": [],
        "created_at": timestamp(at),
        "updated_at": timestamp(at),
        "document_template": {"type": "documentTemplate", "id": stable_id("template")},
        "web_url": web_url("invoice", invoice_id),
    }


def booked(invoice: Fields, number: str, at: datetime) -> Fields:
    serial = int(number.rpartition("/")[2])
    due_on = at.date() + timedelta(days=TERM_DAYS)
    return invoice | {
        "status": "outstanding",
        "invoice_number": number,
        "due_on": due_on.isoformat(),
        "payment_reference": _structured_communication(serial),
        "file": {"type": "file", "id": stable_id("file " + invoice["id"])},
        "updated_at": timestamp(at),
    }


def changed(invoice: Fields, changes: dict[str, Any], at: datetime) -> Fields:
    """`paid`: settled or open again; `amount`: including VAT; `draft`: back to a draft."""
    rest = {name: value for name, value in changes.items() if name not in ("paid", "amount", "draft")}
    result = invoice | rest | {"updated_at": timestamp(at)}
    if changes.get("draft"):
        result |= {"status": "draft", "invoice_number": None, "paid": False, "paid_at": None}
    if "paid" in changes:
        paid = bool(changes["paid"])
        result |= {"paid": paid, "paid_at": timestamp(at) if paid else None}
        result["status"] = "matched" if paid else "outstanding"
    amount = float(changes.get("amount", invoice["total"]["payable"]["amount"]))
    return result | {"total": _total(amount, 0.0 if result["paid"] else amount)}


def in_info(invoice: Fields) -> Fields:
    return {name: value for name, value in invoice.items() if name != "web_url"}


def in_list(invoice: Fields) -> Fields:
    hidden = ("email", "national_identification_number")
    invoicee = {name: value for name, value in invoice["invoicee"].items() if name not in hidden}
    shown = {name: value for name, value in invoice.items() if name not in ONLY_IN_INFO}
    return shown | {"invoicee": invoicee, "subscription": None}


def _invoicee(kind: Kind, customer: Fields) -> Fields:
    emails = {entry["type"]: entry["email"] for entry in customer["emails"]}
    return {
        "name": display_name(customer),
        "vat_number": customer["vat_number"],
        "customer": {"type": kind, "id": customer["id"]},
        "for_attention_of": None,
        "email": emails.get("invoicing") or emails.get("primary"),
        "national_identification_number": customer["national_identification_number"],
    }


def _total(inclusive: float, due: float) -> Fields:
    exclusive = money(inclusive / (1 + VAT))
    tax = money(inclusive - exclusive["amount"])
    return {
        "tax_exclusive": exclusive,
        "tax_exclusive_before_discount": exclusive,
        "tax_inclusive": money(inclusive),
        "tax_inclusive_before_discount": money(inclusive),
        "taxes": [{"rate": VAT, "taxable": exclusive, "tax": tax}],
        "withheld_taxes": [],
        "payable": money(inclusive),
        "due": money(due),
    }


def _structured_communication(serial: int) -> str:
    """Belgian payment reference: ten digits and their check number modulo 97, where 0 is written 97."""
    digits = f"{serial:010}{serial % 97 or 97:02}"
    return f"+++{digits[:3]}/{digits[3:7]}/{digits[7:]}+++"
