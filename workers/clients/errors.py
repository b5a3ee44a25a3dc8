"""What can go wrong when we talk to Teamleader or Twikey.

ApiFailure
├── Unavailable      no usable answer: network, timeout, 5xx, garbage
├── Throttled        429: the API named a time before which it will not serve us
├── ReconnectNeeded  our credentials were refused, even after one refresh or login
├── CredentialsUnreadable  this process cannot decrypt our credentials; others may
├── NotFound         Teamleader no longer has it
├── UnknownCustomer  Twikey has no customer with this number
├── CreateUnavailable  this Twikey account does not let us create customers
└── Refused          any other 4xx: the request itself is wrong and will stay wrong

No message holds a value that was sent: field names, codes and the API's own words only.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

Api = Literal["teamleader", "twikey"]
NAMES: Mapping[Api, str] = {"teamleader": "Teamleader", "twikey": "Twikey"}


class ApiFailure(Exception):
    """Base of all. `reason` is the short word used in logs, metrics and the runbook."""

    reason = "api_failure"

    def __init__(
        self,
        api: Api,
        sentence: str,
        *,
        status: int | None = None,
        code: str = "",
        field: str = "",
    ) -> None:
        super().__init__(sentence)
        self.api: Api = api
        self.sentence = sentence
        self.status = status
        self.code = code
        self.field = field


class Unavailable(ApiFailure):
    """No usable answer; trying later may help. Whether the request was carried out is unknown."""

    reason = "unavailable"


class Throttled(ApiFailure):
    """Too many calls. `until` is the earliest time (aware) for the next one; None when the API named none."""

    reason = "throttled"

    def __init__(self, api: Api, sentence: str, *, until: datetime | None, status: int | None = 429) -> None:
        super().__init__(api, sentence, status=status)
        self.until = until


class ReconnectNeeded(ApiFailure):
    """Our credentials no longer work; a person must reconnect. Work is held, not dead."""

    reason = "reconnect_needed"


class CredentialsUnreadable(ApiFailure):
    """They were encrypted with a key that this process does not have. Only it has to wait; nobody is disconnected."""

    reason = "settings_unreadable"


class NotFound(ApiFailure):
    """Teamleader answered 404: the contact, company or invoice is gone."""

    reason = "not_found"


class UnknownCustomer(ApiFailure):
    """Twikey knows no customer with this number."""

    reason = "unknown_customer"


class CreateUnavailable(ApiFailure):
    """PUT /customer is not offered by this Twikey account (404 or 405), so a customer cannot be created."""

    reason = "create_unavailable"


class Refused(ApiFailure):
    """The API understood us and said no; repeating the same request cannot help."""

    reason = "refused"


def may_land_later(failure: BaseException | None) -> bool:
    """Whether Twikey may still do what we stopped waiting for."""
    # A gateway that gives up waiting (502, 504) does not stop what it waited for.
    return isinstance(failure, Unavailable) and failure.api == "twikey" and failure.status in (None, 502, 504)
