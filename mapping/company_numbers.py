"""VAT and enterprise numbers out of Teamleader's free text; checked by their digits, never looked up online."""

from __future__ import annotations

import re
from functools import lru_cache

from stdnum import get_cc_module
from stdnum.be import vat as belgian
from stdnum.eu import vat as european
from stdnum.exceptions import ValidationError

from mapping.values import COUNTRIES, Reading, letters_and_digits

# No country's is longer than this by far; the library would read thousands of digits as one number before it counts them.
_LONGEST = 40
_VAT_PREFIX = {"GR": "EL"}  # Greece's VAT numbers do not start with its country code
# What nearly every number looks like; the library takes ten times as long to say that it is valid (a test compares).
_BELGIAN = re.compile(r"BE([01][0-9]{7})([0-9]{2})")


# Asked for twice: for itself and for the enterprise number in it.
@lru_cache(maxsize=256)
def vat_number(text: str, home: str) -> Reading:
    """The VAT number with its country in front. Without a country in the text it is tried as one of `home`.

    One that is not valid is dropped: an invoice with a wrong VAT number is worse than one without.
    """
    typed = letters_and_digits(text)
    prefix = _VAT_PREFIX.get(home, home)
    found = _valid(typed) or _valid(prefix + typed)
    return Reading(found, "invalid" if text and not found else "")


def enterprise_number(text: str, vat: Reading, home: str) -> Reading:
    """The number in the register of companies, letters and digits only; else the digits of a Belgian VAT number.

    It is sent unchecked, unlike a VAT number: registers differ by country, a Dutch KvK number has no check
    digit, and Twikey itself asks only for letters and digits. A text without any digit (`in oprichting`) is no
    number and is dropped.
    """
    typed = letters_and_digits(text)
    if any(character.isdigit() for character in typed):
        return Reading(_belgian_digits(typed, home) or typed)
    if vat.value.startswith("BE"):
        return Reading(vat.value.removeprefix("BE"))
    return Reading("", "invalid" if text else "", unreadable=bool(vat.reason))


def _belgian_digits(typed: str, home: str) -> str:
    """Ten digits for a Belgian number, also out of its VAT or old nine-digit form; "" for a foreign one."""
    is_belgian = typed.startswith("BE") or home == "BE"
    is_short = len(typed) <= _LONGEST
    return str(belgian.compact(typed)) if is_belgian and is_short and belgian.is_valid(typed) else ""


def _valid(number: str) -> str:
    if len(number) > _LONGEST:
        return ""
    try:
        return _european(number) or _elsewhere(number)
    except ValidationError:
        return ""


def _european(number: str) -> str:
    plain = _BELGIAN.fullmatch(number)
    if plain and (int(plain[1]) + int(plain[2])) % 97 == 0 and int(plain[1]):
        return number
    prefix = number[:2].lower()
    known = prefix in european.MEMBER_STATES or prefix == "el"
    validated = str(european.validate(number)) if known else ""
    return "EL" + validated[2:] if validated.startswith("GR") else validated


def _elsewhere(number: str) -> str:
    """Great Britain, Switzerland, Norway … : whatever country python-stdnum knows the VAT numbers of."""
    prefix = number[:2]
    module = get_cc_module(prefix.lower(), "vat") if prefix in COUNTRIES else None
    validated = str(module.validate(number)) if module else ""
    return validated if not validated or validated.startswith(prefix) else prefix + validated
