"""Four directed scenarios, one per safety of the ledger: each forces the one interleaving that this safety is there for."""

import time

from sandbox.deployment import wait_for
from tests.chaos.scenarios import Scenario
from tests.chaos.system import System
from tests.chaos.traffic import Customer, Manners

UPSERT = "/creditor/customer"


def doubled_wake_up(system: System, _seconds: float) -> None:
    """A wake-up comes twice while the first is at its write: without a lease both write."""
    assert system.services
    customer = _known(system)
    _gate(system, "twikey", UPSERT, "before", count=2)
    system.traffic.edit(customer)
    _held(system, "twikey")
    for _ in range(4):
        system.services.wake("default", f"{customer.kind}:{customer.id}")
    time.sleep(1.5)
    system.twikey.delete("/gates")


def edited_meanwhile(system: System, _seconds: float) -> None:
    """The customer changes after it was read and before the work is committed: without `want` nobody looks again."""
    customer = _first(system)
    _gate(system, "twikey", UPSERT, "before", count=1)
    system.traffic.edit(customer)
    _held(system, "twikey")
    system.traffic.edit(customer)
    _accepted(system, 2)
    system.twikey.delete("/gates")


def killed_while_writing(system: System, _seconds: float) -> None:
    """A worker dies, and its write lands after its successor's: without `verify` the older state stays."""
    customer = _first(system)
    _gate(system, "twikey", UPSERT, "before", count=1)
    system.traffic.edit(customer)
    _held(system, "twikey")
    for name in ("worker", "worker2"):
        system.kill(name)
    system.traffic.edit(customer)
    wait_for("the successor's write", lambda: not system.wrong(), seconds=60)
    system.twikey.delete("/gates")
    time.sleep(1)


def slower_than_its_lease(system: System, _seconds: float) -> None:
    """The lease ends while its worker reads: without "still mine?" the slow one writes over the newer state.

    No call takes as long as a lease, and each call renews it, so the lease is taken away here; to the ledger a process that
    stood still for 20 s looks the same.
    """
    assert system.services
    customer = _known(system)
    subject = f"{customer.kind}:{customer.id}"
    _gate(system, "teamleader", "/companies.info" if customer.kind == "company" else "/contacts.info", "after", count=1)
    system.traffic.edit(customer)
    _held(system, "teamleader")
    system.traffic.edit(customer)
    _accepted(system, 3)
    system.services.store.hset(system.services.ledger("default").keys.subject(subject), "l", 1)
    system.services.wake("default", subject)
    wait_for("the successor's write", lambda: not system.wrong(), seconds=5)
    system.teamleader.delete("/gates")
    time.sleep(2)


def _first(system: System) -> Customer:
    return system.traffic.customers[0]


def _known(system: System) -> Customer:
    """A customer that Twikey has, so that each write of it is one call, and nothing is asked before a second one."""
    customer = _first(system)
    system.traffic.edit(customer)
    _accepted(system, 1)
    wait_for("the first version in Twikey", lambda: not system.wrong() and not system.pending(), seconds=30)
    return customer


def _gate(system: System, side: str, prefix: str, when: str, *, count: int) -> None:
    gate = {"name": "moment", "prefix": prefix, "when": when, "count": count}
    getattr(system, side).post("/gates", gate)


def _held(system: System, side: str) -> None:
    gates = getattr(system, side)
    wait_for("the moment", lambda: gates.get("/gates")["gates"][0]["waiting"], seconds=30)


def _accepted(system: System, count: int) -> None:
    wait_for("the events to be accepted", lambda: len(system.traffic.accepted) >= count)


_ONE = Manners(rate=0)
# A lease and, after the takeover, two more for the verification.
_WITHIN = 75.0
DIRECTED = (
    Scenario(241, "doubled wake-up", doubled_wake_up, customers=1, manners=_ONE, right_within=_WITHIN),
    Scenario(242, "edited meanwhile", edited_meanwhile, customers=1, manners=_ONE, right_within=_WITHIN),
    Scenario(243, "killed while writing", killed_while_writing, customers=1, manners=_ONE, right_within=_WITHIN),
    Scenario(244, "slower than its lease", slower_than_its_lease, customers=1, manners=_ONE, right_within=_WITHIN),
)
