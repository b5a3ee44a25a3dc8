"""What follows from each failure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping import CannotMap, Problem
from workers.clients.errors import CreateUnavailable, ReconnectNeeded, Refused, Throttled, Unavailable
from workers.ledger.records import Claim
from workers.sync.failure_policy import ATTEMPTS, LONGEST_PAUSE, LONGEST_WAIT, backoff, judge

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CLAIM = Claim(
    subject="contact:1",
    token="t",
    want=1,
    causes=frozenset(),
    attempts=0,
    first_failed=None,
    must_write=False,
    auto_update=True,
    fingerprint="",
    event_id="ev_1",
    probing=False,
    wanted_since=NOW,
    at=NOW,
    last_synced=None,
)
DOWN = Unavailable("twikey", "Twikey gave no usable answer.", status=503)


def test_no_usable_answer_is_tried_again_and_counts_against_the_api():
    verdict = judge(DOWN, CLAIM, now=NOW, jitter=0.5)

    assert (verdict.action, verdict.api, verdict.api_failed) == ("retry", "twikey", True)
    assert verdict.delay == timedelta(seconds=1)


def test_the_last_attempt_ends_as_a_dead_letter_that_tells_the_story():
    verdict = judge(DOWN, replace(CLAIM, attempts=ATTEMPTS - 1, first_failed=NOW), now=NOW, jitter=0.5)

    assert verdict.action == "dead"
    assert verdict.story is not None
    assert (verdict.story.reason, verdict.story.status, verdict.story.attempts) == ("unavailable", 503, ATTEMPTS)


def test_an_outage_of_the_whole_api_buries_nobody_within_a_day():
    claim = replace(CLAIM, attempts=ATTEMPTS + 50, first_failed=NOW - timedelta(hours=23), probing=True)

    assert judge(DOWN, claim, now=NOW, jitter=0.5).action == "retry"
    assert judge(DOWN, claim, now=NOW + timedelta(hours=2), jitter=0.5).action == "dead"


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        (NOW + timedelta(seconds=30), 30),
        (NOW - timedelta(hours=1), 1),
        (None, 60),
        (NOW + timedelta(days=400), LONGEST_PAUSE.total_seconds()),
    ],
)
def test_a_429_pauses_that_api_until_the_time_it_names_and_uses_no_attempt(until, seconds):
    verdict = judge(Throttled("teamleader", "Too many calls.", until=until), CLAIM, now=NOW, jitter=0.0)

    assert (verdict.action, verdict.api, verdict.api_failed) == ("defer", "teamleader", False)
    assert verdict.delay == timedelta(seconds=seconds)


def test_refused_credentials_hold_the_work_of_the_integration():
    verdict = judge(ReconnectNeeded("twikey", "Twikey refuses our key."), CLAIM, now=NOW, jitter=0.0)

    assert (verdict.action, verdict.reason, verdict.reconnect) == ("defer", "reconnect_needed", True)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (
            Refused("twikey", "Twikey refuses the e-mail.", status=400, code="err_invalid_email", field="email"),
            "refused",
        ),
        (CreateUnavailable("twikey", "Twikey cannot create."), "create_unavailable"),
        (CannotMap((Problem("name", "missing", "The company has no name."),)), "cannot_map"),
    ],
)
def test_what_waiting_cannot_cure_is_dead_at_once(failure, reason):
    verdict = judge(failure, CLAIM, now=NOW, jitter=0.5)

    assert (verdict.action, verdict.reason) == ("dead", reason)
    assert verdict.story is not None
    assert verdict.story.event_id == "ev_1"


def test_a_mistake_of_our_own_is_tried_again_and_blames_no_api():
    verdict = judge(KeyError("Jan Peeters"), CLAIM, now=NOW, jitter=0.5)

    assert (verdict.action, verdict.reason, verdict.api_failed) == ("retry", "internal_error", False)


def test_the_story_of_our_own_mistake_does_not_quote_the_customer():
    verdict = judge(KeyError("Jan Peeters"), replace(CLAIM, attempts=ATTEMPTS), now=NOW, jitter=0.5)

    assert verdict.story is not None
    assert "Jan" not in verdict.story.to_json()


@given(attempts=st.integers(0, 10_000), jitter=st.floats(0, 1))
def test_the_backoff_never_exceeds_a_quarter_of_an_hour(attempts, jitter):
    assert timedelta(0) <= backoff(attempts, jitter) <= LONGEST_WAIT


def test_the_ceiling_of_the_backoff_doubles_from_two_seconds():
    assert [backoff(attempts, 1.0).total_seconds() for attempts in range(4)] == [2, 4, 8, 16]
