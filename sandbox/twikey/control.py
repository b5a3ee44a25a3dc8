"""Twikey's own control API: customers and their writes, overlaps, sessions, creditors and settings."""

from typing import Any

from flask import Blueprint, jsonify, request

from sandbox.control import ControlRefused, Reply, json_body, refuse
from sandbox.twikey.creditor import Creditor, Customer, overlaps
from sandbox.twikey.office import Office


def twikey_control(office: Office) -> Blueprint:
    control = Blueprint("twikey_control", __name__, url_prefix="/_sandbox")
    control.register_error_handler(ControlRefused, refuse)
    _customer_routes(control, office)
    _write_routes(control, office)
    _office_routes(control, office)
    return control


def chosen_creditor(office: Office) -> Creditor:
    """`?creditor=<id>`; without it the creditor that was made first."""
    wanted = request.args.get("creditor")
    creditor = office.creditors.get(wanted) if wanted else office.default
    if creditor is None:
        raise ControlRefused(404, "no such creditor")
    return creditor


def _shown(customer: Customer) -> dict[str, Any]:
    known = {"id": customer.id, "customerNumber": customer.number, "name_locked": customer.name_locked}
    return known | {"profile": customer.profile}


def _customer_routes(control: Blueprint, office: Office) -> None:
    def found(number: str) -> Customer:
        customer = chosen_creditor(office).customers.get(number)
        if customer is None:
            raise ControlRefused(404, "no such customer")
        return customer

    @control.get("/customers")
    def list_customers() -> Reply:
        creditor = chosen_creditor(office)
        with creditor.lock:
            return jsonify(customers=[_shown(one) for one in creditor.customers.values()])

    @control.post("/customers")
    def seed_customers() -> Reply:
        """One `{"customerNumber", "profile"?, "name_locked"?}`, or `{"customers": [such, …]}`."""
        wanted, creditor = json_body(), chosen_creditor(office)
        with creditor.lock:
            made = [
                creditor.add(
                    str(one["customerNumber"]),
                    dict(one.get("profile") or {}),
                    name_locked=bool(one.get("name_locked")),
                )
                for one in wanted.get("customers", [wanted])
            ]
        return jsonify(customers=[_shown(one) for one in made]), 201

    @control.get("/customers/<number>")
    def show_customer(number: str) -> Reply:
        writes = [write.as_json() for write in chosen_creditor(office).writes if write.customer == number]
        return jsonify(_shown(found(number)) | {"writes": writes})

    @control.patch("/customers/<number>")
    def change_customer(number: str) -> Reply:
        """`name_locked` and fields of the profile, without any of Twikey's own rules."""
        customer, wanted = found(number), json_body()
        with chosen_creditor(office).lock:
            customer.name_locked = bool(wanted.pop("name_locked", customer.name_locked))
            customer.profile = customer.profile | wanted
        return jsonify(_shown(customer))

    @control.delete("/customers/<number>")
    def remove_customer(number: str) -> Reply:
        found(number)
        chosen_creditor(office).customers.pop(number, None)
        return jsonify(deleted=True)


def _write_routes(control: Blueprint, office: Office) -> None:
    @control.get("/writes")
    def list_writes() -> Reply:
        """Every write in order of arrival; `?accepted=1` leaves refused ones out."""
        creditor = chosen_creditor(office)
        with creditor.lock:
            writes = list(creditor.writes)
        if request.args.get("accepted") == "1":
            writes = [write for write in writes if write.accepted]
        return jsonify(writes=[write.as_json() for write in writes])

    @control.get("/overlaps")
    def list_overlaps() -> Reply:
        creditor = chosen_creditor(office)
        with creditor.lock:
            pairs = overlaps(creditor.writes)
        return jsonify(count=len(pairs), pairs=[[one.as_json(), two.as_json()] for one, two in pairs])

    @control.post("/reset")
    def reset() -> Reply:
        chosen_creditor(office).reset()
        return jsonify(reset=True)


def _office_routes(control: Blueprint, office: Office) -> None:
    @control.get("/creditors")
    def list_creditors() -> Reply:
        creditors = [{"id": one.id, "api_key": one.api_key} for one in office.creditors.values()]
        return jsonify(creditors=creditors)

    @control.post("/creditors")
    def add_creditor() -> Reply:
        wanted = json_body()
        creditor = office.add_creditor(str(wanted["id"]), str(wanted["api_key"]))
        return jsonify(id=creditor.id, api_key=creditor.api_key), 201

    @control.patch("/creditors/<creditor_id>")
    def change_key(creditor_id: str) -> Reply:
        """A person replaces the API key: the old one no longer opens a session, and open ones end."""
        creditor = office.creditors.get(creditor_id)
        if creditor is None:
            raise ControlRefused(404, "no such creditor")
        creditor.api_key = str(json_body()["api_key"])
        office.end_sessions(creditor)
        return jsonify(id=creditor.id, api_key=creditor.api_key)

    @control.get("/sessions")
    def count_logins() -> Reply:
        return jsonify(logins=office.login_count)

    @control.post("/sessions/expire")
    def expire_sessions() -> Reply:
        return jsonify(expired=office.end_sessions())

    @control.post("/sessions/forgive")
    def forgive_logins() -> Reply:
        """Ends the login throttle."""
        office.forgive_logins()
        return jsonify(forgiven=True)

    @control.get("/settings")
    def show_settings() -> Reply:
        return jsonify(settings=vars(office.settings))

    @control.patch("/settings")
    def change_settings() -> Reply:
        for name, value in (json_body().get("settings") or {}).items():
            if name not in vars(office.settings):
                raise ControlRefused(400, f"unknown setting: {name}")
            setattr(office.settings, name, value)
        return show_settings()
