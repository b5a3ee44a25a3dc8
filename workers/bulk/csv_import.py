"""Import: the rows of CSV files, brought into Twikey. Every row is compared with Twikey first, and written where it differs.

**One writer.** While a row is compared and written its customer is borrowed from the ledger, like a lease of a worker's, so
that no worker writes the same customer meanwhile; what arrives meanwhile is done at once afterwards. A customer number that
was made from a Teamleader id stands for two possible subjects, a contact and a company: both are borrowed. Any other number
is borrowed as itself, which keeps two imports apart.

**Nothing twice.** What is equal already is not written. A row that was being written when the process died is compared
again; the note of what was intended tells that it was us.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from mapping.csv_rows import defuse, is_named, teamleader_id
from workers.bulk.append import AppendFile, csv_line
from workers.bulk.csv_export import LOOK_AGAIN, finished, unchanged
from workers.bulk.import_desk import ImportDesk, ImportRow
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.policy import JobFailed
from workers.bulk.unanswered import MOST_TRIES
from workers.bulk.workspace import Workspace, WorkspaceBusy
from workers.clients.errors import ApiFailure, ReconnectNeeded, Refused, Throttled, Unavailable
from workers.files import NoSuchFile, SharedFiles
from workers.loans import Loans, NotOurs, borrow
from workers.sync.compare import differing_fields
from workers.sync.upsert import NAME_FIELDS, WITHOUT_COMPANY_NAME, may_be_the_name

NAME = "import"
ROWS_PER_STEP, ROWS_AT_A_TIME = 8, 4
# How often all rows are gone through for those that could not be had: a worker had them, or Twikey did not answer.
MOST_ROUNDS = 30
RESULT_COLUMNS = ("file", "line", "customerNumber", "outcome", "what")
_PAUSED = Throttled("twikey", "Twikey asked us to call less often", until=None)

Outcome = Literal["created", "updated", "to_create", "to_update", "unchanged", "refused", "failed"]


@dataclass(slots=True)
class State:
    """How far an import is: what the workspace commits."""

    after: int = 0
    round: int = 1
    calls: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a row."""

    outcome: Outcome
    what: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The row could not be done now. `failure`: because an API did not do its part."""

    failure: ApiFailure | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """A row that must be written: its customer is ours, and this is how Twikey differs. Empty `differing`: it is unknown."""

    loans: Loans
    differing: tuple[str, ...] = ()

    @property
    def intent(self) -> Outcome:
        return "updated" if self.differing else "created"

    @property
    def what(self) -> str:
        return ", ".join(self.differing)


class Import:
    """The kind of bulk job. Parameters: `desk`, the workspace that holds the rows, and `dry_run`."""

    name = NAME

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        files = _files(tools)
        with closing(Workspace(files.workspace(str(parameters["desk"])))) as desk:
            rows = ImportDesk(desk).counts().get("", 0)
        pace = tools.settings.twikey_calls_per_minute
        return plan_of(rows, dry_run=bool(parameters.get("dry_run")), calls_per_minute=pace)

    def step(self, job: Job, tools: BulkTools) -> Step:
        files, file_id = _files(tools), job.run.replace("job_", "file_")
        try:
            # Done already, by a process that died before it could say so.
            return finished(files.get(file_id))
        except NoSuchFile:
            pass
        try:
            desk = Workspace(files.workspace(str(job.parameters["desk"])))
        except WorkspaceBusy:
            return unchanged(job, again_in=LOOK_AGAIN)
        with closing(desk):
            work = _Work(job, tools, ImportDesk(desk), State(**(desk.load() or {})))
            if not work.state.counts:
                work.begin()
            if (step := work.some_rows()) is not None:
                return step
            made = files.add(
                work.result(),
                file_id=file_id,
                name=f"import-{job.integration}-{datetime.now(UTC):%Y%m%d-%H%M}{'-dry-run' if work.dry_run else ''}.csv",
                kind=NAME,
                rows=sum(work.state.counts.values()),
                counts=work.state.counts,
                by=job.by,
                now=datetime.now(UTC),
            )
            desk.remove()
            return finished(made)


@dataclass(slots=True)
class _Work:
    """One step's hands on an import."""

    job: Job
    tools: BulkTools
    desk: ImportDesk
    state: State

    @property
    def dry_run(self) -> bool:
        return bool(self.job.parameters.get("dry_run"))

    def begin(self) -> None:
        """Raises `JobFailed` when the rows are not there: on another machine's disk, or cleared away."""
        self.state.counts = {outcome: number for outcome, number in self.desk.counts().items() if outcome}
        self.state.counts["to_do"] = self.desk.counts().get("", 0)
        if not sum(self.state.counts.values()):
            sentence = "The rows to import are not on this disk (any more). Start the import again; do all processes share TLTW_FILES_DIR?"
            raise JobFailed("files_gone", sentence)

    def some_rows(self) -> Step | None:
        """A few rows; None when all are done."""
        began, calls = datetime.now(UTC), self.state.calls
        rows = self.desk.next_rows(self.state.after, ROWS_PER_STEP)
        if not rows:
            return self._next_round()
        failure = self._bring(rows)
        if failure is None:
            self.state.after = rows[-1].n
        self._commit()
        if failure is not None:
            raise failure
        pace = timedelta(minutes=(self.state.calls - calls) / self.tools.settings.twikey_calls_per_minute)
        return self._where(again_in=max(pace - (datetime.now(UTC) - began), timedelta(0)))

    def _next_round(self) -> Step | None:
        left = self.desk.next_rows(0, 1)
        if not left:
            return None
        if self.state.round >= MOST_ROUNDS:
            for row in self.desk.next_rows(0, self.state.counts["to_do"]):
                self._end(
                    row, Ended("failed", "Somebody else had this customer in hand all the time; import it again.")
                )
        self.state.after, self.state.round = 0, self.state.round + 1
        self._commit()
        return self._where(again_in=LOOK_AGAIN)

    def _bring(self, rows: Sequence[ImportRow]) -> Exception | None:
        """Compares some rows, notes what it is about to do, then does it. Answers what keeps all of them from going on."""
        bring = _Bring(self.tools, self.dry_run)
        with ThreadPoolExecutor(ROWS_AT_A_TIME, thread_name_prefix="import") as pool:
            looked = list(pool.map(bring.look, rows))
            for row, found in zip(rows, looked, strict=True):
                if isinstance(found, Ready):
                    self.desk.intend(row.n, found.intent, found.what)
            self.desk.desk.commit(asdict(self.state))
            done = list(pool.map(bring.do, rows, looked))
        self.state.calls += bring.calls
        for row, end in zip(rows, done, strict=True):
            if isinstance(end, Ended):
                self._end(row, end)
        return self._trouble(rows, done)

    def _trouble(self, rows: Sequence[ImportRow], done: Sequence["Ended | Later"]) -> Exception | None:
        failures = [
            (row, end.failure) for row, end in zip(rows, done, strict=True) if isinstance(end, Later) and end.failure
        ]
        for _, failure in failures:
            if isinstance(failure, Throttled | ReconnectNeeded):
                return failure
        if failures and not any(isinstance(end, Ended) for end in done):
            # Nobody was answered: is it about these rows, or about everybody?
            try:
                self.tools.twikey.check()
            except ApiFailure as outage:
                return outage
        for row, failure in failures:
            self.desk.try_later(row.n)
            if row.tries + 1 >= MOST_TRIES:
                self._end(row, Ended("failed", failure.sentence))
        return None

    def _end(self, row: ImportRow, end: Ended) -> None:
        if end.outcome == "unchanged" and row.intent:
            # Written by us before we died: it is as we wanted it.
            end = Ended("created" if row.intent == "created" else "updated", row.what)
        self.desk.end(row.n, end.outcome, end.what)
        self.state.counts["to_do"] -= 1
        self.state.counts[end.outcome] = self.state.counts.get(end.outcome, 0) + 1

    def _commit(self) -> None:
        self.desk.desk.commit(asdict(self.state))

    def _where(self, *, again_in: timedelta) -> Step:
        counts = self.state.counts
        total = sum(counts.values())
        told = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(counts.items()) if outcome != "to_do")
        return Step(
            cursor=self.state.after,
            done=total - counts["to_do"],
            total=total,
            progress=told,
            result=dict(counts),
            again_in=again_in,
        )

    def result(self) -> Path:
        """What became of each row, line by line."""
        path = self.desk.desk.folder / "result.csv"
        with closing(AppendFile(path, length=0)) as file:
            file.write(csv_line(RESULT_COLUMNS))
            for number, told in enumerate(self.desk.told()):
                if number % 1000 == 0:
                    self.tools.keep()
                file.write(csv_line((defuse(told.file), str(told.line), defuse(told.number), told.outcome, told.what)))
            file.sync()
        del self.state.counts["to_do"]
        return path


