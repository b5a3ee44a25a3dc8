"""The report: whatever a run brought, it can be written, and says what was not run."""

from typing import Any

import pytest

from tests.chaos.report import report
from tests.chaos.scenarios import SCENARIOS, Scenario


def trial(scenario: Scenario, seed: int, /, **more: Any) -> dict[str, Any]:
    """What one trial of a scenario leaves, when all went well."""
    return {
        "scenario": scenario.name,
        "number": scenario.number,
        "seed": seed,
        "baseline": False,
        "redis": "7.0.15",
        "converged_s": 1.0,
        "quiet_s": 2.0,
        "left_over": 0,
        "first_sync_after": {"kill -9 worker": [0.2]},
        "broken": [],
        "figures": {},
        "accepted": 10,
        "dead": {},
        "customers": 5,
        "refused": 0,
        "no_answer": 0,
        "slow": 0,
        "upserts": 9,
        "faults": {"kill -9 worker": 1},
        "wrong": 0,
        "lost": 0,
        "overlaps": 0,
        "backward_writes": 0,
        "calls_per_minute": 20,
        "rss_mb": 70,
        "store_mb": 3.0,
        "ingress_ms": {"p50": 5.0, "p99": 9.0, "max": 11.0},
        "end_to_end": {"p50": 50.0, "p99": 90.0},
        "recovery": {"kill -9 worker": [0.1, 20.3]},
    } | more


def written(trials: list[dict[str, Any]], **more: Any) -> str:
    return report({"began": 0.0, "ended": 1800.0, "lanes": 3, "trials": trials} | more)


def test_every_scenario_has_its_row():
    text = written([trial(scenario, seed) for seed, scenario in enumerate(SCENARIOS)])

    assert [one.name for one in SCENARIOS if f"| {one.name} |" not in text] == []


def test_scenarios_stand_in_the_order_of_the_plan():
    rows = [
        line for line in written([trial(one, 1) for one in SCENARIOS]).split("## ")[2].splitlines() if line[:2] == "| "
    ]

    numbers = [row.split("|")[1].strip() for row in rows[1:]]

    assert numbers == sorted(numbers, key=lambda shown: (int(shown.rstrip("b")), shown))


def test_what_was_skipped_is_said_with_its_reason():
    text = written([trial(SCENARIOS[0], 1)], skipped={"clocks stepped": "libfaketime is not installed here"})

    assert "*clocks stepped*: libfaketime is not installed here." in text


@pytest.mark.parametrize("ran", [True, False])
def test_missed_webhooks_are_not_promised_unless_a_sweep_was_part_of_the_run(ran):
    trials = [trial(SCENARIOS[0], 1)]
    if ran:
        trials.append(trial(SCENARIOS[0], 2, scenario="missed webhooks", number=22))

    text = written(trials)

    assert ("no sweep" not in text) is ran


def test_both_pipelines_stand_beside_each_other_with_what_they_left_undone():
    storms = next(one for one in SCENARIOS if one.baseline)
    stock = trial(storms, 7, baseline=True, wrong=3, lost=4, left_over=251, converged_s=None, broken=["I1"])

    text = written([trial(storms, 7), stock])

    assert f"| {storms.name} | this service | 7 | 10 | 0 of 5 | 0 | 0 | 1.0 |" in text
    assert f"| {storms.name} | stock Dramatiq | 7 | 10 | 3 of 5 | 4 | 251 | never |" in text
    # The stock pipeline's failures are not ours.
    assert "| trials in which an invariant broke | 0 |" in text


def test_what_broke_and_what_came_to_no_verdict_is_listed():
    failed = {
        "scenario": "poison",
        "number": 25,
        "seed": 3,
        "baseline": False,
        "broken": ["the trial itself failed: x"],
    }

    text = written([trial(SCENARIOS[0], 1, broken=["I4: 1 pair"]), failed])

    assert "seed 1: I4: 1 pair" in text
    assert "poison, seed 3: the trial itself failed: x" in text
