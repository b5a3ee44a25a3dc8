"""Holds the work of an integration whose credentials are refused. What lets it go on again is `connect` and `upkeep`."""

from typing import Literal

import structlog

from workers.integrations import ACTIVE
from workers.ledger import Ledger
from workers.sync.failure_policy import RECONNECT_NEEDED

log = structlog.get_logger()


def hold_for_reconnect(ledger: Ledger, api: Literal["teamleader", "twikey"]) -> None:
    """A person must reconnect. Said once, by whoever finds it out first; `api`: the one that refuses us."""
    if ledger.change_state(before=ACTIVE, after=RECONNECT_NEEDED, reason=api):
        log.error(
            "Credentials are refused; work is held until a person reconnects.", integration=ledger.integration, api=api
        )
