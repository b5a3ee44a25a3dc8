"""Teamleader's `contacts.info` and `companies.info` documents, read leniently: what is odd is absent.

Real answers break the published specification in 12 to 16 fields each, so nothing here ever raises: a null, a
missing key and a value of a wrong type all read as "", an odd list item as no item; unknown keys are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, fields, post_load

from mapping.values import tidy


@dataclass(frozen=True, slots=True)
class Email:
    type: str
    email: str


@dataclass(frozen=True, slots=True)
class Telephone:
    type: str
    number: str


@dataclass(frozen=True, slots=True)
class Address:
    type: str = ""
    line_1: str = ""
    postal_code: str = ""
    city: str = ""
    country: str = ""

    @property
    def is_filled(self) -> bool:
        """Whether it says more than a country: Teamleader puts one on addresses nobody ever entered."""
        return bool(self.line_1 or self.postal_code or self.city)


@dataclass(frozen=True, slots=True)
class Party:
    """What contacts and companies have in common."""

    id: str
    emails: tuple[Email, ...]
    telephones: tuple[Telephone, ...]
    addresses: tuple[Address, ...]
    language: str
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Contact(Party):
    """A person. Its national identification number is the citizen's own and is not even read."""

    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Company(Party):
    name: str
    vat_number: str
    national_identification_number: str


class Identifier(fields.Field[str]):
    """A string exactly as it came.

    Like the fields below it replaces the whole `deserialize`, so that null and missing go the same way as junk.
    """

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return value if isinstance(value, str) else ""


class Text(Identifier):
    """A string as one tidy line."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return tidy(super().deserialize(value))


class Moment(fields.Field[datetime | None]):
    """An ISO 8601 time with its zone. One without could be off by hours, so it counts as absent."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime | None:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return None
        return moment if moment.tzinfo else None


class Items(fields.Field[tuple[Any, ...]]):
    """A list of objects, each read by its own schema."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.schema = schema

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        items = value if isinstance(value, list | tuple) else ()
        return tuple(self.schema.load(item) for item in items if isinstance(item, Mapping))


class Lenient(Schema):
    class Meta:
        unknown = EXCLUDE


class EmailSchema(Lenient):
    type = Text()
    email = Text()

    @post_load
    def record(self, data: dict[str, Any], **_: Any) -> Email:
        return Email(**data)


class TelephoneSchema(Lenient):
    type = Text()
    number = Text()

    @post_load
    def record(self, data: dict[str, Any], **_: Any) -> Telephone:
        return Telephone(**data)


class LinesSchema(Lenient):
    line_1 = Text()
    postal_code = Text()
    city = Text()
    country = Text()


class Lines(fields.Field[dict[str, str]]):
    """The inner object of an address."""

    schema = LinesSchema()

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> dict[str, str]:
        lines: dict[str, str] = self.schema.load(value if isinstance(value, Mapping) else {})
        return lines


class AddressSchema(Lenient):
    type = Text()
    address = Lines()

    @post_load
    def record(self, data: dict[str, Any], **_: Any) -> Address:
        return Address(type=data["type"], **data["address"])


class PartySchema(Lenient):
    id = Identifier()
    emails = Items(EmailSchema())
    telephones = Items(TelephoneSchema())
    addresses = Items(AddressSchema())
    language = Text()
    updated_at = Moment()


class ContactSchema(PartySchema):
    first_name = Text()
    last_name = Text()

    @post_load
    def record(self, data: dict[str, Any], **_: Any) -> Contact:
        return Contact(**data)


class CompanySchema(PartySchema):
    name = Text()
    vat_number = Text()
    national_identification_number = Text()

    @post_load
    def record(self, data: dict[str, Any], **_: Any) -> Company:
        return Company(**data)


# Built once: building a schema for every document costs three times the loading itself (measured).
_CONTACT = ContactSchema()
_COMPANY = CompanySchema()


def read_contact(document: object) -> Contact:
    contact: Contact = _CONTACT.load(document if isinstance(document, Mapping) else {})
    return contact


def read_company(document: object) -> Company:
    company: Company = _COMPANY.load(document if isinstance(document, Mapping) else {})
    return company
