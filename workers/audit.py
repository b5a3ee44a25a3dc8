"""The audit log: what people, and the service on its own, changed. Append-only and never trimmed; ids and settings, no personal data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import redis

from config.keys import AUDIT
from workers.ledger.records import from_ms

PAGE = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One change. `by`: `cli:<user>`, `operator:<name>`, `environment` or `service`; `before` and `after` never hold a secret."""

    id: str
    at: datetime
    by: str
    what: str
    integration: str
    subject: str
    before: str
    after: str


def note(
    store: "redis.Redis",
    *,
    by: str,
    what: str,
    integration: str = "",
    subject: str = "",
    before: str = "",
    after: str = "",
) -> None:
    """Appends one change. `what` names it in a few words (`auto_update`, `integration added`, …)."""
    given = {"by": by, "what": what, "i": integration, "s": subject, "before": before, "after": after}
    store.xadd(AUDIT, cast(Any, {name: value for name, value in given.items() if value}))


def entries(store: "redis.Redis", *, integration: str = "", before: str = "") -> Iterator[Entry]:
    """Every change, newest first; of one integration only when it is named. `before`: only those older than this entry's id."""
    last = f"({before}" if before else "+"
    while page := cast(list[tuple[bytes, dict[bytes, bytes]]], store.xrevrange(AUDIT, max=last, count=PAGE)):
        for entry_id, fields in page:
            entry = _entry(entry_id, fields)
            if not integration or entry.integration == integration:
                yield entry
        last = "(" + page[-1][0].decode()


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> Entry:
    at = from_ms(entry_id.split(b"-")[0])
    assert at is not None

    def of(name: bytes) -> str:
        return fields.get(name, b"").decode()

    return Entry(entry_id.decode(), at, of(b"by"), of(b"what"), of(b"i"), of(b"s"), of(b"before"), of(b"after"))
