"""Decides what a sweep does about a record it finds in a list, from what the ledger knows of it. Pure.

| the record                                            | then                                                             |
|-------------------------------------------------------|------------------------------------------------------------------|
| is not newer than what the ledger has seen             | left                                                             |
| is owed anyway, for an automatic cause, and not yet read | left: it will be read as it is now                             |
| was added and never edited, and nothing was done for it | left, unless the integration syncs added customers               |
| anything else                                          | marked; whether a customer is created `workers.sync.decide` says |
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from workers.ledger.records import AUTOMATIC, SubjectState
from workers.sync.freshness import moment
from workers.sync.invoice import customer_of

Finding = Literal["newer", "seen", "owed", "added", "of_a_known_customer", "not_ours"]
# Between adding and the first edit. In the same moment a record says the same time for both, give or take a second.
ADDED_JUST_NOW = timedelta(seconds=2)


def judge_customer(row: Mapping[str, object], state: SubjectState | None, *, sync_added: bool) -> Finding:
    """What a contact or company in a list is to us; only `newer` is marked."""
    updated_at = moment(row.get("updated_at"))
    if state is not None:
        if _will_be_read(state):
            return "owed"
        if _is_seen(updated_at, state):
            return "seen"
    untouched = state is None or (state.synced is None and state.story is None)
    return "added" if untouched and not sync_added and _only_added(row, updated_at) else "newer"


def judge_invoice(row: Mapping[str, object], invoice: SubjectState | None, customer: SubjectState | None) -> Finding:
    """What a booked invoice in a list is to us; only `newer` is marked. Its customer's own edits are not its business."""
    if not isinstance(customer_of(row), str):
        return "not_ours"
    if customer is not None and customer.synced is not None:
        return "of_a_known_customer"
    if invoice is not None:
        if _will_be_read(invoice):
            return "owed"
        if _is_seen(moment(row.get("updated_at")), invoice):
            return "seen"
    return "newer"


def _will_be_read(state: SubjectState) -> bool:
    """Owed, not in work, and for a cause that is held too when auto-update goes off meanwhile."""
    return state.owed and state.leased_until is None and bool(state.causes & AUTOMATIC)


def _is_seen(updated_at: datetime | None, state: SubjectState) -> bool:
    seen = moment(state.source_updated_at)
    if updated_at is None:
        # Nothing to compare: once is enough.
        return state.synced is not None
    return seen is not None and updated_at <= seen


def _only_added(row: Mapping[str, object], updated_at: datetime | None) -> bool:
    added_at = moment(row.get("added_at"))
    return updated_at is not None and added_at is not None and updated_at - added_at <= ADDED_JUST_NOW
