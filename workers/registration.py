"""Keeps our webhook registered at Teamleader: list, compare, register what is missing. Touches only our own address.

`webhooks.register` takes an address and event types and answers nothing (facts/teamleader.md §3.8, 2026-11-22).
"""

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import structlog

from config.keys import IntegrationKeys
from config.webhook_address import webhook_address
from workers.alerts.kinds import Kind
from workers.alerts.raised import raise_alert
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
    alert_if_lost(services, name, address, set(wanted) - present)
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
    _remember(services, name, address, present.union(added))
    if added:
        log.info("Registered for webhooks.", integration=name, event_types=added)
    return added


def alert_if_lost(services: Services, name: str, address: str, missing: set[str]) -> set[str]:
    """Raises an alert about the missing event types that had been registered for this address; answers them.

    An address that is new (first start, a new key) never was registered, so nothing of it is lost.
    """
    known = cast(dict[bytes, bytes], services.store.hgetall(IntegrationKeys(name).registered))
    lost = {type_ for type_ in missing if known.get(type_.encode()) == _fingerprint(address).encode()}
    if lost:
        raise_alert(services.store, Kind.REGISTRATION_LOST, name, times=len(lost))
        log.error("Teamleader no longer had webhooks of ours.", integration=name, event_types=sorted(lost))
    return lost


def _remember(services: Services, name: str, address: str, registered: set[str]) -> None:
    if registered:
        mapping = dict.fromkeys(sorted(registered), _fingerprint(address))
        services.store.hset(IntegrationKeys(name).registered, mapping=cast(Any, mapping))


def _fingerprint(address: str) -> str:
    """Tells addresses apart without keeping one: the address is the secret."""
    return hashlib.sha256(address.encode()).hexdigest()[:16]


def _registered(answer: Mapping[str, object], address: str) -> set[str]:
    """The event types that Teamleader lists for our address; whatever else it lists is not ours to touch."""
    listed = answer.get("data")
    entries = [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []
    ours = [entry.get("types") for entry in entries if entry.get("url") == address]
    return {str(type_) for types in ours if isinstance(types, list) for type_ in types}
