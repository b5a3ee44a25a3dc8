"""Makes subjects owed a few at a time, so that what a bulk job finds never stands in front of a live edit for long."""

from collections.abc import Sequence
from datetime import timedelta

from workers.ledger import Ledger
from workers.ledger.records import Causes

# As many as held subjects are released to (due.lua): a quarter of a minute's calls.
ROOM = 50
# How soon it is looked whether there is room again.
LOOK_AGAIN = timedelta(seconds=1)


def mark_some(ledger: Ledger, subjects: Sequence[str], causes: Causes, *, event_id: str) -> int:
    """Marks the first of them, up to the room there is now; answers how many."""
    room = max(0, ROOM - ledger.pending())
    return ledger.mark_all(subjects[:room], causes, event_id=event_id) if room else 0
