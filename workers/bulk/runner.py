"""The bulk process: takes turns with the bulk jobs of all integrations, a few at a time.

A turn is a few steps of one job; then whoever waits longest has the next. It drains on SIGTERM (the step under way is
finished, the lease given back), ends with 1 when one of its threads dies, and several such processes are harmless.
"""

import gc
import json
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import FrameType

import redis
import structlog

from config.registry import UnknownIntegration
from workers.bulk.jobs import Job, Jobs, Lost, Step, Turn
from workers.bulk.kinds import Kind, bulk_tools
from workers.bulk.policy import Stop, UnknownKind, judge
from workers.bulk.registry import by_name
from workers.bulk.schedule import Schedule
from workers.ledger import Ledger
from workers.reconnect import hold_for_reconnect
from workers.services import Services
from workers.sync.failure_policy import INTERNAL

# How long one job may go on while others wait.
TURN = timedelta(seconds=2)
LOOK_EVERY = timedelta(milliseconds=500)
# After a failed look: the store is away.
RECOVER = timedelta(seconds=1)
CHECK_THREADS_EVERY_SECONDS = 1.0
DRAIN_SECONDS = 18.0
# How long a thread that computes may keep the interpreter while others wait for it. Reading a page takes the interpreter
# some ten times; with Python's 5 ms each, the next page would be late whenever the last one is being mapped (measured).
SWITCH_SECONDS = 0.0005
# New objects after which unreachable ones are looked for; by default after 700, which is seven customers (9 % of the time).
NEW_OBJECTS = 20_000

log = structlog.get_logger()


