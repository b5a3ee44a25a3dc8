"""What goes wrong: again later, wait for the API, or a dead letter that waits for a person."""

import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from config.keys import NEXT_DUE
from workers.ledger import Cause, Claim, Ledger, Outcome, Story, due
from workers.ledger import ledger as ledger_module
from workers.ledger.ledger import CIRCUIT_LONGEST, CIRCUIT_OPENS_AFTER, LEASE

WEBHOOK = frozenset({Cause.WEBHOOK})
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def owed(ledger):
    """Every test here begins with one owed subject."""
    ledger.mark("contact:1", WEBHOOK, event_id="e1")


@pytest.fixture
def fail_at_api(ledger, claimed):
    """Fails work on fresh subjects, as an API does that is down."""

    def fail_at_api(times):
        for number in range(times):
            subject = f"contact:down-{number}"
            ledger.mark(subject, WEBHOOK)
            ledger.fail(claimed(ledger, subject), "retry", reason="down", api="twikey", api_failed=True, delay=MINUTE)

    return fail_at_api


@pytest.fixture
def circuits_stay_open(monkeypatch):
    """For longer than this machine may stand still."""
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", MINUTE)


# -- again, later ----------------------------------------------------------------------------------------------------


def test_a_retry_is_due_after_its_delay_and_counts_as_an_attempt(ledger, claimed, now):
    before = now()

    answer = ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable", delay=MINUTE)

    state = ledger.look("contact:1")
    assert answer == "retry"
    assert (state.owed, state.attempts, state.leased_until) == (True, 1, None)
    assert before + MINUTE <= state.due <= now() + MINUTE


def test_a_write_that_got_no_answer_is_looked_at_once_more_after_the_next_success(ledger, claimed, now):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable", api="twikey", may_land_later=True)

    again, before = claimed(ledger), now()
    answer = ledger.commit(again, Outcome.SYNCED)

    assert again.must_write
    assert answer == "verify"
    assert before + 2 * LEASE <= ledger.look("contact:1").due <= now() + 2 * LEASE


def test_attempts_add_up_and_the_first_failure_is_remembered(ledger, claimed):
    claims = []
    for _ in range(3):
        claims.append(claimed(ledger))
        ledger.fail(claims[-1], "retry", reason="upstream_unavailable")
        time.sleep(0.002)

    last = claimed(ledger)

    assert [claim.attempts for claim in [*claims, last]] == [0, 1, 2, 3]
    assert claims[0].first_failed is None
    assert last.first_failed == claims[1].first_failed


def test_an_attempt_is_counted_once_it_failed(ledger, claimed):
    claim = claimed(ledger)
    first = ledger.look("contact:1").attempts
    ledger.fail(claim, "retry", reason="upstream_unavailable")
    claimed(ledger)

    assert (first, ledger.look("contact:1").attempts) == (0, 1)


def test_a_success_forgets_the_attempts(ledger, claimed):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable")
    ledger.commit(claimed(ledger), Outcome.SYNCED)
    ledger.mark("contact:1", WEBHOOK)

    claim = claimed(ledger)

    assert (claim.attempts, claim.first_failed) == (0, None)


def test_a_success_forgets_the_attempts_also_when_it_is_looked_at_again(ledger, claimed):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable")
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    answer = ledger.commit(claim, Outcome.SYNCED)

    after = claimed(ledger)
    assert (answer, after.attempts, after.first_failed) == ("again", 0, None)


def test_a_success_forgets_the_attempts_also_when_a_late_write_is_feared(ledger, claimed):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable", may_land_later=True)

    answer = ledger.commit(claimed(ledger), Outcome.SYNCED)

    after = claimed(ledger)
    assert (answer, after.attempts, after.first_failed) == ("verify", 0, None)


def test_a_failure_does_not_delay_an_event_that_came_during_the_work(ledger, claimed):
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    ledger.fail(claim, "retry", reason="upstream_unavailable", delay=timedelta(minutes=15))

    assert ledger.look("contact:1").due <= datetime.now(UTC) + timedelta(seconds=1)


