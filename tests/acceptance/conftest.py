"""Acceptance tests speak only HTTP, the command line and the queue, to real processes on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from sandbox.deployment import ROOT, Deployment, deploy, wait_for
from workers import operations_bulk
from workers.bulk.jobs import Job

# More calls in a minute than these tests make: waiting for the limit is tried where it is meant to be, not by chance here.
PLENTY = 3_000


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    limits = {f"TLTW_{side}_CALLS_PER_MINUTE": str(PLENTY) for side in ("TEAMLEADER", "TWIKEY")}
    with deploy(tmp_path_factory.mktemp("tltw", numbered=True), more_settings=limits) as deployment:
        deployment.teamleader.patch("/settings", {"settings": {"rate_limit": PLENTY}})
        yield deployment
        # Two leases at least: what a killed worker left behind is verified once more.
        wait_for("everything owed to be done", deployment.settled, seconds=120)
        assert deployment.services.ledger("default").books().adds_up


@pytest.fixture
def deployment(running: Deployment) -> Iterator[Deployment]:
    """A running deployment with auto-update on and no faults. After every test the books must add up."""
    running.services.ledger("default").set_auto_update(True)
    yield running
    for simulated in (running.teamleader, running.twikey):
        simulated.delete("/faults")
        simulated.delete("/gates")
    running.services.ledger("default").set_auto_update(True)
    account = running.services.ledger("default").books()
    assert account.adds_up, account


@pytest.fixture(scope="module")
def sweeps_rest(running: Deployment) -> Iterator[None]:
    """No sweep begins beside the test: one rests, and while it does there is no other.

    One begins by itself every ten minutes, and a few seconds after the option was off in a test before.
    """
    wait_for("a sweep to rest", lambda: sweep_rests(running))
    yield
    operations_bulk.turn(running.services, "default", "sweep", "cancel", by="test")


@pytest.fixture(scope="module")
def nothing_else(running: Deployment, sweeps_rest: None) -> None:
    """Whatever is accepted meanwhile is the test's own doing: no webhook is still on its way, nobody is held, nothing is owed."""
    ledger = running.services.ledger("default")
    wait_for("webhooks to arrive", lambda: not any(one["state"] == "pending" for one in deliveries(running)))
    # What was held becomes owed bit by bit, and is accepted as it does.
    wait_for("everything owed to be done", lambda: not ledger.held_count() and running.settled(), seconds=120)


def sweep_rests(deployment: Deployment) -> bool:
    """Asks a sweep to pause, which cannot get beyond its first list meanwhile; answers whether it does.

    One that was under way already, and beyond it, may be over before it hears of that. Then there is none, and the next one
    that is asked begins at the gate.
    """
    deployment.teamleader.post("/gates", {"name": "first list", "prefix": "/contacts.list"})
    operations_bulk.start_sweep(deployment.services, "default", by="test")
    operations_bulk.turn(deployment.services, "default", "sweep", "pause", by="test")
    deployment.teamleader.delete("/gates/first list")
    sweep = wait_for("the sweep to have heard", lambda: heard(deployment))
    return sweep.state == "paused"


def heard(deployment: Deployment) -> Job | None:
    sweep = operations_bulk.job(deployment.services, "default", "sweep")
    return sweep if sweep is not None and (sweep.is_over or sweep.state == "paused") else None


def deliveries(deployment: Deployment) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment.teamleader.get("/deliveries")["deliveries"]
    return found


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def tltw(running: Deployment) -> Callable[..., Result]:
    """Runs the command line as an operator would."""

    def run(*words: str) -> Result:
        done = subprocess.run(
            [sys.executable, "-m", "ingress.cli", *words],
            env={**os.environ, **running.environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
