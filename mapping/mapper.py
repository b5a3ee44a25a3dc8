"""Walks the table for one customer: reads every field, fits it, collects what to tell the bookkeeper."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from mapping import company, person, twikey
from mapping.contact_details import has_invoicing_address
from mapping.customer import USABLE_NUMBER, MappingSettings, TwikeyCustomer, Variant
from mapping.errors import CannotMap, Problem
from mapping.remarks import remark
from mapping.table import COMPANY_FIELDS, PERSON_FIELDS, Field, Manual, TooLong
from mapping.teamleader import Company, Contact, Party, read_company, read_contact
from mapping.values import Reading, cut

Kind = Literal["contact", "company"]


def map_customer(
    kind: Kind, document: Mapping[str, object], *, variant: Variant, settings: MappingSettings
) -> TwikeyCustomer:
    """What to tell Twikey about the `data` of a contacts.info or companies.info answer.

    Raises CannotMap with every reason why this customer cannot be sent.
    """
    party = read_company(document) if kind == "company" else read_contact(document)
    number = _number_or_all_problems(party, settings)
    readings = _readings(party, variant, settings)
    sent = {field: reading.value for field, reading in readings.items() if _is_sent(field, reading, settings)}
    twikey.check({field.name: value for field, value in sent.items()})
    return TwikeyCustomer(
        number=number,
        fields=_named(sent, settings, on_creation=False),
        creation_fields=_named(sent, settings, on_creation=True),
        warnings=tuple(remark(field, found.reason) for field, found in readings.items() if found.reason),
        source_updated_at=party.updated_at,
    )


def customer_number(kind_id: str, prefix: str) -> str:
    """The number under which Twikey knows the customer: its Teamleader id, unchanged, after the prefix.

    Raises CannotMap when that is not a `USABLE_NUMBER`.
    """
    number = prefix + kind_id
    if not kind_id or not USABLE_NUMBER.fullmatch(number):
        sentence = "The Teamleader id with the integration's prefix cannot serve as a Twikey customer number."
        raise CannotMap((Problem("customerNumber", "unusable_id", sentence),))
    return number


def fingerprint(customer: TwikeyCustomer) -> str:
    """22 characters that change when what would be sent on an update changes."""
    sent = json.dumps(sorted(customer.fields.items()))
    digest = hashlib.sha256(sent.encode()).digest()[:16]
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _number_or_all_problems(party: Company | Contact, settings: MappingSettings) -> str:
    problems = company.problems(party) if isinstance(party, Company) else person.problems(party)
    try:
        number = customer_number(party.id, settings.customer_number_prefix)
    except CannotMap as refused:
        raise CannotMap(refused.problems + problems) from None
    if problems:
        raise CannotMap(problems)
    return number


def _readings(party: Company | Contact, variant: Variant, settings: MappingSettings) -> dict[Field, Reading]:
    """Every field this kind of customer has and this variant sends, in the order of the table."""
    fields = COMPANY_FIELDS if isinstance(party, Company) else PERSON_FIELDS
    return {
        field: _fit(read(party, settings), field) for field, read in fields if _travels(field, party, variant, settings)
    }


def _travels(field: Field, party: Party, variant: Variant, settings: MappingSettings) -> bool:
    if field.name == "cc" and not settings.cc_parameter:
        return False
    if variant is Variant.FULL or field.manual is Manual.SENT:
        return True
    return field.manual is Manual.WITHOUT_INVOICING_ADDRESS and not has_invoicing_address(party)


def _fit(reading: Reading, field: Field) -> Reading:
    if len(reading.value) <= field.limit:
        return reading
    if field.too_long is TooLong.CUT:
        return Reading(cut(reading.value, field.limit), "cut")
    return Reading("", "too_long")


def _is_sent(field: Field, reading: Reading, settings: MappingSettings) -> bool:
    """Values are; an empty one only to clear what Teamleader no longer has.

    A value that was there but refused clears nothing: a typing error must not cost Twikey the good one it has.
    """
    emptied = settings.clear_empty and field.clearable and reading.is_empty
    return bool(reading.value) or emptied


def _named(sent: Mapping[Field, str], settings: MappingSettings, *, on_creation: bool) -> Mapping[str, str]:
    """The values under their Twikey parameter names, in the order of the table."""
    return MappingProxyType(
        {
            settings.cc_parameter if field.name == "cc" else field.name: value
            for field, value in sent.items()
            if field.only_on_creation is on_creation
        }
    )
