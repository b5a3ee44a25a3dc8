"""Bulk jobs: long work on a whole account that survives kill -9 and that people can pause, resume and cancel.

There is one record per integration and kind: the run that is under way, or the last one. Starting a kind that is under
way answers that run, so two operators get one job. Whatever a run has achieved is committed in one atomic script per
step, together with the cursor; a process that dies takes at most one step with it, which is then done again.

**To add a kind of job** write a small object and list it in `workers/bulk/registry.py`:

    class Export:
        name = "export"

        def plan(self, parameters, tools) -> Plan: ...     # before it starts: what it will do, how many calls, how long
        def step(self, job, tools) -> Step: ...            # the next few seconds of it

`step` gets the run as it was committed last (`job.cursor` is None at first) and answers where it is now. The rules:

- A step is short: one call to an API, or a few. Between calls of a longer one: `tools.keep()`, which raises `Lost` when
  another process has the job by now.
- It is harmless to do a step twice. Effects (marks in the ledger, bytes in a file) come before the commit, so after a
  crash the same step runs again from the same cursor. Counters (`done`, `result`) are computed from `job`'s, never
  kept elsewhere, so that only committed steps count. What must be told exactly once goes into `Step.lines`.
- Failures fly. `workers/bulk/policy.py` says what becomes of them: throttled and unavailable APIs are waited for,
  anything else fails the run with a sentence (`JobFailed` to say which; `JobStopped` ends it without a failure).
  `resume` goes on from the cursor, `start` begins anew, `cancel` gives it up.
- Nothing in `parameters`, `cursor`, `result` and `lines` may be personal data: ids, field names, reasons, numbers.

It never talks to an API and never starts anything by itself: `runner` does the steps, `schedule` starts what is due.
"""

import functools
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import resources
from typing import Any, Literal, cast

import redis

from config.keys import ALERTS_MESSAGES, BULK_TURNS, IntegrationKeys
from config.registry import UnknownIntegration
from workers.alerts.book import MESSAGES_KEPT
from workers.ledger.records import from_ms

# As the ledger's: more than one whole HTTP budget, and what a killed process held is free again within it.
LEASE = timedelta(seconds=20)
REPORT_LINES = 5_000
UNDER_WAY = frozenset({"waiting", "running", "paused"})

State = Literal["waiting", "running", "paused", "cancelled", "done", "failed"]
Json = Mapping[str, object]


class Lost(Exception):
    """Another process has the job by now; this one stops at once and says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run of a kind for one integration. Times are aware; None = not yet.

    `reason` and `sentence`: why it waits, or how it ended. `asked`: pause or cancel, until the step under way is over.
    `more`: lines of the report that were left out.
    """

    integration: str
    kind: str
    run: str
    state: State
    by: str
    parameters: Json
    reason: str = ""
    sentence: str = ""
    cursor: Any = None
    result: Json = field(default_factory=dict)
    done: int = 0
    total: int | None = None
    progress: str = ""
    asked: str = ""
    more: int = 0
    failures: int = 0
    started: datetime | None = None
    changed: datetime | None = None
    ended: datetime | None = None
    leased_until: datetime | None = None
    next_turn: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.state not in UNDER_WAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a run is after a step: the new values, whole. `total` is None while nobody knows it.

    `again_in`: there is nothing to do before that. `lines`: JSON values for the report, each told exactly once.
    `message`: JSON of a `workers.alerts.messages.Message`, which goes out once, if the step counts.
    """

    cursor: Any
    done: int
    total: int | None = None
    progress: str = ""
    result: Json = field(default_factory=dict)
    finished: bool = False
    again_in: timedelta = timedelta(0)
    lines: Sequence[Json] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run would do, before it starts. `calls`: to Teamleader; `total`: steps of progress, where one knows."""

    sentence: str
    calls: int
    total: int | None = None
    shortest: timedelta = timedelta(0)
    longest: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Turn:
    """The lease on a job: only its holder may commit."""

    job: Job
    token: str


