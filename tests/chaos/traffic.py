"""People who edit customers, and a sender that tells about each edit until it gets a 2xx."""

import heapq
import itertools
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from sandbox.deployment import Simulated
from sandbox.teamleader.world import DEFAULT_ACCOUNT
from tests.chaos.checker import Accepted
from tests.chaos.history import History

CANARY = "Kanariepiet"
CANARY_DOMAIN = "kanarie.example.com"
CANARY_VAT = "BE0403170701"
SENDERS = 8
SLOW_SECONDS = 3.0


def fields_of(kind: str, number: int, version: int) -> dict[str, object]:
    """The editable fields of a customer at a version; the version can be read back from the name and the e-mail."""
    emails = [{"type": "primary", "email": f"klant-{number}-v{version}@{CANARY_DOMAIN}"}]
    name = f"{CANARY} {number} v{version}"
    if kind == "company":
        return {"name": name, "emails": emails, "vat_number": CANARY_VAT}
    return {"first_name": CANARY, "last_name": name, "emails": emails}


def version_in(profile: dict[str, str] | None) -> int | None:
    """The version a Twikey customer shows; 0 when its fields are of different versions, None when there is none."""
    if profile is None:
        return None
    name = profile.get("companyName") or profile.get("lastname") or ""
    version = int(name.rpartition(" v")[2]) if " v" in name else 0
    return version if profile.get("email", "").endswith(f"-v{version}@{CANARY_DOMAIN}") else 0


@dataclass
class Customer:
    number: int
    kind: str
    id: str
    version: int = 1


@dataclass(slots=True)
class Manners:
    """How events travel: how many copies of each at most, how late at most (seconds), and which share never does."""

    rate: float = 12.0
    copies: int = 1
    shuffle: float = 0.0
    hot: float = 0.3
    dropped: float = 0.0


@dataclass
class Traffic:
    """Runs from `start` to `stop`; then every event has been accepted."""

    address: str
    teamleader: Simulated
    history: History
    random: random.Random
    manners: Manners
    customers: list[Customer] = field(default_factory=list)
    # Customers that nobody edits by chance.
    left_alone: list[Customer] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    no_answer: int = 0
    slow: int = 0
    missed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._due: list[tuple[float, int, Customer, int]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._editing = threading.Event()
        self._resting = threading.Event()
        self._closed = False
        self._under_way = 0
        self._client = httpx.Client(timeout=5, limits=httpx.Limits(max_connections=SENDERS), trust_env=False)
        self._threads = [threading.Thread(target=self._send_all, daemon=True) for _ in range(SENDERS)]

    def create(self, count: int) -> None:
        """Customers that nobody was told of yet."""

        def one(number: int) -> Customer:
            kind = "company" if number % 3 else "contact"
            made = self.teamleader.post("/customers", {"type": kind, **fields_of(kind, number, 1)}, silent="1")
            return Customer(number, kind, made["id"])

        with ThreadPoolExecutor(4) as pool:
            self.customers += pool.map(one, range(len(self.customers), len(self.customers) + count))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        self._editing.set()
        self._editor = threading.Thread(target=self._edit_all, daemon=True)
        self._editor.start()

    def stop(self, *, within: float = 90) -> None:
        """Ends the editing and delivers what is left."""
        self._editing.clear()
        self._editor.join()
        deadline = time.monotonic() + within
        while self._owed() and time.monotonic() < deadline:
            time.sleep(0.05)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def rest(self) -> None:
        """From here on nobody edits by chance, and an edit under way is over."""
        self._resting.clear()
        self.manners.rate = 0
        self._resting.wait(60)

    def edit(self, customer: Customer) -> int:
        """One edit, and the event about it."""
        version = customer.version + 1
        self._change(customer, fields_of(customer.kind, customer.number, version))
        customer.version = version
        if self.random.random() < self.manners.dropped:
            self.missed.add(customer.id)
            return version
        for _ in range(self.random.randint(1, self.manners.copies)):
            self._put(customer, version, self.random.random() * self.manners.shuffle)
        return version

    def spoil(self, customer: Customer) -> None:
        """An edit that leaves the customer without the name that Twikey needs."""
        version = customer.version + 1
        nameless = fields_of(customer.kind, customer.number, version) | {"name": "", "first_name": "", "last_name": ""}
        self._change(customer, nameless)
        customer.version = version
        self._put(customer, version, 0)

    def mend(self, customer: Customer) -> None:
        """Somebody gives the name back; no webhook tells of it."""
        self._change(customer, fields_of(customer.kind, customer.number, customer.version))

    def _change(self, customer: Customer, fields: dict[str, object]) -> None:
        self.teamleader.patch(f"/customers/{customer.kind}/{customer.id}", fields, silent="1")

    def _edit_all(self) -> None:
        free = [one for one in self.customers if one not in self.left_alone]
        hot = free[:5]
        while self._editing.is_set():
            among = hot if self.random.random() < self.manners.hot else free
            if self.manners.rate > 0:
                self.edit(self.random.choice(among))
                time.sleep(self.random.expovariate(self.manners.rate))
            else:
                self._resting.set()
                time.sleep(0.1)

    def _put(self, customer: Customer, version: int, wait: float) -> None:
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + wait, next(self._numbers), customer, version))
            self._changed.notify()

    def _owed(self) -> bool:
        with self._changed:
            return bool(self._due or self._under_way)

    def _send_all(self) -> None:
        while (found := self._next()) is not None:
            customer, version = found
            accepted = self._send(customer, version)
            with self._changed:
                self._under_way -= 1
            if not accepted:
                self._put(customer, version, 0.3 + self.random.random() * 0.7)

    def _next(self) -> tuple[Customer, int] | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    self._under_way += 1
                    _, _, customer, version = heapq.heappop(self._due)
                    return customer, version
                self._changed.wait(wait)
        return None

    def _send(self, customer: Customer, version: int) -> bool:
        body = {
            "type": f"{customer.kind}.updated",
            "subject": {"type": customer.kind, "id": customer.id},
            "account": {"type": "account", "id": DEFAULT_ACCOUNT},
        }
        began = time.monotonic()
        try:
            answer = self._client.post(self.address, json=body)
        except httpx.HTTPError:
            self.no_answer += 1
            return False
        took = time.monotonic() - began
        self.latencies.append(took)
        if took > SLOW_SECONDS:
            self.slow += 1
            self.history.add("slow answer", seconds=took, status=answer.status_code)
        if not answer.is_success:
            self.refused += 1
            return False
        event = str(answer.json().get("event", ""))
        at = self.history.add("accepted", customer=customer.id, version=version, event=event)
        self.accepted.append(Accepted(customer.id, version, event, at))
        return True
