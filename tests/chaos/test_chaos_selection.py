"""A short selection of the chaos run with fixed seeds, over real processes; `make chaos` runs all of it, for as long as one likes."""

import os
import shutil

import pytest

from tests.chaos.run import one_trial
from tests.chaos.scenarios import BY_NAME

pytestmark = [pytest.mark.chaos, pytest.mark.processes, pytest.mark.timeout(300)]
# Each took less than 40 s when it was chosen; the others wait for leases and are left to `make chaos`.
CHOSEN = [
    ("kill -9 web", 4),
    ("operator replay", 7),
]


@pytest.fixture(autouse=True)
def redis_server_is_there():
    if shutil.which("redis-server") is None:
        if os.environ.get("CI") == "true":
            pytest.fail("redis-server is not on PATH; in CI it must be.")
        pytest.skip("redis-server is not on PATH")


@pytest.mark.parametrize(("name", "seed"), CHOSEN)
def test_every_invariant_holds(name: str, seed: int):
    result = one_trial(BY_NAME[name], seed, baseline=False)

    assert result["broken"] == []
    assert result["faults"], "nothing went wrong, so nothing was tried"
    assert (result["wrong"], result["lost"]) == (0, 0)
    assert result["accepted"] > 0
