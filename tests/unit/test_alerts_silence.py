"""Silence: noticed where webhooks usually come, and never where they do not."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from workers.alerts import silence
from workers.alerts.silence import Silent, judge
from workers.ledger.records import WebhookDay

BRUSSELS = ZoneInfo("Europe/Brussels")
MONDAY = date(2026, 11, 23)
DAY, WEEK = timedelta(days=1), timedelta(weeks=1)


def at(day, hour, minute=0):
    return datetime.combine(day, time(hour, minute), BRUSSELS)


def day_of(number, first):
    return WebhookDay(number, first.astimezone(UTC))


def history(until, number, *, weeks=6, first=(9, 30), weekdays=range(5)):
    """So many webhooks on each of these weekdays of the weeks before a day, the first at this time."""
    days = [until - DAY * age for age in range(1, weeks * 7 + 4)]  # and the Friday before
    return {day: day_of(number, at(day, *first)) for day in days if day.weekday() in weekdays}


def test_a_busy_merchant_is_missed_two_hours_after_the_first_webhook_usually_came():
    days = history(MONDAY, 20)

    assert judge(days, at(MONDAY, 11, 29)) == "unknown"
    assert judge(days, at(MONDAY, 11, 31)) == Silent(since=MONDAY, expected=20)


def test_one_webhook_is_enough_to_be_heard():
    days = history(MONDAY, 20) | {MONDAY: day_of(1, at(MONDAY, 8))}

    assert judge(days, at(MONDAY, 16)) == "heard"


def test_a_webhook_at_a_weekend_is_heard_and_its_absence_says_nothing():
    saturday = MONDAY - 2 * DAY
    days = history(saturday, 20, weekdays=range(7))

    assert judge(days, at(saturday, 18)) == "unknown"
    assert judge(days | {saturday: day_of(1, at(saturday, 18))}, at(saturday, 19)) == "heard"


@pytest.mark.parametrize(("weeks", "said"), [(2, "unknown"), (3, Silent(MONDAY, 20))])
def test_three_weeks_must_be_known(weeks, said):
    assert judge(history(MONDAY, 20, weeks=weeks), at(MONDAY, 18)) == said


def test_the_day_on_which_an_integration_began_does_not_count():
    began = MONDAY - 3 * WEEK
    days = {day: value for day, value in history(MONDAY, 20).items() if day >= began}

    assert judge(days, at(MONDAY, 18)) == "unknown"


def test_of_a_new_integration_nothing_can_be_said():
    assert judge({}, at(MONDAY, 18)) == "unknown"


def test_a_merchant_with_few_edits_is_missed_after_some_working_days():
    days = history(MONDAY - 2 * DAY, 2)
    silent_until = {1: "unknown", 2: "unknown", 3: Silent(MONDAY, 6)}

    for working_days, said in silent_until.items():
        assert judge(days, at(MONDAY + DAY * (working_days - 1), 18)) == said


def test_a_weekend_neither_counts_nor_ends_a_silence():
    friday = MONDAY - 3 * DAY
    days = history(friday, 3)

    assert judge(days, at(MONDAY, 18)) == Silent(since=friday, expected=6)


def test_a_webhook_ends_the_count():
    friday = MONDAY - 3 * DAY
    days = history(friday, 3) | {MONDAY - DAY: day_of(1, at(MONDAY - DAY, 12))}

    assert judge(days, at(MONDAY, 18)) == "unknown"


def test_a_merchant_whose_webhooks_come_all_on_one_day_now_and_then_is_never_missed():
    days = {MONDAY - WEEK * weeks + 2 * DAY: day_of(90, at(MONDAY, 12)) for weeks in (1, 3, 5)}

    assert judge(days, at(MONDAY, 18)) == "unknown"


def test_a_weekday_on_which_nothing_usually_comes_is_not_missed():
    days = history(MONDAY, 20, weekdays=range(1, 5))

    assert judge(days, at(MONDAY, 18)) == "unknown"


def test_one_holiday_among_the_weeks_before_changes_nothing():
    days = history(MONDAY, 20)
    del days[MONDAY - WEEK]

    assert judge(days, at(MONDAY, 18)) == Silent(MONDAY, 20)


@pytest.mark.parametrize(
    ("first", "not_before"), [((2, 0), time(10)), ((9, 30), time(11, 30)), ((16, 30), time(17)), ((23, 30), time(17))]
)
def test_patience_depends_on_the_habit_but_stays_within_the_working_day(first, not_before):
    days = history(MONDAY, 20, first=first)
    moment = at(MONDAY, not_before.hour, not_before.minute)

    assert judge(days, moment - timedelta(minutes=1)) == "unknown"
    assert isinstance(judge(days, moment), Silent)


def test_in_summer_the_hours_are_those_of_the_clock_on_the_wall():
    monday = date(2026, 7, 20)
    days = history(monday, 20)

    assert judge(days, at(monday, 11, 29)) == "unknown"
    assert judge(days, datetime(2026, 7, 20, 9, 31, tzinfo=UTC)) == Silent(monday, 20)


def test_without_a_table_of_zones_an_hour_is_no_matter(monkeypatch):
    def none(_name):
        raise silence.ZoneInfoNotFoundError

    monkeypatch.setattr(silence, "ZoneInfo", none)

    assert judge(history(MONDAY, 20), at(MONDAY, 18)) == Silent(MONDAY, 20)
