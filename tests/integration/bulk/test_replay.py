"""Replay of dead letters: all of a choice, once each, at a pace, and the summary says what became of them."""

from datetime import timedelta

import pytest

from tests.integration.bulk.town import INTEGRATION, Live, Town
from workers import operations
from workers.bulk.jobs import Job
from workers.bulk.replay import pause
from workers.bulk.runner import Runner
from workers.dead_letters import Choice
from workers.ledger import Cause
from workers.operations_bulk import start_replay
from workers.operations_dead_letters import dry_run


def start(town: Town, choice: Choice, total: int = 0) -> Job:
    return start_replay(town.services, INTEGRATION, choice, total=total, by="operator:an").job


def nameless(town: Town, kind: str = "company") -> str:
    """A customer that cannot be mapped, dead already; answers its id."""
    made = town.account.create(
        kind, {"name": ""} if kind == "company" else {"first_name": "", "last_name": ""}, silent=True
    )  # type: ignore[arg-type]
    town.sync(f"{kind}:{made.id}")
    return made.id


def mend(town: Town, customer_id: str) -> None:
    town.edit_silently("company", customer_id, name="Mended")


def dead(town: Town) -> set[str]:
    return {letter.subject for letter in operations.dead_letters(town.services, INTEGRATION)}


def test_what_was_mended_is_brought_over_and_the_rest_is_dead_again_and_told(town: Town) -> None:
    mended, broken = nameless(town), nameless(town)
    mend(town, mended)
    start(town, Choice(reason="cannot_map"), total=2)

    job = town.run("replay")

    assert (job.state, job.done, job.total) == ("done", 2, 2)
    assert job.result == {"replayed": 2, "not_dead": 0, "customers": {"synced": 1, "dead": 1}}
    assert (town.in_twikey(mended) or {})["companyName"] == "Mended"
    assert dead(town) == {f"company:{broken}"}
    assert [line["subject"] for line in town.jobs.report(INTEGRATION, "replay")] == [f"company:{broken}"]


def test_only_what_was_chosen_is_replayed(town: Town) -> None:
    company, contact = nameless(town), nameless(town, "contact")
    town.forget_calls()
    start(town, Choice(kind="contact"))

    job = town.run("replay")

    assert job.result["replayed"] == 1
    assert len(town.calls("contacts.info")) == 1
    assert town.calls("companies.info") == []
    assert dead(town) == {f"company:{company}", f"contact:{contact}"}


def test_who_was_brought_over_or_given_up_before_its_turn_is_counted_and_left_alone(town: Town) -> None:
    given_up, last = nameless(town), nameless(town)
    start(town, Choice())
    runner = Runner(town.services)
    turn = town.jobs.take(INTEGRATION, "replay")
    assert turn is not None
    # It has read the list; then somebody gives one up.
    step = runner._try_step(turn.job, turn)
    assert step is not None
    town.jobs.commit(turn, step, keep=False)
    operations.discard(town.services, INTEGRATION, f"company:{given_up}", "closed", by="operator:bo")

    job = town.run("replay")

    assert job.result == {"replayed": 1, "not_dead": 1, "customers": {"dead": 1}}
    assert dead(town) == {f"company:{last}"}


def test_more_than_a_page_of_letters_of_the_same_moment_are_each_replayed_once(town: Town) -> None:
    subjects = [f"company:{nameless(town)}" for _ in range(7)]
    at = town.store.zscore(town.ledger.keys.dead, subjects[0])
    town.store.zadd(town.ledger.keys.dead, dict.fromkeys(subjects, at))
    now = operations.view(town.services, INTEGRATION)
    assert now.dead == 7

    seen: list[str] = []
    place = (0, "")
    until = next(iter(town.ledger.dead_letters())).died + timedelta(seconds=1)
    while page := town.ledger.dead_letters_after(*place, until=until, limit=3):
        seen += [letter.subject for letter in page]
        place = (round(page[-1].died.timestamp() * 1000), page[-1].subject)

    assert seen == sorted(subjects)


def test_a_process_that_is_killed_anywhere_counts_and_replays_everybody_once(town: Town, mortal: Live) -> None:
    customers = [nameless(town) for _ in range(3)]
    for one in customers[:2]:
        mend(town, one)
    start(town, Choice())
    lives = 0
    while mortal(Runner(town.services), 5 + lives):
        lives += 1
        town.hurry()
        town.store.hset(town.ledger.keys.job("replay"), "lease", 0)
        assert lives < 60

    job = town.run("replay")

    assert lives > 0
    assert job.result == {"replayed": 3, "not_dead": 0, "customers": {"synced": 2, "dead": 1}}
    assert dead(town) == {f"company:{customers[2]}"}


def test_it_gives_way_while_much_is_owed_and_can_be_stopped(town: Town) -> None:
    nameless(town)
    for number in range(60):
        town.ledger.mark(f"company:{number}", frozenset({Cause.WEBHOOK}))
    start(town, Choice())
    runner = Runner(town.services)
    for _ in range(4):
        town.hurry()
        runner.run_once()
    waiting = town.job("replay")

    town.jobs.cancel(INTEGRATION, "replay")

    assert (waiting.state, waiting.result["replayed"]) == ("running", 0)
    assert town.job("replay").state == "cancelled"
    assert len(dead(town)) == 1


def test_a_long_outage_is_not_watched_for_ever(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    nameless(town)
    monkeypatch.setattr("workers.bulk.replay.PATIENCE", timedelta(0))
    start(town, Choice())
    runner = Runner(town.services)

    # Nobody works off what is owed.
    while not town.job("replay").is_over:
        town.hurry()
        runner.run_once()

    assert town.job("replay").result == {"replayed": 1, "not_dead": 0, "customers": {"owed": 1}}
    assert dead(town) == set()


def test_replays_leave_three_quarters_of_the_calls() -> None:
    assert pause(190, 190) == timedelta(minutes=4)
    assert pause(10, 200) == timedelta(seconds=12)


def test_a_dry_run_says_what_would_change_and_changes_nothing(town: Town) -> None:
    mended, broken = nameless(town), nameless(town)
    mend(town, mended)
    writes = len(town.twikey.office.default.writes)
    subjects = [f"company:{mended}", f"company:{broken}", "invoice:1", *(f"company:{number}" for number in range(30))]

    run = dry_run(town.services, INTEGRATION, subjects)

    assert [one.would for one in run.tried[:3]] == ["create", "cannot_map", "invoice"]
    assert ("companyName", "Mended") in [(one.field, one.ours) for one in run.tried[0].differences]
    assert len(run.tried) + run.left == 33
    assert len(town.twikey.office.default.writes) == writes
    assert len(dead(town)) == 2
