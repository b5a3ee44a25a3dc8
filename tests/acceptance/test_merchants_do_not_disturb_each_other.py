"""Many merchants in one deployment: one that owes much, one whose API hangs and one that is disconnected leave the rest alone."""

import json
import os
import signal
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

import pytest

from config.keys import IntegrationKeys
from sandbox.deployment import Deployment, deploy, wait_for
from sandbox.merchants import Merchant, add_merchant, registered
from workers import operations_bulk
from workers.clients.http import Budgets
from workers.clients.teamleader.oauth import HOLDER_IS_BACK_WITHIN
from workers.clients.teamleader.oauth_protocol import TokenPair
from workers.ledger import Cause

pytestmark = pytest.mark.processes
# More than the budget allows in the six minutes that a test may last at most.
BACKLOG = 1_200
FRUGAL = 12
# Allowed within one sliding minute, calls may reach Teamleader closer together: by as much as the longest of them takes.
CLOSEST_SECONDS = 60.0 - Budgets().whole_seconds


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One of its own: merchants that were left paused, and tokens that were revoked, are nobody else's affair."""
    with deploy(tmp_path_factory.mktemp("tltw", numbered=True)) as own:
        yield own


@pytest.fixture
def merchants(deployment: Deployment) -> Iterator[dict[str, Merchant]]:
    """Three that are connected; what they left owed at the end is their own affair."""
    names = ("first", "second", "third")
    made = {name: add_merchant(deployment, _unused(deployment, name), customers=BACKLOG) for name in names}
    registered(deployment, list(made.values()))
    yield made
    deployment.teamleader.delete("/faults")
    for merchant in made.values():
        account = merchant.ledger.books()
        assert account.adds_up, (merchant.name, account)
        merchant.ledger.set_state("paused")


def _unused(deployment: Deployment, name: str) -> str:
    return f"{name}-{len(deployment.services.integrations())}"


def arrives(merchant: Merchant, number: int, name: str) -> None:
    """Edits a customer; its new name must reach Twikey."""
    merchant.edit(number, name=name)
    wait_for(f"{name} in Twikey", lambda: name in names_in_twikey(merchant))


def names_in_twikey(merchant: Merchant) -> list[str]:
    ours = {merchant.customer(number) for number in range(300)}
    return [write["parameters"].get("companyName", "") for write in merchant.writes() if write["customer"] in ours]


def test_a_backlog_and_an_api_that_hangs_leave_a_third_merchants_update_alone(merchants):
    owing, hanging, editing = merchants.values()
    hanging.hang()
    hanging.owe(range(30))
    owing.owe(range(BACKLOG))

    for number in range(5):
        arrives(editing, number, f"Third {number}")

    assert owing.ledger.books().pending > 0
    assert hanging.ledger.books().pending == 30


def test_the_budget_of_calls_is_each_merchants_own(deployment, merchants):
    frugal = add_merchant(
        deployment, _unused(deployment, "frugal"), customers=100, teamleader_calls_per_minute=str(FRUGAL)
    )
    registered(deployment, [frugal])  # takes calls from the same budget
    frugal.owe(range(50))
    wait_for("its budget to be used up", lambda: len(_calls(frugal)) >= FRUGAL)

    arrives(merchants["first"], 0, "Not frugal")

    assert _most_within(CLOSEST_SECONDS, _calls(frugal)) <= FRUGAL
    assert frugal.ledger.books().pending > 0


def _calls(merchant: Merchant) -> list[float]:
    """When those calls came to Teamleader that count there: all but signing in."""
    requests = merchant.deployment.teamleader.get("/requests", account=merchant.account)["requests"]
    return sorted(request["started"] for request in requests if not request["path"].startswith("/oauth2"))


def _most_within(seconds: float, ordered: list[float]) -> int:
    return max(bisect_left(ordered, at + seconds) - first for first, at in enumerate(ordered))


@pytest.mark.timeout(400)
def test_after_a_kill_in_the_middle_of_a_refresh_work_is_held_until_a_person_connects_again(deployment, merchants):
    lost, other = merchants["first"], merchants["second"]
    arrives(lost, 0, "Before")
    # It signs in too; only the worker is to be in the middle of that.
    wait_for("the sweep that follows connecting", lambda: is_swept(lost), seconds=60)
    gate = {"name": "grant", "prefix": "/oauth2/access_token", "when": "after", "count": 1}
    deployment.teamleader.post("/gates", gate)
    deployment.teamleader.post("/tokens/expire", account=lost.account)
    lost.edit(0, name="Held 0")
    wait_for("the refresh to be granted", lambda: deployment.teamleader.get("/gates")["gates"][0]["waiting"])

    worker = deployment.supervisor.pid("worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    deployment.teamleader.delete("/gates")
    nobody_comes_back(deployment, lost)
    wait_for("it to be found out", lambda: lost.ledger.state() == "reconnect_needed", seconds=200)
    for number in range(1, 4):
        lost.edit(number, name=f"Held {number}")
    wait_for("the edits to be kept", lambda: lost.ledger.books().pending == 4)

    arrives(other, 0, "Not disturbed")
    assert lost.ledger.dead_count() == 0
    wait_for("somebody to be told", lambda: told(deployment, lost))

    lost.reconnect()
    held = {f"Held {number}" for number in range(4)}
    wait_for("everything that was held", lambda: held <= set(names_in_twikey(lost)), seconds=90)
    assert lost.ledger.state() == "active"
    assert told(deployment, lost) == 1


def test_access_that_was_revoked_holds_the_work_and_connecting_again_catches_up(deployment, merchants):
    revoked = merchants["first"]
    arrives(revoked, 0, "Before")
    revoked.revoke()

    revoked.edit(0, name="Edited meanwhile")
    wait_for("it to be found out", lambda: revoked.ledger.state() == "reconnect_needed")
    revoked.ledger.mark(revoked.subject(1), frozenset({Cause.OPERATOR}))
    wait_for("both to be kept", lambda: revoked.ledger.books().pending == 2)
    wait_for("somebody to be told", lambda: told(deployment, revoked))
    assert revoked.ledger.dead_count() == 0

    revoked.reconnect()
    wait_for("everything that was held", lambda: revoked.ledger.books().pending == 0)
    assert "Edited meanwhile" in names_in_twikey(revoked)
    assert told(deployment, revoked) == 1


def nobody_comes_back(deployment: Deployment, merchant: Merchant) -> None:
    """As if the minute were over in which whoever died in the middle of a refresh might be back with the new token."""
    services, key = deployment.services, IntegrationKeys(merchant.name).token
    noted = TokenPair.from_json(json.loads(services.cipher.decrypt(services.store.get(key))))
    assert noted.refreshing_since > 0
    earlier = replace(noted, refreshing_since=noted.refreshing_since - HOLDER_IS_BACK_WITHIN.total_seconds())
    services.store.set(key, services.cipher.encrypt(json.dumps(earlier.as_json())))


def is_swept(merchant: Merchant) -> bool:
    sweep = operations_bulk.job(merchant.deployment.services, merchant.name, "sweep")
    return sweep is not None and sweep.is_over


def told(deployment: Deployment, merchant: Merchant) -> int:
    """How often our processes told people that this merchant must connect again."""
    logs = [log.read_text() for log in (deployment.folder / "logs").glob("*.log")]
    lines = [line for log in logs for line in log.splitlines() if "until a person reconnects" in line]
    return sum(f'"{merchant.name}"' in line for line in lines)
