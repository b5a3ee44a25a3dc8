"""One creditor (one API key) of the simulated Twikey: its customers and everything ever written to them."""

import itertools
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.request_log import RequestRecord

Profile = dict[str, Any]

PARAMETERS = (
    "email", "firstname", "lastname", "companyName", "coc", "vatno", "address", "city", "zip", "country",
    "l", "mobile", "ct", "peppol", "delivery",
)  # fmt: skip


@dataclass
class Customer:
    id: int
    number: str
    profile: Profile
    name_locked: bool = False

    def as_twikey_json(self, cc_parameter: str) -> Profile:
        """What GET answers; never set fields are null."""
        names = [name for name in PARAMETERS if name not in ("ct", "delivery")]
        shown = {name: self.profile.get(name) for name in names}
        if cc_parameter and cc_parameter in self.profile:
            shown[cc_parameter] = self.profile[cc_parameter]
        return {"id": self.id, "customerNumber": self.number, "language": self.profile.get("l")} | shown


@dataclass(frozen=True)
class Write:
    """One write that reached a customer, accepted or not; its times are those of the whole call."""

    customer: str
    verb: str
    parameters: dict[str, str]
    ignored: dict[str, str]
    call: RequestRecord = field(repr=False)

    @property
    def accepted(self) -> bool:
        return bool(self.call.notes.get("accepted"))

    def as_json(self) -> dict[str, Any]:
        call = {
            "number": self.call.number,
            "started": self.call.started,
            "ended": self.call.ended,
            "status": self.call.status,
            "fault": self.call.fault,
            "query": self.call.query,
            "body": self.call.body,
        }
        told = {"customer": self.customer, "verb": self.verb, "accepted": self.accepted}
        return told | {"parameters": self.parameters, "ignored": self.ignored} | call


class Creditor:
    """`lock` guards every look at the customers and every change."""

    def __init__(self, creditor_id: str, api_key: str) -> None:
        self.id = creditor_id
        self.api_key = api_key
        self.merchant_id = str(1000 + sum(creditor_id.encode()))
        self.lock = threading.RLock()
        self.customers: dict[str, Customer] = {}
        self.writes: list[Write] = []
        self._ids = itertools.count(1)

    def add(self, number: str, profile: Profile, *, name_locked: bool = False) -> Customer:
        customer = Customer(next(self._ids), number, profile, name_locked)
        self.customers[number] = customer
        return customer

    def renumber(self, customer: Customer, number: str) -> None:
        del self.customers[customer.number]
        customer.number = number
        self.customers[number] = customer

    def note(self, write: Write) -> None:
        with self.lock:
            self.writes.append(write)

    def reset(self) -> None:
        with self.lock:
            self.customers.clear()
            self.writes.clear()


def overlaps(writes: Iterable[Write]) -> list[tuple[Write, Write]]:
    """Pairs of writes to one customer whose calls were under way at the same time; one without an end still is."""
    pairs: list[tuple[Write, Write]] = []
    under_way: dict[str, list[Write]] = {}
    for write in sorted(writes, key=lambda one: one.call.started):
        others = [one for one in under_way.get(write.customer, []) if _lasts_until(one, write.call.started)]
        pairs += [(other, write) for other in others]
        under_way[write.customer] = [*others, write]
    return pairs


def _lasts_until(write: Write, moment: float) -> bool:
    return write.call.ended is None or write.call.ended > moment
