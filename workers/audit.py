"""The audit log: what people, and the service on its own, changed. Append-only and never trimmed; ids and settings, no personal data."""

from collections.abc import Iterator, Sequence
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
) -> str:
    """Appends one change; answers the id of its entry. `what` names it in a few words (`auto_update`, `integration added`, …).

    In a pipeline nothing is known yet, and the id is empty.
    """
    given = {"by": by, "what": what, "i": integration, "s": subject, "before": before, "after": after}
    added = store.xadd(AUDIT, cast(Any, {name: value for name, value in given.items() if value}))
    return added.decode() if isinstance(added, bytes) else ""


def some(store: "redis.Redis", ids: Sequence[str]) -> dict[str, Entry]:
    """The entries with these ids. One round trip."""
    pipeline = store.pipeline(transaction=False)
    for one in ids:
        pipeline.xrange(AUDIT, one, one)
    found = cast(list[list[tuple[bytes, dict[bytes, bytes]]]], pipeline.execute() if ids else [])
    return {one: _entry(*answer[0]) for one, answer in zip(ids, found, strict=True) if answer}


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
