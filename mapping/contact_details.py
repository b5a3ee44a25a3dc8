"""How to reach a customer: the sources that contacts and companies share."""

from __future__ import annotations

from collections.abc import Iterable

from mapping import phone_numbers, values
from mapping.customer import MappingSettings
from mapping.teamleader import Address, Party
from mapping.values import Reading


def chosen_address(party: Party) -> Address:
    """The invoicing address if it has a street, else the primary one, else whatever is filled in."""
    if len(party.addresses) == 1 and party.addresses[0].type == "primary":
        return party.addresses[0]
    invoicing = [address for address in party.addresses if address.type == "invoicing"]
    primary = [address for address in party.addresses if address.type == "primary"]
    in_order = (
        *(address for address in invoicing if address.line_1),
        *(address for address in primary if address.is_filled),
        *(address for address in invoicing if address.is_filled),
        *primary,
    )
    return next(iter(in_order), Address())


def has_invoicing_address(party: Party) -> bool:
    return any(address.type == "invoicing" and address.line_1 for address in party.addresses)


def home_country(party: Party, settings: MappingSettings) -> str:
    """The country in which numbers written without one are understood."""
    return values.country(chosen_address(party).country) or settings.default_country.upper()


def street(party: Party, _: MappingSettings) -> Reading:
    return Reading(chosen_address(party).line_1)


def postal_code(party: Party, _: MappingSettings) -> Reading:
    return Reading(chosen_address(party).postal_code)


def city(party: Party, _: MappingSettings) -> Reading:
    return Reading(chosen_address(party).city)


def country(party: Party, _: MappingSettings) -> Reading:
    """Never alone: the `BE` of an address nobody entered would move a Dutch customer of Twikey to Belgium."""
    address = chosen_address(party)
    if not address.is_filled:
        return Reading()
    found = values.country(address.country)
    return Reading(found, "invalid" if address.country and not found else "")


def email_of_type(party: Party, kind: str) -> Reading:
    """The first usable address of that type."""
    given = [item.email for item in party.emails if item.type == kind and item.email]
    found = _first(values.email(address) for address in given)
    return Reading(found, "invalid" if given and not found else "")


def primary_email(party: Party, _: MappingSettings) -> Reading:
    found = email_of_type(party, "primary")
    return Reading("", "missing") if found.is_empty else found


def mobile(party: Party, settings: MappingSettings) -> Reading:
    """A number of type `mobile` as it is, else the first telephone that is a mobile number; faxes never."""
    region = phone_numbers.region(home_country(party, settings), settings.default_country)
    declared = [item.number for item in party.telephones if item.type == "mobile" and item.number]
    others = [item.number for item in party.telephones if item.type == "phone" and item.number]
    found = _first(phone_numbers.e164(number, region) for number in declared)
    return Reading(
        found or _first(phone_numbers.mobile_e164(number, region) for number in others),
        "invalid" if declared and not found else "",
        unreadable=not all(phone_numbers.e164(number, region) for number in others),
    )


def language(party: Party, settings: MappingSettings) -> Reading:
    return Reading(values.language(party.language) or values.language(settings.default_language))


def _first(candidates: Iterable[str]) -> str:
    return next(filter(None, candidates), "")
