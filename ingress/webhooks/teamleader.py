"""The way in for Teamleader's webhooks. Teamleader signs nothing: the address is the proof, the account must match."""

import secrets

import structlog
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from config.webhook_address import version_of
from ingress.webhooks.answers import accepted, ignored, of_mark
from ingress.webhooks.body import read_body
from ingress.webhooks.door import Door
from ingress.webhooks.events import Ignore, Look, Pause, decide_teamleader, read_teamleader
from ingress.webhooks.refusals import Reason, Refused
from ingress.webhooks.signature import verify_token
from ingress.webhooks.strict_json import parse_object

log = structlog.get_logger()


def routes(door: Door) -> Blueprint:
    blueprint = Blueprint("teamleader", __name__)

    @blueprint.post("/webhooks/teamleader/<integration>/<token>", provide_automatic_options=False)
    def webhook(integration: str, token: str) -> ResponseReturnValue:
        return receive(door, integration, token)

    return blueprint


def receive(door: Door, name: str, token: str) -> ResponseReturnValue:
    """Takes one webhook in. The token comes first: without it nothing is read and nothing is looked up."""
    if not verify_token(door.webhook_keys, name, token):
        raise Refused(Reason.NOT_FOUND)
    version = version_of(token)
    integration = door.integration(name, version=version)
    if version not in integration.address_versions:
        raise Refused(Reason.NOT_FOUND)
    raw = read_body(request)
    if door.relay:
        door.relay.verify(raw, request.headers.get(door.relay.header, ""))
    event = read_teamleader(parse_object(raw))
    door.check_account(name, event.account)
    event_id = secrets.token_hex(6)
    fields = {"integration": name, "event_id": event_id}
    match decide_teamleader(event, extra_event_types=integration.extra_event_types):
        case Look(subject, cause):
            marked = door.mark(name, subject, cause, event_id=event_id)
            log.info("A webhook was taken in.", **fields, subject=subject, skipped=marked.skipped_reason)
            return of_mark(marked, event_id)
        case Pause(reason):
            door.pause(name, reason)
            log.error("The Teamleader account went away; the integration is paused.", **fields, reason=reason)
            return accepted(event_id)
        case Ignore(reason):
            log.info("A webhook was ignored.", **fields, reason=reason)
            return ignored(reason)
