"""Free-text telephone numbers to E.164; knows numbering plans, not whether somebody answers."""

from __future__ import annotations

from functools import lru_cache

from phonenumbers import (
    SUPPORTED_REGIONS,
    NumberParseException,
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
    try:
        number = parse(text, region)
    except NumberParseException:
        number = None
    # A number is valid exactly when it has a type; asking for both would cost the same work twice.
    if number is not None and (kind := number_type(number)) != PhoneNumberType.UNKNOWN:
        return format_number(number, PhoneNumberFormat.E164), kind
    match = next(iter(PhoneNumberMatcher(text[:_LONGEST_TEXT], region)), None)
    return (format_number(match.number, PhoneNumberFormat.E164), number_type(match.number)) if match else _NOTHING
