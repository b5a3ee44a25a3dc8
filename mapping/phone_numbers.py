"""Free-text telephone numbers to E.164; knows numbering plans, not whether somebody answers."""

from __future__ import annotations

import re
from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    PhoneNumberType,
    format_number,
    number_type,
    parse,
)

# In North America and elsewhere a number does not tell which of the two it is.
_MOBILE_TYPES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_NOTHING = ("", PhoneNumberType.UNKNOWN)
# What nearly every number looks like once the punctuation is gone: +32499123445, or 0499123445 in these countries, where a
# nought and nothing else stands for the country. Reading such a one by ourselves takes a quarter of the time (a test compares).
_CODES = {"BE": "32", "NL": "31", "FR": "33", "DE": "49"}
_PLAIN = re.compile(r"(?:\+(32|31|33|49)|0)([1-9][0-9]{5,13})")
_PUNCTUATION = str.maketrans("", "", " ./-")
_LONGEST_TEXT = 250  # what phonenumbers itself reads at most


def region(country: str, default: str) -> str:
    """The country whose national notation is assumed: the address's own if it has a numbering plan."""
    return country if country in SUPPORTED_REGIONS else default.upper()


def e164(text: str, region: str) -> str:
    """`+32499123445` for any number that can be dialled, or ""."""
    return _found(text, region)[0]


def mobile_e164(text: str, region: str) -> str:
    """The same, but only for a number that can be a mobile one."""
    number, kind = _found(text, region)
    return number if kind in _MOBILE_TYPES else ""


# A number is asked for several times: is it one, is it a mobile one, how is it written?
@lru_cache(maxsize=256)
def _found(text: str, region: str) -> tuple[str, int]:
    """The whole text as a number, else the first number in it (`0499 12 34 45 (Jan)`), as E.164 and its kind."""
    if (plain := _plain(text, region)) is not None:
        return plain
    try:
        number = parse(text, region)
    except NumberParseException:
        number = None
    # A number is valid exactly when it has a type; asking for both would cost the same work twice.
    if number is not None and (kind := number_type(number)) != PhoneNumberType.UNKNOWN:
        return format_number(number, PhoneNumberFormat.E164), kind
    match = next(iter(PhoneNumberMatcher(text[:_LONGEST_TEXT], region)), None)
    return (format_number(match.number, PhoneNumberFormat.E164), number_type(match.number)) if match else _NOTHING


def _plain(text: str, region: str) -> tuple[str, int] | None:
    """A number in plain notation; None for everything that needs a closer look."""
    found = _PLAIN.fullmatch(text.translate(_PUNCTUATION))
    code = found and (found[1] or _CODES.get(region))
    if not found or not code:
        return None
    kind = number_type(PhoneNumber(country_code=int(code), national_number=int(found[2])))
    return (f"+{code}{found[2]}", kind) if kind != PhoneNumberType.UNKNOWN else None
