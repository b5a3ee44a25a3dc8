"""Keeps our webhook registered at Teamleader: list, compare, repair. Touches only addresses of our own.

`webhooks.register` takes an address and event types and answers nothing; `unregister` removes just the types it names
(Teamleader's OpenAPI 1.112, looked up 2026-11-22). Both repeat harmlessly.
"""

import time
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import cast

import structlog

from config.integrations import Integration
from config.keys import IntegrationKeys
from config.webhook_address import addresses_of, webhook_address
from workers.alerts.kinds import Kind
from workers.alerts.raised import raise_alert
from workers.clients.errors import Refused, Unavailable
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

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Repair:
    """What to tell Teamleader. `stale`: addresses of ours that are no longer the present one, with the types to take off them."""

    missing: tuple[str, ...]
    unwanted: tuple[str, ...]
    stale: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def nothing(self) -> bool:
        return not (self.missing or self.unwanted or self.stale)


@dataclass(frozen=True, slots=True)
class Kept:
    """What came of one look. `vanished`: types that had been registered before and were not there any more."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    refused: tuple[str, ...]
    vanished: tuple[str, ...]


def wanted_types(integration: Integration) -> tuple[str, ...]:
    return (*EVENT_TYPES, *integration.extra_event_types)


def compare(listed: Mapping[str, Set[str]], *, present: str, ours: str, wanted: Iterable[str]) -> Repair:
    """What is to be done so that Teamleader has the present address with just the wanted types. Pure.

    `ours`: how every address of ours for this integration begins; whatever else is listed is not ours to touch.
    """
    there, types = listed.get(present, frozenset()), tuple(wanted)
    return Repair(
        missing=tuple(one for one in types if one not in there),
        unwanted=tuple(sorted(there - set(types))),
        stale=tuple(
            (address, tuple(sorted(of)))
            for address, of in listed.items()
            if address.startswith(ours) and address != present and of
        ),
    )


def register(services: Services, name: str) -> Kept:
    """Repairs what Teamleader has registered for this integration. Raises what the client raises; doing it again goes on.

    The new address is registered before an old one is taken off, and only when Teamleader took all of the new.
    """
    integration = services.integration(name)
    present = address_of(services, integration)
    teamleader = services.tools(name).teamleader
    ours = addresses_of(services.settings.public_url, name)
    call, listed = teamleader.call, _listed(teamleader.rows("webhooks.list", {}), ours=ours)
    repair = compare(
        listed,
        present=present,
        ours=ours,
        wanted=wanted_types(integration),
    )
    vanished = _vanished(services, name, present, listed.get(present, frozenset()))
    added, refused = [], []
    for type_ in repair.missing:
        try:
            # One by one, so that a single refused type does not sink the rest.
            call("webhooks.register", {"url": present, "types": [type_]})
            added.append(type_)
        except Refused as no:
            refused.append(type_)
            log.error("Teamleader refuses to register an event type.", event_type=type_, status=no.status)
    off = [(present, repair.unwanted)] if repair.unwanted else []
    if not refused:
        off += repair.stale
    for address, types in off:
        call("webhooks.unregister", {"url": address, "types": list(types)})
    _remember(services, name, present, set(wanted_types(integration)) - set(refused), refused)
    if added or off:
        log.info("Registered for webhooks.", integration=name, event_types=added, addresses_removed=len(repair.stale))
    return Kept(tuple(added), tuple(one for _, types in off for one in types), tuple(refused), vanished)


def unregister(services: Services, name: str) -> int:
    """Takes every address of ours off at Teamleader; answers how many. For an integration that is removed."""
    teamleader = services.tools(name).teamleader
    listed = _listed(teamleader.rows("webhooks.list", {}), ours=addresses_of(services.settings.public_url, name))
    for address, types in listed.items():
        teamleader.call("webhooks.unregister", {"url": address, "types": sorted(types)})
    return len(listed)


def address_of(services: Services, integration: Integration) -> str:
    """The present signed webhook address. It is a secret."""
    settings = services.settings
    return webhook_address(settings.public_url, settings.webhook_keys[0], integration.id, integration.address_version)


def _vanished(services: Services, name: str, address: str, there: Set[str]) -> tuple[str, ...]:
    known = cast(bytes | None, services.store.get(IntegrationKeys(name).registered))
    remembered_address, _, types = (known or b"").decode().partition(" ")
    if remembered_address != _digest(address):  # another address since: nothing to miss
        return ()
    gone = tuple(sorted(set(types.split()) - there))
    if gone:
        raise_alert(services.store, Kind.REGISTRATION_LOST, name, times=len(gone))
        log.error("Webhook registrations of ours had vanished at Teamleader.", integration=name, event_types=gone)
    return gone


def _remember(services: Services, name: str, address: str, types: Set[str], refused: Sequence[str]) -> None:
    keys, pipeline = IntegrationKeys(name), services.store.pipeline()
    pipeline.set(keys.registered, " ".join([_digest(address), *sorted(types)]))
    pipeline.set(keys.registration, " ".join([str(round(time.time() * 1000)), *refused]))
    pipeline.execute()


def _digest(address: str) -> str:
    return sha256(address.encode()).hexdigest()[:16]


def _listed(rows: Iterable[Mapping[str, object]], *, ours: str) -> dict[str, frozenset[str]]:
    """The event types by address, of those that begin as `ours` do.

    Raises `Unavailable` for what cannot be read: it must not count as nothing registered. How other programs registered theirs
    is not our business.
    """
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        address, types = row.get("url"), row.get("types")
        if isinstance(address, str) and not address.startswith(ours):
            continue
        if not isinstance(address, str) or not isinstance(types, list):
            raise Unavailable("teamleader", "Teamleader's answer to webhooks.list holds something that is no webhook")
        found[address] = found.get(address, frozenset()) | {str(one) for one in types}
    return found
