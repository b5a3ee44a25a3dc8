"""Whether the process says rightly that it can keep its promises."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import fakeredis
import pytest
import redis
import time_machine
from flask import Flask

from config.keys import CLOCK_TICKED
from config.store import clock_problem
from ingress import health


@pytest.fixture(autouse=True)
def standing_clock() -> Iterator[None]:
    """Whatever is seconds old stays so, however long this machine stands still."""
    with time_machine.travel(datetime(2026, 11, 26, 12, tzinfo=UTC), tick=False):
        yield


@pytest.fixture
def store(standing_clock: None) -> fakeredis.FakeRedis:
    store = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    store.set(CLOCK_TICKED, int(time.time() * 1000))
    return store


@pytest.fixture(autouse=True)
def durable(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the store's configuration says; fakeredis has none."""
    problems: list[str] = []
    monkeypatch.setattr(health, "durability_problems", lambda _store: problems)
    return problems


def ask(store: fakeredis.FakeRedis, path: str):
    app = Flask("test")
    app.register_blueprint(health.routes(store))
    return app.test_client().get(path)


def failed(store: fakeredis.FakeRedis) -> set[str]:
    return {name for name, check in health.readiness(store).items() if not check.ok}


def refuse(*_args: object, **_named: object) -> None:
    raise redis.ConnectionError("redis://:password@host is away")


def test_alive_needs_nothing(store, monkeypatch):
    monkeypatch.setattr(fakeredis.FakeRedis, "execute_command", refuse)

    assert ask(store, "/livez").get_json() == {"status": "alive"}


def test_ready_when_every_check_holds(store):
    response = ask(store, "/readyz")

    assert response.status_code == 200
    assert response.get_json()["status"] == "ready"
    assert set(response.get_json()["checks"]) == {"store_writable", "store_durable", "clock", "machine_clock"}


def test_not_ready_when_the_store_is_away_and_nothing_secret_is_told(store, monkeypatch):
    monkeypatch.setattr(store, "pipeline", refuse)

    response = ask(store, "/readyz")

    assert response.status_code == 503
    assert failed(store) == {"store_writable", "store_durable", "clock", "machine_clock"}
    assert "password" not in response.text


def test_not_ready_when_the_store_refuses_to_write(store, monkeypatch):
    monkeypatch.setattr(health, "PROBE_SCRIPT", "return redis.error_reply('READONLY You cannot write')")

    assert failed(store) == {"store_writable"}


def test_not_ready_when_the_store_may_forget_what_it_accepted(store, durable):
    durable.append("the store keeps no append-only file.")

    assert failed(store) == {"store_durable"}


@pytest.mark.parametrize(("silent_seconds", "fails"), [(0, set()), (8, set()), (12, {"clock"}), (-5, set())])
def test_the_clock_must_have_ticked_within_ten_seconds(store, silent_seconds: int, fails: set[str]):
    store.set(CLOCK_TICKED, int((time.time() - silent_seconds) * 1000))

    assert failed(store) == fails


def test_a_clock_that_never_ticked_is_named(store):
    store.delete(CLOCK_TICKED)

    assert "clock process" in health.readiness(store)["clock"].sentence


@pytest.mark.parametrize(
    ("off_seconds", "said"), [(-7, "7 s behind"), (-1.5, ""), (0, ""), (1.5, ""), (301, "301 s ahead")]
)
def test_a_machine_whose_clock_differs_from_the_stores_says_so_and_serves_on(store, monkeypatch, off_seconds, said):
    here = time.time
    monkeypatch.setattr("ingress.health.time.time", lambda: here() + off_seconds)
    monkeypatch.setattr(store, "pipeline", in_real_time(store, here))

    response = ask(store, "/readyz")

    check = response.get_json()["checks"]["machine_clock"]
    assert response.status_code == 200
    assert check["ok"] is not bool(said)
    assert said in check["sentence"]


def in_real_time(store, here):
    """fakeredis tells this process' time; the store of a real deployment has one of its own."""
    pipeline = store.pipeline

    def made(**options):
        one = pipeline(**options)
        execute = one.execute
        one.execute = lambda **more: [*execute(**more)[:2], (int(here()), int(here() % 1 * 1e6))]
        return one

    return made


@pytest.mark.parametrize(("asked", "answered"), [(100.0, 103.0), (96.0, 100.1), (90.0, 110.0)])
def test_a_slow_answer_is_not_taken_for_a_wrong_clock(asked, answered):
    assert clock_problem((100, 0), asked=asked, answered=answered) == ""
