"""The drawing of a day: one slot per hour, nothing lost, nothing out of the picture."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import workers.ledger
from ingress.console import charts
from workers.figures import LATER, Hour

BEGAN = datetime(2026, 11, 25, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
hours = st.builds(
    Hour,
    began=st.just(BEGAN),
    accepted=st.integers(0, 10_000),
    synced=st.integers(0, 10_000),
    unchanged=st.integers(0, 100),
    failed=st.integers(0, 500),
    arrived=st.dictionaries(st.sampled_from(charts.BOUNDS), st.integers(1, 500)),
)


def quiet_day(**last_hour):
    return [Hour(began=BEGAN)] * 23 + [Hour(began=BEGAN, **last_hour)]


def points(path):
    """Where a path of M, h, v, H, V and z goes."""
    found, x, y = [], 0.0, 0.0
    for letter, numbers in re.findall(r"([MhvHVz])([^MhvHVz]*)", path):
        values = [float(number) for number in numbers.split()]
        match letter:
            case "M":
                x, y = values
            case "h":
                x += values[0]
            case "v":
                y += values[0]
            case "V":
                y = values[0]
        found.append((x, y))
    return found


def test_the_bounds_are_those_of_the_scripts():
    script = (Path(workers.ledger.__file__).parent / "common.lua").read_text()
    written = re.search(r"ARRIVED_WITHIN = \{([^}]+)\}", script)[1]

    assert [timedelta(milliseconds=int(ms)) for ms in written.split(",")] == list(charts.BOUNDS[:-1])
    assert charts.BOUNDS[-1] == LATER


def test_an_empty_day_is_quiet_and_draws_nothing():
    day = charts.day(quiet_day())

    assert day.quiet
    assert {day.accepted, day.arrived, day.failed, day.spread, day.half} == {""}


@pytest.mark.parametrize("what", ["accepted", "synced", "unchanged", "failed"])
def test_a_single_thing_that_happened_can_be_seen(what):
    day = charts.day([Hour(began=BEGAN, accepted=10_000), *quiet_day(**{what: 1})[1:]])
    drawn = {"accepted": day.accepted, "failed": day.failed}.get(what, day.arrived)

    last = max(points(drawn))
    assert last[0] > 23 * charts.SLOT
    assert not day.quiet


def test_a_few_failures_are_no_tower():
    one, many = charts.day(quiet_day(failed=1)), charts.day(quiet_day(failed=500))

    deepest = [max(y for _, y in points(day.failed)) for day in (one, many)]
    assert deepest[1] == charts.BOTTOM
    assert deepest[0] < charts.BASE + 10


def test_how_soon_is_drawn_from_the_bound_of_the_half_up_to_that_of_95_of_100():
    day = charts.day(quiet_day(synced=100, arrived={SECOND: 60, 60 * SECOND: 40}))

    top, bottom = min(y for _, y in points(day.spread)), max(y for _, y in points(day.spread))
    assert top == charts.line(timedelta(minutes=1))
    assert bottom == pytest.approx(charts.line(SECOND) + charts.STEP, abs=0.1)


@settings(max_examples=25)
@given(st.lists(hours, min_size=24, max_size=24))
def test_nothing_is_drawn_outside_of_the_picture(some):
    day = charts.day(some)

    for path in (day.accepted, day.arrived, day.failed, day.spread, day.half):
        assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in points(path)), path
