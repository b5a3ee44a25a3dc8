"""Teamleader's `contacts.info` and `companies.info` documents, read leniently: what is odd is absent.

Real answers break the published specification in 12 to 16 fields each, so nothing here ever raises: a null, a
missing key and a value of a wrong type all read as "", an odd list item as no item; unknown keys are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def _text(value: Any) -> str:
    """A string as one tidy line; "" for anything else."""
    return tidy(value) if isinstance(value, str) else ""


class Identifier(fields.Field[str]):
    """A string exactly as it came.

    Like the fields below it replaces the whole `deserialize`, so that null and missing go the same way as junk.
    """

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return value if isinstance(value, str) else ""


class Text(fields.Field[str]):
    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        return _text(value)


class Moment(fields.Field[datetime | None]):
    """An ISO 8601 time with its zone. One without could be off by hours, so it counts as absent."""

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> datetime | None:
        try:
            moment = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return None
        return moment if moment.tzinfo else None


class Items(fields.Field[tuple[Any, ...]]):
    """A list of objects, each read by a function. (By schemas of their own they cost twice as much; measured.)"""

    def __init__(self, read: Callable[[Mapping[str, Any]], Any]) -> None:
        super().__init__()
        self.read = read

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        items = value if isinstance(value, list | tuple) else ()
        return tuple(self.read(item) for item in items if isinstance(item, Mapping))


class Lenient(Schema):
    class Meta:
        unknown = EXCLUDE


def _email(item: Mapping[str, Any]) -> Email:
    return Email(_text(item.get("type")), _text(item.get("email")))


def _telephone(item: Mapping[str, Any]) -> Telephone:
    return Telephone(_text(item.get("type")), _text(item.get("number")))


def _address(item: Mapping[str, Any]) -> Address:
    inner = item.get("address")
    lines = inner if isinstance(inner, Mapping) else {}
    names = ("line_1", "postal_code", "city", "country")
    return Address(_text(item.get("type")), *(_text(lines.get(name)) for name in names))


class PartySchema(Lenient):
    id = Identifier()
    emails = Items(_email)
    telephones = Items(_telephone)
    addresses = Items(_address)
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
