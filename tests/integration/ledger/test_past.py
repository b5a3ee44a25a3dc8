"""The past of a customer: what its record remembers of its story, in how little."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from workers import audit
from workers.ledger import Cause, Outcome, Story
from workers.ledger.records import Turn

WEBHOOK, OPERATOR = frozenset({Cause.WEBHOOK}), frozenset({Cause.OPERATOR})
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
IN_MEMORY = pytest.mark.parametrize("store", ["fakeredis"], indirect=True)


@pytest.fixture
def past(ledger):
    def past(subject="contact:1"):
        return ledger.look(subject).past

    return past


@pytest.fixture
def sync(ledger, claimed):
    def sync(outcome=Outcome.SYNCED, *, causes=WEBHOOK, reason="", subject="contact:1"):
        ledger.mark(subject, causes)
        ledger.commit(claimed(ledger, subject), outcome, reason=reason)

    return sync


def whats(turns):
    return [(turn.what, turn.reason, turn.times) for turn in turns]


def test_what_is_owed_for_the_first_time_has_no_past(ledger, past):
    ledger.mark("contact:1", WEBHOOK)

    assert past() == ()


@IN_MEMORY
def test_a_turn_tells_event_claim_and_outcome(ledger, claimed, past):
    with time_machine.travel(NOON, tick=False) as clock:
        ledger.mark("contact:1", WEBHOOK | OPERATOR)
        clock.shift(timedelta(seconds=2))
        claim = claimed(ledger)
        clock.shift(timedelta(milliseconds=850))
        ledger.commit(claim, Outcome.SYNCED, reason="without_company_name")

    assert past() == (
        Turn(
            at=NOON + timedelta(milliseconds=2850),
            what="synced",
            reason="without_company_name",
            causes=WEBHOOK | OPERATOR,
            waited=timedelta(milliseconds=2850),
            worked=timedelta(milliseconds=850),
        ),
    )


def test_turns_are_told_newest_first(past, sync):
    sync()
    sync(Outcome.GONE)

    assert whats(past()) == [("gone", "", 1), ("synced", "", 1)]


def test_every_sync_is_a_turn_but_what_brings_nothing_new_is_counted(past, sync):
    sync()
    sync()
    for _ in range(40):
        sync(Outcome.UNCHANGED, causes=frozenset({Cause.SWEEP}))

    assert whats(past()) == [("unchanged", "", 40), ("synced", "", 1), ("synced", "", 1)]


def test_the_same_for_another_reason_is_another_turn(past, sync):
    sync(Outcome.SKIPPED, reason="unknown_in_twikey")
    sync(Outcome.SKIPPED, reason="unknown_in_twikey")
    sync(Outcome.SKIPPED, reason="already_known")

    assert whats(past()) == [("skipped", "already_known", 1), ("skipped", "unknown_in_twikey", 2)]


def test_failed_attempts_are_counted_until_it_dies(ledger, claimed, past):
    ledger.mark("contact:1", WEBHOOK)
    for _ in range(3):
        ledger.fail(claimed(ledger), "retry", reason="unavailable")
    ledger.fail(claimed(ledger), "defer", reason="throttled")
    ledger.fail(claimed(ledger), "dead", reason="refused", story=Story("refused"))

    assert whats(past()) == [
        ("dead", "refused", 1),
        ("defer", "throttled", 1),
        ("retry", "unavailable", 3),
    ]
    assert past()[0].worked is not None


def test_events_while_auto_update_is_off_are_counted(ledger, past):
    ledger.set_auto_update(False)
    for _ in range(3):
        ledger.mark("contact:1", WEBHOOK)

    (turn,) = past()

    assert (turn.what, turn.reason, turn.causes, turn.times) == ("skipped", "auto_update_off", WEBHOOK, 3)
    assert turn.waited is turn.worked is None


def test_what_was_done_and_is_looked_at_again_says_why(ledger, claimed, past):
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)
    ledger.commit(claim, Outcome.SYNCED)
    ledger.fail(claimed(ledger), "retry", reason="unavailable", api="twikey", may_land_later=True)
    ledger.commit(claimed(ledger), Outcome.SYNCED)

    assert whats(past()) == [("verify", "synced", 1), ("retry", "unavailable", 1), ("again", "synced", 1)]


def test_a_worker_that_was_overtaken_is_told(ledger, hasty, claimed, past):
    ledger.mark("contact:1", WEBHOOK)
    slow = hasty.claim("contact:1")
    time.sleep(0.003)

    ledger.commit(claimed(ledger), Outcome.SYNCED)
    ledger.commit(slow, Outcome.SYNCED)

    assert [turn.what for turn in past()] == ["lost", "verify"]


def test_what_somebody_did_is_named_by_its_entry_in_the_audit_log(ledger, past, sync, store):
    sync()
    entry = audit.note(store, by="operator:an", what="refresh", integration="acme", subject="contact:1")

    ledger.noted("contact:1", entry)
    ledger.noted("contact:never-heard-of", entry)

    newest = past()[0]
    assert (newest.what, newest.noted) == ("noted", entry)
    assert ledger.look("contact:never-heard-of") is None


def test_a_removed_integration_takes_no_notes(ledger, store):
    ledger.set_state("closed")
    store.hset(ledger.keys.subject("contact:1"), "o", "synced")

    ledger.noted("contact:1", "1-1")

    assert ledger.look("contact:1").past == ()


# -- what it costs -----------------------------------------------------------------------------------


def test_a_long_life_keeps_its_latest_turns_and_its_record_small(ledger, past, sync, store):
    for number in range(60):
        sync(Outcome.SKIPPED, reason=("unknown_in_twikey", "already_known")[number % 2])
        entry = audit.note(store, by="operator:an", what="refresh")
        ledger.noted("contact:1", entry)
        sync()

    turns = past()
    record = store.hgetall(ledger.keys.subject("contact:1"))
    assert turns[0].what == "synced"
    assert len(turns) >= 4
    assert sorted(turns, key=lambda turn: turn.at, reverse=True) == list(turns)
    assert max(len(value) for value in record.values()) < 64  # else the store would keep it in a far larger form


@pytest.mark.parametrize("store", ["valkey", "redis"], indirect=True)
def test_the_record_with_a_full_past_stays_in_its_small_form(ledger, sync, store):
    for number in range(20):
        sync(Outcome.SKIPPED, reason=("unknown_in_twikey", "already_known")[number % 2])
        sync()

    assert store.object("ENCODING", ledger.keys.subject("contact:1")) == b"listpack"


def test_a_reason_of_any_length_does_no_harm(past, sync):
    sync(Outcome.SKIPPED, reason="r" * 500)
    sync(Outcome.SKIPPED, reason="r" * 500)

    assert whats(past()) == [("skipped", "r" * 32, 2)]


def test_the_activity_stream_has_the_durations_too(ledger, claimed):
    ledger.mark("contact:1", WEBHOOK)
    ledger.fail(claimed(ledger), "retry", reason="unavailable")

    marked, failed = ledger.activity()

    assert (marked.waited, marked.worked) == (None, None)
    assert failed.waited >= failed.worked >= timedelta(0)
