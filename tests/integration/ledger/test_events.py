"""What comes in: an event is owed, folded into what is owed already, held, or known from before."""

from datetime import timedelta

import pytest

from workers.ledger import Cause, Marked, Outcome

WEBHOOK = frozenset({Cause.WEBHOOK})
DAY_SECONDS = 86_400


def test_the_first_event_of_a_subject_is_accepted_and_asks_for_a_wake_up(ledger):
    marked = ledger.mark("contact:1", WEBHOOK, event_id="e1")

    assert marked == Marked(accepted=True, wake=True)
    assert ledger.look("contact:1").owed
    assert ledger.books().pending == 1


def test_further_events_are_folded_into_what_is_owed_already(ledger):
    ledger.mark("contact:1", WEBHOOK)

    marks = [ledger.mark("contact:1", WEBHOOK) for _ in range(9)]

    assert marks == [Marked(accepted=True, wake=False)] * 9
    account = ledger.books()
    assert (account.accepted, account.coalesced, account.pending) == (10, 9, 1)


def test_one_run_settles_all_events_that_came_before_it(ledger, claimed):
    for number in range(10):
        ledger.mark("contact:1", WEBHOOK, event_id=f"e{number}")

    answer = ledger.commit(claimed(ledger), Outcome.SYNCED)

    assert answer == "settled"
    assert ledger.books().pending == 0
    assert not ledger.look("contact:1").owed


def test_a_claim_knows_every_cause_and_the_last_event(ledger, claimed):
    ledger.mark("contact:1", WEBHOOK, event_id="e1")
    ledger.mark("contact:1", frozenset({Cause.OPERATOR, Cause.SWEEP}), event_id="e2")
    ledger.mark("contact:1", WEBHOOK, event_id="e3")

    claim = claimed(ledger)

    assert claim.causes == {Cause.WEBHOOK, Cause.OPERATOR, Cause.SWEEP}
    assert claim.event_id == "e3"


def test_a_settled_subject_forgets_its_causes_but_not_its_last_sync(ledger, claimed):
    ledger.mark("contact:1", frozenset({Cause.OPERATOR}))
    ledger.commit(claimed(ledger), Outcome.SYNCED, source_updated_at="2026-11-22T10:00:00+01:00")

    ledger.mark("contact:1", WEBHOOK)

    assert claimed(ledger).causes == WEBHOOK
    state = ledger.look("contact:1")
    assert state.synced is not None
    assert state.source_updated_at == "2026-11-22T10:00:00+01:00"


def test_a_delayed_event_is_left_to_the_clock(ledger):
    marked = ledger.mark("contact:1", WEBHOOK, delay=timedelta(minutes=1))

    state = ledger.look("contact:1")
    assert marked == Marked(accepted=True, wake=False)
    assert state.due - state.wanted_since == timedelta(minutes=1)


def test_an_event_now_brings_a_delayed_one_forward(ledger):
    ledger.mark("contact:1", WEBHOOK, delay=timedelta(minutes=1))
    before = ledger.look("contact:1").due

    ledger.mark("contact:1", WEBHOOK)

    assert ledger.look("contact:1").due < before


def test_a_delayed_event_does_not_postpone_what_is_due(ledger):
    ledger.mark("contact:1", WEBHOOK)
    before = ledger.look("contact:1").due

    ledger.mark("contact:1", WEBHOOK, delay=timedelta(minutes=1))

    assert ledger.look("contact:1").due == before


def test_an_event_id_seen_before_changes_nothing(ledger):
    ledger.mark("contact:1", WEBHOOK, seen_id="msg_1")

    again = ledger.mark("contact:2", WEBHOOK, seen_id="msg_1")

    assert again == Marked(accepted=False, duplicate=True)
    assert ledger.look("contact:2") is None
    assert ledger.books().accepted == 1


def test_a_seen_event_id_is_forgotten_after_a_day(ledger, store):
    ledger.mark("contact:1", WEBHOOK, seen_id="msg_1")

    assert 0 < store.ttl(ledger.keys.seen("msg_1")) <= DAY_SECONDS


def test_the_same_event_id_in_another_integration_is_another_event(scripts, ledger):
    other = type(ledger)(scripts, "other")
    other.begin(auto_update=True)
    ledger.mark("contact:1", WEBHOOK, seen_id="msg_1")

    assert other.mark("contact:1", WEBHOOK, seen_id="msg_1").accepted


def test_with_much_owed_already_the_clock_sends_the_wake_ups(ledger):
    wakes = [ledger.mark(f"contact:{number}", WEBHOOK).wake for number in range(40)]

    assert wakes == [True] * 16 + [False] * 24


@pytest.mark.parametrize("causes", [WEBHOOK, frozenset({Cause.SWEEP, Cause.INVOICE}), frozenset({Cause.ADDED})])
def test_an_automatic_event_is_skipped_and_held_while_auto_update_is_off(ledger, causes):
    ledger.set_auto_update(False)

    marked = ledger.mark("contact:1", causes)

    state = ledger.look("contact:1")
    assert marked == Marked(accepted=False, skipped_reason="auto_update_off")
    assert (state.outcome, state.reason, state.held, state.owed) == ("skipped", "auto_update_off", True, False)
    assert ledger.counts()["skipped:auto_update_off"] == 1


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.REPLAY, Cause.INVOICE_MANUAL, Cause.DELETED])
def test_what_a_person_asks_for_is_accepted_while_auto_update_is_off(ledger, cause):
    ledger.set_auto_update(False)

    assert ledger.mark("contact:1", frozenset({cause})) == Marked(accepted=True, wake=True)


def test_the_activity_tells_the_story_of_a_subject_in_order(ledger, claimed):
    ledger.mark("contact:1", WEBHOOK, event_id="e1")
    ledger.commit(claimed(ledger), Outcome.SKIPPED, reason="unknown_in_twikey")

    story = [(line.subject, line.what, line.detail, line.event_id) for line in ledger.activity()]

    assert story == [("contact:1", "marked", "w", "e1"), ("contact:1", "skipped", "unknown_in_twikey", "e1")]


def test_a_million_events_would_need_no_more_memory_than_one(ledger, store):
    ledger.mark("contact:1", WEBHOOK, event_id="e")
    fields = store.hlen(ledger.keys.subject("contact:1"))

    for _ in range(100):
        ledger.mark("contact:1", WEBHOOK, event_id="e")

    assert store.hlen(ledger.keys.subject("contact:1")) == fields
    assert store.zcard(ledger.keys.due) == 1
