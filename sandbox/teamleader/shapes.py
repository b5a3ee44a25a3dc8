"""How Teamleader's answers look: pure functions from what is stored to what is served."""

from datetime import UTC, datetime
from typing import Any

from sandbox.world import NO_ADDRESS, Fields, Kind, stable_id

ONLY_IN_INFO = {
    "contact": {"addresses", "companies", "remarks", "vat_number", "custom_fields", "price_list"},
    "company": {"addresses", "remarks", "custom_fields", "related_companies", "related_contacts", "price_list"},
}


def timestamp(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


def web_url(kind: str, entity_id: str) -> str:
    """The page in the real web application, of what has none here."""
    return f"https://focus.teamleader.eu/{kind}_detail.php?id={entity_id}"


def new_customer(kind: Kind, customer_id: str, at: datetime, given: Fields) -> Fields:
    """The complete record of a customer of whom only `given` was filled in; the rest is null, as in reality."""
    defaults = _COMPANY_DEFAULTS if kind == "company" else _CONTACT_DEFAULTS
    common: Fields = {
        "id": customer_id,
        "status": "active",
        "emails": [],
        "telephones": [],
        "addresses": [NO_ADDRESS],
        "language": "nl",
        "invoicing_preferences": {"electronic_invoicing_address": None},
        "tags": [],
        "custom_fields": [{"definition": {"type": "customFieldDefinition", "id": stable_id("field-1")}, "value": None}],
        "marketing_mails_consent": False,
        "added_at": timestamp(at),
        "updated_at": timestamp(at),
        "web_url": None,  # where we are served is known when we answer: customers.py
    }
    common |= dict.fromkeys(("vat_number", "national_identification_number", "website", "iban", "bic", "payment_term"))
    common |= dict.fromkeys(("remarks", "price_list"))
    return common | defaults | given


_CONTACT_DEFAULTS: Fields = {
    "first_name": None,
    "last_name": "",
    "salutation": None,
    "gender": None,
    "birthdate": None,
    "companies": [],
}
_COMPANY_DEFAULTS: Fields = {
    "name": "",
    "business_type": None,
    "activity_code": None,  # not documented, but served
    "preferred_currency": None,
    "responsible_user": {"type": "user", "id": stable_id("user")},
    "related_companies": [],
    "related_contacts": [],
}


def customer_in_info(kind: Kind, data: Fields, includes: str) -> Fields:
    hidden = {"related_companies", "related_contacts"} - set(includes.split(","))
    return {name: value for name, value in data.items() if name not in hidden}


def customer_in_list(kind: Kind, data: Fields, includes: str) -> Fields:
    hidden = ONLY_IN_INFO[kind] - set(includes.split(","))
    shown = {name: value for name, value in data.items() if name not in hidden}
    return shown | {"primary_address": primary_address(data)}


def primary_address(data: Fields) -> Fields:
    for entry in data.get("addresses") or []:
        if entry["type"] == "primary":
            return {name: value for name, value in entry["address"].items() if name != "addressee"}
    place: Fields = NO_ADDRESS["address"]
    return place


def display_name(data: Fields) -> str:
    """The name Teamleader sorts by."""
    names = (data.get("name"), data.get("first_name"), data.get("last_name"))
    return " ".join(name for name in names if name)


def money(amount: float) -> Fields:
    return {"amount": round(amount, 2), "currency": "EUR"}


def errors(status: int, title: str, **meta: Any) -> Fields:
    """The envelope of every refusal; only `title` is promised by the documentation."""
    error: Fields = {"code": 0, "title": title, "status": status}
    if meta:
        error["meta"] = meta
    return {"errors": [error]}
