"""The checker itself: it must see what is wrong, and must not cry wolf."""

from dataclasses import replace

import pytest

from tests.chaos.checker import (
    Accepted,
    Books,
    Evidence,
    Fault,
    Write,
    backward_writes,
    check,
    most_in_a_minute,
    overlaps,
)

EVENT = Accepted("c1", 2, "e1", at=10.0)
WRITE = Write("c1", 2, started=10.1, ended=10.2)
GOOD = Evidence(
    accepted=(EVENT,),
    source={"c1": 2},
    target={"c1": 2},
    writes=(WRITE,),
    books=Books(accepted=1, ended=1, pending=0),
    events_in_ledger=frozenset({"e1"}),
)


def test_a_good_run_breaks_nothing():
    verdict = check(GOOD)

    assert (verdict.broken, verdict.wrong, verdict.lost) == ((), 0, 0)


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("I1", replace(GOOD, target={"c1": 1})),
        ("I1", replace(GOOD, target={"c1": None})),
        ("I2", replace(GOOD, books=Books(accepted=2, ended=1, pending=0))),
        ("I2", replace(GOOD, books=Books(accepted=2, ended=1, pending=1))),
        ("I3", replace(GOOD, events_in_ledger=frozenset({"e0"}))),
        ("I4", replace(GOOD, writes=(replace(WRITE, version=1, ended=10.15), replace(WRITE, started=10.12)))),
        ("I5", replace(GOOD, writes=(WRITE, Write("c1", 1, 10.3, 10.4)))),
        ("I6", replace(GOOD, calls=[0.0, 1.0, 2.0], calls_per_minute=2)),
        ("I6", replace(GOOD, calls_after_429=1)),
        ("I7", replace(GOOD, canaries=("a name in the store",))),
        ("I8", replace(GOOD, rss_mb=1000.0)),
    ],
)
def test_each_broken_invariant_is_named(name, evidence):
    assert any(sentence.startswith(name) for sentence in check(evidence).broken)


def test_after_a_power_loss_the_ledger_may_have_forgotten_but_nobody_may_be_wrong():
    forgotten = replace(GOOD, events_in_ledger=frozenset(), books=replace(GOOD.books, accepted=0, ended=0))

    assert check(replace(forgotten, may_forget=True)).broken == ()
    assert any(one.startswith("I3") for one in check(forgotten).broken)
    assert any(one.startswith("I1") for one in check(replace(GOOD, target={"c1": 1}, may_forget=True)).broken)


def test_a_write_whose_caller_was_killed_overlaps_with_nobody():
    held = Write("c1", 1, started=10.0, ended=40.0)
    later = Write("c1", 2, started=30.0, ended=30.1)
    death = Fault("kill -9 worker", 11.0, 11.0, clients_died=True)

    assert overlaps([held, later], [death]) == []
    assert overlaps([replace(held, ended=31.0), replace(later, started=12.0)]) != []


@pytest.mark.parametrize("fault", ["delay", ""], ids=["delayed", "by-a-machine-that-stood-still"])
def test_a_write_nobody_waits_for_any_more_overlaps_with_nobody(fault):
    late = Write("c1", 1, started=10.0, ended=19.5, fault=fault)

    assert overlaps([late, Write("c1", 2, started=18.5, ended=18.6)]) == []
    assert overlaps([late, Write("c1", 2, started=17.5, ended=17.6)]) != []


def test_only_a_paused_process_excuses_an_older_state_over_a_newer_one():
    older = Write("c1", 1, started=20.0, ended=20.1)
    last = Write("c1", 2, started=30.0, ended=30.1)
    evidence = replace(GOOD, writes=(WRITE, older, last))

    assert backward_writes(evidence.writes) == [older]
    assert check(evidence).broken
    assert not check(replace(evidence, faults=(Fault("SIGSTOP worker", 5.0, 19.8, paused=True),))).broken


def test_recovery_is_counted_from_the_end_of_the_fault_for_what_was_owed_then():
    kill = Fault("kill", 10.05, 10.05)

    recovery = check(replace(GOOD, faults=(kill,))).recovery

    assert recovery["kill"] == pytest.approx([0.15])


def test_recovery_counts_from_the_last_worker_that_died_with_the_customer_in_hand():
    first = Fault("kill", 10.05, 10.05, in_hand=frozenset({"c1"}))
    second = Fault("kill", 30.1, 30.1, in_hand=frozenset({"c1"}))
    not_concerned = Fault("kill", 40.0, 40.0, in_hand=frozenset({"c2"}))
    write = replace(WRITE, started=50.1, ended=50.2)

    recovery = check(replace(GOOD, writes=(write,), faults=(first, second, not_concerned))).recovery

    # From the third, which it merely met, only 10.2 s would have passed.
    assert recovery["kill"] == pytest.approx([20.1])


def test_who_was_in_nobodys_hand_counts_from_every_kill_that_he_met():
    kills = [Fault("kill", at, at, in_hand=frozenset({"c2"})) for at in (10.05, 10.1)]

    recovery = check(replace(GOOD, faults=kills)).recovery

    assert recovery["kill"] == pytest.approx([0.15, 0.1])


def test_a_customer_that_was_set_aside_on_purpose_says_nothing_about_recovery():
    kill = Fault("kill", 10.05, 10.05)

    assert check(replace(GOOD, faults=(kill,), set_aside=frozenset({"c1"}))).recovery == {}


def test_the_busiest_minute_slides():
    assert most_in_a_minute([0, 30, 59, 61, 119.9, 200]) == 3
