"""Teamleader's `contacts.info` and `companies.info` documents, read leniently: what is odd is absent.

Real answers break the published specification in 12 to 16 fields each, so nothing here ever raises: a null, a
missing key and a value of a wrong type all read as "", an odd list item as no item; unknown keys are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

from marshmallow import Schema, fields

from mapping.values import tidy

T = TypeVar("T")
# What JSON makes comes first: asking the abstract class takes ten times as long (measured).
_OBJECT = (dict, Mapping)


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


class Lenient(fields.Field[Any]):
    """A field whose value is whatever `read` makes of it. It never raises.

    It replaces the whole `deserialize`, so that null and missing go the same way as junk.
    """

    def __init__(self, read: Callable[[object], Any]) -> None:
        super().__init__()
        self.read = read

    def deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return self.read(value)


def identifier(value: object) -> str:
    """A string exactly as it came."""
    return value if isinstance(value, str) else ""


def text(value: object) -> str:
    """A string as one tidy line."""
    return tidy(value) if isinstance(value, str) else ""


def moment(value: object) -> datetime | None:
    """An ISO 8601 time with its zone. One without could be off by hours, so it counts as absent."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None


def each(read: Callable[[object], T]) -> Callable[[object], tuple[T, ...]]:
    """A list of objects, each read as `read` says."""

    def read_all(value: object) -> tuple[T, ...]:
        items = value if isinstance(value, list | tuple) else ()
        return tuple([read(item) for item in items if isinstance(item, _OBJECT)])

    return read_all


def reader(schema: Schema, make: Callable[..., T]) -> Callable[[object], T]:
    """What `schema.load` does, more than six times as fast (measured), for schemas of lenient fields.

    None of them ever raises, so no errors have to be gathered; and only declared keys are looked at.
    """
    readers = [(name, cast(Lenient, field).read) for name, field in schema.fields.items()]

    def read(document: object) -> T:
        found = document if isinstance(document, _OBJECT) else {}
        return make(**{name: read(found.get(name)) for name, read in readers})

    return read


class EmailSchema(Schema):
    type = Lenient(text)
    email = Lenient(text)


class TelephoneSchema(Schema):
    type = Lenient(text)
    number = Lenient(text)


class LinesSchema(Schema):
    line_1 = Lenient(text)
    postal_code = Lenient(text)
    city = Lenient(text)
    country = Lenient(text)


class AddressSchema(Schema):
    type = Lenient(text)
    address = Lenient(reader(LinesSchema(), dict[str, str]))


def _address(type: str, address: Mapping[str, str]) -> Address:  # noqa: A002 # Teamleader's own word
    return Address(type, **address)


class PartySchema(Schema):
    id = Lenient(identifier)
    emails = Lenient(each(reader(EmailSchema(), Email)))
    telephones = Lenient(each(reader(TelephoneSchema(), Telephone)))
    addresses = Lenient(each(reader(AddressSchema(), _address)))
    language = Lenient(text)
    updated_at = Lenient(moment)


class ContactSchema(PartySchema):
    first_name = Lenient(text)
    last_name = Lenient(text)


class CompanySchema(PartySchema):
    name = Lenient(text)
    vat_number = Lenient(text)
    national_identification_number = Lenient(text)


# Built once: building a schema for every document costs three times the reading itself (measured).
read_contact = reader(ContactSchema(), Contact)
read_company = reader(CompanySchema(), Company)
