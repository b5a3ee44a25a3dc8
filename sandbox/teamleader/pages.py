"""Plain pages for people: browse and edit customers, book an invoice, see deliveries, switch faults."""

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.fault_pages import fault_routes
from sandbox.teamleader.account import Account
from sandbox.teamleader.shapes import display_name
from sandbox.teamleader.store import Customer
from sandbox.world import Fields, Kind, address, emails

if TYPE_CHECKING:
    from sandbox.teamleader.app import Teamleader

PAGE_SIZE = 50
KINDS: dict[str, Kind] = {"contact": "contact", "company": "company"}
PHONE_KINDS = {"contact": ("phone", "mobile"), "company": ("phone",)}
TEXTS = {
    "contact": ("first_name", "last_name", "language", "status"),
    "company": ("name", "vat_number", "national_identification_number", "language", "status"),
}
ADDRESS_LINES = ("line_1", "postal_code", "city", "country")


def teamleader_pages(simulator: "Teamleader") -> Blueprint:
    pages = Blueprint("pages", __name__)
    world = simulator.world
    fault_routes(pages, simulator)

    def chosen() -> Account:
        """`?account=<id>`; without it the account that was made first."""
        wanted = request.args.get("account")
        return (world.accounts.get(wanted) or abort(404)) if wanted else world.default

    def found(kind: str, customer_id: str) -> Customer:
        customer = chosen().find(KINDS[kind], customer_id) if kind in KINDS else None
        return customer or abort(404)

    def back(kind: str, customer_id: str) -> Response:
        kept: dict[str, Any] = {"account": request.args["account"]} if "account" in request.args else {}
        return redirect(url_for("pages.customer_page", kind=kind, customer_id=customer_id, **kept))

    @pages.context_processor
    def which() -> dict[str, object]:
        """The accounts to choose from, and what links carry along so that they stay in one."""
        wanted = request.args.get("account")
        return {"accounts": world.accounts.values(), "chosen": chosen(), "kept": {"account": wanted} if wanted else {}}

    @pages.get("/")
    def home() -> str:
        term, number = request.args.get("term", ""), request.args.get("page", 1, int)
        account = chosen()
        with account.lock:
            shown = [one for kind in KINDS.values() for one in _listed(account, kind, term, number)]
        return render_template(
            "teamleader.html",
            customers=[(one, display_name(one.data)) for one in shown],
            term=term,
            number=number,
            deliveries=world.postman.deliveries()[-20:][::-1],
        )

    @pages.get("/ui/customers/<kind>/<customer_id>")
    def customer_page(kind: str, customer_id: str) -> str:
        one = found(kind, customer_id)
        fields = [(name, one.data.get(name) or "") for name in TEXTS[kind]]
        name = display_name(one.data)
        return render_template("customer.html", one=one, name=name, fields=fields + _nested_fields(one))

    @pages.post("/ui/customers/<kind>/<customer_id>")
    def save_customer(kind: str, customer_id: str) -> Response:
        one = found(kind, customer_id)
        chosen().edit(one.kind, one.id, _changes(one, request.form.to_dict()))
        return back(kind, customer_id)

    @pages.post("/ui/customers/<kind>/<customer_id>/invoice")
    def book_invoice(kind: str, customer_id: str) -> Response:
        one = found(kind, customer_id)
        chosen().add_invoice(one.kind, one.id)
        return back(kind, customer_id)

    return pages


def _listed(account: Account, kind: Kind, term: str, number: int) -> list[Customer]:
    customers = account.customers
    if not term:
        return list(customers.ordered(kind, "name")[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    matching = (one for one in customers.all(kind) if term.casefold() in display_name(one.data).casefold())
    return [one for _, one in zip(range(PAGE_SIZE), matching, strict=False)]


def _nested_fields(one: Customer) -> list[tuple[str, str]]:
    """E-mails, phones and addresses as flat form fields, named like `emails.primary`."""
    fields = [(f"emails.{kind}", _first(one.data["emails"], kind).get("email") or "") for kind in _email_kinds(one)]
    for kind in PHONE_KINDS[one.kind]:
        fields.append((f"telephones.{kind}", _first(one.data["telephones"], kind).get("number") or ""))
    for kind in ("primary", "invoicing"):
        place = _first(one.data["addresses"], kind).get("address") or {}
        fields += [(f"addresses.{kind}.{line}", place.get(line) or "") for line in ADDRESS_LINES]
    return fields


def _email_kinds(one: Customer) -> tuple[str, ...]:
    return ("primary", "invoicing") if one.kind == "company" else ("primary",)


def _first(entries: list[Fields], kind: str) -> Fields:
    return next((entry for entry in entries if entry["type"] == kind), {})


def _changes(one: Customer, form: dict[str, str]) -> Fields:
    """The reverse of `_nested_fields`. A browser sends CR LF and cannot send null: an empty field becomes null."""
    values = {name: re.sub(r"\r\n", "\n", text) or None for name, text in form.items()}
    changes: Fields = {name: values.get(name) for name in TEXTS[one.kind]}
    changes["emails"] = emails(*(values.get(f"emails.{kind}") for kind in _email_kinds(one)))
    changes["telephones"] = [entry for entry in one.data["telephones"] if entry["type"] == "fax"] + [
        {"type": kind, "number": values[f"telephones.{kind}"]}
        for kind in PHONE_KINDS[one.kind]
        if values.get(f"telephones.{kind}")
    ]
    changes["addresses"] = [_address_from(values, "primary")]
    if values.get("addresses.invoicing.country"):
        changes["addresses"].append(_address_from(values, "invoicing"))
    return changes


def _address_from(values: dict[str, str | None], kind: str) -> Fields:
    line_1, postal_code, city, country = (values.get(f"addresses.{kind}.{line}") for line in ADDRESS_LINES)
    return address(line_1, postal_code, city, country or "BE", kind=kind)
