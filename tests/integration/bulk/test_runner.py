"""The bulk process: what a failure makes of a job, fairness, draining, and a death between any two lines."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from config.keys import IntegrationKeys
from sandbox.deployment import wait_for
from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers import integrations
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.policy import JobFailed
from workers.bulk.runner import Runner
from workers.clients.errors import ReconnectNeeded, Refused, Throttled, Unavailable


@pytest.fixture(autouse=True)
def turns_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a turn does here it does in one, however long this machine stands still between two steps."""
    monkeypatch.setattr("workers.bulk.runner.TURN", timedelta(minutes=1))


@dataclass
class Count:
    """Counts to `upto`, a number a step; `trouble` is raised by the steps it names. Its effects are put into a set."""

    upto: int = 5
    name: str = "count"
    trouble: dict[int, Exception] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    during: Callable[[int, BulkTools], None] = lambda _number, _tools: None

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        return Plan(sentence="counts", calls=0)

    def step(self, job: Job, tools: BulkTools) -> Step:
        number = (job.cursor or 0) + 1
        self.steps.append(number)
        self.during(number, tools)
        if number in self.trouble:
            raise self.trouble.pop(number)
        tools.store.sadd("effects", number)
        total = int(str(job.result.get("total", 0))) + number
        return Step(
            cursor=number,
            done=job.done + 1,
            total=self.upto,
            result={"total": total},
            lines=[{"n": number}],
            finished=number == self.upto,
        )


def runner(town: Town, *kinds: Count) -> Runner:
    return Runner(town.services, {kind.name: kind for kind in kinds})


def start(town: Town, kind: str = "count") -> None:
    town.jobs.start(INTEGRATION, kind, {}, by="cli:els")


def test_a_job_is_done_step_by_step(town: Town) -> None:
    count = Count()
    start(town)

    job = town.run("count", runner=runner(town, count))

    assert (job.state, job.done, job.total, job.result) == ("done", 5, 5, {"total": 15})
    assert count.steps == [1, 2, 3, 4, 5]
    assert job.ended is not None
    assert list(town.jobs.report(INTEGRATION, "count")) == [{"n": n} for n in range(1, 6)]


@pytest.mark.parametrize(
    ("trouble", "reason", "state"),  # made when the tests are collected, long before they run
    [
        (Throttled("teamleader", "Slower.", until=datetime.now(UTC) + timedelta(days=1)), "throttled", "waiting"),
        (Throttled("twikey", "Slower.", until=None), "throttled", "waiting"),
        (Unavailable("teamleader", "It is away."), "unavailable", "waiting"),
        (Throttled("teamleader", "x", until=datetime.now(UTC) + timedelta(days=1), status=None), "", "running"),
        (Refused("teamleader", "No right.", status=403), "refused", "failed"),
        (JobFailed("refused", "Not so."), "refused", "failed"),
        (ZeroDivisionError("Jan Janssens"), "internal_error", "failed"),
    ],
)
def test_what_a_failed_step_makes_of_the_job(town: Town, trouble: Exception, reason: str, state: str) -> None:
    start(town)

    runner(town, Count(trouble={3: trouble})).run_once()

    job = town.job("count")
    assert (job.state, job.reason, job.cursor, job.done) == (state, reason, 2, 2)
    assert "Janssens" not in job.sentence


@pytest.mark.parametrize(
    "trouble",
    [
        Unavailable("teamleader", "Away."),
        Throttled("teamleader", "Slower.", until=None),
        ReconnectNeeded("twikey", "?"),
    ],
)
def test_after_the_trouble_the_job_goes_on_from_its_cursor(town: Town, trouble: Exception) -> None:
    count = Count(trouble={3: trouble})
    start(town)
    works = runner(town, count)
    works.run_once()
    town.ledger.set_state("active")

    job = town.run("count", runner=works)

    assert (job.state, job.result) == ("done", {"total": 15})
    assert count.steps == [1, 2, 3, 3, 4, 5]


def test_an_outage_is_never_given_up_on(town: Town) -> None:
    start(town)
    works = runner(town, Count(trouble={}))
    for _ in range(30):
        works.kinds["count"].trouble[1] = Unavailable("teamleader", "Away.")  # type: ignore[attr-defined]
        town.hurry()
        works.run_once()

    assert (town.job("count").state, town.job("count").failures) == ("waiting", 30)


@pytest.mark.parametrize("api", ["teamleader", "twikey"])
def test_refused_credentials_hold_the_integration_and_it_is_known_whose(
    town: Town, api: Literal["teamleader", "twikey"]
) -> None:
    start(town)

    runner(town, Count(trouble={1: ReconnectNeeded(api, "Connect again.")})).run_once()

    standing = town.ledger.standing()
    assert (standing.state, standing.reason) == ("reconnect_needed", api)
    assert town.job("count").reason == "reconnect_needed"


