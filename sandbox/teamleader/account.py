"""One Teamleader account: its customers, invoices and webhook registrations, and the events its edits cause."""

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sandbox.teamleader import invoice_shapes
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.rate_limit import SlidingWindow
from sandbox.teamleader.shapes import new_customer, timestamp
from sandbox.teamleader.store import Customer, CustomerStore, Version
from sandbox.world import CHARACTERS, Character, Fields, Kind

Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Event:
    """Something happened; who has registered for it will be told."""

    account: str
    type: str
    subject_type: str
    subject_id: str


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Account:
    """Every method that changes something takes the lock, and announces the event after the change is visible."""

    id: str
    client_id: str
    client_secret: str
    limiter: SlidingWindow
    announce: Callable[[Event], None]
    clock: Clock = utc_now
    characters: tuple[Character, ...] = CHARACTERS
    generated: GeneratedWorld | None = None
    name: str = ""
    registrations: dict[str, set[str]] = field(default_factory=dict)
    invoices: dict[str, Fields] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.customers = CustomerStore(self.generated)
        self._invoice_numbers = itertools.count(1)
        for one in self.characters:
            self._store(one.kind, one.id, new_customer(one.kind, one.id, self.clock(), one.fields), 1)

    def find(self, kind: Kind, customer_id: str) -> Customer | None:
        with self.lock:
            return self.customers.get(kind, customer_id)

    def create(self, kind: Kind, given: Fields, *, customer_id: str = "", silent: bool = False) -> Customer:
        with self.lock:
            new_id = customer_id or str(uuid.uuid4())
            customer = self._store(kind, new_id, new_customer(kind, new_id, self.clock(), given), 1)
        self._tell(f"{kind}.added", kind, new_id, silent)
        return customer

    def edit(self, kind: Kind, customer_id: str, changes: Fields, *, silent: bool = False) -> Customer | None:
        """Sets the given fields, moves `updated_at` and adds a version; None when there is no such customer."""
        with self.lock:
            customer = self.customers.get(kind, customer_id)
            if customer is None:
                return None
            data = customer.data | changes | {"updated_at": timestamp(self.clock())}
            customer = self._store(kind, customer_id, data, customer.version + 1, customer.versions)
        self._tell(f"{kind}.updated", kind, customer_id, silent)
        return customer

    def delete(self, kind: Kind, customer_id: str, *, silent: bool = False) -> bool:
        with self.lock:
            known = self.customers.get(kind, customer_id) is not None
            self.customers.remove(kind, customer_id)
        if known:
            self._tell(f"{kind}.deleted", kind, customer_id, silent)
        return known

    def add_invoice(self, kind: Kind, customer_id: str, *, amount: float = 121.0, book: bool = True) -> Fields:
        """Raises KeyError when there is no such customer."""
        with self.lock:
            customer = self.customers.get(kind, customer_id)
            if customer is None:
                raise KeyError(customer_id)
            invoice = invoice_shapes.draft(str(uuid.uuid4()), kind, customer.data, amount, self.clock())
            self.invoices[invoice["id"]] = invoice
        self._tell("invoice.drafted", "invoice", invoice["id"], silent=False)
        return self.book(invoice["id"]) if book else invoice

    def book(self, invoice_id: str, *, silent: bool = False) -> Fields:
        with self.lock:
            number = f"{self.clock().year} / {next(self._invoice_numbers)}"
            self.invoices[invoice_id] = invoice_shapes.booked(self.invoices[invoice_id], number, self.clock())
        self._tell("invoice.booked", "invoice", invoice_id, silent)
        return self.invoices[invoice_id]

    def change_invoice(self, invoice_id: str, changes: dict[str, Any], *, silent: bool = False) -> Fields:
        """`paid`, `amount` and `draft` are understood; other fields are set as given."""
        with self.lock:
            invoice = invoice_shapes.changed(self.invoices[invoice_id], changes, self.clock())
            self.invoices[invoice_id] = invoice
        self._tell("invoice.updated", "invoice", invoice_id, silent)
        return invoice

    def urls_for(self, event_type: str) -> list[str]:
        with self.lock:
            return [url for url, types in self.registrations.items() if event_type in types]

    def _store(
        self, kind: Kind, customer_id: str, data: Fields, number: int, earlier: list[Version] | None = None
    ) -> Customer:
        versions = [*(earlier or []), Version(number, time.time(), data)]
        customer = Customer(kind, customer_id, versions)
        self.customers.put(customer)
        return customer

    def _tell(self, event_type: str, subject_type: str, subject_id: str, silent: bool) -> None:
        if not silent:
            self.announce(Event(self.id, event_type, subject_type, subject_id))