Committed = Literal["mine", "released", "paused", "cancelled", "done", "failed", "lost"]
Request = Literal["pause", "resume", "cancel"]


class Jobs:
    """The records of all bulk jobs. Cheap to make; every method raises `redis.RedisError` when the store fails."""

    def __init__(self, store: "redis.Redis", *, lease: timedelta = LEASE) -> None:
        self._store = store
        self._lease = lease
        names = ("start", "take", "renew", "commit", "wait", "end", "ask")
        self._scripts = {name: store.register_script(_script(name)) for name in names}

    # -- for people ----------------------------------------------------------------------------------

    def start(
        self, integration: str, kind: str, parameters: Json, *, by: str, unless_within: timedelta = timedelta(0)
    ) -> tuple[Job, bool]:
        """The run that is under way, else a new one; says whether it is new.

        `unless_within`: a run that began less than this ago counts as this one, even when it is over.
        Raises `UnknownIntegration` when the integration was removed.
        """
        run = "job_" + secrets.token_urlsafe(9)
        args = [run, json.dumps(parameters), by, _ms(unless_within)]
        is_new, record = self._run("start", integration, kind, args)
        if not record:
            raise UnknownIntegration(integration)
        return _job(integration, kind, record), is_new == 1

    def pause(self, integration: str, kind: str) -> tuple[Job | None, bool]:
        """As `cancel`: the job as it is now, and whether this changed anything. A step under way is finished first."""
        return self._ask("pause", integration, kind)

    def resume(self, integration: str, kind: str) -> tuple[Job | None, bool]:
        """Goes on from the cursor: with what was paused, and with what failed."""
        return self._ask("resume", integration, kind)

    def cancel(self, integration: str, kind: str) -> tuple[Job | None, bool]:
        """Ends the run for good; what was done stays done. One that failed is given up: nobody is needed any more."""
        return self._ask("cancel", integration, kind)

    def look(self, integration: str, kind: str) -> Job | None:
        """The run under way, or the last one; None when there never was one."""
        record = cast(dict[bytes, bytes], self._store.hgetall(IntegrationKeys(integration).job(kind)))
        return _job(integration, kind, [item for pair in record.items() for item in pair]) if record else None

    def history(self, integration: str, kind: str) -> list[Job]:
        """How runs ended, newest first, without their cursors."""
        stored = cast(list[bytes], self._store.lrange(IntegrationKeys(integration).job_history(kind), 0, -1))
        return [_from_texts(integration, kind, json.loads(story)) for story in stored]

    def report(self, integration: str, kind: str) -> Iterator[Json]:
        """The lines that the last run had to tell."""
        key = IntegrationKeys(integration).job_report(kind)
        for offset in range(0, REPORT_LINES, 500):
            lines = cast(list[bytes], self._store.lrange(key, offset, offset + 499))
            yield from (json.loads(line) for line in lines)
            if len(lines) < 500:
                return

    # -- for the process that works on them ----------------------------------------------------------

    def next_turns(self, most: int = 10) -> tuple[list[tuple[str, str]], timedelta]:
        """The jobs whose turn it is, longest waiting first, and how long until the next one's, as far as one knows."""
        pipeline = self._store.pipeline(transaction=False)
        pipeline.time()
        pipeline.zrange(BULK_TURNS, 0, most - 1, withscores=True)
        (seconds, micros), found = pipeline.execute()
        now = seconds * 1000 + micros // 1000
        ready = [_names(member) for member, at in found if at <= now]
        later = min((at - now for _, at in found if at > now), default=60_000)
        return ready, timedelta(milliseconds=later)

    def take(self, integration: str, kind: str) -> Turn | None:
        """Asks for the lease; None when somebody else has it or there is nothing to do now."""
        token = secrets.token_urlsafe(9)
        answer = self._run("take", integration, kind, [token, _ms(self._lease)])
        return Turn(_job(integration, kind, answer[1]), token) if answer[0] == b"taken" else None

    def renew(self, turn: Turn) -> None:
        """Between the calls of a long step. Raises `Lost`."""
        if not self._run("renew", turn.job.integration, turn.job.kind, [turn.token, _ms(self._lease)]):
            raise Lost

    def commit(self, turn: Turn, step: Step, *, keep: bool) -> Committed:
        """Makes a step count. `keep`: goes on with the next one at once, unless the answer is other than `mine`."""
        total = "" if step.total is None else step.total
        args: list[object] = [turn.token, json.dumps(step.cursor), step.done, total, step.progress]
        args += [json.dumps(step.result), int(step.finished), _ms(step.again_in)]
        args += [_ms(self._lease) if keep else 0, REPORT_LINES, step.message, MESSAGES_KEPT]
        args += (json.dumps(line) for line in step.lines)
        return cast(Committed, self._run("commit", turn.job.integration, turn.job.kind, args).decode())

    def wait(self, turn: Turn, *, reason: str, sentence: str, delay: timedelta, failed: bool) -> Committed:
        """Gives the job back without a step. Without a reason it is only the pace, and the job counts as running."""
        args = [turn.token, reason, sentence, max(1, _ms(delay)), int(failed)]
        return cast(Committed, self._run("wait", turn.job.integration, turn.job.kind, args).decode())

    def end(self, turn: Turn, state: Literal["failed", "cancelled"], *, reason: str, sentence: str) -> Committed:
        """Ends the run without a step: `failed` when a person is needed."""
        args = [turn.token, state, reason, sentence]
        return cast(Committed, self._run("end", turn.job.integration, turn.job.kind, args).decode())

    # -- inside --------------------------------------------------------------------------------------

    def _ask(self, what: Request, integration: str, kind: str) -> tuple[Job | None, bool]:
        changed, record = self._run("ask", integration, kind, [what])
        return (_job(integration, kind, record) if record else None), changed == 1

    def _run(self, name: str, integration: str, kind: str, args: Sequence[object]) -> Any:
        keys = IntegrationKeys(integration)
        names = [
            keys.job(kind),
            keys.job_history(kind),
            keys.job_report(kind),
            BULK_TURNS,
            keys.options,
            ALERTS_MESSAGES,
        ]
        return self._scripts[name](keys=names, args=[f"{integration} {kind}", *map(str, args)])


