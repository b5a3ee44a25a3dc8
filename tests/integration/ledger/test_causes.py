"""Why a subject is owed decides what may be done for it; a reason that was served must not linger."""

import time

import pytest

from workers.ledger import Cause, Outcome

WEBHOOK, OPERATOR = frozenset({Cause.WEBHOOK}), frozenset({Cause.OPERATOR})


def test_an_operators_cause_that_was_served_does_not_let_a_later_event_through(ledger, claimed):
    ledger.mark("contact:1", OPERATOR)
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    assert ledger.commit(claim, Outcome.SYNCED) == "again"

    assert claimed(ledger).causes == WEBHOOK


def test_what_was_owed_before_a_crash_is_owed_after_it(ledger, hasty, claimed):
    ledger.mark("contact:1", OPERATOR)
    claimed(hasty)
    time.sleep(0.005)
    ledger.mark("contact:1", WEBHOOK)

    assert claimed(ledger).causes == WEBHOOK | OPERATOR


def test_an_automatic_event_served_together_with_an_operators_while_off_is_held_for_the_full_update(ledger, claimed):
    ledger.mark("contact:1", WEBHOOK)
    ledger.set_auto_update(False)
    ledger.mark("contact:1", OPERATOR)

    ledger.commit(claimed(ledger), Outcome.SYNCED)

    assert ledger.look("contact:1").held
    ledger.set_auto_update(True)
    ledger.release_held(10)
    assert claimed(ledger).causes == WEBHOOK


@pytest.mark.parametrize(("subject", "kept"), [("invoice:1", False), ("contact:1", True)])
def test_memory_grows_with_customers_and_not_with_invoices(ledger, claimed, store, subject, kept):
    ledger.mark(subject, WEBHOOK)

    ledger.commit(claimed(ledger, subject), Outcome.SYNCED)

    assert (store.ttl(ledger.keys.subject(subject)) == -1) is kept
    ledger.mark(subject, WEBHOOK)
    assert store.ttl(ledger.keys.subject(subject)) == -1


def test_a_pause_is_not_undone_by_what_we_find_out_ourselves(ledger):
    ledger.set_state("paused")

    assert not ledger.change_state(before="active", after="reconnect_needed")
    assert not ledger.change_state(before="reconnect_needed", after="active")
    assert ledger.state() == "paused"


def test_a_probe_that_did_not_have_to_ask_lets_the_next_one_probe_at_once(ledger, claimed, store):
    ledger.mark("contact:1", WEBHOOK)
    ledger.mark("contact:2", WEBHOOK)
    store.hset(ledger.keys.circuit("twikey"), mapping={"n": 5, "u": 1})
    probe = claimed(ledger)
    assert probe.probing

    ledger.commit(probe, Outcome.UNCHANGED, answered=["teamleader"])

    assert claimed(ledger, "contact:2").probing
