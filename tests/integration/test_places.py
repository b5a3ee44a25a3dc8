"""What a slow API may take of one worker process: four threads for each integration, and they are given back whatever happens."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import fakeredis
import pytest
import redis

from config.integrations import Integration, TeamleaderConnection, TwikeyConnection
from mapping import MappingSettings
from sandbox.deployment import wait_for
from workers.clients.errors import NotFound
from workers.ledger import Cause, Ledger, Refusal, Scripts
from workers.sync.run import PLACES, Tools, work_on

THREADS = 16
GONE = NotFound("teamleader", "gone")


@dataclass
class SlowTeamleader:
    """Holds every reader until it is told how they all end."""

    readers: int = 0
    ends: Exception | None = None
    told: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def customer(self, kind: str, customer_id: str, *, reserved: bool) -> dict[str, Any]:
        with self._lock:
            self.readers += 1
        self.told.wait(20)
        assert self.ends
        raise self.ends


def make_tools(scripts: Scripts, name: str) -> Tools:
    integration = Integration(
        id=name,
        auto_update=True,
        teamleader=TeamleaderConnection(api_url="", auth_url="", client_id="", client_secret="", refresh_token=""),
        twikey=TwikeyConnection(api_url="", api_token=""),
    )
    ledger = Ledger(scripts, name)
    ledger.begin(auto_update=True)
    for number in range(PLACES + 4):
        ledger.mark(f"contact:{number}", frozenset({Cause.WEBHOOK}))
    teamleader: Any = SlowTeamleader()
    twikey: Any = SimpleNamespace()
    return Tools(integration, ledger, teamleader, twikey, MappingSettings(), wake=lambda _subject: None)


@pytest.fixture
def scripts() -> Scripts:
    return Scripts(fakeredis.FakeRedis(server=fakeredis.FakeServer()))


@pytest.fixture
def tools(scripts: Scripts) -> Tools:
    return make_tools(scripts, "acme")


@pytest.fixture
def threads(tools: Tools):
    with ThreadPoolExecutor(THREADS) as pool:
        yield pool
        tools.teamleader.ends = tools.teamleader.ends or GONE
        tools.teamleader.told.set()


def fill(tools: Tools, threads: ThreadPoolExecutor) -> list[Any]:
    """As many threads as there are places hang at Teamleader."""
    hanging = [threads.submit(work_on, f"contact:{number}", tools) for number in range(PLACES)]
    wait_for("all of them to hang", lambda: tools.teamleader.readers == PLACES)
    return hanging


def test_a_slow_api_holds_no_more_threads_than_an_integration_has_places(tools, threads):
    fill(tools, threads)

    done = [threads.submit(work_on, f"contact:{number}", tools) for number in range(PLACES, PLACES + 4)]

    assert [one.result(timeout=5) for one in done] == [None] * 4
    assert tools.teamleader.readers == PLACES
    waiting = [tools.ledger.look(f"contact:{number}") for number in range(PLACES, PLACES + 4)]
    assert all(state.owed and state.leased_until is None for state in waiting)


def test_another_integration_has_places_of_its_own(scripts, tools, threads):
    fill(tools, threads)
    other = make_tools(scripts, "other")
    other.teamleader.ends = GONE
    other.teamleader.told.set()

    threads.submit(work_on, "contact:1", other).result(timeout=5)

    assert other.ledger.account().gone == 1


def test_another_process_is_not_concerned(tools, threads):
    fill(tools, threads)
    other = make_tools(Scripts(tools.ledger.scripts.store), "acme")
    other.teamleader.ends = GONE
    other.teamleader.told.set()

    threads.submit(work_on, f"contact:{PLACES}", other).result(timeout=5)

    assert other.ledger.account().gone == 1


@pytest.mark.parametrize("ends", [GONE, ValueError("a mistake"), redis.ConnectionError("away")])
def test_however_the_work_ends_the_place_is_free_at_once(tools, threads, ends):
    hanging = fill(tools, threads)
    tools.teamleader.ends = ends

    tools.teamleader.told.set()
    for one in hanging:
        # When the store goes away in the middle nothing can be said to the ledger: the lease ends by itself, the place at once.
        assert isinstance(one.exception(timeout=5), redis.RedisError) is isinstance(ends, redis.RedisError)

    again = [threads.submit(work_on, f"contact:{number}", tools) for number in range(PLACES, PLACES + 4)]
    wait(again, timeout=5)
    assert tools.teamleader.readers == PLACES + 4


def test_what_found_no_place_is_due_again_within_a_second(tools, threads):
    fill(tools, threads)
    subject = f"contact:{PLACES}"
    before = tools.ledger.look(subject).due

    threads.submit(work_on, subject, tools).result(timeout=5)

    assert timedelta(0) < tools.ledger.look(subject).due - before < timedelta(seconds=5)
    assert not isinstance(tools.ledger.claim(subject), Refusal)
