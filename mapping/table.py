"""The one table of the mapping: which Twikey field comes from where, and under which rules.

It drives the mapping itself, the strict check of what is sent, the page docs/field-map.md and the tests. The
order of the rows is the order in which the fields are sent.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mapping import company, contact_details, person
from mapping.customer import MappingSettings
from mapping.teamleader import Company, Contact
from mapping.values import Reading

P = TypeVar("P", contravariant=True)


class TooLong(enum.StrEnum):
    """What happens to a longer value. Half a name is still a name; half a number is another number."""

    CUT = "cut"
    DROP = "dropped"


class Manual(enum.StrEnum):
    """What a manual update does with the field."""

    SENT = "sent"
    NOT_SENT = "not sent"
    WITHOUT_INVOICING_ADDRESS = "not sent if there is an invoicing address"


@dataclass(frozen=True, slots=True)
class Source(Generic[P]):
    """Where a value comes from: in words for the page, and as the function that reads it."""

    words: str
    read: Callable[[P, MappingSettings], Reading]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One row, equal to itself only. `format` is the pattern of a value that may be sent, on top of its length."""

    name: str
    label: str
    company: Source[Company] | None
    person: Source[Contact] | None
    rule: str
    limit: int
    too_long: TooLong = TooLong.DROP
    manual: Manual = Manual.SENT
    clearable: bool = False
    only_on_creation: bool = False
    format: str = ".+"


_EMAIL = r"[^\s@]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+"
_ADDRESS = "`addresses` of type `invoicing` if it has a street, else of type `primary`: "


def _shared(
    words: str, read: Callable[[Company | Contact, MappingSettings], Reading]
) -> tuple[Source[Company], Source[Contact]]:
    return Source(words, read), Source(words, read)


_STREET = _shared(_ADDRESS + "`line_1`", contact_details.street)
_ZIP = _shared("the same address: `postal_code`", contact_details.postal_code)
_CITY = _shared("the same address: `city`", contact_details.city)
_COUNTRY = _shared("the same address: `country`", contact_details.country)
_LANGUAGE = _shared("`language`", contact_details.language)
_PROFILE = _shared("the integration's default profile", lambda _, settings: Reading(settings.profile))

FIELD_MAP = (
    Field(
        "companyName",
        "company name",
        Source("`name`", company.name),
        None,
        "Required: a company without a name is not sent at all.",
        140,
        TooLong.CUT,
    ),
    Field(
        "coc",
        "enterprise number",
        Source(
            "`national_identification_number`, else the digits of a Belgian `vat_number`",
            company.enterprise_number,
        ),
        None,
        "Letters and digits only, otherwise as typed; a text without digits is dropped. "
        "Twikey takes it only together with a company name.",
        50,
        clearable=True,
        format=r"[A-Z0-9]+",
    ),
    Field(
        "vatno",
        "VAT number",
        Source("`vat_number`", company.vat_number),
        None,
        "With its country in front, no spaces or dots; without a country it is read as one of the address's "
        "country. Checked by the rules of its country, dropped if not valid.",
        50,
        clearable=True,
        format=r"[A-Z]{2}[A-Z0-9]+",
    ),
    Field(
        "firstname",
        "first name",
        None,
        Source("`first_name`", person.first_name),
        "One of the two names is required: a person without any is not sent at all.",
        50,
        TooLong.CUT,
    ),
    Field(
        "lastname",
        "last name",
        None,
        Source("`last_name`", person.last_name),
        "See first name.",
        50,
        TooLong.CUT,
    ),
    Field(
        "email",
        "e-mail address",
        Source("`emails` of type `primary`", company.email),
        Source("`emails` of type `primary`", contact_details.primary_email),
        "Must be valid, else dropped. Without one the customer is sent all the same, with a warning.",
        70,
        format=_EMAIL,
    ),
    Field(
        "cc",
        "invoicing e-mail address",
        Source("`emails` of type `invoicing`", company.cc),
        None,
        "Only if it is valid and differs from the primary address, capitals aside. Sent under the parameter name "
        "of the integration's settings; an empty name means not sent.",
        70,
        manual=Manual.NOT_SENT,
        clearable=True,
        format=_EMAIL,
    ),
    Field(
        "address",
        "street and number",
        *_STREET,
        "If neither address has a street, what is filled in of the primary one, else of the invoicing one.",
        70,
        TooLong.CUT,
        Manual.WITHOUT_INVOICING_ADDRESS,
        clearable=True,
    ),
    Field(
        "zip",
        "postal code",
        *_ZIP,
        "As typed.",
        50,
        manual=Manual.WITHOUT_INVOICING_ADDRESS,
        clearable=True,
    ),
    Field(
        "city",
        "city",
        *_CITY,
        "As typed.",
        50,
        TooLong.CUT,
        Manual.WITHOUT_INVOICING_ADDRESS,
        clearable=True,
    ),
    Field(
        "country",
        "country",
        *_COUNTRY,
        "Two-letter code in capitals, else dropped; only together with a street, postal code or city.",
        2,
        manual=Manual.WITHOUT_INVOICING_ADDRESS,
        format=r"[A-Z]{2}",
    ),
    Field(
        "mobile",
        "mobile number",
        Source("the first of `telephones` that is a mobile number", contact_details.mobile),
        Source(
            "`telephones` of type `mobile`, else the first phone that is a mobile number",
            contact_details.mobile,
        ),
        "International form (`+32…`), read as a number of the address's country; dropped if it is none.",
        50,
        clearable=True,
        format=r"\+[1-9][0-9]{4,14}",
    ),
    Field(
        "l",
        "language",
        *_LANGUAGE,
        "en, nl, fr, de, es, it or pt, also out of `nl-BE`; else the integration's default, else not sent.",
        2,
        format=r"en|nl|fr|de|es|it|pt",
    ),
    Field(
        "ct",
        "profile",
        *_PROFILE,
        "Only when the customer is created, never on an update.",
        4,
        only_on_creation=True,
        format=r"[0-9]+",
    ),
)

FIELDS_BY_NAME = {field.name: field for field in FIELD_MAP}
# What each kind of customer has, with the function that reads it; in the order of the table.
FieldsOfKind = tuple[tuple[Field, Callable[[Any, MappingSettings], Reading]], ...]
COMPANY_FIELDS: FieldsOfKind = tuple((field, field.company.read) for field in FIELD_MAP if field.company)
PERSON_FIELDS: FieldsOfKind = tuple((field, field.person.read) for field in FIELD_MAP if field.person)
