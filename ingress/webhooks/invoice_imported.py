"""The way in for the invoice importer's events: Standard Webhooks, signed bodies, delivered more than once by honest senders."""

import structlog
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from ingress.webhooks.answers import ignored, of_mark
from ingress.webhooks.body import read_body
from ingress.webhooks.door import Door
from ingress.webhooks.events import Ignore, read_invoice_imported
from ingress.webhooks.signature import ID, SIGNATURE, TIMESTAMP
from ingress.webhooks.strict_json import parse_object

log = structlog.get_logger()


def routes(door: Door) -> Blueprint:
    blueprint = Blueprint("invoice_imported", __name__)

    @blueprint.post("/events/invoice-imported/<integration>", provide_automatic_options=False)
    def invoice_imported(integration: str) -> ResponseReturnValue:
        return receive(door, integration)

    return blueprint


def receive(door: Door, name: str) -> ResponseReturnValue:
    """Takes one event in. The signature comes before everything else, also before whether the integration exists."""
    raw = read_body(request)
    headers = {header: request.headers.get(header, "") for header in (ID, TIMESTAMP, SIGNATURE)}
    event_id = door.event_secrets.verify(raw, headers)
    door.integration(name)
    fields = {"integration": name, "event_id": event_id}
    decision = read_invoice_imported(parse_object(raw))
    if isinstance(decision, Ignore):
        log.info("An event was ignored.", **fields, reason=decision.reason)
        return ignored(decision.reason)
    marked = door.mark(name, decision.subject, decision.cause, event_id=event_id, seen_id=event_id)
    log.info(
        "An event was taken in.",
        **fields,
        subject=decision.subject,
        skipped=marked.skipped_reason,
        duplicate=marked.duplicate,
    )
    return of_mark(marked, event_id)
