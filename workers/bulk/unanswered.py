"""Says when a job goes on without a customer that an API refuses, or never answers for, so that one does not hold up all.

An outage is another matter: it is waited for, whatever it takes. So the API is asked something else before a try counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from config.keys import IntegrationKeys
from workers.bulk.kinds import BulkTools
from workers.clients.errors import Api, ApiFailure, Refused, Unavailable
from workers.clients.teamleader.rate_limit import CallBudget
from workers.clients.twikey.client import NOBODY

# A customer without a usable answer is tried so often while others are answered.
MOST_TRIES = 5

GivenUp = Literal["refused", "unanswered"]


@dataclass(frozen=True, slots=True)
class Tries:
    """How often in a row it was tried in vain with a customer, while its API answered otherwise. A job keeps it on its disk."""

    who: str = ""
    number: int = 0

    @classmethod
    def told(cls, stored: Sequence[str | int]) -> Self:
        return cls(str(stored[0]), int(stored[1])) if stored else cls()

    def as_json(self) -> list[str | int]:
        return [self.who, self.number]

    def one_more(self, who: str) -> "Tries":
        return Tries(who, self.number + 1 if who == self.who else 1)


def given_up(failure: ApiFailure, tries: Tries, tools: BulkTools) -> GivenUp | None:
    """What is reported of a customer after so many tries, this one included; None: it is tried again.

    Raises what it is when it is not about this customer alone.
    """
    if not isinstance(failure, Refused | Unavailable):
        raise failure
    _ask_something_else(failure.api, tools)
    if isinstance(failure, Refused):
        return "refused"
    return "unanswered" if tries.number >= MOST_TRIES else None


def _ask_something_else(api: Api, tools: BulkTools) -> None:
    if api == "twikey":
        # Not `check`: here a refusal means that the account lets nobody be read.
        tools.twikey.get(NOBODY)
        return
    # From the calls that are kept free for live work: of those for bulk work, the customer itself may always take the last.
    limit = tools.integration.teamleader.calls_per_minute
    live = CallBudget(tools.store, IntegrationKeys(tools.integration.id), calls_per_minute=limit)
    tools.teamleader.with_budget(live).me()
