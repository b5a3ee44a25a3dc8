"""Compares what we would tell Twikey about a customer with what Twikey says it knows. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from mapping import TwikeyCustomer


@dataclass(frozen=True, slots=True)
class Difference:
    """One field: what Twikey has now and what we would send. None = not there."""

    field: str
    twikey: str | None
    ours: str | None


def differences(customer: TwikeyCustomer, in_twikey: Mapping[str, object] | None) -> tuple[Difference, ...]:
    """The fields in which Twikey differs from what we would send. Fields that Twikey does not show are left out."""
    if in_twikey is None:
        return tuple(Difference(field, None, value) for field, value in customer.fields.items())
    return tuple(
        Difference(field, shown_by_twikey(field, in_twikey), customer.fields[field])
        for field in differing_fields(customer.fields, in_twikey)
    )


def differing_fields(fields: Mapping[str, str], in_twikey: Mapping[str, object]) -> tuple[str, ...]:
    """The names of these fields in which Twikey differs. What Twikey does not show cannot be compared and counts as equal."""
    return tuple(
        name
        for name, value in fields.items()
        if is_shown(name, in_twikey) and (shown_by_twikey(name, in_twikey) or "") != value
    )


def is_shown(field: str, in_twikey: Mapping[str, object]) -> bool:
    """Whether Twikey tells what it has in a field at all."""
    return field in in_twikey or (field == "l" and "language" in in_twikey)


def shown_by_twikey(field: str, in_twikey: Mapping[str, object]) -> str | None:
    """What Twikey has in a field; None for nothing. The language goes by two names: `l`, `language` or both."""
    value = in_twikey.get(field)
    if value is None and field == "l":
        value = in_twikey.get("language")
    return None if value is None else str(value)
