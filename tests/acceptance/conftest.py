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


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deploy(tmp_path_factory.mktemp("tltw", numbered=True)) as deployment:
        yield deployment
        # Two leases: what a killed worker left behind is verified once more.
        wait_for("everything owed to be done", deployment.settled, seconds=90)
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
            timeout=60,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
