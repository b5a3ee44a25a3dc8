"""The full comparison: every customer of Teamleader beside what Twikey has, field by field.

It reads each customer in full, which is one call each to Teamleader and to Twikey, and writes nothing itself. With `repair`
it makes owed what differs, as an operator's request (`workers.sync.decide`): so it also runs while auto-update is off, and
then without CC and invoicing address. The report holds ids, names of fields and reasons, never a value; at the end it is
among the *Shared files* as well (`drift_report`).

Who is edited while it runs is left to the live sync and only counted.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal, cast

from mapping import CannotMap, Kind, Variant, customer_number, map_customer
from workers.bulk import drift_report
from workers.bulk.backlog import LOOK_AGAIN, mark_some
from workers.bulk.csv_export import unchanged
from workers.bulk.estimate import About, about
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.bulk.kinds import BulkTools
from workers.bulk.listing import Customers
from workers.bulk.patience import patiently
from workers.bulk.unanswered import Tries, given_up
from workers.bulk.walk import ACTIONS, PAGE_SIZE, moment_of
from workers.bulk.workspace import Workspace, WorkspaceBusy
from workers.clients.errors import ApiFailure, NotFound
from workers.clients.teamleader.rate_limit import bulk_rates
from workers.files import SharedFile, SharedFiles
from workers.ledger import Cause
from workers.sync.compare import differences

NAME = "drift"
FOUND = ("equal", "different", "missing", "unmappable", "refused", "unanswered", "gone", "edited")
TOLD = ("different", "missing", "unmappable", "refused", "unanswered")
# Compared per commit, when calls are free: a few seconds of work.
AT_A_TIME = 10
OPERATOR = frozenset({Cause.OPERATOR})

Found = Literal["equal", "different", "missing", "unmappable", "refused", "unanswered", "gone"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What the comparison of one customer gave. `fields`: what differs; `reasons`: why it cannot be sent, or was not compared."""

    subject: str
    found: Found
    fields: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()

    def as_json(self) -> Json:
        line: dict[str, object] = {"subject": self.subject, "found": self.found}
        return line | {"fields": list(self.fields), "reasons": list(self.reasons)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The cursor: lists still to walk, customers of the page under way, and what is to be repaired and not marked yet."""

    lists: tuple[Customers, ...]
    page: tuple[str, ...] = ()
    repair: tuple[str, ...] = ()

    @property
    def is_the_end(self) -> bool:
        return not (self.lists or self.page or self.repair)

    def as_json(self) -> Json:
        lists = [place.as_json() for place in self.lists]
        return {"lists": lists, "page": list(self.page), "repair": list(self.repair)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Position":
        lists = tuple(Customers.from_json(place) for place in stored["lists"])
        return cls(lists=lists, page=tuple(stored["page"]), repair=tuple(stored["repair"]))


@dataclass(frozen=True, slots=True)
class Drift:
    """The kind of job. Parameters: `repair`, `create` (missing ones too, where the integration creates), `total`."""

    name: str = NAME

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        customers = About(0, exact=True)
        for kind in ACTIONS:
            customers += about(lambda number, kind=kind: _page_length(tools, kind, number))  # type: ignore[misc]
        calls = customers.number + customers.number // PAGE_SIZE + 2
        beside, alone = bulk_rates(tools.integration.teamleader.calls_per_minute)
        return Plan(
            sentence=f"Compares {customers} customers with Twikey. {_what_it_changes(parameters, tools)}",
            calls=calls,
            total=customers.number,
            shortest=timedelta(minutes=calls / alone),
            longest=timedelta(minutes=calls / beside),
        )

    def step(self, job: Job, tools: BulkTools) -> Step:
        """A page of a list, a few comparisons, marking what is to be repaired, or at the end the files."""
        at = (
            Position.from_json(job.cursor)
            if job.cursor
            else Position(lists=(Customers("contact"), Customers("company")))
        )
        if at.repair:
            return _repair(job, at, tools)
        if not at.page and at.lists:
            return _next_page(job, at, tools)
        files = SharedFiles.of(tools.store, tools.settings.files_dir, job.integration, tools.settings.files_kept)
        if at.is_the_end and (published := drift_report.published(job, files)):
            return _finished(job, *published)
        try:
            desk = Workspace(files.workspace(job.run))
        except WorkspaceBusy:
            # A process that was believed dead still has the report in its hands.
            return unchanged(job, again_in=LOOK_AGAIN)
        with closing(desk):
            return _compare_some(job, at, tools, desk) if at.page else _publish(job, files, desk)


def _next_page(job: Job, at: Position, tools: BulkTools) -> Step:
    place = at.lists[0]
    new, then = place.look(tools.teamleader.rows(place.action, place.request()))
    assert job.started is not None
    began = moment_of({"updated_at": job.started.isoformat()})
    before = [row for row in new if moment_of(row) < began]
    subjects = tuple(f"{place.kind}:{row['id']}" for row in before if isinstance(row.get("id"), str))
    after = replace(at, lists=(then, *at.lists[1:]) if then else at.lists[1:], page=subjects)
    return _step(job, after, {"edited": len(new) - len(before), "calls": 1})


def _compare_some(job: Job, at: Position, tools: BulkTools, desk: Workspace) -> Step:
    """As many as can be had: what was compared counts, even when the next one fails."""
    findings: list[Finding] = []
    variant = Variant.FULL if tools.ledger.auto_update() else Variant.MANUAL
    for subject in at.page[:AT_A_TIME]:
        try:
            findings.append(compare(subject, tools, variant))
        except ApiFailure as failure:
            if findings:
                break
            findings.append(_not_compared(subject, failure, tools, desk))
        tools.keep()
    more = {name: sum(finding.found == name for finding in findings) for name in FOUND}
    repair = _to_repair(job.parameters, findings, tools)
    told = [finding for finding in findings if finding.found in TOLD]
    drift_report.gather(desk, (finding.subject for finding in findings), told)
    lines = [finding.as_json() for finding in told]
    after = replace(at, page=at.page[len(findings) :], repair=repair)
    return replace(_step(job, after, {**more, "calls": len(findings)}), lines=lines)


def _not_compared(subject: str, failure: ApiFailure, tools: BulkTools, desk: Workspace) -> Finding:
    """Goes on without a customer that is refused or never answered. Raises the failure when it is to be tried again."""
    tries = Tries.told((desk.load() or {}).get("tries", ())).one_more(subject)
    found = given_up(failure, tries, tools)
    if found is None:
        desk.commit({"tries": tries.as_json()})
        raise failure
    return Finding(subject, found, reasons=(failure.sentence,))


def _repair(job: Job, at: Position, tools: BulkTools) -> Step:
    marked = mark_some(tools.ledger, at.repair, OPERATOR, event_id=job.run)
    step = _step(job, replace(at, repair=at.repair[marked:]), {"repaired": marked})
    return step if marked else replace(step, again_in=LOOK_AGAIN, progress="waits until what is owed is done")


def compare(subject: str, tools: BulkTools, variant: Variant) -> Finding:
    """One customer on both sides. Raises what the clients raise, except that it is gone."""
    kind, _, customer_id = subject.partition(":")
    try:
        document = tools.teamleader.customer(kind, customer_id)
        customer = map_customer(cast(Kind, kind), document, variant=variant, settings=tools.mapping)
    except NotFound:
        return Finding(subject, "gone")
    except CannotMap as refused:
        return Finding(subject, "unmappable", reasons=tuple(f"{one.field}: {one.reason}" for one in refused.problems))
    in_twikey = tools.twikey.get(customer_number(customer_id, tools.mapping.customer_number_prefix))
    if in_twikey is None:
        return Finding(subject, "missing")
    fields = tuple(difference.field for difference in differences(customer, in_twikey))
    return Finding(subject, "different" if fields else "equal", fields)


def creates(parameters: Json, tools: BulkTools) -> bool:
    """Whether a repair also creates customers that Twikey does not know."""
    return bool(parameters.get("create", True)) and tools.integration.create_unknown


def _to_repair(parameters: Json, findings: Sequence[Finding], tools: BulkTools) -> tuple[str, ...]:
    if not parameters.get("repair"):
        return ()
    wanted = ("different", "missing") if creates(parameters, tools) else ("different",)
    return tuple(finding.subject for finding in findings if finding.found in wanted)


def _step(job: Job, at: Position, more: Mapping[str, int]) -> Step:
    result = {name: cast(int, job.result.get(name, 0)) + more.get(name, 0) for name in (*FOUND, "repaired", "calls")}
    total = cast("int | None", job.parameters.get("total"))
    done = sum(result[name] for name in FOUND)
    doing = f"{at.lists[0].kind} list" if at.lists else "the last page"
    if total is not None:
        # The count was about right; who was added since is compared as well.
        total = done if at.is_the_end else max(total, done + len(at.page))
    return Step(
        cursor=at.as_json(),
        done=done,
        total=total,
        progress="" if at.is_the_end else doing,
        result=result,
    )


def _publish(job: Job, files: SharedFiles, desk: Workspace) -> Step:
    counts = {name: cast(int, job.result.get(name, 0)) for name in (*FOUND, "repaired", "calls")}
    drift_report.publish(job, files, desk, counts, lines=sum(counts[name] for name in TOLD))
    published = drift_report.published(job, files)
    assert published is not None
    desk.remove()
    return _finished(job, *published)


def _finished(job: Job, for_people: SharedFile, for_programs: SharedFile) -> Step:
    result = {**job.result, "file": for_people.id, "name": for_people.name, "json_file": for_programs.id}
    return replace(unchanged(job, again_in=timedelta(0)), cursor=None, result=result, finished=True)


def _page_length(tools: BulkTools, kind: str, number: int) -> int:
    body = {"page": {"size": PAGE_SIZE, "number": number}}
    return len(patiently(lambda: tools.teamleader.rows(ACTIONS[kind], body)))


def _what_it_changes(parameters: Json, tools: BulkTools) -> str:
    if not parameters.get("repair"):
        return "It changes nothing."
    missing = "and creates those Twikey does not know" if creates(parameters, tools) else "and creates nobody"
    how = "" if tools.ledger.auto_update() else " Automatic updates are off: CC and invoicing addresses are left alone."
    return f"What differs is brought over again, {missing}.{how}"
