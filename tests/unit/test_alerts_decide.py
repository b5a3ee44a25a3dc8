"""What is told when: an outage is one message with a count, nothing is told twice in vain, and what is well is told too."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.alerts import decide as decide_module
from workers.alerts.conditions import Finding
from workers.alerts.decide import AGAIN_AFTER, GATHER, JOINED_AFTER, OVER_AFTER, WELL_FOR, Book, decide
from workers.alerts.kinds import MEANINGS, Kind

LATE, DEAD, FOREIGN = Kind.UPDATES_LATE, Kind.DEAD_LETTERS, Kind.FOREIGN_ACCOUNT
START = datetime(2026, 11, 23, 9, tzinfo=UTC)
ROUND = timedelta(seconds=30)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
INTEGRATIONS = tuple(f"merchant-{number}" for number in range(300))


class House:
    """Rounds of alerts, one after the other, as the clock runs them."""

    def __init__(self):
        self.book = Book()
        self.now = START
        self.told = []

    def round(self, *findings, integrations=INTEGRATIONS, after=ROUND):
        """One round; answers what it tells: (event, number of integrations, sum of their numbers)."""
        self.now += after
        self.book, notices = decide(self.book, findings, integrations, self.now)
        said = [(notice.event, len(notice.alerts), sum(alert.number for alert in notice.alerts)) for notice in notices]
        self.told += [(self.now - START, *one) for one in said]
        return said

    def rounds(self, span, *findings):
        """As many rounds as fit into the span; answers all that was told."""
        return [one for _ in range(span // ROUND) for one in self.round(*findings)]


@pytest.fixture
def house():
    return House()


def wrong(kind=LATE, integration="merchant-0", number=1, **more):
    return Finding(kind, integration, True, number, **more)


def well(kind=LATE, integration="merchant-0"):
    return Finding(kind, integration, False)


def everywhere(make, **more):
    return [make(integration=name, **more) for name in INTEGRATIONS]


def test_nothing_is_told_when_all_is_well(house):
    assert house.rounds(HOUR, well(), well(DEAD)) == []
    assert house.book == Book()


def test_what_is_wrong_is_told_within_a_minute_and_once(house):
    assert house.rounds(MINUTE, wrong()) == [("opened", 1, 1)]

    assert house.rounds(HOUR, wrong()) == []


def test_three_hundred_integrations_that_fail_at_once_are_one_message(house):
    assert house.rounds(2 * HOUR, *everywhere(wrong)) == [("opened", 300, 300)]


def test_those_that_fail_within_the_same_half_minute_are_in_the_same_message(house):
    house.round(*everywhere(wrong)[:100])

    assert house.round(*everywhere(wrong)) == [("opened", 300, 300)]


def test_an_outage_that_spreads_is_told_every_ten_minutes_at_most(house):
    for minute in range(60):
        for _ in range(2):
            house.round(*everywhere(wrong)[: 5 * minute + 1])

    assert len(house.told) <= 6
    assert [event for _, event, *_ in house.told] == ["opened"] + ["more"] * (len(house.told) - 1)


def test_one_more_integration_is_told_after_ten_minutes_with_all_that_are_open(house):
    house.rounds(MINUTE, wrong())

    told = house.rounds(15 * MINUTE, wrong(), wrong(integration="merchant-1"))

    assert told == [("more", 2, 2)]
    assert house.told[1][0] - house.told[0][0] >= JOINED_AFTER


def test_a_growing_number_is_told_once_an_hour_with_the_number_as_it_is_then(house):
    for number in range(1, 6 * 120 + 1):
        house.round(wrong(DEAD, number=number))

    gaps = {later - earlier for (earlier, *_), (later, *_) in zip(house.told, house.told[1:], strict=False)}
    assert len(house.told) == 6
    assert gaps == {AGAIN_AFTER}
    assert house.told[-1][1:] == ("more", 1, house.told[-1][0] // ROUND)


def test_a_number_that_shrank_is_news_when_it_grows_again(house):
    house.rounds(MINUTE, wrong(DEAD, number=10))
    assert house.rounds(HOUR, wrong(DEAD, number=2)) == []

    assert house.rounds(HOUR, wrong(DEAD, number=3)) == [("more", 1, 3)]


def test_kinds_do_not_wait_for_each_other(house):
    told = house.rounds(MINUTE, wrong(LATE), wrong(DEAD))

    assert told == [("opened", 1, 1)] * 2


def test_what_stays_wrong_is_told_again_after_a_day_and_a_warning_after_a_week(house):
    told = house.rounds(8 * DAY, wrong(LATE), wrong(DEAD))

    assert told.count(("still", 1, 1)) == 7 + 1
    assert MEANINGS[LATE].severity == "critical"
    assert MEANINGS[DEAD].severity == "warning"


def test_what_is_well_again_is_told_after_it_has_been_so_for_two_minutes(house):
    house.rounds(MINUTE, wrong())
    well_since = house.now

    told = house.rounds(5 * MINUTE, well())

    assert told == [("recovered", 1, 1)]
    assert WELL_FOR <= house.told[-1][0] - (well_since - START) <= WELL_FOR + 2 * ROUND


def test_three_hundred_integrations_that_recover_one_after_the_other_are_one_message(house):
    house.rounds(MINUTE, *everywhere(wrong))

    for minute in range(30):
        mended = 10 * (minute + 1)
        house.rounds(MINUTE, *everywhere(well)[:mended], *everywhere(wrong)[mended:])
    house.rounds(5 * MINUTE, *everywhere(well))

    assert [event for _, event, *_ in house.told] == ["opened", "recovered"]
    assert house.told[-1][2] == 300


def test_who_recovers_hears_so_within_the_hour_also_while_another_one_stays_broken(house):
    broken = wrong(integration="merchant-1")
    house.rounds(MINUTE, wrong(), broken)

    assert house.rounds(HOUR + 5 * MINUTE, well(), broken) == [("recovered", 1, 1)]


def test_what_was_never_told_needs_no_recovery(house):
    house.round(wrong())

    assert house.rounds(HOUR, well()) == []
    assert house.book.alerts == {}


def test_a_flapping_integration_is_told_at_most_twice_an_hour(house):
    for _ in range(24):
        house.rounds(2 * MINUTE + ROUND, wrong())
        house.rounds(2 * MINUTE + ROUND, well())

    assert 2 <= len(house.told) <= 4 + 1
    hours = {}
    for when, *_ in house.told:
        hours[when // HOUR] = hours.get(when // HOUR, 0) + 1
    assert max(hours.values()) <= 3


def test_wrong_again_before_the_recovery_was_told_is_the_same_outage(house):
    house.rounds(MINUTE, wrong())

    for _ in range(10):
        house.rounds(MINUTE, well())
        house.rounds(MINUTE, wrong())

    assert [event for _, event, *_ in house.told] == ["opened"]


def test_when_nothing_can_be_said_what_is_open_stays_open(house):
    house.rounds(MINUTE, wrong())

    assert house.rounds(HOUR) == []
    assert house.rounds(5 * MINUTE, well()) == [("recovered", 1, 1)]


def test_what_nobody_wants_to_know_any_more_is_closed_without_a_word(house):
    house.rounds(MINUTE, wrong())

    assert house.rounds(HOUR, Finding(LATE, "merchant-0", False, moot=True)) == []
    assert house.book.alerts == {}


def test_alerts_of_an_integration_that_is_no_more_are_dropped_silently(house):
    house.rounds(MINUTE, wrong())

    assert house.round(integrations=("merchant-1",)) == []
    assert house.book.alerts == {}


def test_alerts_of_the_deployment_belong_to_no_integration_and_stay(house):
    house.rounds(MINUTE, wrong(Kind.STORE_NOT_DURABLE, ""))

    house.round(integrations=())

    assert len(house.book.alerts) == 1


def test_what_cannot_recover_adds_up_is_told_hourly_and_ends_silently(house):
    assert house.rounds(MINUTE, wrong(FOREIGN, number=2)) == [("opened", 1, 4)]
    assert house.rounds(HOUR + MINUTE, wrong(FOREIGN, number=1)) == [("more", 1, 4 + 120)]

    assert house.rounds(OVER_AFTER + MINUTE) == [("more", 1, 4 + 122)]
    assert house.book.alerts == {}


def test_since_is_when_it_began_as_far_as_we_know(house):
    house.rounds(MINUTE, wrong(since=START - DAY))

    (alert,) = house.book.alerts.values()
    assert (alert.since, alert.noticed) == (START - DAY, START + ROUND)


def test_a_book_in_which_nothing_changed_is_the_same_book(house):
    house.rounds(10 * MINUTE, wrong(), wrong(DEAD, number=4))
    before = house.book

    house.round(wrong(), wrong(DEAD, number=4))

    assert house.book == before


STEPS = st.lists(
    st.tuples(
        st.sampled_from([LATE, DEAD, FOREIGN]), st.sampled_from(INTEGRATIONS[:3]), st.booleans(), st.integers(1, 5)
    ),
    max_size=4,
)


@settings(max_examples=60)
@given(st.lists(st.tuples(STEPS, st.integers(1, 60)), max_size=25))
def test_whatever_happens_nobody_is_flooded_and_everything_open_becomes_known(story):
    house = House()
    for steps, minutes in story:
        findings = {
            (kind, name): Finding(kind, name, is_wrong or kind is FOREIGN, number)
            for kind, name, is_wrong, number in steps
        }
        house.rounds(timedelta(minutes=minutes), *findings.values())
        house.round()

    per_kind_and_hour = {}
    for when, event, *_ in house.told:
        per_kind_and_hour[event, when // HOUR] = per_kind_and_hour.get((event, when // HOUR), 0) + 1
    # Three kinds; of each one opening every ten minutes, and no more recoveries than openings.
    assert max(per_kind_and_hour.values(), default=0) <= 3 * 7
    still_wrong = [
        Finding(alert.kind, alert.integration, True) for alert in house.book.alerts.values() if alert.phase == "open"
    ]
    house.rounds(HOUR + 2 * MINUTE, *still_wrong)
    assert [alert for alert in house.book.alerts.values() if alert.phase == "open" and not alert.told] == []


def test_waiting_for_others_is_shorter_than_waiting_after_a_message():
    assert GATHER < WELL_FOR < JOINED_AFTER < AGAIN_AFTER < OVER_AFTER < min(decide_module.REMIND_AFTER.values())