@dataclass(slots=True)
class Runner:
    """Does the steps of jobs until it is stopped. Safe to run in several threads and processes."""

    services: Services
    kinds: Mapping[str, Kind] = field(default_factory=by_name)
    jobs: Jobs = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _one_looks: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.jobs = Jobs(self.services.store)

    def stop(self) -> None:
        self._stopping.set()

    def run(self) -> None:
        """One thread's life: a turn, then the next. A store that is away is waited for."""
        while not self._stopping.is_set():
            try:
                # One idle thread looks for work, the others wait for it: idling costs the store two questions a second.
                with self._one_looks:
                    turn = self._wait_for_a_turn()
                if turn is not None:
                    self.work(turn)
            except redis.RedisError as error:
                log.warning("The store does not answer; bulk work waits for it.", error=type(error).__name__)
                self._stopping.wait(RECOVER.total_seconds())

    def run_once(self) -> bool:
        """One turn, if there is one now; says whether there was."""
        turn, _ = self._look_for_a_turn()
        if turn is not None:
            self.work(turn)
        return turn is not None

    def work(self, turn: Turn) -> None:
        """Steps until the job waits, ends or has had its time. Raises only `redis.RedisError`."""
        with structlog.contextvars.bound_contextvars(
            integration=turn.job.integration, job=turn.job.kind, run=turn.job.run
        ):
            ends, job = time.monotonic() + TURN.total_seconds(), turn.job
            while True:
                step = self._try_step(job, turn)
                if step is None:
                    return
                keep = time.monotonic() < ends and not self._stopping.is_set()
                if not self._commit(turn, step, keep=keep):
                    return
                job = after(job, step)

    def _wait_for_a_turn(self) -> Turn | None:
        """The next turn there is; None when stopping."""
        while not self._stopping.is_set():
            turn, later = self._look_for_a_turn()
            if turn is not None:
                return turn
            self._stopping.wait(min(LOOK_EVERY, later).total_seconds())
        return None

    def _look_for_a_turn(self) -> tuple[Turn | None, timedelta]:
        """A turn, or how long until there may be one."""
        ready, later = self.jobs.next_turns()
        for integration, kind in ready:
            if (turn := self.jobs.take(integration, kind)) is not None:
                return turn, timedelta(0)
        return None, later

    def _try_step(self, job: Job, turn: Turn) -> Step | None:
        """One step, not yet committed; None when there is none, and why was noted."""
        try:
            kind = self.kinds.get(job.kind)
            if kind is None:
                raise UnknownKind(job.kind)
            tools = bulk_tools(self.services, job.integration, partial(self.jobs.renew, turn))
            return kind.step(job, tools)
        except redis.RedisError:
            raise
        except UnknownIntegration as gone:
            self._end(Stop("closed", str(gone), "cancelled"), gone, turn)
        except Lost:
            log.info("Another process has this job now; this one stops.")
        except Exception as failure:  # noqa: BLE001 # judged, logged and kept: no job may get stuck silently
            self._failed(failure, job, turn)
        return None

    def _commit(self, turn: Turn, step: Step, *, keep: bool) -> bool:
        """Says whether the next step may follow at once."""
        answer = self.jobs.commit(turn, step, keep=keep)
        if answer in ("done", "cancelled", "paused"):
            log.info("A bulk job ended or rests.", state=answer, done=step.done, result=dict(step.result))
        return answer == "mine"

    def _failed(self, failure: Exception, job: Job, turn: Turn) -> None:
        verdict = judge(failure, job.failures, now=datetime.now(UTC), jitter=random.random())  # noqa: S311 # jitter
        if isinstance(verdict, Stop):
            self._end(verdict, failure, turn)
            return
        if verdict.reconnect:
            # Made of the name alone: the integration may have been removed meanwhile.
            hold_for_reconnect(Ledger(self.services.scripts, job.integration), verdict.reconnect)
        self.jobs.wait(
            turn, reason=verdict.reason, sentence=verdict.sentence, delay=verdict.delay, failed=verdict.failed
        )
        if verdict.reason:
            again = round(verdict.delay.total_seconds(), 1)
            log.warning("A bulk job waits.", reason=verdict.reason, again_in_seconds=again)

    def _end(self, verdict: Stop, failure: Exception, turn: Turn) -> None:
        self.jobs.end(turn, verdict.state, reason=verdict.reason, sentence=verdict.sentence)
        if verdict.state == "cancelled":
            log.info("A bulk job was stopped.", reason=verdict.reason)
            return
        log.error(
            "A bulk job failed; a person is needed.",
            reason=verdict.reason,
            error=type(failure).__name__,
            # Where, not what: the text of an unforeseen error may quote a customer.
            traceback="".join(traceback.format_tb(failure.__traceback__)) if verdict.reason == INTERNAL else None,
        )


def after(job: Job, step: Step) -> Job:
    """The job as the next step finds it: just as it would be read from the store after a crash."""
    as_stored = json.loads(json.dumps({"cursor": step.cursor, "result": step.result}))
    return replace(job, done=step.done, total=step.total, progress=step.progress, failures=0, **as_stored)


def run_bulk(services: Services) -> int:
    """Works until SIGTERM or SIGINT; answers the exit code: 0 after draining, 1 when a thread died."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS)
    runner, schedule = Runner(services), Schedule(services, services.settings.compare_every)
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    numbers = range(1, services.settings.bulk_threads + 1)
    threads = [threading.Thread(target=runner.run, name=f"bulk-{number}", daemon=True) for number in numbers]
    threads.append(threading.Thread(target=schedule.run, name="schedule", daemon=True))
    for thread in threads:
        thread.start()
    log.info("Bulk process ready.", threads=len(numbers))
    while not stopping.wait(CHECK_THREADS_EVERY_SECONDS):
        if dead := [thread.name for thread in threads if not thread.is_alive()]:
            log.critical("A thread of the bulk process died; the process ends so that a new one starts.", threads=dead)
            os._exit(1)
    log.info("Bulk process draining.")
    runner.stop()
    schedule.stop()
    deadline = time.monotonic() + DRAIN_SECONDS
    for thread in threads:
        thread.join(timeout=max(0.0, deadline - time.monotonic()))
    log.info("Bulk process stopped.")
    return 0
