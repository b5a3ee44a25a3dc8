"""Walks all contacts or companies of an account, page by page, without a gap whatever changes meanwhile. Pure.

Teamleader's lists are pages by position and know no total. A customer that is deleted moves everybody behind it forward, so
plain page after page would miss one. Therefore the walk goes by `updated_at` and, after every page, asks anew for what was
changed since the last customer it saw: it always reads page 1, and nobody can move into what it has read already.

- Edited meanwhile: the customer comes again near the end. Added: it comes at the end. Whoever walks drops what it has met.
- More customers than a page holds were changed in the same second: then there are pages by position after all, and the
  order within that second is not promised. They are read again until a round meets nobody new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PAGE_SIZE = 100
ACTIONS = {"contact": "contacts.list", "company": "companies.list"}

Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a walk is: it asks for this page of what was changed since then ("" = ever).

    `met`: new customers of this very second in this round, which decide whether there must be another.
    """

    since: str = ""
    page: int = 1
    met: int = 0

    def request(self) -> dict[str, object]:
        """The body of a list call. Whether `updated_since` includes that second is not documented, so one less is asked."""
        body: dict[str, object] = {
            "page": {"size": PAGE_SIZE, "number": self.page},
            "sort": [{"field": "updated_at", "order": "asc"}],
        }
        if self.since:
            body["filter"] = {"updated_since": (datetime.fromisoformat(self.since) - timedelta(seconds=1)).isoformat()}
        return body

    def ends_a_round(self, records: Sequence[Record]) -> bool:
        """Whether where to go after this page depends on who was new."""
        return self.page > 1 and not self._goes_on(records)

    def after(self, records: Sequence[Record], new: Sequence[bool]) -> "Spot | None":
        """Where to go after this page, of which some were met for the first time; None at the end of the list."""
        met = self.met + sum(is_new for record, is_new in zip(records, new, strict=True) if self.is_of_before(record))
        if self._goes_on(records):
            return Spot(self.since, self.page + 1, met)
        if self.page > 1 and met:
            return Spot(self.since)
        return Spot(moment_of(records[-1])) if len(records) >= PAGE_SIZE else None

    def is_of_before(self, record: Record) -> bool:
        """Whether a record belongs to what the walk has read before, or to the second in which it stands."""
        return moment_of(record) <= self.since

    def _goes_on(self, records: Sequence[Record]) -> bool:
        return len(records) >= PAGE_SIZE and self.is_of_before(records[-1])


def moment_of(record: Record) -> str:
    """When a record was last changed, in the form that filters take; "" when it does not say."""
    said = record.get("updated_at")
    try:
        at = datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return ""
    return at.astimezone(UTC).replace(microsecond=0).isoformat() if at and at.tzinfo else ""
