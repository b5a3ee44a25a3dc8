"""What whoever watches over an integration can see in one look, and what that look costs at most."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from workers.ledger import Cause, Ledger, Outcome, surveys
from workers.ledger import survey as survey_module
from workers.ledger.ledger import CIRCUIT_OPENS_AFTER

WEBHOOK = frozenset({Cause.WEBHOOK})
DAY_MS = 86_400_000


@pytest.fixture
def look(scripts):
    def look(*, webhooks=False):
        (survey,) = surveys(scripts, ["acme"], webhooks=webhooks)
        return survey

    return look


def today(store):
    seconds, _ = store.time()
    return (datetime.fromtimestamp(seconds, UTC) + timedelta(hours=1)).date()


def test_an_integration_that_nobody_heard_of_is_well(scripts):
    (survey,) = surveys(scripts, ["nobody"], webhooks=True)

    assert (survey.standing.state, survey.owed, survey.owed_since, survey.dead) == ("active", 0, None, 0)
    assert (survey.auto_update, survey.in_trouble, survey.webhook_days) == (False, (), {})


def test_what_is_owed_is_seen_with_the_time_since_when(ledger, look, store):
    before = store.time()[0]
    ledger.mark("contact:1", WEBHOOK)
    time.sleep(0.005)
    ledger.mark("contact:2", WEBHOOK)

    survey = look()

    assert (survey.owed, survey.auto_update) == (2, True)
    assert survey.owed_since == ledger.look("contact:1").wanted_since
    assert before <= survey.owed_since.timestamp() <= survey.at.timestamp()


def test_a_customer_that_is_synced_while_it_is_edited_again_does_not_count_as_waiting_all_the_time(
    ledger, look, claimed
):
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)
    time.sleep(0.005)
    ledger.mark("contact:1", WEBHOOK)
    ledger.commit(claim, Outcome.SYNCED)

    assert look().owed_since > ledger.look("contact:1").wanted_since


def test_a_sweep_may_take_its_time(ledger, look):
    ledger.mark("contact:1", frozenset({Cause.SWEEP}))
    assert look().owed_since is None

    ledger.mark("contact:1", WEBHOOK)

    assert look().owed_since is not None


def test_of_a_long_backlog_both_ends_are_looked_at(ledger, look, claimed, monkeypatch):
    monkeypatch.setattr(survey_module, "SURVEYED_OWED", 4)
    ledger.mark("contact:failing", WEBHOOK)
    ledger.fail(claimed(ledger, "contact:failing"), "retry", reason="down", delay=timedelta(minutes=15))
    time.sleep(0.005)
    for number in range(20):
        ledger.mark(f"contact:{number}", WEBHOOK)

    survey = look()

    assert survey.owed == 21
    assert survey.owed_since == ledger.look("contact:failing").wanted_since


def test_dead_letters_are_seen_by_their_reasons(ledger, look, claimed):
    for number, reason in enumerate(["cannot_map", "cannot_map", "refused"]):
        ledger.mark(f"contact:{number}", WEBHOOK)
        ledger.fail(claimed(ledger, f"contact:{number}"), "dead", reason=reason)

    survey = look()

    assert (survey.dead, survey.dead_reasons) == (3, {"cannot_map": 2, "refused": 1})


def test_an_api_that_fails_and_one_that_asked_for_a_pause_are_in_trouble(ledger, look, claimed):
    for number in range(CIRCUIT_OPENS_AFTER):
        ledger.mark(f"contact:{number}", WEBHOOK)
        ledger.fail(claimed(ledger, f"contact:{number}"), "retry", reason="down", api_failed=True)
    assert look().in_trouble == ("teamleader",)

    ledger.scripts.store.set(ledger.keys.pause("twikey"), int(time.time() * 1000) + 60_000)

    assert look().in_trouble == ("teamleader", "twikey")


def test_webhooks_of_edits_are_counted_by_day_also_while_auto_update_is_off(ledger, look, store, now):
    before, began = today(store), now()
    ledger.mark("contact:1", WEBHOOK)
    ledger.mark("contact:1", frozenset({Cause.DELETED}))
    ledger.set_auto_update(False)
    ledger.mark("contact:2", frozenset({Cause.ADDED}))

    days = look(webhooks=True).webhook_days

    # Three on one day, or over two when it ends meanwhile.
    assert set(days) <= {before, today(store)}
    assert sum(day.number for day in days.values()) == 3
    assert began <= min(day.first for day in days.values()) <= now()
    assert look().webhook_days == {}


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.REPLAY, Cause.SWEEP, Cause.INVOICE, Cause.INVOICE_MANUAL])
def test_what_teamleader_did_not_send_is_no_webhook(ledger, look, cause):
    ledger.mark("contact:1", frozenset({cause}))

    assert look(webhooks=True).webhook_days == {}


def test_webhooks_older_than_six_weeks_are_forgotten_when_a_new_day_begins(ledger, look, store):
    day = int(store.time()[0] * 1000 + 3_600_000) // DAY_MS
    for age in range(1, 60):
        store.hset(ledger.keys.webhooks, mapping={str(day - age): 5, f"f{day - age}": (day - age) * DAY_MS})

    ledger.mark("contact:1", WEBHOOK)

    days = look(webhooks=True).webhook_days
    # Another day may have begun before the new one was marked.
    begun = (max(days) - date(1970, 1, 1)).days - day
    assert len(days) == 43 - begun
    assert store.hlen(ledger.keys.webhooks) == 2 * len(days)


def test_many_integrations_are_looked_at_in_order_and_in_few_round_trips(scripts, monkeypatch):
    monkeypatch.setattr(survey_module, "SURVEYED_AT_ONCE", 3)
    names = [f"merchant-{number}" for number in range(8)]
    Ledger(scripts, "merchant-5").begin(auto_update=True)

    found = surveys(scripts, names)

    assert [survey.integration for survey in found] == names
    assert [survey.auto_update for survey in found].index(True) == 5
