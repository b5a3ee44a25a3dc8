"""The frozen records this package takes and gives."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mapping import values

# What Twikey finds again as a customer number by all of its routes, as it stands in the address of the call; other
# characters some do not find, even percent-encoded. Also the rule for rows of files; for the prefix: `config.parse`.
USABLE_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,49}")
# The parameters of Twikey that already mean something else than CC.
RESERVED_PARAMETERS = frozenset(
    {"customerNumber", "companyName", "coc", "vatno", "firstname", "lastname", "email"}
    | {"address", "zip", "city", "country", "mobile", "l", "ct"}
)


class Variant(enum.StrEnum):
    """How much of the customer is sent: automatic updates send it all, manual ones leave some alone."""

    FULL = "full"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Remark:
    """A value that was changed, dropped or missed. The sentence is for a bookkeeper and holds no value."""

    field: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class TwikeyCustomer:
    """What Twikey is told.

    `number` goes into the address of the call, `fields` are its parameters, `creation_fields` join them only when
    the customer is created.
    """

    number: str
    fields: Mapping[str, str]
    creation_fields: Mapping[str, str]
    warnings: tuple[Remark, ...]
    source_updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """The choices of one integration; ValueError for one that could never work, so that it fails at boot.

    A wrong prefix shows with the first number that is made of it (`customer_number`).
    """

    customer_number_prefix: str = ""
    profile: str = ""
    default_language: str = ""
    cc_parameter: str = "cc"
    clear_empty: bool = False
    default_country: str = "BE"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{0,4}", self.profile):
            raise ValueError("the Twikey profile must be its number, of at most four digits")
        if self.default_language and not values.language(self.default_language):
            raise ValueError("the default language must be one of en, nl, fr, de, es, it and pt")
        if self.cc_parameter in RESERVED_PARAMETERS:
            raise ValueError("the CC parameter may not be the name of another Twikey field")
        if self.default_country and not values.country(self.default_country):
            raise ValueError("the default country must be a two-letter ISO code")