def test_an_event_brings_a_waiting_retry_forward(ledger, claimed):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable", delay=timedelta(minutes=15))

    ledger.mark("contact:1", WEBHOOK)

    assert ledger.look("contact:1").due <= datetime.now(UTC)


# -- an API asks us to wait ------------------------------------------------------------------------------------------


def test_a_deferral_uses_up_no_attempt(ledger, claimed):
    ledger.fail(claimed(ledger), "defer", reason="throttled")

    assert claimed(ledger).attempts == 0


def test_a_deferral_with_a_delay_pauses_the_api_for_all_subjects(ledger, claimed, now):
    ledger.mark("contact:2", WEBHOOK)
    before = now()

    ledger.fail(claimed(ledger), "defer", reason="throttled", api="twikey", delay=MINUTE)

    refusal = ledger.claim("contact:2")
    assert refusal.reason == "paused"
    assert before + MINUTE <= refusal.again_at <= now() + MINUTE + timedelta(seconds=2)
    assert ledger.look("contact:2").due == refusal.again_at


def test_a_pause_stops_work_that_had_begun(ledger, claimed):
    ledger.mark("contact:2", WEBHOOK)
    begun = claimed(ledger, "contact:2")

    ledger.fail(claimed(ledger), "defer", reason="throttled", api="twikey", delay=MINUTE)

    assert ledger.still_mine(begun, "twikey", automatic=True, writes=True) == "paused"
    assert ledger.still_mine(begun, "teamleader", automatic=True, writes=False) == "mine"


def test_a_pause_ends_by_itself(ledger, claimed):
    ledger.fail(claimed(ledger), "defer", reason="throttled", delay=timedelta(milliseconds=20))
    time.sleep(0.03)

    assert claimed(ledger)


def test_a_pause_of_one_integration_leaves_another_alone(scripts, ledger, claimed):
    other = Ledger(scripts, "other")
    other.begin(auto_update=True)
    other.mark("contact:1", WEBHOOK)

    ledger.fail(claimed(ledger), "defer", reason="throttled", delay=MINUTE)

    assert claimed(other)


# -- circuits --------------------------------------------------------------------------------------------------------


def test_a_few_failures_leave_the_circuit_closed(ledger, claimed, fail_at_api):
    fail_at_api(CIRCUIT_OPENS_AFTER - 1)

    assert not claimed(ledger).probing


@pytest.mark.usefixtures("circuits_stay_open")
def test_many_failures_in_a_row_open_the_circuit(ledger, fail_at_api, now):
    fail_at_api(CIRCUIT_OPENS_AFTER)

    refusal = ledger.claim("contact:1")

    assert refusal.reason == "circuit_open"
    assert refusal.again_at <= now() + MINUTE + timedelta(seconds=2)


def test_a_success_in_between_keeps_the_circuit_closed(ledger, claimed, fail_at_api):
    fail_at_api(CIRCUIT_OPENS_AFTER - 1)
    ledger.commit(claimed(ledger), Outcome.SYNCED, answered=("twikey",))
    ledger.mark("contact:1", WEBHOOK)

    fail_at_api(CIRCUIT_OPENS_AFTER - 1)

    assert claimed(ledger)


@pytest.mark.usefixtures("circuits_stay_open")
def test_a_success_at_the_other_api_does_not_count(ledger, claimed, fail_at_api):
    fail_at_api(CIRCUIT_OPENS_AFTER - 1)
    ledger.commit(claimed(ledger), Outcome.SKIPPED, answered=("teamleader",))
    ledger.mark("contact:1", WEBHOOK)

    fail_at_api(1)

    assert ledger.claim("contact:1").reason == "circuit_open"


@pytest.fixture
def opened_and_over(monkeypatch, fail_at_api):
    """A circuit that opened, and whose shortest time is up."""
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", timedelta(milliseconds=1))
    fail_at_api(CIRCUIT_OPENS_AFTER)
    time.sleep(0.005)