class _Bring:
    """Brings single rows over; safe for threads."""

    def __init__(self, tools: BulkTools, dry_run: bool) -> None:
        self._tools = tools
        self._ledger = tools.ledger
        self._twikey = tools.twikey
        self._dry_run = dry_run
        self._called: list[None] = []  # appending is atomic

    @property
    def calls(self) -> int:
        return len(self._called)

    def look(self, row: ImportRow) -> Ended | Later | Ready:
        """Compares a row with Twikey. Only of a row that is `Ready` the customer stays ours."""
        # Who only looks keeps nobody waiting.
        wanted = () if self._dry_run else subjects(row.number, self._tools.mapping.customer_number_prefix)
        try:
            loans = borrow(self._ledger, wanted)
        except NotOurs as taken:
            return Later(_PAUSED if taken.why == "paused" else None)
        try:
            found = self._compare(row, Ready(loans))
        except ApiFailure as failure:
            loans.give_back(failure)
            return _after(failure)
        if not isinstance(found, Ready):
            loans.give_back()
        return found

    def do(self, row: ImportRow, looked: Ended | Later | Ready) -> Ended | Later:
        """Writes what is ready to be written."""
        if not isinstance(looked, Ready):
            return looked
        try:
            with looked.loans:
                remark = self._write(row, looked)
        except NotOurs:
            return Later()
        except ApiFailure as failure:
            return _after(failure)
        return Ended(looked.intent, "; ".join(filter(None, (looked.what, remark))))

    def _compare(self, row: ImportRow, ready: Ready) -> Ended | Ready:
        self._called.append(None)
        in_twikey = self._twikey.get(row.number)
        if in_twikey is None:
            if not is_named(row.fields):
                return Ended(
                    "refused", "Twikey does not know this customer, and the row has no name to create it with."
                )
            return Ended("to_create") if self._dry_run else ready
        differing = differing_fields(row.fields, in_twikey)
        if not differing:
            return Ended("unchanged")
        return Ended("to_update", ", ".join(differing)) if self._dry_run else replace(ready, differing=differing)

    def _write(self, row: ImportRow, ready: Ready) -> str:
        if not ready.differing:
            profile = self._tools.mapping.profile
            fields = {**row.fields, **({"ct": profile} if profile else {})}
            self._twikey.create(row.number, fields, before_send=partial(self._check, ready))
            return ""
        changed = {name: row.fields[name] for name in ready.differing}
        if "coc" in changed:
            # Twikey takes it only together with the name.
            changed["companyName"] = row.fields["companyName"]
        return self._update(row.number, changed, partial(self._check, ready))

    def _update(self, number: str, changed: Mapping[str, str], check: Callable[[], None]) -> str:
        try:
            self._twikey.update(number, changed, before_send=check)
        except Refused as refused:
            rest = {name: value for name, value in changed.items() if name not in NAME_FIELDS}
            if not rest or not may_be_the_name(refused, changed):
                raise
            self._twikey.update(number, rest, before_send=check)
            return WITHOUT_COMPANY_NAME
        return ""

    def _check(self, ready: Ready) -> None:
        """Immediately before each write goes out. Raises `NotOurs`."""
        self._called.append(None)
        ready.loans.check(writes=True)


def plan_of(rows: int, *, dry_run: bool, calls_per_minute: int) -> Plan:
    """What importing so many rows takes: a call to compare each, and at most two to write it."""
    most = rows * (1 if dry_run else 3)
    return Plan(
        sentence=f"{rows:,} rows are compared with Twikey; up to {most:,} calls to Twikey, none to Teamleader.",
        calls=0,
        total=rows,
        shortest=timedelta(minutes=rows / calls_per_minute),
        longest=timedelta(minutes=most / calls_per_minute),
    )


def subjects(number: str, prefix: str) -> tuple[str, ...]:
    """The subjects under which a worker could write the customer of this number."""
    if found := teamleader_id(number, prefix):
        return (f"contact:{found}", f"company:{found}")
    return (f"number:{number}",)


def _after(failure: ApiFailure) -> Ended | Later:
    """What a failure means for the row."""
    if isinstance(failure, Throttled | ReconnectNeeded | Unavailable):
        return Later(failure)
    return Ended("refused", failure.sentence)


def _files(tools: BulkTools) -> SharedFiles:
    settings = tools.settings
    return SharedFiles.of(tools.store, settings.files_dir, tools.integration.id, settings.files_kept)
