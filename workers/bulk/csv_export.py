"""Export: every contact and company of Teamleader as the files that Twikey imports, in a zip among the *Shared files*.

One call to Teamleader brings 100 customers with their primary addresses. `full` asks for each customer as well, which brings
its invoicing address and costs a call each.

How it survives being killed: rows go to the disk first, then one commit of the job's workspace says how far they count, then
the job's record follows. Going on cuts off what was not committed, so there is neither a gap nor a double. The files are put
together at the end; should that be cut short, it is done again.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import redis
import structlog

from mapping import CannotMap, Kind, MappingSettings, Problem, Remark
from mapping.csv_rows import COLUMNS, defuse, row_of_record, settings_for_files
from workers.bulk import estimate
from workers.bulk.ahead import Ahead, spots_from, spots_told
from workers.bulk.append import AppendFile, TooShort, csv_line
from workers.bulk.bundle import Bundle, Packed, pack
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.parts import Parts, Written, paths
from workers.bulk.patience import patiently
from workers.bulk.unanswered import Tries, given_up
from workers.bulk.walk import ACTIONS, PAGE_SIZE, Record, Spot
from workers.bulk.workspace import Workspace, WorkspaceBusy
from workers.clients.errors import ApiFailure, NotFound, Throttled
from workers.clients.teamleader.rate_limit import bulk_rates
from workers.files import NoSuchFile, SharedFile, SharedFiles

NAME = "export"
# As long as a turn: each step costs several writes to the disk, and its first and last page nobody reads ahead of.
STEP_SECONDS = 2.0
# Customers that a full export asks for in one step, and at a time.
ONES_PER_STEP, ONES_AT_A_TIME = 40, 4
LOOK_AGAIN = timedelta(seconds=5)
PROBLEMS = "problems.csv"
PROBLEM_COLUMNS = ("file", "line", "customerNumber", "column", "what")
_EDITED = Remark("", "edited", "Edited in Teamleader while the export ran; the file may show it as it was before.")

log = structlog.get_logger()


@dataclass(slots=True)
class State:
    """How far an export is: what the workspace commits. `todo`: customers still to be asked for one by one (full), and `tries`
    how often that was in vain with the first of them."""

    spots: dict[str, Any] = field(default_factory=lambda: spots_told(dict.fromkeys(ACTIONS, Spot())))
    todo: list[list[str]] = field(default_factory=list)
    tries: list[str | int] = field(default_factory=list)
    part: dict[str, int] = field(default_factory=lambda: asdict(Written()))
    problems: int = 0
    contacts: int = 0
    companies: int = 0
    left_out: int = 0
    remarks: int = 0
    edited: int = 0
    gone: int = 0
    refused: int = 0
    unanswered: int = 0
    calls: int = 0

    @property
    def is_read(self) -> bool:
        """Whether every customer has been read."""
        return not any(self.spots.values()) and not self.todo

    @property
    def rows(self) -> int:
        return self.contacts + self.companies

    @property
    def done(self) -> int:
        return self.rows + self.left_out + self.gone + self.refused + self.unanswered

    def counts(self) -> dict[str, object]:
        """What people are told."""
        names = ("contacts", "companies", "left_out", "remarks", "edited", "gone", "refused", "unanswered", "calls")
        return {"rows": self.rows, **{name: getattr(self, name) for name in names}}


class Export:
    """The kind of bulk job. Parameters: `full`, `byte_order_mark`, and `about`, the number of customers as planned."""

    name = NAME

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        full = bool(parameters.get("full"))
        counts = [estimate.about(partial(_length, tools, kind)) for kind in ACTIONS]
        total = counts[0] + counts[1]
        calls = sum(count.number // (PAGE_SIZE - 1) + 1 for count in counts) + (total.number if full else 0)
        slow, fast = bulk_rates(tools.integration.teamleader.calls_per_minute)
        return Plan(
            sentence=_plan_sentence(str(total), calls, full=full),
            calls=calls,
            total=total.number,
            shortest=timedelta(minutes=calls / fast),
            longest=timedelta(minutes=calls / slow),
        )

    def step(self, job: Job, tools: BulkTools) -> Step:
        files = SharedFiles.of(tools.store, tools.settings.files_dir, job.integration, tools.settings.files_kept)
        file_id = job.run.replace("job_", "file_")
        try:
            # Made already, by a process that died before it could say so.
            return finished(files.get(file_id))
        except NoSuchFile:
            pass
        try:
            desk = Workspace(files.workspace(job.run))
        except WorkspaceBusy:
            # A process that was believed dead still has the files in its hands.
            return unchanged(job, again_in=LOOK_AGAIN)
        with closing(desk), closing(_Work.open(job, tools, desk)) as work:
            if not work.state.is_read:
                return work.read_some()
            try:
                bundle = work.put_together()
            except TooShort:
                desk.start_over()
                return unchanged(job, again_in=timedelta(0))
            made = files.add(
                bundle,
                file_id=file_id,
                name=f"customers-{job.integration}-{work.at:%Y%m%d-%H%M}{'-full' if work.full else ''}.zip",
                kind=NAME,
                rows=work.state.rows,
                counts=work.state.counts(),
                by=job.by,
                now=datetime.now(UTC),
            )
            desk.remove()
            return finished(made)


@dataclass(slots=True)
class _Work:
    """One step's hands on an export: the workspace, the open files, and the state that will be committed."""

    job: Job
    tools: BulkTools
    desk: Workspace
    state: State
    parts: Parts
    problems: AppendFile
    settings: MappingSettings
    full: bool
    at: datetime

    @classmethod
    def open(cls, job: Job, tools: BulkTools, desk: Workspace) -> "_Work":
        """Takes up what was committed. Where the disk has lost it, everything is done anew."""
        try:
            return cls._take_up(job, tools, desk)
        except TooShort:
            desk.start_over()
            return cls._take_up(job, tools, desk)

    @classmethod
    def _take_up(cls, job: Job, tools: BulkTools, desk: Workspace) -> "_Work":
        told = desk.load()
        if told is None and job.cursor is not None:
            log.warning("The files of an export are gone from this disk; it starts over.")
        state = State(**told) if told else State()
        mark = bool(job.parameters.get("byte_order_mark"))
        parts = Parts(desk.folder, COLUMNS, Written(**state.part), byte_order_mark=mark)
        problems = AppendFile(desk.folder / PROBLEMS, length=state.problems)
        if not state.problems:
            problems.write(csv_line(PROBLEM_COLUMNS))
        full, at = bool(job.parameters.get("full")), job.started or datetime.now(UTC)
        return cls(job, tools, desk, state, parts, problems, settings_for_files(tools.mapping), full, at)

    def close(self) -> None:
        self.parts.close()
        self.problems.close()

    # -- reading -------------------------------------------------------------------------------------

    def read_some(self) -> Step:
        """Some seconds' worth of customers; what cannot be had now is raised once that is safe."""
        failure = self._ask_for_some() if self.state.todo else self._read_lists()
        self._commit()
        if isinstance(failure, Throttled) and failure.status is None and failure.until is not None:
            # Only the pace. (Raised, it would not show how far we are.)
            return self._where(again_in=max(failure.until - datetime.now(UTC), timedelta(milliseconds=1)))
        if failure is not None:
            raise failure
        return self._where()

    def _read_lists(self) -> ApiFailure | redis.RedisError | None:
        ahead = Ahead(partial(_page, self.tools), self._take, spots_from(self.state.spots))
        # A full export first asks for the customers of a page.
        ahead.go_on(seconds=0 if self.full else STEP_SECONDS)
        self.state.spots = spots_told(ahead.spots)
        self.state.calls += ahead.pages
        return ahead.failure

    def _take(self, kind: str, spot: Spot, records: Sequence[Record]) -> Sequence[bool]:
        new = self.desk.first_time(f"{kind}:{record.get('id')}" for record in records)
        for record, is_new in zip(records, new, strict=True):
            if is_new and self.full:
                self.state.todo.append([kind, str(record.get("id"))])
            elif is_new:
                self._write(kind, record)
            elif not spot.is_of_before(record):
                self.state.edited += 1
                self._tell("", "", self._number(record), [_EDITED])
        return new

    def _ask_for_some(self) -> ApiFailure | redis.RedisError | None:
        """Asks for customers one by one, a few at a time. Who could not be had stays to be asked for."""
        some, failure = self.state.todo[:ONES_PER_STEP], None
        missing: list[list[str]] = []
        with ThreadPoolExecutor(ONES_AT_A_TIME, thread_name_prefix="ask") as pool:
            answers = [pool.submit(self._ask, *who) for who in some]
            for who, answer in zip(some, answers, strict=True):
                trouble = self._take_one(who[0], answer) if failure is None or not answer.cancel() else failure
                if trouble is not None:
                    failure = failure or trouble
                    missing.append(who)
        self.state.todo[:ONES_PER_STEP] = missing
        return self._go_on_without(failure) if failure else None

    def _go_on_without(self, failure: ApiFailure | redis.RedisError) -> ApiFailure | redis.RedisError | None:
        """Whom `failure` is about is the first to be asked for; left out when it is refused, or never answered."""
        if not isinstance(failure, ApiFailure):
            return failure
        kind, customer_id = self.state.todo[0]
        tries = Tries.told(self.state.tries).one_more(f"{kind}:{customer_id}")
        try:
            found = given_up(failure, tries, self.tools)
        except (ApiFailure, redis.RedisError) as outage:
            return outage
        if found is None:
            self.state.tries = tries.as_json()
            return failure
        del self.state.todo[0]
        self.state.refused += found == "refused"
        self.state.unanswered += found == "unanswered"
        sentence = f"Not in these files, because it could not be read: {failure.sentence}."
        self._tell("", "", self._number({"id": customer_id}), [Remark("", found, sentence)])
        return None

    def _take_one(self, kind: str, answer: "Future[Record | None]") -> ApiFailure | redis.RedisError | None:
        try:
            record = answer.result()
        except (ApiFailure, redis.RedisError) as failure:
            return failure
        self.tools.keep()
        self.state.calls += 1
        if record is None:
            self.state.gone += 1
        else:
            self._write(kind, record)
        return None

    def _ask(self, kind: str, customer_id: str) -> Record | None:
        try:
            return self.tools.teamleader.info(kind, customer_id)
        except NotFound:
            return None

    # -- writing -------------------------------------------------------------------------------------

    def _write(self, kind: str, record: Record) -> None:
        try:
            row = row_of_record(cast(Kind, kind), record, self.settings)
        except CannotMap as refused:
            self.state.left_out += 1
            self._tell("", "", self._number(record), refused.problems)
            return
        part, line = self.parts.add(row.cells)
        if kind == "contact":
            self.state.contacts += 1
        else:
            self.state.companies += 1
        if row.remarks:
            self.state.remarks += 1
            self._tell(f"customers-{part:04}.csv", str(line), row.number, row.remarks)

    def _number(self, record: Record) -> str:
        return f"{self.settings.customer_number_prefix}{record.get('id')}"

    def _tell(self, file: str, line: str, number: str, told: Iterable[Remark | Problem]) -> None:
        for one in told:
            self.problems.write(csv_line((file, line, defuse(number), one.field, one.sentence)))

    def _commit(self) -> None:
        self.state.part = asdict(self.parts.sync())
        self.state.problems = self.problems.sync()
        self.desk.commit(asdict(self.state))

    def _where(self, *, again_in: timedelta = timedelta(0)) -> Step:
        state, about = self.state, self.job.parameters.get("about")
        total = about if isinstance(about, int) and about >= state.done else None
        so_far = f"{state.rows:,} rows in {state.part['part']} files, {state.calls:,} calls"
        return Step(
            # The workspace knows where to go on; this only tells a lost one from a new one.
            cursor=state.calls,
            done=state.done,
            total=total,
            progress=so_far if total else f"{so_far} so far",
            result=state.counts(),
            again_in=again_in,
        )

    # -- putting together ----------------------------------------------------------------------------

    def put_together(self) -> Path:
        """The zip: the parts, the problems, and a summary. Raises `TooShort` when rows are missing in the parts by now."""
        self.parts.finish()
        self.problems.sync()
        target = self.desk.folder / "export.zip"
        with Bundle(target, at=self.at) as bundle:
            parts = pack(bundle, paths(self.desk.folder), self.tools.keep)
            if sum(part.rows for part in parts) < self.state.rows:
                raise TooShort(target.name)
            packed = [*parts, bundle.add(self.desk.folder / PROBLEMS)]
            bundle.add_text("summary.txt", _summary(self, packed))
        return target