@pytest.mark.usefixtures("opened_and_over")
def test_when_its_time_is_up_the_circuit_lets_one_worker_through(ledger, claimed):
    ledger.mark("contact:2", WEBHOOK)

    probe = claimed(ledger)

    assert probe.probing
    assert ledger.claim("contact:2").reason == "circuit_open"


@pytest.mark.usefixtures("opened_and_over")
def test_a_probe_that_succeeds_closes_the_circuit(ledger, claimed):
    ledger.mark("contact:2", WEBHOOK)

    ledger.commit(claimed(ledger), Outcome.SYNCED, answered=("twikey",))

    assert not claimed(ledger, "contact:2").probing


@pytest.mark.usefixtures("opened_and_over")
def test_a_probe_that_dies_for_the_customers_own_fault_closes_the_circuit_too(ledger, claimed):
    ledger.mark("contact:2", WEBHOOK)

    ledger.fail(claimed(ledger), "dead", reason="refused", answered=("twikey",))

    assert not claimed(ledger, "contact:2").probing


@pytest.mark.usefixtures("opened_and_over")
def test_a_probe_that_fails_opens_the_circuit_for_longer(ledger, claimed, monkeypatch, now):
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", MINUTE)
    probe, before = claimed(ledger), now()

    ledger.fail(probe, "retry", reason="down", api="twikey", api_failed=True)

    refusal = ledger.claim("contact:1")
    assert refusal.reason == "circuit_open"
    assert before + 2 * MINUTE <= refusal.again_at <= now() + 2 * MINUTE + timedelta(seconds=2)


@pytest.mark.usefixtures("opened_and_over")
def test_while_one_probes_the_others_come_back_soon_and_not_when_its_lease_would_end(ledger, claimed):
    ledger.mark("contact:2", WEBHOOK)
    claimed(ledger)

    refusal = ledger.claim("contact:2")

    assert refusal.reason == "circuit_open"
    assert refusal.again_at - datetime.now(UTC) < timedelta(seconds=3)


@pytest.mark.usefixtures("opened_and_over")
def test_the_clock_looks_soon_whether_the_probe_closed_the_circuit(scripts, ledger, claimed, store):
    claimed(ledger)

    assert due(scripts, most=10, share=10).wake == ()

    looks_again = datetime.fromtimestamp(store.zscore(NEXT_DUE, "acme") / 1000, UTC)
    assert looks_again - datetime.now(UTC) < timedelta(seconds=1)


@pytest.mark.usefixtures("opened_and_over")
def test_after_a_probe_that_failed_nobody_is_said_to_probe_any_more(ledger, claimed, monkeypatch, now):
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", MINUTE)
    before = now()
    ledger.fail(claimed(ledger), "retry", reason="down", api="twikey", api_failed=True)

    refusal = ledger.claim("contact:1")

    assert refusal.again_at >= before + MINUTE


@pytest.mark.usefixtures("opened_and_over")
@pytest.mark.parametrize("failed", [True, False])
def test_a_probe_that_ends_at_the_other_api_lets_the_next_one_probe_at_once(ledger, claimed, failed):
    ledger.mark("contact:2", WEBHOOK)

    ledger.fail(claimed(ledger), "retry", reason="down", api="teamleader", api_failed=failed)

    assert claimed(ledger, "contact:2").probing


@pytest.mark.usefixtures("circuits_stay_open")
def test_calls_under_way_when_the_circuit_opened_do_not_keep_it_open_for_longer(scripts, ledger, claimed, now):
    roomy = Ledger(scripts, "acme")
    subjects = [f"contact:{number}" for number in range(2, CIRCUIT_OPENS_AFTER + 8)]
    for subject in subjects:
        ledger.mark(subject, WEBHOOK)

    for claim in [claimed(roomy, subject) for subject in subjects]:
        roomy.fail(claim, "retry", reason="down", api="twikey", api_failed=True, delay=MINUTE)

    refusal = ledger.claim("contact:1")
    assert refusal.reason == "circuit_open"
    assert refusal.again_at <= now() + MINUTE + timedelta(seconds=2)


