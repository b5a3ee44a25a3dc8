"""The records of bulk jobs, over every kind of store: one job for two operators, one process per job, nothing counted twice."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis

from config.keys import BULK_TURNS, IntegrationKeys
from config.registry import UnknownIntegration
from workers.bulk.jobs import REPORT_LINES, Job, Jobs, Lost, Step, Turn

SOON = timedelta(minutes=10)


def start(jobs: Jobs, kind: str = "sweep", **parameters: object) -> Job:
    return jobs.start("acme", kind, parameters, by="cli:els")[0]


def take(jobs: Jobs, kind: str = "sweep") -> Turn:
    turn = jobs.take("acme", kind)
    assert turn is not None
    return turn


def look(jobs: Jobs, kind: str = "sweep") -> Job:
    job = jobs.look("acme", kind)
    assert job is not None
    return job


def kill_its_process(store: "redis.Redis", kind: str = "sweep") -> None:
    """What 20 s after a kill -9 amount to: the lease is over and nobody gave it back."""
    store.hset(IntegrationKeys("acme").job(kind), "lease", 1)
    store.zadd(BULK_TURNS, {f"acme {kind}": 1})


def test_two_operators_who_start_the_same_job_get_one(jobs: Jobs) -> None:
    first, first_is_new = jobs.start("acme", "drift", {"repair": False}, by="cli:els")
    second, second_is_new = jobs.start("acme", "drift", {"repair": True}, by="cli:jan")

    assert (first_is_new, second_is_new) == (True, False)
    assert second == first
    assert (second.by, second.parameters) == ("cli:els", {"repair": False})


def test_many_starts_at_once_make_one_run(jobs: Jobs) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: jobs.start("acme", "sweep", {}, by=f"cli:{number}"), range(24)))

    assert sum(is_new for _, is_new in answers) == 1
    assert len({job.run for job, _ in answers}) == 1


def test_a_job_that_waits_runs_as_soon_as_a_process_takes_it(jobs: Jobs) -> None:
    start(jobs)
    before = look(jobs).state

    take(jobs)

    assert (before, look(jobs).state) == ("waiting", "running")


def test_a_run_that_began_just_now_counts_as_this_one(jobs: Jobs) -> None:
    start(jobs)
    jobs.commit(take(jobs), Step(cursor=None, done=1, finished=True), keep=False)

    _, soon = jobs.start("acme", "sweep", {}, by="service", unless_within=SOON)
    _, later = jobs.start("acme", "sweep", {}, by="cli:els")

    assert (soon, later) == (False, True)


def test_only_one_process_has_a_job(jobs: Jobs) -> None:
    start(jobs)

    first, second = jobs.take("acme", "sweep"), jobs.take("acme", "sweep")

    assert first is not None
    assert second is None


def test_a_killed_process_is_taken_over_from_the_last_commit(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    killed = take(jobs)
    jobs.commit(killed, Step(cursor={"page": 2}, done=100, result={"marked": 3}), keep=True)
    kill_its_process(store)

    other = take(jobs)

    assert (other.job.cursor, other.job.done, other.job.result) == ({"page": 2}, 100, {"marked": 3})
    assert jobs.commit(killed, Step(cursor={"page": 9}, done=900), keep=True) == "lost"
    assert look(jobs).cursor == {"page": 2}
    with pytest.raises(Lost):
        jobs.renew(killed)


def test_a_lease_lets_a_killed_job_go_within_twenty_seconds(jobs: Jobs) -> None:
    start(jobs)
    began = time.monotonic()
    take(jobs)

    _, until = jobs.next_turns()

    passed = timedelta(seconds=time.monotonic() - began + 0.1)  # however long this machine stood still
    assert timedelta(seconds=20) - passed <= until <= timedelta(seconds=20)


def test_a_long_step_keeps_its_job(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    turn = take(jobs)
    store.hset(IntegrationKeys("acme").job("sweep"), "lease", 1)

    jobs.renew(turn)

    assert jobs.take("acme", "sweep") is None


def test_what_kills_every_process_fails_after_five(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    for _ in range(5):
        take(jobs)
        kill_its_process(store)

    assert jobs.take("acme", "sweep") is None
    assert (look(jobs).state, look(jobs).reason) == ("failed", "kills_worker")


def test_a_step_that_was_committed_forgives_earlier_kills(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    for _ in range(4):
        take(jobs)
        kill_its_process(store)
    jobs.commit(take(jobs), Step(cursor=1, done=1), keep=True)
    kill_its_process(store)

    assert jobs.take("acme", "sweep") is not None


def test_pause_is_seen_between_two_steps_and_resume_goes_on_from_there(jobs: Jobs) -> None:
    start(jobs)
    turn = take(jobs)

    under_way, _ = jobs.pause("acme", "sweep")
    committed = jobs.commit(turn, Step(cursor=7, done=7), keep=True)
    rests = look(jobs)
    jobs.resume("acme", "sweep")

    assert under_way is not None
    assert (under_way.state, under_way.asked) == ("running", "pause")
    assert (committed, rests.state, rests.asked) == ("paused", "paused", "")
    assert take(jobs).job.cursor == 7


def test_a_paused_job_is_nobodys_turn_and_starting_it_again_answers_it(jobs: Jobs) -> None:
    started = start(jobs)
    jobs.pause("acme", "sweep")

    again, is_new = jobs.start("acme", "sweep", {}, by="cli:jan")

    assert jobs.next_turns()[0] == []
    assert jobs.take("acme", "sweep") is None
    assert (again.run, again.state, is_new) == (started.run, "paused", False)


def test_pause_asked_of_a_process_that_is_killed_holds_all_the_same(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    take(jobs)
    jobs.pause("acme", "sweep")
    kill_its_process(store)

    assert jobs.take("acme", "sweep") is None
    assert look(jobs).state == "paused"


def test_resume_before_the_step_is_over_takes_the_pause_back(jobs: Jobs) -> None:
    start(jobs)
    turn = take(jobs)
    jobs.pause("acme", "sweep")

    jobs.resume("acme", "sweep")

    assert jobs.commit(turn, Step(cursor=1, done=1), keep=True) == "mine"


@pytest.mark.parametrize("taken", [False, True])
def test_cancel_ends_a_run_and_keeps_its_story(jobs: Jobs, taken: bool) -> None:
    run = start(jobs, days=30).run
    turn = take(jobs) if taken else None

    jobs.cancel("acme", "sweep")
    if turn:
        assert jobs.commit(turn, Step(cursor=1, done=1), keep=True) == "cancelled"

    assert look(jobs).state == "cancelled"
    story = jobs.history("acme", "sweep")[0]
    assert (story.run, story.state, story.parameters, story.done) == (run, "cancelled", {"days": 30}, int(taken))
    assert jobs.next_turns()[0] == []


@pytest.mark.parametrize("act", ["pause", "resume", "cancel"])
def test_what_is_over_or_never_was_cannot_be_turned(jobs: Jobs, act: str) -> None:
    never = getattr(jobs, act)("acme", "drift")
    start(jobs)
    jobs.commit(take(jobs), Step(cursor=None, done=1, finished=True), keep=False)

    over, changed = getattr(jobs, act)("acme", "sweep")

    assert never == (None, False)
    assert (over.state, changed) == ("done", False)


def test_a_failed_job_resumes_from_its_cursor_and_starts_anew_from_nothing(jobs: Jobs) -> None:
    start(jobs)
    jobs.commit(take(jobs), Step(cursor=5, done=5), keep=False)
    jobs.end(take(jobs), "failed", reason="refused", sentence="Teamleader refuses it.")
    failed = look(jobs)

    jobs.resume("acme", "sweep")
    resumed = take(jobs)
    jobs.end(resumed, "failed", reason="refused", sentence="Still.")
    start(jobs)

    assert (failed.state, failed.sentence) == ("failed", "Teamleader refuses it.")
    assert (resumed.job.cursor, resumed.job.reason, resumed.job.ended) == (5, "", None)
    assert (look(jobs).cursor, look(jobs).done) == (None, 0)


def test_a_failed_job_can_be_given_up_and_then_needs_nobody(jobs: Jobs) -> None:
    start(jobs)
    jobs.commit(take(jobs), Step(cursor=5, done=5), keep=False)
    jobs.end(take(jobs), "failed", reason="refused", sentence="Teamleader refuses it.")

    given_up, changed = jobs.cancel("acme", "sweep")
    again, changed_again = jobs.cancel("acme", "sweep")
    resumed, goes_on = jobs.resume("acme", "sweep")

    assert given_up is not None
    assert (changed, given_up.state, given_up.reason, given_up.done) == (True, "cancelled", "given_up", 5)
    assert given_up.sentence == "Given up by an operator after it failed (refused): Teamleader refuses it."
    assert (changed_again, goes_on) == (False, False)
    assert again == resumed == look(jobs)
    assert [story.state for story in jobs.history("acme", "sweep")] == ["cancelled", "failed"]
    assert jobs.next_turns()[0] == []


def test_a_job_waits_with_its_reason_and_counts_failed_tries_in_a_row(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    for _ in range(2):
        store.zadd(BULK_TURNS, {"acme sweep": 1})
        jobs.wait(take(jobs), reason="unavailable", sentence="It is away.", delay=SOON, failed=True)
    waits = look(jobs)
    _, until = jobs.next_turns()
    jobs.commit(take(jobs), Step(cursor=1, done=1), keep=False)

    assert (waits.state, waits.reason, waits.failures) == ("waiting", "unavailable", 2)
    assert timedelta(0) < until <= SOON
    assert (look(jobs).state, look(jobs).reason, look(jobs).failures) == ("running", "", 0)


def test_a_wait_for_the_pace_is_no_wait_to_speak_of(jobs: Jobs) -> None:
    start(jobs)

    jobs.wait(take(jobs), reason="", sentence="", delay=timedelta(seconds=1), failed=False)

    assert look(jobs).state == "running"


def test_jobs_take_turns(jobs: Jobs) -> None:
    for kind in ("sweep", "drift"):
        start(jobs, kind)
        jobs.start("other", kind, {}, by="service")
    order = []
    for _ in range(8):
        integration, kind = jobs.next_turns()[0][0]
        turn = jobs.take(integration, kind)
        assert turn is not None
        order.append((integration, kind))
        time.sleep(0.002)  # a step takes longer than the store's clock is fine
        jobs.commit(turn, Step(cursor=1, done=1), keep=False)

    assert len(set(order[:4])) == 4
    assert len(set(order[4:])) == 4


@pytest.mark.parametrize("state", ["paused", "reconnect_needed", "connecting"])
def test_a_job_of_an_integration_that_is_held_waits_and_goes_on_by_itself(
    jobs: Jobs, store: "redis.Redis", state: str
) -> None:
    start(jobs)
    store.hset(IntegrationKeys("acme").options, "state", state)

    held = jobs.take("acme", "sweep")
    waits = look(jobs)
    store.hset(IntegrationKeys("acme").options, "state", "active")

    assert held is None
    assert (waits.state, waits.reason) == ("waiting", state)
    assert jobs.next_turns()[1] <= timedelta(seconds=5)
    assert take(jobs).job.state == "running"


def test_nothing_is_started_for_an_integration_that_was_removed(jobs: Jobs, store: "redis.Redis") -> None:
    store.hset(IntegrationKeys("acme").options, "state", "closed")

    with pytest.raises(UnknownIntegration):
        start(jobs)

    assert jobs.look("acme", "sweep") is None


def test_a_job_of_a_closed_integration_is_cancelled(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    store.hset(IntegrationKeys("acme").options, "state", "closed")

    assert jobs.take("acme", "sweep") is None
    assert (look(jobs).state, look(jobs).reason) == ("cancelled", "closed")


def test_report_lines_are_told_once(jobs: Jobs, store: "redis.Redis") -> None:
    start(jobs)
    killed = take(jobs)
    kill_its_process(store)
    other = take(jobs)

    for turn in (killed, other):
        jobs.commit(turn, Step(cursor=1, done=2, lines=[{"n": 1}, {"n": 2}]), keep=True)

    assert list(jobs.report("acme", "sweep")) == [{"n": 1}, {"n": 2}]


def test_the_report_is_bounded_and_says_how_much_was_left_out(jobs: Jobs) -> None:
    start(jobs)
    turn = take(jobs)
    lines = [{"n": n} for n in range(REPORT_LINES)]

    jobs.commit(turn, Step(cursor=1, done=1, lines=lines[1:]), keep=True)
    jobs.commit(turn, Step(cursor=2, done=2, lines=lines[:4]), keep=True)

    assert sum(1 for _ in jobs.report("acme", "sweep")) == REPORT_LINES
    assert look(jobs).more == 3


def test_a_new_run_begins_with_an_empty_report(jobs: Jobs) -> None:
    start(jobs)
    jobs.commit(take(jobs), Step(cursor=1, done=1, lines=[{"n": 1}], finished=True), keep=False)

    start(jobs)

    assert list(jobs.report("acme", "sweep")) == []


def test_the_history_is_bounded(jobs: Jobs) -> None:
    for number in range(25):
        start(jobs)
        jobs.commit(take(jobs), Step(cursor=None, done=number, finished=True), keep=False)

    assert [job.done for job in jobs.history("acme", "sweep")] == list(range(24, 4, -1))
