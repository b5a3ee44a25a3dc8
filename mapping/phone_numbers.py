"""Free-text telephone numbers to E.164; knows numbering plans, not whether somebody answers."""

from __future__ import annotations

from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    PhoneNumberMatcher,
    PhoneNumberType,
    format_number,
    is_valid_number,
    number_type,
    parse,
)

# In North America and elsewhere a number does not tell which of the two it is.
_MOBILE_TYPES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})
_LONGEST_TEXT = 250  # what phonenumbers itself reads at most


def region(country: str, default: str) -> str:
    """The country whose national notation is assumed: the address's own if it has a numbering plan."""
    return country if country in SUPPORTED_REGIONS else default.upper()


def e164(text: str, region: str) -> str:
    """`+32499123445` for any number that can be dialled, or ""."""
    number = _number_in(text, region)
    return format_number(number, PhoneNumberFormat.E164) if number else ""


def mobile_e164(text: str, region: str) -> str:
    """The same, but only for a number that can be a mobile one."""
    number = _number_in(text, region)
    return e164(text, region) if number and number_type(number) in _MOBILE_TYPES else ""


# A number is asked for several times: is it one, is it a mobile one, how is it written?
@lru_cache(maxsize=256)
def _number_in(text: str, region: str) -> PhoneNumber | None:
    """The whole text as a number, else the first number in it (`0499 12 34 45 (Jan)`)."""
    try:
        number = parse(text, region)
    except NumberParseException:
        number = None
    if number is not None and is_valid_number(number):
        return number
    match = next(iter(PhoneNumberMatcher(text[:_LONGEST_TEXT], region)), None)
    return match.number if match else None
