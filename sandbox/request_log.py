"""Remembers every simulated call, so that tests and people can see who asked for what, and when."""

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KEPT_REQUESTS = 100_000
KEPT_BODY_CHARACTERS = 20_000


@dataclass
class RequestRecord:
    """One call; `notes` holds what the answering code wants to have on record (customer, version, …)."""

    number: int
    method: str
    path: str
    query: str
    body: str
    account: str | None
    started: float
    ended: float | None = None
    status: int | None = None
    fault: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def concerns(self, customer: str) -> bool:
        return customer in self.path or customer in self.body or customer in self.query

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "notes"} | self.notes


class RequestLog:
    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=KEPT_REQUESTS)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def begin(self, method: str, path: str, query: str, body: bytes, account: str | None) -> RequestRecord:
        text = body.decode("utf-8", "replace")[:KEPT_BODY_CHARACTERS]
        with self._lock:
            record = RequestRecord(next(self._numbers), method, path, query, text, account, time.time())
            self._records.append(record)
        return record

    def records(self, **wanted: str) -> Iterator[RequestRecord]:
        """Oldest first. `prefix` and `customer` match loosely; any other name must equal the attribute."""
        with self._lock:
            snapshot = list(self._records)
        return (record for record in snapshot if _matches(record, wanted))

    def last(self, count: int) -> list[RequestRecord]:
        """Newest first."""
        with self._lock:
            return list(itertools.islice(reversed(self._records), count))

    def clear(self) -> None:
        with self._lock:
            self._records.clear()


def _matches(record: RequestRecord, wanted: dict[str, str]) -> bool:
    for name, value in wanted.items():
        if name == "prefix":
            matched = record.path.startswith(value)
        elif name == "customer":
            matched = record.notes.get("customer") == value or record.concerns(value)
        elif name == "after":
            matched = record.number > int(value)
        else:
            matched = str(getattr(record, name, record.notes.get(name))) == value
        if not matched:
            return False
    return True
