"""What the clock is given to do: due subjects, fairly over the integrations, and only where work is possible."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from workers.ledger import Cause, Due, Ledger, Outcome, due
from workers.ledger import ledger as ledger_module
from workers.ledger.ledger import CIRCUIT_OPENS_AFTER, WAKE_AGAIN_AFTER

WEBHOOK = frozenset({Cause.WEBHOOK})
MINUTE = timedelta(minutes=1)


@pytest.fixture
def tick(scripts):
    """One look at what is due, as the clock does."""

    def tick(*, most=100, share=100):
        return due(scripts, most=most, share=share)

    return tick


@pytest.fixture
def other(scripts):
    other = Ledger(scripts, "other")
    other.begin(auto_update=True)
    return other


@pytest.fixture
def patient(monkeypatch):
    """No wake-up is taken for lost, however long this machine stands still."""
    monkeypatch.setattr(ledger_module, "WAKE_AGAIN_AFTER", timedelta(seconds=15))  # less than a lease


def mark_many(ledger, number):
    for one in range(number):
        ledger.mark(f"contact:{one}", WEBHOOK)


def test_a_quiet_deployment_gives_nothing_to_do(ledger, tick):
    assert tick() == Due((), ())


def test_what_is_due_is_woken(ledger, tick):
    ledger.mark("contact:1", WEBHOOK)
    ledger.mark("contact:2", WEBHOOK, delay=MINUTE)

    assert tick().wake == (("acme", "contact:1"),)


@pytest.mark.usefixtures("patient")
def test_two_clocks_do_not_wake_a_subject_twice(ledger, tick):
    ledger.mark("contact:1", WEBHOOK)

    assert [len(tick().wake), len(tick().wake)] == [1, 0]


def test_a_wake_up_that_got_lost_is_repeated(ledger, tick, monkeypatch):
    monkeypatch.setattr(ledger_module, "WAKE_AGAIN_AFTER", timedelta(milliseconds=5))
    ledger.mark("contact:1", WEBHOOK)
    tick()
    time.sleep(0.01)

    assert tick().wake == (("acme", "contact:1"),)


def test_until_it_is_repeated_a_wake_up_has_a_few_seconds(ledger, tick, now):
    ledger.mark("contact:1", WEBHOOK)
    before = now()

    tick()

    assert before + WAKE_AGAIN_AFTER <= ledger.look("contact:1").due <= now() + WAKE_AGAIN_AFTER


def test_what_a_killed_worker_left_is_woken_when_its_lease_is_over(scripts, ledger, tick, claimed):
    ledger.mark("contact:1", WEBHOOK)
    claimed(Ledger(scripts, "acme", lease=timedelta(milliseconds=5)))
    time.sleep(0.01)

    assert tick().wake == (("acme", "contact:1"),)


def test_what_is_worked_on_is_not_woken(ledger, tick, claimed):
    ledger.mark("contact:1", WEBHOOK)
    claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    assert tick().wake == ()


def test_what_changed_during_the_work_is_woken_again(ledger, tick, claimed):
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)
    ledger.commit(claim, Outcome.SYNCED)

    assert tick().wake == (("acme", "contact:1"),)


def test_what_waited_longest_goes_first(ledger, tick):
    for number in (2, 1, 3):
        ledger.mark(f"contact:{number}", WEBHOOK)
        time.sleep(0.002)

    assert [subject for _, subject in tick(most=2).wake] == ["contact:2", "contact:1"]


def test_no_more_are_woken_than_asked_in_all_and_of_each_integration(ledger, other, tick):
    mark_many(ledger, 10)
    mark_many(other, 10)

    woken = [integration for integration, _ in tick(most=5, share=3).wake]

    assert sorted(woken, key=str) == ["acme"] * 3 + ["other"] * 2


@pytest.mark.usefixtures("patient")
def test_a_full_integration_does_not_keep_another_waiting(ledger, other, tick):
    mark_many(ledger, 20)
    time.sleep(0.002)
    other.mark("contact:1", WEBHOOK)
    time.sleep(0.002)
    tick(most=2, share=2)

    assert ("other", "contact:1") in tick(most=2, share=2).wake


@pytest.mark.usefixtures("patient")
def test_all_that_is_due_is_woken_in_a_few_ticks(ledger, other, tick):
    mark_many(ledger, 10)
    mark_many(other, 10)

    woken = [one for _ in range(5) for one in tick(most=4, share=10).wake]

    assert len(woken) == len(set(woken)) == 20


@pytest.mark.usefixtures("patient")
def test_only_so_many_of_an_integration_are_on_their_way_and_each_that_arrives_makes_room(ledger, tick, claimed):
    mark_many(ledger, 10)
    woken = tick(share=3).wake
    assert len(woken) == 3
    assert tick(share=3).wake == ()

    claimed(ledger, woken[0][1])
    assert len(tick(share=3).wake) == 1


@pytest.mark.usefixtures("patient")
def test_one_whose_wake_ups_are_all_on_their_way_does_not_hold_up_another(ledger, other, tick):
    mark_many(ledger, 10)
    tick(share=3)
    other.mark("contact:1", WEBHOOK)

    assert tick(most=1, share=3).wake == (("other", "contact:1"),)


def test_a_look_is_noted_even_if_nothing_is_due(tick, store, now):
    before = now()

    tick(most=0)

    assert before.timestamp() * 1000 <= int(store.get("tltw:clock")) + 1
    assert int(store.get("tltw:clock")) <= now().timestamp() * 1000 + 1


def test_a_paused_api_keeps_the_integration_asleep_and_the_others_awake(ledger, other, tick, claimed):
    mark_many(ledger, 3)
    ledger.fail(claimed(ledger), "defer", reason="throttled", delay=MINUTE)
    other.mark("contact:1", WEBHOOK)

    assert tick().wake == (("other", "contact:1"),)


def test_after_a_pause_the_integration_is_woken(ledger, tick, claimed):
    mark_many(ledger, 3)
    ledger.fail(claimed(ledger), "defer", reason="throttled", delay=MINUTE)
    assert tick().wake == ()
    ledger.scripts.store.set(ledger.keys.pause("teamleader"), 1)  # it is over
    ledger.scripts.store.zadd(ledger.keys.due, {"contact:1": 1})
    ledger.scripts.store.zadd("tltw:next", {"acme": 1})

    assert len(tick().wake) == 3


def test_an_open_circuit_keeps_the_integration_asleep(ledger, tick, claimed, monkeypatch):
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", MINUTE)
    for number in range(CIRCUIT_OPENS_AFTER):
        ledger.mark(f"contact:{number}", WEBHOOK)
        ledger.fail(claimed(ledger, f"contact:{number}"), "retry", reason="down", api_failed=True)
    ledger.mark("contact:next", WEBHOOK)

    assert tick().wake == ()


def test_no_more_are_woken_than_the_budget_has_calls_left(scripts, tick, claimed):
    frugal = Ledger(scripts, "acme", calls_per_minute=4)
    frugal.begin(auto_update=True)
    mark_many(frugal, 10)
    claimed(frugal, "contact:0")

    assert len(tick().wake) == 3


def test_without_budget_nobody_is_woken(scripts, tick, claimed):
    frugal = Ledger(scripts, "acme", calls_per_minute=1)
    frugal.begin(auto_update=True)
    mark_many(frugal, 2)
    claimed(frugal, "contact:0")

    assert tick().wake == ()


def test_what_is_held_is_released_in_small_parts(ledger, tick):
    ledger.set_auto_update(False)
    mark_many(ledger, 80)
    ledger.set_auto_update(True)
    ledger.mark("contact:new", WEBHOOK)

    assert tick().release == (("acme", 49),)


def test_nothing_is_released_while_much_is_owed(ledger, tick):
    ledger.set_auto_update(False)
    ledger.mark("contact:held", WEBHOOK)
    ledger.set_auto_update(True)
    mark_many(ledger, 60)

    assert tick().release == ()


def test_while_much_waits_for_its_retry_the_rest_of_the_held_is_not_forgotten(ledger, tick, claimed, store):
    ledger.set_auto_update(False)
    ledger.mark("contact:held", WEBHOOK)
    ledger.set_auto_update(True)
    ledger.mark("contact:1", WEBHOOK)
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable", delay=timedelta(minutes=15))

    tick()  # This clock dies before it releases.

    hint = store.zscore("tltw:next", "acme") / 1000
    assert hint - datetime.now(UTC).timestamp() <= 10


def test_an_integration_with_nothing_owed_leaves_the_index(ledger, tick, claimed, store):
    ledger.mark("contact:1", WEBHOOK)
    ledger.commit(claimed(ledger), Outcome.SYNCED)

    tick()

    assert store.zcard("tltw:next") == 0
