"""Keeps our webhook registered at Teamleader: list, compare, register what is missing. Touches only our own address.

`webhooks.register` takes an address and event types and answers nothing (facts/teamleader.md §3.8, 2026-11-22).
"""

from collections.abc import Mapping

import structlog

from config.webhook_address import webhook_address
from workers.clients.errors import Refused
from workers.services import Services

EVENT_TYPES = (
    "contact.updated",
    "company.updated",
    "contact.deleted",
    "company.deleted",
    "invoice.booked",
    "account.deactivated",
    "account.deleted",
)
ADDED_TYPES = ("contact.added", "company.added")

log = structlog.get_logger()


def register(services: Services, name: str) -> list[str]:
    """Registers the event types that are missing for our address; answers those it added."""
    integration = services.integration(name)
    wanted = (*EVENT_TYPES, *(ADDED_TYPES if integration.sync_added else ()))
    address = webhook_address(services.settings.public_url, services.settings.webhook_keys[0], name)
    teamleader = services.tools(name).teamleader
    present = _registered(teamleader.call("webhooks.list", {}), address)
    added = []
    for type_ in wanted:
        if type_ in present:
            continue
        try:
            # One by one, so that a single refused type does not sink the rest.
            teamleader.call("webhooks.register", {"url": address, "types": [type_]})
            added.append(type_)
        except Refused as refused:
            log.exception("Teamleader refuses to register an event type.", event_type=type_, status=refused.status)
    if added:
        log.info("Registered for webhooks.", integration=name, event_types=added)
    return added


def _registered(answer: Mapping[str, object], address: str) -> set[str]:
    """The event types that Teamleader lists for our address; whatever else it lists is not ours to touch."""
    listed = answer.get("data")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    ours = [entry.get("types") for entry in entries if entry.get("url") == address]
    return {str(type_) for types in ours if isinstance(types, list) for type_ in types}
