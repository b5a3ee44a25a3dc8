"""Goes through a list of Teamleader's so that nobody is missed and nobody is handed out twice, and survives a crash. Pure.

Contacts and companies go by time (`walk`): they move to the end when somebody edits them meanwhile. Invoices cannot be sorted
by the time of their last change; they go by number, page by page, and when there was more than one page again and again
until a round brings nothing new, because a deletion moves all that follow it forward.

A place in a list is a few lines of JSON: it lives in a job's cursor. An error is never the end of a list: only a short page is,
and the client raises for everything that is not a page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from workers.bulk.walk import ACTIONS, PAGE_SIZE, Record, Spot, moment_of

Kind = Literal["contact", "company"]


class Place(Protocol):
    """Where one is in a list."""

    @property
    def action(self) -> str: ...

    def request(self) -> dict[str, object]:
        """The body of the next call."""

    def look(self, rows: Sequence[Record]) -> "tuple[list[Record], Place | None]":
        """The records of this page that were not handed out before, and where to go on; None at the end."""

    def as_json(self) -> dict[str, object]: ...


@dataclass(frozen=True, slots=True)
class Customers:
    """A place in the list of contacts or companies. `met`: when those were changed that may be served once more, by id."""

    kind: Kind
    spot: Spot = field(default_factory=Spot)
    met: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def since(cls, kind: Kind, moment: datetime) -> "Customers":
        return cls(kind, Spot(moment_of({"updated_at": moment.isoformat()})))

    @property
    def action(self) -> str:
        return ACTIONS[self.kind]

    def request(self) -> dict[str, object]:
        return self.spot.request()

    def look(self, rows: Sequence[Record]) -> "tuple[list[Record], Customers | None]":
        """Somebody edited since is new again: what was handed out is out of date."""
        is_new = [self.met.get(str(row.get("id"))) != moment_of(row) for row in rows]
        new = [row for row, fresh in zip(rows, is_new, strict=True) if fresh]
        spot = self.spot.after(rows, is_new)
        if spot is None:
            return new, None
        met = {**self.met, **{str(row.get("id")): moment_of(row) for row in rows}}
        asked = _a_second_before(spot.since)
        return new, Customers(self.kind, spot, {one: at for one, at in met.items() if at >= asked})

    def as_json(self) -> dict[str, object]:
        spot = [self.spot.since, self.spot.page, self.spot.met]
        return {"kind": self.kind, "spot": spot, "met": dict(self.met)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Customers":
        return cls(stored["kind"], Spot(*stored["spot"]), stored["met"])


@dataclass(frozen=True, slots=True)
class Invoices:
    """A place in the list of booked invoices that a filter lets through. `new`: how many this round has brought."""

    filter: Mapping[str, object]
    page: int = 1
    new: int = 0
    met: frozenset[str] = frozenset()

    @classmethod
    def booked(cls, **filters: object) -> "Invoices":
        """Settled ones too: an invoice that is paid meanwhile stays in the list, so that no other one moves."""
        return cls({"status": ["outstanding", "matched"], **filters})

    @property
    def action(self) -> str:
        return "invoices.list"

    def request(self) -> dict[str, object]:
        page = {"size": PAGE_SIZE, "number": self.page}
        return {"filter": dict(self.filter), "page": page, "sort": [{"field": "invoice_number", "order": "asc"}]}

    def look(self, rows: Sequence[Record]) -> "tuple[list[Record], Invoices | None]":
        new = [row for row in rows if str(row.get("id")) not in self.met]
        met = self.met | {str(row.get("id")) for row in rows}
        brought = self.new + len(new)
        if len(rows) >= PAGE_SIZE:
            return new, Invoices(self.filter, self.page + 1, brought, met)
        again = self.page > 1 and brought > 0
        return new, Invoices(self.filter, 1, 0, met) if again else None

    def as_json(self) -> dict[str, object]:
        return {"filter": dict(self.filter), "page": self.page, "new": self.new, "met": sorted(self.met)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Invoices":
        return cls(stored["filter"], stored["page"], stored["new"], frozenset(stored["met"]))


def from_json(stored: Mapping[str, Any]) -> Customers | Invoices:
    """The place that `as_json` wrote down."""
    return Customers.from_json(stored) if "kind" in stored else Invoices.from_json(stored)


def _a_second_before(since: str) -> str:
    return (datetime.fromisoformat(since) - timedelta(seconds=1)).isoformat() if since else ""
