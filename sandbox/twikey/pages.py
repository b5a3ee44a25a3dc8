"""Plain pages for people: the customers, what was written to them, and the faults."""

from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from sandbox.fault_pages import fault_routes
from sandbox.twikey.creditor import PARAMETERS, Creditor, Customer, overlaps

if TYPE_CHECKING:
    from sandbox.twikey.app import Twikey

SHOWN_CUSTOMERS = 500
SHOWN_WRITES = 20


def twikey_pages(simulator: "Twikey") -> Blueprint:
    pages = Blueprint("pages", __name__)
    office = simulator.office
    fault_routes(pages, simulator)

    def chosen() -> Creditor:
        """`?creditor=<id>`; without it the creditor that was made first."""
        wanted = request.args.get("creditor")
        return (office.creditors.get(wanted) or abort(404)) if wanted else office.default

    def found(number: str) -> Customer:
        return chosen().customers.get(number) or abort(404)

    def kept() -> dict[str, Any]:
        """What links carry along so that they stay with one creditor."""
        return {"creditor": request.args["creditor"]} if "creditor" in request.args else {}

    @pages.context_processor
    def which() -> dict[str, object]:
        return {"creditors": office.creditors.values(), "chosen": chosen(), "kept": kept()}

    @pages.get("/")
    def home() -> str:
        term = request.args.get("term", "").casefold()
        creditor = chosen()
        with creditor.lock:
            matching = [one for one in creditor.customers.values() if term in _name(one).casefold()]
            clashes = len(overlaps(creditor.writes))
        customers = [(one, _name(one)) for one in matching[:SHOWN_CUSTOMERS]]
        return render_template("twikey.html", customers=customers, term=term, clashes=clashes)

    @pages.get("/ui/customers/<number>")
    def customer_page(number: str) -> str | Response:
        if number not in chosen().customers and (owner := office.owner_of(number)):
            # Who links to us from elsewhere names no creditor.
            return redirect(url_for("pages.customer_page", number=number, creditor=owner.id))
        one = found(number)
        names = [*PARAMETERS, *(name for name in one.profile if name not in PARAMETERS)]
        with chosen().lock:
            writes = [write for write in chosen().writes if write.customer == number]
        return render_template(
            "twikey_customer.html", one=one, name=_name(one), names=names, writes=writes[-SHOWN_WRITES:][::-1]
        )

    @pages.post("/ui/customers/<number>")
    def save_customer(number: str) -> Response:
        one, form = found(number), request.form.to_dict()
        with chosen().lock:
            one.name_locked = form.pop("name_locked", "") == "on"
            one.profile = {name: value for name, value in form.items() if value}
        return redirect(url_for("pages.customer_page", number=number, **kept()))

    return pages


def _name(customer: Customer) -> str:
    names = (customer.profile.get(name) for name in ("companyName", "firstname", "lastname"))
    return " ".join(name for name in names if name) or customer.number
