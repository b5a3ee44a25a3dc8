"""Bulk jobs over a real store, against a simulated Teamleader and Twikey over real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from config import settings as settings_of
from config.store import connect
from sandbox.deployment import free_port, settings_for
from sandbox.serve import serve
from sandbox.teamleader.app import create_teamleader
from sandbox.twikey.app import create_twikey
from tests.integration.bulk.town import Town
from workers.bulk.jobs import Jobs
from workers.services import open_services


@pytest.fixture
def jobs(store: "redis.Redis") -> Jobs:
    return Jobs(store)


@pytest.fixture
def settings_more() -> dict[str, str]:
    """More settings for `town`; a test parametrizes it."""
    return {}


@pytest.fixture
def town(redis_url: str, tmp_path: Path, settings_more: dict[str, str]) -> Iterator[Town]:
    teamleader, twikey = create_teamleader(), create_twikey()
    teamleader.world.set_rate_limit(1_000_000, 60)
    with connect(redis_url) as client, serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        client.flushall()
        environment = settings_for(tmp_path, teamleader_url, twikey_url, free_port())
        environment |= {"TLTW_REDIS_URL": redis_url, "TLTW_TEAMLEADER_CALLS_PER_MINUTE": "1000000"}
        services = open_services(settings_of.load(environment | settings_more))
        yield Town(teamleader, twikey, services, client)
        services.close()