def test_an_integration_that_is_removed_during_a_token_refresh_ends_no_thread(town: Town) -> None:
    start(town)

    def remove(_number: int, tools: BulkTools) -> None:
        integrations.remove(town.services, INTEGRATION, by="cli:els")

    count = Count(trouble={1: ReconnectNeeded("teamleader", "The integration was removed")}, during=remove)
    works = runner(town, count)

    assert works.run_once()
    assert not works.run_once()
    assert count.steps == [1]
    assert town.store.hgetall(IntegrationKeys(INTEGRATION).options)[b"state"] == b"closed"


def test_a_kind_that_this_process_does_not_know_waits_for_a_newer_one(town: Town) -> None:
    start(town, "horoscope")

    works = runner(town, Count())

    assert works.run_once()
    assert not works.run_once()
    assert (town.job("horoscope").state, town.job("horoscope").reason) == ("waiting", "unknown_kind")


def test_a_pause_in_the_middle_of_a_turn_is_seen_after_the_step(town: Town) -> None:
    start(town)

    def pause(number: int, _tools: BulkTools) -> None:
        if number == 2:
            town.jobs.pause(INTEGRATION, "count")

    works = runner(town, Count(during=pause))
    works.run_once()
    paused = town.job("count")
    town.jobs.resume(INTEGRATION, "count")

    assert (paused.state, paused.cursor) == ("paused", 2)
    assert town.run("count", runner=works).result == {"total": 15}


def test_a_job_that_was_taken_over_is_left_at_once(town: Town) -> None:
    start(town)

    def lose_it(number: int, tools: BulkTools) -> None:
        if number == 3:
            town.store.hset(IntegrationKeys(INTEGRATION).job("count"), "lease", 1)
            assert town.jobs.take(INTEGRATION, "count") is not None
            tools.keep()

    runner(town, Count(during=lose_it)).run_once()

    assert (town.job("count").cursor, town.job("count").state) == (2, "running")
    assert town.store.smembers("effects") == {b"1", b"2"}


def test_two_jobs_take_turns_and_two_threads_never_have_the_same(town: Town) -> None:
    under_way: set[str] = set()
    doubled: list[str] = []

    def watched(name: str) -> Callable[[int, BulkTools], None]:
        def step(_number: int, _tools: BulkTools) -> None:
            if name in under_way:
                doubled.append(name)
            under_way.add(name)
            threading.Event().wait(0.002)
            under_way.discard(name)

        return step

    kinds = [Count(60, name, during=watched(name)) for name in ("one", "two", "three")]
    for kind in kinds:
        start(town, kind.name)
    works = runner(town, *kinds)
    threads = [threading.Thread(target=works.run) for _ in range(4)]
    for thread in threads:
        thread.start()

    try:
        wait_for("the jobs", lambda: all(town.job(kind.name).state == "done" for kind in kinds), seconds=60)
    finally:
        works.stop()
        for thread in threads:
            thread.join(timeout=60)

    assert doubled == []
    assert [town.job(kind.name).result for kind in kinds] == [{"total": 1830}] * 3


def test_stopping_finishes_the_step_and_gives_the_job_back(town: Town) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(number: int, _tools: BulkTools) -> None:
        if number == 2:
            inside.set()
            go_on.wait(60)

    start(town)
    works = runner(town, Count(during=slow))
    thread = threading.Thread(target=works.run)
    thread.start()
    assert inside.wait(60)
    works.stop()
    go_on.set()
    thread.join(timeout=60)

    assert not thread.is_alive()
    assert town.job("count").cursor == 2
    assert town.jobs.next_turns()[0] == [(INTEGRATION, "count")]
    assert town.jobs.take(INTEGRATION, "count") is not None


def test_a_death_at_any_round_trip_leaves_neither_gaps_nor_doubles(town: Town, mortal: Live) -> None:
    deaths = 0
    for lives in range(30):
        town.begin_again()
        start(town)

        deaths += mortal(runner(town, Count()), lives)
        town.store.hset(IntegrationKeys(INTEGRATION).job("count"), "lease", 1)
        job = town.run("count", runner=runner(town, Count()))

        assert (job.state, job.done, job.result) == ("done", 5, {"total": 15}), lives
        assert town.store.smembers("effects") == {b"1", b"2", b"3", b"4", b"5"}
        assert list(town.jobs.report(INTEGRATION, "count")) == [{"n": n} for n in range(1, 6)]
    assert deaths > 8