def test_a_circuit_never_opens_for_longer_than_the_longest_time(ledger, claimed, monkeypatch, fail_at_api):
    monkeypatch.setattr(ledger_module, "CIRCUIT_SHORTEST", timedelta(days=1))

    fail_at_api(CIRCUIT_OPENS_AFTER)

    refusal = ledger.claim("contact:1")
    assert refusal.again_at - datetime.now(UTC) <= CIRCUIT_LONGEST + timedelta(seconds=2)


# -- the budget of calls ---------------------------------------------------------------------------------------------


def test_without_budget_a_claim_is_refused_until_the_oldest_call_is_a_minute_old(scripts, ledger, claimed):
    frugal = Ledger(scripts, "acme", calls_per_minute=2)
    for number in (2, 3):
        ledger.mark(f"contact:{number}", WEBHOOK)
    first = claimed(frugal)
    claimed(frugal, "contact:2")

    refusal = frugal.claim("contact:3")

    assert refusal.reason == "no_budget"
    assert MINUTE <= refusal.again_at - first.at <= MINUTE + timedelta(seconds=2.5), (
        "the window and up to 2 s of jitter"
    )
    assert ledger.look("contact:3").due == refusal.again_at
    assert ledger.look("contact:3").attempts == 0


def test_a_refused_claim_costs_no_budget(scripts, ledger, claimed):
    frugal = Ledger(scripts, "acme", calls_per_minute=2)
    ledger.mark("contact:2", WEBHOOK)
    claimed(frugal)
    for _ in range(5):
        frugal.claim("contact:1")

    assert claimed(frugal, "contact:2")


@pytest.mark.parametrize("store", ["fakeredis"], indirect=True)
def test_in_any_sixty_seconds_no_more_than_the_budget_is_claimed(scripts, ledger, claimed):
    frugal = Ledger(scripts, "acme", calls_per_minute=3)
    granted = []
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(150):
            ledger.mark("contact:1", WEBHOOK)
            claim = frugal.claim("contact:1")
            if isinstance(claim, Claim):
                granted.append(claim.at)
                frugal.commit(claim, Outcome.SYNCED)
            clock.shift(1.7)

    gaps = [later - earlier for earlier, later in zip(granted, granted[3:], strict=False)]
    assert len(granted) >= 9
    assert min(gaps) >= MINUTE


# -- dead letters ----------------------------------------------------------------------------------------------------


def test_a_dead_letter_keeps_its_story(ledger, claimed):
    story = Story(
        "refused", "Twikey refuses the e-mail.", "twikey", 400, "err_invalid_email", "email", (("email", "?"),)
    )

    answer = ledger.fail(claimed(ledger), "dead", reason="refused", story=story)

    [letter] = ledger.dead_letters()
    assert answer == "dead"
    assert (letter.subject, letter.story) == ("contact:1", story)
    assert ledger.look("contact:1").story == story
    assert (ledger.books().dead, ledger.books().pending, ledger.counts()["dead:refused"]) == (1, 0, 1)


def test_dead_letters_are_listed_oldest_first_page_by_page(ledger, claimed):
    for number in range(1, 6):
        ledger.mark(f"contact:{number}", WEBHOOK)
        ledger.fail(claimed(ledger, f"contact:{number}"), "dead", reason="refused")
        time.sleep(0.002)

    page = ledger.dead_letters(offset=1, limit=2)

    assert [letter.subject for letter in page] == ["contact:2", "contact:3"]
    assert ledger.dead_count() == 5


def test_a_death_without_a_story_can_be_read_all_the_same(ledger, claimed):
    ledger.fail(claimed(ledger), "dead", reason="refused")

    assert ledger.look("contact:1").story == Story("refused")