def _page(tools: BulkTools, kind: str, spot: Spot) -> list[Record]:
    return [*tools.teamleader.rows(ACTIONS[kind], spot.request())]


def _length(tools: BulkTools, kind: str, page: int) -> int:
    body = {"page": {"size": PAGE_SIZE, "number": page}, "sort": [{"field": "added_at", "order": "asc"}]}
    return len(patiently(partial(tools.teamleader.rows, ACTIONS[kind], body)))


def unchanged(job: Job, *, again_in: timedelta) -> Step:
    return Step(
        cursor=job.cursor, done=job.done, total=job.total, progress=job.progress, result=job.result, again_in=again_in
    )


def finished(made: SharedFile) -> Step:
    return Step(
        cursor=None,
        done=made.rows,
        total=made.rows,
        progress=made.name,
        result={**made.counts, "file": made.id, "name": made.name, "size": made.size, "sha256": made.sha256},
        finished=True,
    )


def _plan_sentence(total: str, calls: int, *, full: bool) -> str:
    how = "each asked for by itself, for its invoicing address" if full else "100 a call, with their primary addresses"
    return f"{total} contacts and companies, {how}: {calls:,} calls to Teamleader."


def _summary(work: _Work, packed: Sequence[Packed]) -> str:
    state = work.state
    addresses = (
        "invoicing address, else primary one"
        if work.full
        else "primary address (an export with --full has the invoicing one)"
    )
    files = "".join(f"{one.sha256}  {one.name}  {one.size:,} bytes, {one.rows:,} rows\n" for one in packed)
    return f"""\
Customers of the integration {work.job.integration}, for Twikey: New > Import > Customers
Begun {work.at:%Y-%m-%d %H:%M} UTC, asked for by {work.job.by}

{state.rows:,} rows: {state.companies:,} companies, {state.contacts:,} persons
{state.left_out:,} customers left out because Twikey could not know them
{state.refused + state.unanswered:,} customers left out because Teamleader refused them or never answered for them
{state.remarks:,} rows with a remark
{state.edited:,} times a customer was edited while the export ran
{PROBLEMS} lists all of these. It is not for Twikey.

Address: {addresses}.
Not in these files, because Twikey's import has no column for it: VAT number, CC address, profile.

SHA-256, file, size
{files}"""