@functools.cache
def _script(name: str) -> str:
    folder = resources.files("workers.bulk")
    return folder.joinpath("common.lua").read_text() + folder.joinpath(f"{name}.lua").read_text()


def _names(member: bytes) -> tuple[str, str]:
    integration, _, kind = member.decode().partition(" ")
    return integration, kind


def _job(integration: str, kind: str, record: Sequence[bytes]) -> Job:
    names = (name.decode() for name in record[::2])
    return _from_texts(integration, kind, dict(zip(names, (value.decode() for value in record[1::2]), strict=True)))


def _from_texts(integration: str, kind: str, text: Mapping[str, str]) -> Job:
    return Job(
        integration=integration,
        kind=kind,
        run=text["run"],
        state=cast(State, text["state"]),
        by=text["by"],
        parameters=json.loads(text["parameters"]),
        reason=text.get("reason", ""),
        sentence=text.get("sentence", ""),
        cursor=json.loads(text.get("cursor", "null")),
        result=json.loads(text.get("result") or "{}"),
        done=int(text.get("done", 0)),
        total=int(text["total"]) if text.get("total") else None,
        progress=text.get("progress", ""),
        asked=text.get("asked", ""),
        more=int(text.get("more", 0)),
        failures=int(text.get("failures", 0)),
        started=from_ms(text.get("started")),
        changed=from_ms(text.get("changed")),
        ended=from_ms(text.get("ended")),
        leased_until=from_ms(text.get("lease")),
        next_turn=from_ms(text.get("next")),
    )


def _ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
