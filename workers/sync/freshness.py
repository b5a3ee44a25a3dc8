"""What Teamleader's `updated_at` proves about how much of a record we have seen. Pure.

It is in whole seconds. A record that was read before its second was over can be edited once more and say the same time, so
until then only the second before counts as seen. Both clocks must be about right; ours is the store's.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)


def seen_until(record: Mapping[str, object], read_at: datetime) -> str:
    """Up to which `updated_at` nothing of the record can be new to us, as ISO 8601; empty when it does not say.

    `read_at`: a moment before it was read.
    """
    updated_at = moment(record.get("updated_at"))
    if updated_at is None:
        return ""
    is_over = updated_at + SECOND <= read_at
    return (updated_at if is_over else updated_at - SECOND).isoformat()


def moment(value: object) -> datetime | None:
    """An ISO 8601 time with its zone, in whole seconds; None for anything else."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.replace(microsecond=0) if at and at.tzinfo else None
