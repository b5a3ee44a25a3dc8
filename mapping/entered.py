"""What stands in Teamleader for each field of the table, as somebody entered it: for people to compare, never sent anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from mapping.contact_details import chosen_address
from mapping.teamleader import Company, Contact, read_company, read_contact


def entered(kind: Literal["contact", "company"], document: Mapping[str, object]) -> Mapping[str, str]:
    """By the names of the table, in its order; a field that is empty in Teamleader is empty here.

    The address is the one that would be sent; of several telephones all are told.
    """
    party = read_company(document) if kind == "company" else read_contact(document)
    return MappingProxyType({**_own(party), **_shared(party)})


def name_of(kind: Literal["contact", "company"], document: Mapping[str, object]) -> str:
    """What a person calls the customer; empty when it has no name."""
    if kind == "company":
        return read_company(document).name
    contact = read_contact(document)
    return f"{contact.first_name} {contact.last_name}".strip()


def _own(party: Company | Contact) -> dict[str, str]:
    if isinstance(party, Company):
        return {
            "companyName": party.name,
            "coc": party.national_identification_number,
            "vatno": party.vat_number,
            "email": _email(party, "primary"),
            "cc": _email(party, "invoicing"),
        }
    return {"firstname": party.first_name, "lastname": party.last_name, "email": _email(party, "primary")}


def _shared(party: Company | Contact) -> dict[str, str]:
    address = chosen_address(party)
    numbers = (telephone.number for telephone in party.telephones if telephone.type != "fax")
    return {
        "address": address.line_1,
        "zip": address.postal_code,
        "city": address.city,
        "country": address.country,
        "mobile": ", ".join(dict.fromkeys(filter(None, numbers))),
        "l": party.language,
    }


def _email(party: Company | Contact, kind: str) -> str:
    return next((item.email for item in party.emails if item.type == kind and item.email), "")
