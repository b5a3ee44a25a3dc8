"""Upkeep: what is done for every integration now and then; those whose API hangs hold nobody else up."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import redis
import structlog
import time_machine

from config.keys import IntegrationKeys
from sandbox.deployment import wait_for
from sandbox.gates import Gate
from workers import integrations
from workers import upkeep as upkeep_module
from workers.clients.errors import ReconnectNeeded, Unavailable
from workers.clients.http import Budgets, Http
from workers.registration import EVENT_TYPES
from workers.upkeep import (
    THREADS,
    TRY_AGAIN_AFTER,
    TRY_AGAIN_WITHIN,
    Attempt,
    Step,
    Upkeep,
    attempt,
    keep_token_alive,
    steps,
)

HOUR = timedelta(hours=1)


@contextmanager
def running(upkeep: Upkeep) -> Iterator[None]:
    thread = threading.Thread(target=upkeep.run)
    thread.start()
    try:
        yield
    finally:
        upkeep.stop()
        thread.join()


@dataclass
class Doing:
    """A step that notes for whom it was done; for integrations whose name begins with `hangs` it hangs until `over`."""

    done: list[str] = field(default_factory=list)
    hanging: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def __call__(self, _services, name):
        if name.startswith("hangs"):
            self.hanging.add(name)
            self.over.wait(100)
            raise Unavailable("teamleader", "Teamleader did not answer in time")
        self.done.append(name)


@pytest.fixture
def doing():
    doing = Doing()
    yield doing
    doing.over.set()


def add(scene, name, number):
    for one in range(number):
        scene.add(f"{name}-{one:02}")


def fail(failure):
    def do(_services, _name):
        raise failure

    return Step("step", timedelta(days=1), do)


# -- one does not hold up another ------------------------------------------------------------------------------------


def test_integrations_that_hang_hold_up_no_step_of_the_others(scene, doing, monkeypatch):
    monkeypatch.setattr(upkeep_module, "APART", timedelta(milliseconds=60))
    add(scene, "hangs", THREADS - 1)
    both = (Step("register", HOUR, doing), Step("keep_alive", HOUR, doing))

    with running(Upkeep(scene.services, both)):
        wait_for("them to hang", lambda: len(doing.hanging) == THREADS - 1, seconds=60)
        add(scene, "well", 20)
        wait_for("the others", lambda: len(doing.done) == 40, seconds=60)
        doing.over.set()

    assert set(Counter(doing.done).values()) == {2}


def test_while_the_teamleader_of_one_hangs_the_webhook_of_another_is_registered(scene):
    patient = Budgets(read_seconds=100, whole_seconds=100)  # it hangs until the end, however slow this machine is
    scene.services.http.close()
    scene.services = replace(scene.services, http=Http(scene.services.allowed, budgets=patient))
    accounts = {name: scene.account() for name in ("hangs", "well")}
    for name, account in accounts.items():
        scene.add(name)
        scene.consent(name, account)
        account.registrations.clear()
    hanging = scene.teamleader.faults.set("hang", account=accounts["hangs"].id)
    scene.teamleader.gates.set(Gate("not before that", "/", account=accounts["well"].id))

    with running(Upkeep(scene.services)):
        wait_for("the one to hang", lambda: hanging.hits, seconds=60)
        scene.teamleader.gates.release()
        wait_for("the registration", lambda: accounts["well"].registrations, seconds=60)
        wait_for("all of it", lambda: set(*accounts["well"].registrations.values()) == set(EVENT_TYPES), seconds=60)
        over = [record for record in scene.teamleader.log.records() if record.fault == "hang" and record.ended]
        scene.teamleader.faults.clear()

    assert over == []


def test_those_that_begin_at_the_same_moment_are_spread_and_one_that_comes_later_need_not_wait(
    scene, doing, monkeypatch
):
    monkeypatch.setattr(upkeep_module, "APART", timedelta(milliseconds=40))
    add(scene, "early", 40)
    # When each is to begin, not when a busy machine came to it.
    plan, waits = Upkeep._plan, {}
    monkeypatch.setattr(
        Upkeep, "_plan", lambda self, job, after: (waits.setdefault(job[0], after), plan(self, job, after))
    )

    with running(Upkeep(scene.services, (Step("register", HOUR, doing),))):
        wait_for("all of them", lambda: len(doing.done) == 40, seconds=60)
        scene.add("later")
        wait_for("the new one", lambda: len(doing.done) == 41, seconds=60)

    later = waits.pop("later")
    assert sorted(waits.values()) == [place * timedelta(milliseconds=40) for place in range(40)]
    assert later == timedelta(0)


def test_one_that_was_removed_is_left_alone(scene, doing):
    scene.add("bakery")
    upkeep = Upkeep(scene.services, (Step("often", timedelta(milliseconds=50), doing),))

    with running(upkeep):
        wait_for("a few times", lambda: len(doing.done) > 2, seconds=60)
        scene.services.store.srem("tltw:integrations", "bakery")
        scene.services.store.incr("tltw:integrations:revision")
        wait_for("the news", lambda: not upkeep._known, seconds=60)
        # What was in hand ends, plans the next time, and that is dropped.
        wait_for("the rest", lambda: not upkeep._due.unfinished_tasks and not upkeep._agenda, seconds=60)
        before = len(doing.done)
        time.sleep(0.3)

    assert len(doing.done) == before


# -- what fails ------------------------------------------------------------------------------------------------------


def test_what_fails_is_tried_again_later_each_time_but_within_a_quarter_of_an_hour(scene):
    step = fail(Unavailable("teamleader", "Teamleader did not answer in time"))

    waits = [attempt(step, scene.services, "bakery", failed=times).again_after for times in range(10)]

    assert waits[:3] == [TRY_AGAIN_AFTER, TRY_AGAIN_AFTER * 2, TRY_AGAIN_AFTER * 4]
    assert waits == sorted(waits)
    assert waits[-1] == TRY_AGAIN_WITHIN


@pytest.mark.parametrize("failure", [redis.ConnectionError(), RuntimeError("a mistake of ours")])
def test_no_failure_ends_the_upkeep(scene, failure):
    done = attempt(fail(failure), scene.services, "bakery", failed=3)

    assert not done.ok
    assert done.again_after <= TRY_AGAIN_WITHIN


def test_after_an_outage_of_our_own_store_nobody_waits_longer(scene):
    step = fail(redis.ConnectionError())

    assert attempt(step, scene.services, "bakery", failed=9).again_after == TRY_AGAIN_AFTER


def test_refused_credentials_hold_the_work_and_are_told_once(scene):
    scene.add("bakery")
    scene.services.ledger("bakery").set_state("active")
    step = fail(ReconnectNeeded("teamleader", "connect again"))

    with structlog.testing.capture_logs() as logs:
        answers = [attempt(step, scene.services, "bakery") for _ in range(3)]

    assert answers == [Attempt(True, step.every)] * 3
    assert scene.services.ledger("bakery").state() == "reconnect_needed"
    assert [entry["log_level"] for entry in logs] == ["error"]


def test_an_integration_that_is_removed_during_a_token_refresh_is_no_fault(scene, monkeypatch):
    scene.add("bakery")
    scene.consent("bakery")
    (keep_alive,) = [step for step in steps() if step.do is keep_token_alive]
    send = scene.services.http.send

    def removed_meanwhile(request):
        answer = send(request)
        if b"grant_type=refresh" in request.body:
            integrations.remove(scene.services, "bakery", by="cli:an")
        return answer

    monkeypatch.setattr(scene.services.http, "send", removed_meanwhile)
    with time_machine.travel(datetime.now(UTC) + 50 * HOUR), structlog.testing.capture_logs() as logs:
        done = attempt(keep_alive, scene.services, "bakery")

    assert done == Attempt(True, keep_alive.every)
    assert scene.services.store.keys("{tltw:bakery}*") == [IntegrationKeys("bakery").options.encode()]
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


def test_a_store_that_goes_away_while_work_is_being_held_ends_no_upkeep(scene, monkeypatch):
    scene.add("bakery")

    def refused(services, _name):
        monkeypatch.setattr(services.store, "execute_command", gone)
        raise ReconnectNeeded("teamleader", "connect again")

    def gone(*_command, **_options):
        raise redis.ConnectionError

    done = attempt(Step("refused", HOUR, refused), scene.services, "bakery", failed=9)

    assert done == Attempt(False, TRY_AGAIN_AFTER)


# -- tokens ----------------------------------------------------------------------------------------------------------


def test_a_token_that_nobody_uses_is_renewed_every_24_or_25_hours(scene):
    scene.add("bakery")
    scene.consent("bakery")
    book, began = scene.teamleader.world.tokens, datetime.now(UTC)

    for hour in range(1, 76):
        with time_machine.travel(began + hour * HOUR):
            keep_token_alive(scene.services, "bakery")

    assert (book.refreshes, book.refused_refreshes) == (3, 0)


def test_keeping_tokens_alive_is_looked_at_every_hour_of_every_integration():
    (keep_alive,) = [step for step in steps() if step.do is keep_token_alive]

    assert keep_alive.for_each
    assert keep_alive.every <= HOUR


def test_the_token_of_an_integration_that_is_held_is_left_alone(scene):
    scene.add("bakery")
    scene.consent("bakery")
    scene.services.ledger("bakery").set_state("paused")

    with time_machine.travel(datetime.now(UTC) + 50 * HOUR):
        keep_token_alive(scene.services, "bakery")

    assert scene.teamleader.world.tokens.refreshes == 0
