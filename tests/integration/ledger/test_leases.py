"""Who works: one worker per subject, until it ends, or its lease does and another takes over."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from workers.ledger import Cause, Claim, Ledger, Outcome, Refusal
from workers.ledger.ledger import LEASE

WEBHOOK = frozenset({Cause.WEBHOOK})
KILLS = 5


@pytest.fixture(autouse=True)
def owed(ledger):
    """Every test here begins with one owed subject."""
    ledger.mark("contact:1", WEBHOOK, event_id="e1")


@pytest.fixture
def killed(hasty, claimed):
    """Claims and never comes back: what a kill -9 leaves behind."""

    def killed(subject="contact:1"):
        claim = claimed(hasty, subject)
        time.sleep(0.003)
        return claim

    return killed


# -- one at a time ---------------------------------------------------------------------------------------------------


def test_a_subject_that_is_worked_on_is_refused_until_the_lease_ends(ledger, claimed):
    claim = claimed(ledger)

    refusal = ledger.claim("contact:1")

    assert refusal == Refusal("leased", claim.at + LEASE)


def test_of_many_workers_at_once_exactly_one_gets_the_subject(ledger):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ledger.claim("contact:1"), range(32)))

    assert sum(isinstance(answer, Claim) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, Refusal)} == {"leased"}


def test_other_subjects_are_free_meanwhile(ledger, claimed):
    claimed(ledger)
    ledger.mark("contact:2", WEBHOOK)

    assert claimed(ledger, "contact:2").subject == "contact:2"


@pytest.mark.parametrize("subject", ["contact:never-heard-of", "contact:1"])
def test_nothing_is_claimed_when_nothing_is_owed(ledger, claimed, subject):
    ledger.commit(claimed(ledger), Outcome.SYNCED)

    assert ledger.claim(subject) == Refusal("settled", None)


# -- still mine? -----------------------------------------------------------------------------------------------------


def test_the_holder_is_told_that_it_may_go_on(ledger, claimed):
    claim = claimed(ledger)

    assert ledger.still_mine(claim, "twikey", automatic=True, writes=True) == "mine"


def test_asking_starts_the_lease_anew(ledger, claimed):
    claim = claimed(ledger)
    time.sleep(0.01)

    ledger.still_mine(claim, "twikey", automatic=True, writes=False)

    state = ledger.look("contact:1")
    assert state.leased_until >= claim.at + LEASE + timedelta(milliseconds=10)
    assert state.due == state.leased_until


def test_a_worker_whose_lease_ended_may_go_on_while_nobody_took_over(ledger, killed):
    claim = killed()

    assert ledger.still_mine(claim, "twikey", automatic=True, writes=True) == "mine"
    assert ledger.claim("contact:1").reason == "leased"


@pytest.mark.parametrize("writes", [True, False])
def test_a_worker_that_was_overtaken_may_not_go_on(ledger, claimed, killed, writes):
    slow = killed()
    claimed(ledger)

    assert ledger.still_mine(slow, "twikey", automatic=True, writes=writes) == "lost"


def test_a_worker_may_not_go_on_after_another_settled_the_subject(ledger, claimed, killed):
    slow = killed()
    ledger.commit(claimed(ledger), Outcome.GONE)

    assert ledger.still_mine(slow, "twikey", automatic=True, writes=True) == "lost"


# -- it changed meanwhile --------------------------------------------------------------------------------------------


def test_an_event_during_the_work_makes_it_due_again_at_once(ledger, claimed, now):
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    answer = ledger.commit(claim, Outcome.SYNCED)

    state = ledger.look("contact:1")
    assert answer == "again"
    assert state.owed
    assert state.due <= now()
    assert ledger.commit(claimed(ledger), Outcome.SYNCED) == "settled"


def test_an_event_during_the_work_asks_for_no_wake_up(ledger, claimed):
    claim = claimed(ledger)

    marked = ledger.mark("contact:1", WEBHOOK)

    assert not marked.wake
    assert ledger.look("contact:1").due == claim.at + LEASE


# -- taking over -----------------------------------------------------------------------------------------------------


def test_when_a_worker_is_killed_another_takes_over_after_the_lease(ledger, claimed, killed):
    dead = killed()

    claim = claimed(ledger)

    assert claim.token != dead.token
    assert claim.causes == WEBHOOK


def test_a_takeover_must_write_because_nobody_knows_what_was_written(ledger, claimed, killed):
    ledger.commit(claimed(ledger), Outcome.SYNCED, fingerprint="print")
    ledger.mark("contact:1", WEBHOOK)
    killed()

    assert claimed(ledger).must_write


def test_a_takeover_is_looked_at_once_more_two_leases_later(scripts, ledger, claimed, killed):
    killed()
    short = Ledger(scripts, "acme", lease=timedelta(milliseconds=40))

    answer = short.commit(claimed(short), Outcome.SYNCED)

    state = ledger.look("contact:1")
    assert answer == "verify"
    assert state.owed
    assert timedelta(milliseconds=80) <= state.due - state.synced <= timedelta(milliseconds=81)
    time.sleep(0.1)
    verifying = claimed(ledger)
    assert verifying.must_write
    assert ledger.commit(verifying, Outcome.SYNCED) == "settled"


def test_a_run_before_the_verification_is_due_does_not_replace_it(ledger, claimed, killed):
    killed()
    ledger.commit(claimed(ledger), Outcome.SYNCED)
    planned = ledger.look("contact:1").due
    ledger.mark("contact:1", WEBHOOK)

    answer = ledger.commit(claimed(ledger), Outcome.SYNCED)

    assert answer == "verify"
    assert ledger.look("contact:1").due == planned


def test_a_failure_after_a_takeover_keeps_the_verification(ledger, claimed, killed):
    killed()
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable")

    claim = claimed(ledger)

    assert claim.must_write
    assert ledger.commit(claim, Outcome.SYNCED) == "verify"


@pytest.mark.parametrize("end", ["skipped", "dead"])
def test_a_takeover_that_was_not_put_right_leaves_no_fingerprint_behind(scripts, ledger, claimed, killed, end):
    """Otherwise an edit there and back would look like what Twikey has, while a late write left something older there."""
    killed()
    short = Ledger(scripts, "acme", lease=timedelta(milliseconds=40))
    short.commit(claimed(short), Outcome.SYNCED, fingerprint="print")
    time.sleep(0.1)
    verifying = claimed(ledger)

    if end == "dead":
        ledger.fail(verifying, "dead", reason="refused")
    else:
        ledger.commit(verifying, Outcome.SKIPPED, reason="auto_update_off", hold=True)

    ledger.mark("contact:1", WEBHOOK)
    assert claimed(ledger).fingerprint == ""


@pytest.mark.parametrize("end", ["commit", "retry", "defer", "dead"])
def test_an_overtaken_worker_that_ends_makes_the_subject_owed_for_its_causes(ledger, claimed, killed, end):
    slow = killed()
    ledger.commit(claimed(ledger), Outcome.GONE)

    answer = ledger.commit(slow, Outcome.SYNCED) if end == "commit" else ledger.fail(slow, end, reason="late")

    state = ledger.look("contact:1")
    assert answer == "lost"
    assert state.owed
    assert state.causes == WEBHOOK
    assert ledger.dead_count() == 0


def test_an_overtaken_worker_that_ends_during_the_next_work_has_it_done_again(ledger, claimed, killed):
    slow = killed()
    current = claimed(ledger)

    ledger.commit(slow, Outcome.SYNCED)

    assert ledger.still_mine(current, "twikey", automatic=True, writes=True) == "mine"
    assert ledger.commit(current, Outcome.SYNCED) == "again"


def test_after_an_overtaken_worker_ended_the_next_run_must_write(ledger, claimed, killed):
    slow = killed()
    ledger.fail(claimed(ledger), "dead", reason="refused")
    ledger.mark("contact:1", WEBHOOK)
    current = claimed(ledger)
    ledger.commit(slow, Outcome.SYNCED)
    ledger.commit(current, Outcome.SYNCED, fingerprint="newer")

    # Nobody knows which of the two writes came last, whatever the fingerprint of the second says.
    assert claimed(ledger).must_write


# -- fingerprints ----------------------------------------------------------------------------------------------------


def test_the_fingerprint_of_a_write_is_known_to_the_next_claim(ledger, claimed):
    ledger.commit(claimed(ledger), Outcome.SYNCED, fingerprint="print")
    ledger.mark("contact:1", WEBHOOK)

    claim = claimed(ledger)

    assert claim.fingerprint == "print"
    assert not claim.must_write


@pytest.mark.parametrize(("writes", "known"), [(True, ""), (False, "print")])
def test_while_a_write_is_uncertain_there_is_no_fingerprint(ledger, claimed, writes, known):
    ledger.commit(claimed(ledger), Outcome.SYNCED, fingerprint="print")
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)

    ledger.still_mine(claim, "twikey", automatic=True, writes=writes)
    ledger.fail(claim, "retry", reason="upstream_unavailable")

    assert claimed(ledger).fingerprint == known


def test_a_refused_write_leaves_the_fingerprint(ledger, claimed):
    ledger.commit(claimed(ledger), Outcome.SYNCED, fingerprint="print")
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)
    ledger.set_auto_update(False)

    assert ledger.still_mine(claim, "twikey", automatic=True, writes=True) == "off"
    ledger.fail(claim, "defer", reason="off")

    assert claimed(ledger).fingerprint == "print"


# -- killing ---------------------------------------------------------------------------------------------------------


def test_work_that_kills_its_worker_again_and_again_becomes_a_dead_letter(ledger, killed):
    for _ in range(KILLS):
        killed()

    refusal = ledger.claim("contact:1")

    assert refusal.reason == "kills_worker"
    [letter] = ledger.dead_letters()
    assert (letter.story.reason, letter.story.attempts) == ("kills_worker", KILLS)
    assert ledger.books().dead == 1
    assert ledger.claim("contact:1").reason == "settled"


def test_work_that_ends_now_and_then_is_not_blamed_for_kills(ledger, claimed, killed):
    for _ in range(3):
        for _ in range(KILLS - 2):
            killed()
        ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable")

    assert claimed(ledger)


def test_a_replayed_dead_letter_may_be_claimed_again(ledger, claimed, killed):
    for _ in range(KILLS):
        killed()
    ledger.claim("contact:1")

    ledger.mark("contact:1", frozenset({Cause.REPLAY}))

    assert claimed(ledger).causes == {Cause.REPLAY}