def test_dead_letters_never_expire(ledger, claimed, store):
    ledger.fail(claimed(ledger), "dead", reason="refused")

    assert store.ttl(ledger.keys.dead) == -1
    assert store.ttl(ledger.keys.subject("contact:1")) == -1


def test_work_on_something_that_changed_meanwhile_does_not_die(ledger, claimed):
    claim = claimed(ledger)
    ledger.mark("contact:1", WEBHOOK)

    answer = ledger.fail(claim, "dead", reason="cannot_map")

    assert answer == "again"
    assert ledger.dead_count() == 0
    assert claimed(ledger)


def test_an_event_brings_a_dead_subject_back_with_fresh_attempts(ledger, claimed):
    ledger.fail(claimed(ledger), "retry", reason="upstream_unavailable")
    ledger.fail(claimed(ledger), "dead", reason="upstream_unavailable")

    marked = ledger.mark("contact:1", WEBHOOK)

    claim = claimed(ledger)
    assert marked.wake
    assert (claim.attempts, claim.first_failed) == (0, None)
    assert ledger.dead_count() == 0
    assert ledger.look("contact:1").story is None


def test_an_event_while_auto_update_is_off_leaves_a_dead_letter_dead(ledger, claimed):
    ledger.fail(claimed(ledger), "dead", reason="refused", story=Story("refused"))
    ledger.set_auto_update(False)

    ledger.mark("contact:1", WEBHOOK)

    state = ledger.look("contact:1")
    assert (state.outcome, state.reason, state.held) == ("dead", "refused", True)
    assert ledger.dead_count() == 1


def test_replaying_a_dead_letter_many_times_is_one_more_sync(ledger, claimed):
    ledger.fail(claimed(ledger), "dead", reason="refused")

    for _ in range(10):
        ledger.mark("contact:1", frozenset({Cause.REPLAY}))

    assert ledger.commit(claimed(ledger), Outcome.SYNCED) == "settled"
    assert ledger.books().synced == 1


def test_an_operator_gives_a_dead_letter_up(ledger, claimed):
    ledger.fail(claimed(ledger), "dead", reason="refused", story=Story("refused"))

    assert ledger.discard("contact:1", "customer left")

    state = ledger.look("contact:1")
    assert (state.outcome, state.reason, state.story) == ("discarded", "customer left", None)
    assert ledger.dead_count() == 0
    assert ledger.mark("contact:1", WEBHOOK).accepted


@pytest.mark.parametrize("subject", ["contact:1", "contact:never-heard-of"])
def test_only_dead_letters_can_be_given_up(ledger, subject):
    assert not ledger.discard(subject, "by mistake")

    assert ledger.look("contact:1").owed
    assert ledger.look("contact:never-heard-of") is None


def test_of_several_pauses_the_longest_counts(ledger, claimed):
    for number in (1, 2):
        ledger.mark(f"contact:{number}", WEBHOOK)
    long, short = claimed(ledger), claimed(ledger, "contact:2")
    ledger.fail(long, "defer", reason="throttled", delay=timedelta(minutes=5))

    ledger.fail(short, "defer", reason="throttled", delay=timedelta(seconds=1))

    refusal = ledger.claim("contact:1")
    assert refusal.reason == "paused"
    assert refusal.again_at - datetime.now(UTC) > timedelta(minutes=4)


def test_an_api_that_asked_a_person_to_stay_away_gets_no_work_until_the_latest_time_it_named(ledger):
    ledger.stay_away("teamleader", MINUTE)
    ledger.stay_away("teamleader", timedelta(milliseconds=1))
    time.sleep(0.01)

    assert ledger.claim("contact:1").reason == "paused"


def test_after_that_time_the_api_gets_work_again(ledger):
    ledger.stay_away("teamleader", timedelta(milliseconds=1))
    time.sleep(0.01)

    assert isinstance(ledger.claim("contact:1"), Claim)
