"""The states in which every page is looked at: a new console, a busy day, and a bad one.

What can really happen is made to happen; only the dead letters of every reason are written into the ledger by hand.
"""

import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox import life
from sandbox.deployment import Deployment, free_port, wait_for
from sandbox.world import CHARACTERS
from tests.browser.harness import BURIED, FRESH, LONG, OLD, PAGES, PLANTED, add_files, add_merchants, marked_and_claimed
from workers import integrations, operations_bulk, operations_overview, operators
from workers.ledger import Story
from workers.operators import Role

LONGEST_NAME = "an.peeters@boekhouding-van-der-linden.be"
OF_THE_SERVICE = ("overview", "connect", "connect-nothing", "alerts", "audit", "operators", "account", "not-found")
OF_EVERYBODY = {name: path for name, path in PAGES.items() if "bakery" not in path and "hairdresser" not in path}


@dataclass(frozen=True)
class State:
    """`fill` makes it, and these pages show it. `worse`: what happens then, by the name of the picture of the overview."""

    fill: Callable[[Deployment], None]
    pages: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    worse: Mapping[str, Callable[[Deployment], None]] = field(default_factory=dict)


def nobody(deployment: Deployment) -> None:
    """Just installed: not one merchant."""
    integrations.remove(deployment.services, "default", by="operator:bo")


def empty(deployment: Deployment) -> None:
    """One merchant, connected this minute, whose Teamleader is still empty."""
    for one in CHARACTERS:
        deployment.teamleader.delete(f"/customers/{one.kind}/{one.id}?silent=1")


def busy(deployment: Deployment) -> None:
    """Customers in sync, one that needs somebody, three merchants, files, operators."""
    life.fill(deployment)
    wait_for("everything to be done", deployment.settled, seconds=90)
    for one in (FRESH, LONG):  # whom the pages of adding show
        number = one.partition(":")[2]
        wait_for("a customer to be there", lambda number=number: deployment.in_twikey(number))
        deployment.twikey.delete(f"/customers/{number}")
    add_merchants(deployment)
    add_files(deployment)
    store = deployment.services.store
    deployment.add_operator("the-viewer", Role.VIEWER)
    deployment.add_operator(LONGEST_NAME, Role.OPERATOR)
    operators.set_limit(store, "the-viewer", frozenset({"default"}), by="operator:an")
    operators.set_disabled(store, LONGEST_NAME, True, by="cli:root")


def trouble(deployment: Deployment) -> None:
    """Twikey is down, an import was refused, alerts do not get through, and dead letters of every reason lie about."""
    busy(deployment)
    services = deployment.services
    ledger = services.ledger("default")
    left = [f"{one.kind}:{one.id}" for one in CHARACTERS]
    left = [one for one in left if one not in (FRESH, OLD, LONG, PLANTED, BURIED)]
    for one, (reason, story) in zip(left, DEAD.items(), strict=False):
        claim = wait_for(f"{one} to be ours", lambda one=one: marked_and_claimed(ledger, one))
        ledger.fail(claim, "dead", reason=reason, story=story)
    deployment.teamleader.post("/faults", {"kind": "status", "status": 403, "prefix": "/invoices.list"})
    operations_bulk.start_invoices(services, "default", by="operator:an")
    wait_for("the invoices to fail", lambda: _is_in_trouble(deployment, "invoices"), seconds=60)
    deployment.twikey.post("/faults", {"kind": "status", "status": 503})
    for one in left[len(DEAD) : len(DEAD) + 4]:
        kind, _, customer_id = one.partition(":")
        deployment.edit(kind, customer_id, addresses=[{"type": "primary", "address": MOVED}])
    operations_bulk.start_drift(services, "default", repair=False, create=False, total=None, by="operator:an")
    wait_for("the outage to be noticed", lambda: _is_in_trouble(deployment, "drift"), seconds=60)


MOVED = {"line_1": "Kouter 1", "postal_code": "9000", "city": "Gent", "country": "BE"}
DEAD: Mapping[str, Story] = {
    "refused": Story("refused", sentence="Twikey refuses the customer: err_invalid_params", api="twikey", status=400),
    "unavailable": Story("unavailable", sentence="Twikey did not answer in time", api="twikey"),
    "create_unavailable": Story("create_unavailable", sentence="Twikey has no PUT", api="twikey", status=405),
    "kills_worker": Story("kills_worker", sentence="Five times the process died while it worked on this customer."),
    "internal_error": Story("internal_error", sentence="KeyError in the mapping"),
}


def _is_in_trouble(deployment: Deployment, kind: str) -> bool:
    """Failed, or waiting for a reason: one that nobody has taken up yet waits too, for none."""
    job = operations_bulk.job(deployment.services, "default", kind)
    return job is not None and bool(job.reason)


def clock_stands_still(deployment: Deployment) -> None:
    pid = deployment.supervisor.pid("clock")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    wait_for("the clock to be missed", lambda: not operations_overview.service(deployment.services).ticks, seconds=180)


def store_is_away(deployment: Deployment) -> None:
    assert deployment.store is not None
    deployment.store.stop()


def _deaf() -> dict[str, str]:
    """Alerts that nobody can hear: nothing listens there."""
    return {
        "TLTW_ALERT_EMAIL_TO": "an@boekhouding.example.com",
        "TLTW_ALERT_EMAIL_FROM": "tltw@boekhouding.example.com",
        "TLTW_SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
    }


STATES: Mapping[str, State] = {
    "nobody": State(nobody, {name: PAGES[name] for name in OF_THE_SERVICE}),
    "empty": State(empty, OF_EVERYBODY),
    "busy": State(busy, PAGES, life.NAMED),
    "trouble": State(
        trouble,
        PAGES,
        {**life.NAMED, **_deaf()},
        {"overview-clock": clock_stands_still, "overview-store": store_is_away},
    ),
}
