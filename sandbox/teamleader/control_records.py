"""The part of the control API that reads, makes, edits and deletes customers and invoices."""

from typing import Any

from flask import Blueprint, jsonify, request

from sandbox.control import ControlRefused, Reply, json_body
from sandbox.teamleader.account import Account
from sandbox.teamleader.shapes import display_name
from sandbox.teamleader.store import Customer
from sandbox.teamleader.world import World
from sandbox.world import Kind

KINDS: dict[str, Kind] = {"contact": "contact", "company": "company"}


def chosen_account(world: World) -> Account:
    """`?account=<id>`; without it the account that was made first."""
    wanted = request.args.get("account")
    account = world.accounts.get(wanted) if wanted else world.default
    if account is None:
        raise ControlRefused(404, "no such account")
    return account


def kind_named(name: object) -> Kind:
    if not isinstance(name, str) or name not in KINDS:
        raise ControlRefused(400, "type must be contact or company")
    return KINDS[name]


def _found(customer: Customer | None) -> Customer:
    if customer is None:
        raise ControlRefused(404, "no such customer")
    return customer


def _silently() -> bool:
    """`?silent=1` changes things without a webhook, as when Teamleader loses one."""
    return request.args.get("silent") == "1"


def _complete(customer: Customer) -> dict[str, Any]:
    return {
        "type": customer.kind,
        "id": customer.id,
        "version": customer.version,
        "data": customer.data,
    }


def _brief(customer: Customer) -> dict[str, Any]:
    about = {"name": display_name(customer.data), "updated_at": customer.data["updated_at"]}
    return {"type": customer.kind, "id": customer.id, "version": customer.version} | about


def customer_routes(control: Blueprint, world: World) -> None:
    @control.get("/customers")
    def list_customers() -> Reply:
        account = chosen_account(world)
        start, count = request.args.get("offset", 0, int), request.args.get("limit", 1000, int)
        with account.lock:
            both = [*account.customers.ordered("contact", "name")[: start + count]]
            both += account.customers.ordered("company", "name")[: start + count]
        return jsonify(customers=[_brief(one) for one in both[start : start + count]])

    @control.post("/customers")
    def create_customer() -> Reply:
        fields = json_body()
        kind, customer_id = kind_named(fields.pop("type", None)), fields.pop("id", "")
        account = chosen_account(world)
        return jsonify(_complete(account.create(kind, fields, customer_id=customer_id, silent=_silently()))), 201

    @control.get("/customers/<kind>/<customer_id>")
    def show_customer(kind: str, customer_id: str) -> Reply:
        return jsonify(_complete(_found(chosen_account(world).find(kind_named(kind), customer_id))))

    @control.patch("/customers/<kind>/<customer_id>")
    def edit_customer(kind: str, customer_id: str) -> Reply:
        account = chosen_account(world)
        edited = account.edit(kind_named(kind), customer_id, json_body(), silent=_silently())
        return jsonify(_complete(_found(edited)))

    @control.delete("/customers/<kind>/<customer_id>")
    def delete_customer(kind: str, customer_id: str) -> Reply:
        if not chosen_account(world).delete(kind_named(kind), customer_id, silent=_silently()):
            raise ControlRefused(404, "no such customer")
        return jsonify(deleted=True)

    @control.get("/customers/<kind>/<customer_id>/versions")
    def list_versions(kind: str, customer_id: str) -> Reply:
        customer = _found(chosen_account(world).find(kind_named(kind), customer_id))
        versions = [{"version": one.number, "at": one.at, "data": one.data} for one in customer.versions]
        return jsonify(versions=versions)


def invoice_routes(control: Blueprint, world: World) -> None:
    def known(invoice_id: str) -> Account:
        account = chosen_account(world)
        if invoice_id not in account.invoices:
            raise ControlRefused(404, "no such invoice")
        return account

    @control.get("/invoices")
    def list_invoices() -> Reply:
        return jsonify(invoices=list(chosen_account(world).invoices.values()))

    @control.post("/invoices")
    def create_invoice() -> Reply:
        """`{"customer": {"type", "id"}, "amount"?, "book"?}`; books at once unless `book` is false."""
        wanted = json_body()
        customer = wanted.get("customer") or {}
        try:
            invoice = chosen_account(world).add_invoice(
                kind_named(customer.get("type")),
                str(customer.get("id")),
                amount=float(wanted.get("amount", 121.0)),
                book=bool(wanted.get("book", True)),
            )
        except KeyError:
            raise ControlRefused(404, "no such customer") from None
        return jsonify(invoice), 201

    @control.patch("/invoices/<invoice_id>")
    def change_invoice(invoice_id: str) -> Reply:
        return jsonify(known(invoice_id).change_invoice(invoice_id, json_body(), silent=_silently()))

    @control.post("/invoices/<invoice_id>/book")
    def book_invoice(invoice_id: str) -> Reply:
        return jsonify(known(invoice_id).book(invoice_id, silent=_silently()))
