"""What is wrong, what is well, and when nothing can be said."""

from datetime import UTC, datetime, timedelta

import pytest

from workers.alerts.conditions import (
    FAILING_AFTER,
    LATE_AFTER,
    PAUSED_BY_A_PERSON,
    of_channels,
    of_integration,
    of_store,
)
from workers.alerts.kinds import Kind
from workers.ledger.records import Standing, Survey, WebhookDay
from workers.operations import BY_OPERATOR

NOW = datetime(2026, 11, 23, 18, tzinfo=UTC)  # a Monday
SECOND = timedelta(seconds=1)


def survey(*, state="active", reason="", active_since=None, **more):
    return Survey(integration="acme", at=NOW, standing=Standing(state, reason, active_since), **more)


def judged(of, *, raised=None, webhooks=False):
    """What was said about each kind: True = wrong."""
    found = of_integration(of, raised or {}, webhooks=webhooks)
    return {finding.kind: finding.wrong for finding in found if not finding.moot}


def moot(of):
    """The kinds of which nobody wants to know."""
    return {finding.kind for finding in of_integration(of, {}, webhooks=True) if finding.moot}


def finding(of, kind, *, raised=None, webhooks=False):
    (only,) = (one for one in of_integration(of, raised or {}, webhooks=webhooks) if one.kind is kind)
    return only


def busy_mondays():
    mondays = [NOW - timedelta(weeks=weeks) for weeks in range(1, 6)]
    return {monday.date(): WebhookDay(20, monday.replace(hour=8)) for monday in mondays}


def test_an_integration_that_works_is_well_in_every_way_that_can_recover():
    days = busy_mondays() | {NOW.date(): WebhookDay(3, NOW)}

    assert judged(survey(webhook_days=days), webhooks=True) == {
        Kind.PAUSED_ITSELF: False,
        Kind.RECONNECT_NEEDED: False,
        Kind.DEAD_LETTERS: False,
        Kind.UPDATES_LATE: False,
        Kind.SILENCE: False,
    }


def test_dead_letters_are_told_with_their_reasons_the_most_frequent_first():
    found = finding(survey(dead=7, dead_reasons={"refused": 2, "cannot_map": 5}), Kind.DEAD_LETTERS)

    assert (found.wrong, found.number, found.detail) == (True, 7, "cannot_map 5, refused 2")


def test_refused_credentials_are_wrong():
    assert finding(survey(state="reconnect_needed"), Kind.RECONNECT_NEEDED).wrong


def test_an_update_is_late_after_a_quarter_of_an_hour():
    on_time = survey(owed=1, owed_since=NOW - LATE_AFTER + SECOND)
    late = survey(owed=4, owed_since=NOW - LATE_AFTER, in_trouble=("twikey",))

    assert not finding(on_time, Kind.UPDATES_LATE).wrong
    found = finding(late, Kind.UPDATES_LATE)
    assert (found.wrong, found.number, found.since) == (True, 4, NOW - LATE_AFTER)
    assert found.detail == "Twikey fails or asks for a pause"


@pytest.mark.parametrize("state", ["paused", "reconnect_needed"])
def test_of_held_work_it_cannot_be_said_whether_it_is_late_or_silent(state):
    held = survey(state=state, owed=4, owed_since=NOW - timedelta(days=1), webhook_days=busy_mondays())

    assert not {Kind.UPDATES_LATE, Kind.SILENCE} & judged(held, webhooks=True).keys()


def test_a_pause_by_hand_is_no_alert_and_does_not_say_that_the_credentials_work():
    assert BY_OPERATOR in PAUSED_BY_A_PERSON
    for reason in PAUSED_BY_A_PERSON:
        assert judged(survey(state="paused", reason=reason)) == {Kind.DEAD_LETTERS: False}


@pytest.mark.parametrize("state", ["connecting", "closed"])
def test_of_an_integration_that_is_not_served_nothing_is_said(state):
    assert judged(survey(state=state, dead=3), raised={Kind.FOREIGN_ACCOUNT: 1}, webhooks=True) == {}


def test_silence_is_wrong_where_webhooks_usually_come():
    found = finding(survey(webhook_days=busy_mondays()), Kind.SILENCE, webhooks=True)

    assert (found.wrong, found.detail) == (True, "about 20 were to be expected")
    assert found.since.date() == NOW.date()


def test_what_an_operator_paused_or_switched_off_is_neither_late_nor_silent_any_more():
    assert moot(survey(state="paused")) == {Kind.UPDATES_LATE, Kind.SILENCE}
    assert moot(survey(auto_update=False)) == {Kind.SILENCE}
    assert moot(survey(state="reconnect_needed")) == set()


@pytest.mark.parametrize("more", [{"auto_update": False}, {"webhook_days": {}}])
def test_nothing_is_said_about_silence_with_auto_update_off_or_without_history(more):
    found = judged(survey(**{"webhook_days": busy_mondays()} | more), webhooks=True)

    assert Kind.SILENCE not in found


def test_silence_is_not_judged_when_the_webhooks_were_not_looked_at():
    assert Kind.SILENCE not in judged(survey())


@pytest.mark.parametrize("kind", [Kind.FOREIGN_ACCOUNT, Kind.REGISTRATION_LOST])
def test_what_was_raised_is_wrong_as_often_as_it_was_raised_and_never_well(kind):
    assert finding(survey(), kind, raised={kind: 3}).number == 3
    assert kind not in judged(survey())


@pytest.mark.parametrize("reason", ["account.deactivated", "wrong_account", "account_taken"])
def test_a_pause_that_nobody_asked_for_is_wrong_until_the_integration_is_active(reason):
    paused = survey(state="paused", reason=reason, active_since=NOW - timedelta(hours=1))

    found = finding(paused, Kind.PAUSED_ITSELF)
    assert (found.wrong, found.detail, found.since) == (True, reason, NOW - timedelta(hours=1))
    assert not finding(survey(), Kind.PAUSED_ITSELF).wrong


def test_what_was_held_for_days_is_late_only_after_it_had_its_time():
    owed = {"owed": 4, "owed_since": NOW - timedelta(days=2)}
    just_connected = survey(**owed, active_since=NOW - timedelta(minutes=14))
    long_connected = survey(**owed, active_since=NOW - timedelta(minutes=15))

    assert not finding(just_connected, Kind.UPDATES_LATE).wrong
    assert finding(long_connected, Kind.UPDATES_LATE).since == owed["owed_since"]


def test_a_store_is_wrong_with_the_sentences_that_say_why():
    assert not of_store([]).wrong
    assert (of_store(["One.", "Two."]).wrong, of_store(["One.", "Two."]).detail) == (True, "One. Two.")


def test_a_channel_may_stumble_before_it_counts_as_failing():
    stumbles = of_channels({"log": 0, "email": FAILING_AFTER - 1})
    fails = of_channels({"log": 0, "slack": FAILING_AFTER, "email": FAILING_AFTER})

    assert not stumbles.wrong
    assert (fails.wrong, fails.detail) == (True, "email, slack")
