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
    shown = {name: _shown(in_twikey[name]) for name in customer.fields if name in in_twikey}
    return tuple(
        Difference(field, shown[field], customer.fields[field])
        for field in shown
        if (shown[field] or "") != customer.fields[field]
    )


def _shown(value: object) -> str | None:
    return None if value is None else str(value)
