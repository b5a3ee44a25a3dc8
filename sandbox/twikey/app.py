"""Puts the simulated Twikey together; `create_twikey()` is all most tests need."""

import json

from flask import Flask

from sandbox.control import control_blueprint
from sandbox.faults import Fault, Switchboard
from sandbox.misbehave import Answer
from sandbox.serve import Environ, Headers, reason
from sandbox.simulator import Manners, Simulator
from sandbox.twikey.control import twikey_control
from sandbox.twikey.customers import customer_blueprint
from sandbox.twikey.login import login_blueprint
from sandbox.twikey.office import DEFAULT_API_KEY, DEFAULT_CREDITOR, Office, TwikeySettings
from sandbox.twikey.pages import twikey_pages


class Twikey(Simulator):
    """A WSGI app; `office` is everything behind it."""

    def __init__(self, office: Office, *, faults: Switchboard | None = None) -> None:
        flask = Flask("sandbox")
        super().__init__(flask, Manners(failure, self._account_of), faults=faults)
        self.office = office
        flask.register_blueprint(control_blueprint(self))
        flask.register_blueprint(twikey_control(office))
        flask.register_blueprint(twikey_pages(self))
        flask.register_blueprint(login_blueprint(office))
        flask.register_blueprint(customer_blueprint(office))

    def _account_of(self, environ: Environ) -> str | None:
        creditor = self.office.session_of(environ.get("HTTP_AUTHORIZATION", ""))
        return creditor.id if creditor else None


def failure(fault: Fault) -> Answer:
    """Gateways answer with a page, a throttle with nothing but a header, Twikey itself with JSON."""
    if fault.status in (502, 503, 504):
        return reason(fault.status), [("Content-Type", "text/html")], b"<h1>Bad gateway</h1>"
    if fault.status == 429:
        return reason(429), _retry_header(fault), b""
    body = {"code": "error_system", "message": "Simulated failure", "extra": ""}
    return reason(fault.status), [("Content-Type", "application/json")], json.dumps(body).encode()


def _retry_header(fault: Fault) -> Headers:
    seconds = max(1, round(fault.retry_seconds))
    values = {"future": str(seconds), "past": str(-seconds), "garbage": "soon"}
    value = values.get(fault.retry)
    return [("X-Rate-Limit-Retry-After-Seconds", value)] if value else []


def create_twikey(
    settings: TwikeySettings | None = None, *, faults: Switchboard | None = None, api_key: str = DEFAULT_API_KEY
) -> Twikey:
    """A server with one creditor and no customers."""
    office = Office(settings or TwikeySettings())
    office.add_creditor(DEFAULT_CREDITOR, api_key)
    return Twikey(office, faults=faults)
