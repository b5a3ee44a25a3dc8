"""The figures of the last day: what the scripts count per hour, and how fast edits reached Twikey."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from workers.figures import COUNTED, HOURS, LATER, Hour, last_hours, percentile, together, whole_day
from workers.ledger import Cause, Claim, Ledger, Outcome, Story

WEBHOOK = frozenset({Cause.WEBHOOK})
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
# Servers cannot be taken to another hour; what concerns time alone is tried in memory.
IN_MEMORY = pytest.mark.parametrize("store", ["fakeredis"], indirect=True)
SERVERS = pytest.mark.parametrize("store", ["valkey", "redis"], indirect=True)


@pytest.fixture
def day(store):
    """The hours up to now of the integration, as the store counts time."""

    def day(now: datetime | None = None) -> list[Hour]:
        seconds, _ = store.time()
        return last_hours(store, ["acme"], now=now or datetime.fromtimestamp(seconds, UTC))["acme"]

    return day


def sync(ledger: Ledger, claimed, subject: str = "contact:1", causes=WEBHOOK) -> None:
    ledger.mark(subject, causes)
    ledger.commit(claimed(ledger, subject), Outcome.SYNCED)


def test_a_day_is_24_hours_and_an_empty_one_is_all_zero(ledger, day):
    hours = day()

    assert [later.began - one.began for one, later in itertools.pairwise(hours)] == [timedelta(hours=1)] * 23
    assert whole_day(hours) == Hour(began=hours[0].began)


def test_an_hour_counts_what_came_in_and_how_it_ended(ledger, claimed, day):
    sync(ledger, claimed)
    ledger.mark("contact:2", WEBHOOK)
    ledger.mark("contact:2", WEBHOOK)
    ledger.commit(claimed(ledger, "contact:2"), Outcome.UNCHANGED)
    ledger.mark("contact:3", WEBHOOK)
    ledger.commit(claimed(ledger, "contact:3"), Outcome.GONE)
    ledger.set_auto_update(False)
    ledger.mark("contact:4", WEBHOOK)

    hour = whole_day(day())

    assert (hour.accepted, hour.synced, hour.unchanged, hour.gone, hour.skipped) == (5, 1, 1, 1, 1)
    assert (hour.failed, hour.dead) == (0, 0)


def test_every_attempt_that_failed_counts_also_the_last_but_waiting_is_no_failure(ledger, claimed, day):
    ledger.mark("contact:1", WEBHOOK)
    ledger.fail(claimed(ledger), "retry", reason="unavailable")
    ledger.fail(claimed(ledger), "defer", reason="throttled")
    ledger.fail(claimed(ledger), "dead", reason="refused", story=Story("refused"))

    hour = whole_day(day())

    assert (hour.failed, hour.dead) == (2, 1)


@IN_MEMORY
def test_what_was_synced_at_once_arrived_within_the_smallest_bound(ledger, claimed, day):
    with time_machine.travel(NOON, tick=False):
        sync(ledger, claimed)

        hour = whole_day(day())

    assert hour.arrived == {timedelta(milliseconds=250): 1}
    assert hour.p50 == hour.p95 == timedelta(milliseconds=250)


@IN_MEMORY
@pytest.mark.parametrize(
    ("waited", "bound"),
    [
        (timedelta(milliseconds=250), timedelta(milliseconds=250)),
        (timedelta(milliseconds=251), timedelta(milliseconds=500)),
        (timedelta(seconds=59), timedelta(minutes=1)),
        (timedelta(hours=4), timedelta(hours=4)),
        (timedelta(hours=4, seconds=1), LATER),
    ],
)
def test_the_time_counts_from_the_first_event_on(ledger, claimed, day, waited, bound):
    with time_machine.travel(NOON, tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK)
        clock.shift(waited / 2)
        ledger.mark("contact:1", WEBHOOK)
        clock.shift(waited - waited / 2)
        ledger.commit(claimed(ledger), Outcome.SYNCED)

        assert whole_day(day()).arrived == {bound: 1}


@IN_MEMORY
def test_a_customer_that_changed_meanwhile_arrives_when_it_is_settled(ledger, claimed, day):
    with time_machine.travel(NOON, tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK)
        claim = claimed(ledger)
        ledger.mark("contact:1", WEBHOOK)
        ledger.commit(claim, Outcome.SYNCED)
        clock.shift(timedelta(seconds=4))
        ledger.commit(claimed(ledger), Outcome.SYNCED)

        hour = whole_day(day())

    assert hour.arrived == {timedelta(seconds=5): 1}
    assert hour.synced == 1


@pytest.mark.parametrize("subject", ["contact:1", "company:1"])
def test_what_only_a_sweep_wanted_and_what_was_equal_already_say_nothing_about_speed(ledger, claimed, day, subject):
    sync(ledger, claimed, subject, frozenset({Cause.SWEEP}))
    ledger.mark(subject, WEBHOOK)
    ledger.commit(claimed(ledger, subject), Outcome.UNCHANGED)

    assert whole_day(day()).arrived == {}


def test_an_invoice_is_no_customer_that_arrived(ledger, claimed, day):
    sync(ledger, claimed, "invoice:1", frozenset({Cause.INVOICE}))

    hour = whole_day(day())

    assert (hour.synced, hour.arrived) == (1, {})


# -- hours and their borders -------------------------------------------------------------------------


@IN_MEMORY
def test_an_hour_begins_with_its_first_millisecond(ledger, day):
    with time_machine.travel(NOON - timedelta(milliseconds=1), tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK)
        clock.shift(timedelta(milliseconds=1))
        ledger.mark("contact:2", WEBHOOK)
        ledger.mark("contact:3", WEBHOOK)

        before, after = day()[-2:]

    assert (before.began, before.accepted) == (NOON - timedelta(hours=1), 1)
    assert (after.began, after.accepted) == (NOON, 2)


@IN_MEMORY
def test_what_is_counted_when_it_ends_belongs_to_that_hour(ledger, claimed, day):
    with time_machine.travel(NOON - timedelta(seconds=1), tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK)
        clock.shift(timedelta(seconds=2))
        ledger.commit(claimed(ledger), Outcome.SYNCED)

        before, after = day()[-2:]

    assert (before.accepted, before.synced, before.arrived) == (1, 0, {})
    assert (after.accepted, after.synced, after.arrived) == (0, 1, {timedelta(seconds=2): 1})


@IN_MEMORY
def test_an_hour_can_be_read_for_a_day_and_then_goes_by_itself(ledger, store, day):
    with time_machine.travel(NOON + timedelta(minutes=59), tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK)
        clock.shift(timedelta(hours=HOURS - 1))
        oldest = day()[0]
        clock.shift(timedelta(hours=3, minutes=1))
        left = store.keys("{tltw:acme}:counts:*")

    assert (oldest.began, oldest.accepted) == (NOON, 1)
    assert left == []


def test_every_hour_expires_whatever_was_counted_first(ledger, claimed, store):
    sync(ledger, claimed)
    ledger.fail(claimed_again(ledger), "retry", reason="unavailable")

    keys = store.keys("{tltw:acme}:counts:*")

    assert keys
    assert all(24 * 3600 < store.ttl(key) <= 26 * 3600 for key in keys)


def claimed_again(ledger: Ledger) -> Claim:
    ledger.mark("contact:1", WEBHOOK)
    claim = ledger.claim("contact:1")
    assert isinstance(claim, Claim)
    return claim


# -- several integrations, percentiles ---------------------------------------------------------------


def test_integrations_are_read_at_once_and_can_be_added_up(scripts, ledger, claimed, store):
    other = Ledger(scripts, "other")
    other.begin(auto_update=True)
    sync(ledger, claimed)
    sync(other, claimed)
    sync(other, claimed, "contact:2")
    now = datetime.fromtimestamp(store.time()[0], UTC)

    days = last_hours(store, ["acme", "other", "nobody"], now=now)

    assert {name: whole_day(hours).synced for name, hours in days.items()} == {"acme": 1, "other": 2, "nobody": 0}
    assert sum(hour.synced for hour in together(days.values())) == 3
    assert sum(whole_day(together(days.values())).arrived.values()) == 3


def test_a_percentile_is_the_bound_that_so_many_kept():
    second, minute = timedelta(seconds=1), timedelta(minutes=1)
    arrived = {minute: 1, second: 18, LATER: 1}

    assert percentile(arrived, 0.5) == second
    assert percentile(arrived, 0.95) == minute
    assert percentile(arrived, 0.951) == LATER
    assert percentile({}, 0.5) is None
    assert percentile({second: 1}, 0.0) == second


# -- what it costs -----------------------------------------------------------------------------------

PER_HOUR_AT_MOST = 500


@SERVERS
def test_an_hour_in_which_everything_happened_is_small(ledger, store, claimed, request, record_property):
    sync(ledger, claimed)
    (key,) = store.keys("{tltw:acme}:counts:*")[:1]
    bounds = (250, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000, 900000, 3600000, 14400000)
    for name in (*COUNTED, "later", *(f"in{bound}" for bound in bounds)):
        store.hset(key, name, 123_456)

    figure = store.memory_usage(key, samples=0)

    record_property("an hour of figures", figure)
    kind = request.node.callspec.params["store"]
    print(f"{kind}: an hour of figures costs {figure} bytes (at most {PER_HOUR_AT_MOST})")
    assert figure <= PER_HOUR_AT_MOST
