"""Bulk jobs over a real store, against a simulated Teamleader and Twikey over real HTTP."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from config import settings as settings_of
from config.store import connect
from sandbox.deployment import free_port, settings_for
from sandbox.serve import serve
from sandbox.teamleader.app import create_teamleader
from sandbox.twikey.app import create_twikey
from tests.integration.alerts.conftest import mail_server  # noqa: F401 # a fixture
from tests.integration.bulk.town import Killed, Live, Town
from workers.bulk.jobs import Jobs
from workers.bulk.runner import Runner
from workers.services import open_services


@pytest.fixture
def jobs(store: "redis.Redis") -> Jobs:
    return Jobs(store)


@pytest.fixture
def settings_more() -> dict[str, str]:
    """More settings for `town`; a test parametrizes it."""
    return {}


@pytest.fixture
def world() -> dict[str, Any]:
    """How the simulated Teamleader is made; a test parametrizes it."""
    return {}


@pytest.fixture
def town(redis_url: str, tmp_path: Path, settings_more: dict[str, str], world: dict[str, Any]) -> Iterator[Town]:
    """An integration with auto-update on."""
    teamleader, twikey = create_teamleader(**world), create_twikey()
    teamleader.world.set_rate_limit(1_000_000, 60)
    with connect(redis_url) as client, serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        client.flushall()
        environment = settings_for(tmp_path, teamleader_url, twikey_url, free_port())
        environment |= {"TLTW_REDIS_URL": redis_url, "TLTW_TEAMLEADER_CALLS_PER_MINUTE": "20000"}
        services = open_services(settings_of.load(environment | settings_more))
        yield Town(teamleader, twikey, services, client)
        services.close()


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Live:
    """One life of a bulk process that ends at its n-th round trip to the store; says whether it ended so."""
    execute, left = redis.Redis.execute_command, [0]

    def execute_command(self: "redis.Redis", *args: object, **options: object) -> object:
        if threading.current_thread().name != "mortal":
            return execute(self, *args, **options)
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return execute(self, *args, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", execute_command)
    pipelined = redis.client.Pipeline.execute

    def execute_pipeline(self: "redis.client.Pipeline", *args: Any, **options: Any) -> list[Any]:
        # Half of a pipeline may arrive.
        if threading.current_thread().name == "mortal":
            left[0] -= 1
            if left[0] < 0:
                del self.command_stack[len(self.command_stack) // 2 :]
                pipelined(self, *args, **options)
                raise Killed
        return pipelined(self, *args, **options)

    monkeypatch.setattr(redis.client.Pipeline, "execute", execute_pipeline)

    def live(works: Runner, round_trips: int) -> bool:
        killed: list[bool] = []
        left[0] = round_trips

        def run() -> None:
            try:
                while works.run_once():
                    pass
            except Killed:
                killed.append(True)

        thread = threading.Thread(target=run, name="mortal")
        thread.start()
        thread.join()
        return bool(killed)

    return live
