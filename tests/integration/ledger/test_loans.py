"""Writers that are no workers: while a customer is lent nobody else writes it, and nothing that happens meanwhile is lost."""

import time
from datetime import timedelta

import pytest

from workers.ledger import Cause, Claim, Ledger, Loan, Outcome, Refusal, due
from workers.loans import borrow

WEBHOOK = frozenset({Cause.WEBHOOK})


@pytest.fixture
def lent(ledger: Ledger) -> Loan:
    loan = ledger.borrow("contact:1")
    assert isinstance(loan, Loan)
    return loan


def test_a_customer_nobody_heard_of_can_be_lent_and_leaves_no_trace(ledger, lent):
    assert ledger.still_lent(lent, writes=True) == "mine"
    assert ledger.give_back(lent) == "mine"

    assert ledger.look("contact:1") is None
    assert ledger.books().accepted == 0


def test_a_worker_is_refused_while_it_is_lent_and_let_in_at_once_afterwards(ledger, lent):
    ledger.mark("contact:1", WEBHOOK)
    refusal = ledger.claim("contact:1")

    ledger.give_back(lent)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "leased"
    assert due(ledger.scripts, most=10, share=10).wake == (("acme", "contact:1"),)
    assert isinstance(ledger.claim("contact:1"), Claim)


def test_an_event_during_a_loan_that_never_comes_back_is_due_at_its_end(ledger, hasty):
    loan = hasty.borrow("contact:1")
    assert isinstance(loan, Loan)
    kept = Ledger(ledger.scripts, "acme", lease=timedelta(milliseconds=60))
    kept.still_lent(loan, writes=True)

    ledger.mark("contact:1", WEBHOOK)

    assert ledger.books().pending == 1
    time.sleep(0.08)
    assert due(ledger.scripts, most=10, share=10).wake == (("acme", "contact:1"),)
    claim = ledger.claim("contact:1")
    assert isinstance(claim, Claim)
    assert claim.must_write  # the borrower may be slow and still write


def test_it_is_not_lent_while_a_worker_has_it_or_another_borrower(ledger, claimed, lent):
    ledger.mark("contact:2", WEBHOOK)
    claimed(ledger, "contact:2")

    assert ledger.borrow("contact:1") == "leased"
    assert ledger.borrow("contact:2") == "leased"


def test_a_borrower_that_was_overtaken_is_told_before_it_writes(ledger, hasty):
    loan = hasty.borrow("contact:1")
    assert isinstance(loan, Loan)
    time.sleep(0.003)
    other = ledger.borrow("contact:1")

    assert isinstance(other, Loan)
    assert ledger.still_lent(loan, writes=True) == "lost"
    assert ledger.give_back(loan) == "lost"
    assert ledger.still_lent(other, writes=True) == "mine"


@pytest.mark.parametrize("known", [False, True])
def test_what_a_borrower_brought_counts_once_and_moves_no_books(ledger, claimed, known):
    if known:
        ledger.mark("contact:1", WEBHOOK)
        ledger.commit(claimed(ledger), Outcome.SYNCED, source_updated_at="2026-11-23T10:00:00+00:00")
    before, books = ledger.look("contact:1"), ledger.books()

    for _ in range(2):
        loan = ledger.borrow("contact:1")
        time.sleep(0.002)
        ledger.give_back(loan, brought=True, source_updated_at="2026-11-22T10:00:00+00:00")

    state = ledger.look("contact:1")
    assert ledger.counts()["customers"] == 1
    assert state.synced > (before.synced if before else state.synced - timedelta(hours=1))
    assert state.source_updated_at == f"2026-11-{23 if known else 22}T10:00:00+00:00"
    assert (state.owed, state.leased_until, ledger.books()) == (False, None, books)


def test_what_was_brought_and_is_then_gone_no_longer_counts(ledger, claimed, lent):
    ledger.give_back(lent, brought=True)
    ledger.mark("contact:1", WEBHOOK)

    ledger.commit(claimed(ledger), Outcome.GONE)

    assert ledger.counts()["customers"] == 0
    assert ledger.look("contact:1").synced is None


def test_a_borrower_that_was_overtaken_or_whose_integration_was_removed_brought_nothing(ledger, hasty):
    overtaken = hasty.borrow("contact:1")
    time.sleep(0.003)
    last = ledger.borrow("contact:1")

    hasty.give_back(overtaken, brought=True)
    ledger.set_state("closed")
    ledger.give_back(last, brought=True)

    assert "customers" not in ledger.counts()
    assert ledger.look("contact:1") is None


def overtaken(ledger, hasty, subject, *, writes):
    """Somebody else had the customer before it was given back."""
    with borrow(hasty, [subject]) as loans:
        loans.check(writes=writes)
        time.sleep(0.003)
        other = ledger.borrow(subject)
    ledger.give_back(other)
    return ledger.look(subject)


@pytest.mark.parametrize("writes", [True, False])
def test_who_was_overtaken_and_may_have_written_after_the_other_has_it_looked_at_again(ledger, hasty, writes):
    assert getattr(overtaken(ledger, hasty, "contact:1", writes=writes), "owed", False) is writes


def test_one_that_is_not_in_teamleader_is_never_owed(ledger, hasty):
    assert overtaken(ledger, hasty, "number:K.1001", writes=True) is None


def test_after_a_write_by_a_borrower_the_next_event_writes_whatever_was_written_last(ledger, claimed):
    ledger.mark("contact:1", WEBHOOK)
    ledger.commit(claimed(ledger), Outcome.SYNCED, fingerprint="v1")
    loan = ledger.borrow("contact:1")
    assert isinstance(loan, Loan)

    ledger.still_lent(loan, writes=False)
    ledger.give_back(loan)
    ledger.mark("contact:1", WEBHOOK)
    only_read = claimed(ledger)
    ledger.commit(only_read, Outcome.UNCHANGED, fingerprint="v1")
    loan = ledger.borrow("contact:1")
    ledger.still_lent(loan, writes=True)
    ledger.give_back(loan)
    ledger.mark("contact:1", WEBHOOK)

    assert only_read.fingerprint == "v1"
    assert claimed(ledger).fingerprint == ""


def test_nothing_is_lent_while_the_integration_is_held_or_twikey_wants_a_pause(ledger, lent):
    ledger.give_back(lent, twikey_wants_none_for=timedelta(minutes=1))
    paused = ledger.borrow("contact:1")
    ledger.scripts.store.delete(ledger.keys.pause("twikey"))  # a minute later
    ledger.set_state("paused")

    assert paused == "paused"
    assert ledger.borrow("contact:1") == "held"
    assert ledger.still_lent(lent, writes=True) == "lost"


def test_a_shorter_pause_does_not_end_a_longer_one(ledger, lent):
    ledger.give_back(lent, twikey_wants_none_for=timedelta(seconds=60))
    ledger.give_back(lent, twikey_wants_none_for=timedelta(milliseconds=1))
    time.sleep(0.003)

    assert ledger.borrow("contact:1") == "paused"
