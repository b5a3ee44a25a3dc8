"""`make bench-bulk`: what a whole database costs. Export against plain reading, the budget, the sweep, lost webhooks.

Real processes (web, worker, bulk, clock, store) against the simulated Teamleader and Twikey. It prints figures and judges
nothing: this machine may be slow. One run, one table.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks.measure import cpu_seconds, rss_mb
from benchmarks.report import Report, bar, console
from config.keys import IntegrationKeys
from sandbox.deployment import Deployment, TookTooLong, deploy, wait_for
from sandbox.merchants import Merchant, add_merchant, registered
from workers import operations_bulk, operations_files
from workers.bulk.jobs import Job
from workers.bulk.sweep import EVERY
from workers.clients.teamleader.rate_limit import bulk_rates

BY = "cli:benchmark"
NO_LIMIT = 1_000_000_000
# What Teamleader allows, and what we allow ourselves of it.
TEAMLEADER_ALLOWS, BUDGET = 200, 190
PAGE = 100
LISTS = ("/contacts.list", "/companies.list", "/invoices.list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done. `quick` is for a look in three minutes or so; `million` is for patience.

    `real_time`: the sweeps' ten minutes are waited for, and the budget is measured meanwhile.
    """

    customers: int = 100_000
    budget_minutes: float = 10.0
    real_time: bool = True
    merchants: int = 10
    edits: int = 1_000


FULL = Size()
QUICK = Size(customers=10_000, budget_minutes=1.5, real_time=False, merchants=3, edits=200)
MILLION = Size(customers=1_000_000)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Smaller numbers, in a few minutes.")
@click.option("--million", is_flag=True, help="Export 1,000,000 customers instead of 100,000.")
@click.option("--customers", type=int, help="Export so many.")
@click.option("--only", multiple=True, type=click.Choice(["export", "limit", "lost"]), help="Some parts only.")
def main(quick: bool, million: bool, customers: int | None, only: tuple[str, ...]) -> None:
    """Measure bulk work: the export, the real limit, the sweep and lost webhooks."""
    size, report = QUICK if quick else FULL, Report("make bench-bulk")
    exported = customers or (MILLION if million else size).customers
    parts: dict[str, Callable[[], None]] = {
        "export": lambda: export(exported, report),
        "limit": lambda: limit(size, report),
        "lost": lambda: lost(size, report),
    }
    began = time.monotonic()
    for name, part in parts.items():
        if only and name not in only:
            continue
        console.print(f"[bold]{name}[/]  ({time.monotonic() - began:.0f} s)")
        try:
            part()
        except TookTooLong as late:
            report.add(name, f"not finished: {late}")
    console.print()
    console.print(report.table())
    console.print(f"{time.monotonic() - began:.0f} s in all.")


@contextmanager
def running(*, generated: int = 0, rate_limit: int = TEAMLEADER_ALLOWS, **settings: str) -> Iterator[Deployment]:
    """A deployment with settings of ours, like `auto_update="off"`."""
    more = {f"TLTW_{name.upper()}": value for name, value in settings.items()}
    with (
        tempfile.TemporaryDirectory(prefix="tltw-bench-") as folder,
        deploy(Path(folder), more_settings=more, generated=generated) as deployment,
    ):
        # On a busy machine a webhook takes its time; the simulated Teamleader must not give it up.
        changed = {"settings": {"rate_limit": rate_limit}, "deliveries": {"timeout": 60}}
        deployment.teamleader.patch("/settings", changed)
        yield deployment


def look(deployment: Deployment, integration: str, kind: str) -> Job:
    job = operations_bulk.job(deployment.services, integration, kind)
    assert job is not None
    return job


# -- export against plain reading ----------------------------------------------------------------------------------------


def export(customers: int, report: Report) -> None:
    """Rows per second as a ratio to simply reading all list pages, and how the memory of the bulk process grows."""
    limits = {"auto_update": "off", "teamleader_calls_per_minute": str(NO_LIMIT)}
    with running(generated=customers, rate_limit=NO_LIMIT, **limits) as deployment:
        laps = [read_all(deployment, customers)]
        ours, memory = export_all(deployment, customers)
        if customers <= FULL.customers:
            laps.append(read_all(deployment, customers))  # the machine may be slower or faster by now
    assert {lap.rows for lap in laps} == {ours.rows}, f"{ours.rows} exported, {laps} there"
    plain = sum(lap.seconds for lap in laps) / len(laps)
    each = ", then ".join(f"{lap.seconds:.1f} s" for lap in laps)
    report.add("customers", f"{ours.rows:,}")
    report.add("reading all list pages with httpx", f"{ours.rows / plain:,.0f} rows/s ({each})")
    report.add("export, zip and checksums included", f"{ours.rows / ours.seconds:,.0f} rows/s ({ours.seconds:.1f} s)")
    report.add("export as a ratio to plain reading", f"{plain / ours.seconds:.2f}", "≥ 0.80")
    report.add("processor time per 1,000 rows: plain reader", laps[0].cost())
    report.add("… the bulk process", ours.cost())
    report.add("memory of the bulk process grew by, at most", f"{memory.highest - memory.before:.1f} MB", "< 50 MB")
    report.add("… after the first tenth", f"{memory.highest - memory.after_a_tenth:.1f} MB of {memory.highest:.0f} MB")


@dataclass(frozen=True, slots=True)
class Lap:
    """All customers once. In seconds: how long it took, the processor time of whoever did it and of the simulated Teamleader."""

    rows: int
    seconds: float
    own: float
    teamleader: float

    def cost(self) -> str:
        return (
            f"{self.own / self.rows * 1e6:.0f} ms, the simulated Teamleader {self.teamleader / self.rows * 1e6:.0f} ms"
        )


@dataclass(slots=True)
class Memory:
    """The bulk process' memory (MB) while an export runs: before, after the first tenth, and at its highest."""

    before: float
    after_a_tenth: float = 0
    highest: float = 0


def read_all(deployment: Deployment, customers: int) -> Lap:
    """Simply reads all list pages."""
    client, teamleader = deployment.client, _simulated(deployment)
    token = deployment.teamleader.post("/tokens")["access_token"]
    rows, began, own, theirs = 0, time.perf_counter(), time.process_time(), cpu_seconds(teamleader)
    with bar("reading", customers) as advance:
        for action in LISTS[:2]:
            page = 1
            while True:
                body = {"page": {"size": PAGE, "number": page}, "sort": [{"field": "added_at", "order": "asc"}]}
                headers = {"Authorization": f"Bearer {token}"}
                found = client.post(f"{deployment.teamleader.url}{action}", json=body, headers=headers).json()["data"]
                rows, page = rows + len(found), page + 1
                advance(rows)
                if len(found) < PAGE:
                    break
    seconds = time.perf_counter() - began
    return Lap(rows, seconds, time.process_time() - own, cpu_seconds(teamleader) - theirs)


def export_all(deployment: Deployment, customers: int) -> tuple[Lap, Memory]:
    """Exports everything."""
    bulk, teamleader = deployment.supervisor.pid("bulk"), _simulated(deployment)
    assert bulk is not None
    memory = Memory(before=rss_mb(bulk))
    began, own, theirs = time.perf_counter(), cpu_seconds(bulk), cpu_seconds(teamleader)
    operations_files.start_export(deployment.services, "default", full=False, about=customers, by=BY)
    with bar("exporting", customers) as advance:
        while not (job := look(deployment, "default", "export")).is_over:
            memory.highest = max(memory.highest, now := rss_mb(bulk))
            if not memory.after_a_tenth and job.done >= customers / 10:
                memory.after_a_tenth = now
            advance(job.done)
            time.sleep(0.2)
    seconds = time.perf_counter() - began
    assert job.state == "done", job
    rows = int(str(job.result["rows"]))
    return Lap(rows, seconds, cpu_seconds(bulk) - own, cpu_seconds(teamleader) - theirs), memory


def _simulated(deployment: Deployment) -> int:
    pid = deployment.simulators.pid("teamleader")
    assert pid is not None
    return pid


# -- at the real limit ---------------------------------------------------------------------------------------------------


def limit(size: Size, report: Report) -> None:
    """One merchant's export at Teamleader's real limit, and beside it the sweeps of merchants with nothing to find."""
    with running() as deployment:
        quiet = [add_merchant(deployment, f"quiet-{n}", customers=200) for n in range(size.merchants)]
        big = add_merchant(deployment, "exports", customers=500_000, auto_update="off")
        registered(deployment, quiet)
        _sweeps(deployment, quiet, after=0)
        swept = time.time()
        operations_files.start_export(deployment.services, big.name, full=False, about=1_000_000, by=BY)
        if not size.real_time:
            _ten_minutes_pass(deployment, quiet)
        _wait(size.budget_minutes + 1)
        _sweeps(deployment, quiet, after=swept)
        calls = sorted(one["started"] for one in _calls(deployment, big) if one["path"] in LISTS)
        of_sweeps = [sum(one["started"] > swept for one in _calls(deployment, merchant)) for merchant in quiet]
    _tell_budget(report, calls)
    least, most = min(of_sweeps), max(of_sweeps)
    many = f"{most}" if least == most else f"{least} to {most}"
    report.add(f"calls of a sweep that finds nothing, in ten minutes, each of {len(quiet)} merchants", many, "3")


def _tell_budget(report: Report, calls: list[float]) -> None:
    """From a call to the one that took its place some windows later, so that neither end counts. The first minute is not
    looked at: it only fills the window."""
    full = [at for at in calls if at >= calls[0] + 60]
    _, per_window = bulk_rates(BUDGET)
    many = (len(full) - 1) // per_window * per_window
    minutes = (full[many] - full[0]) / 60
    rate = many / minutes
    report.add(f"calls at the real limit, over {minutes:.1f} min", f"{rate:.1f} a minute")
    report.add(f"of the budget of {BUDGET} a minute", f"{rate / BUDGET:.1%}", "≥ 95 %")
    report.add(f"of the {TEAMLEADER_ALLOWS} that Teamleader allows", f"{rate / TEAMLEADER_ALLOWS:.1%}")


def _calls(deployment: Deployment, merchant: Merchant) -> list[dict[str, float | str]]:
    """Every call of one merchant to Teamleader's API."""
    found = deployment.teamleader.get("/requests", account=merchant.account)["requests"]
    return [one for one in found if not one["path"].startswith("/oauth2")]


def _sweeps(deployment: Deployment, merchants: list[Merchant], *, after: float) -> None:
    """Waits until a sweep that began after that time (seconds since 1970) is done for each."""

    def all_done() -> bool:
        jobs = [operations_bulk.job(deployment.services, merchant.name, "sweep") for merchant in merchants]
        return all(one and one.state == "done" and one.started and one.started.timestamp() > after for one in jobs)

    wait_for("the sweeps", all_done, seconds=120)


def _ten_minutes_pass(deployment: Deployment, merchants: list[Merchant]) -> None:
    """As if the last sweep of each had begun ten minutes earlier."""
    for merchant in merchants:
        key = IntegrationKeys(merchant.name).job("sweep")
        begun = int(deployment.services.store.hget(key, "started") or 0)
        deployment.services.store.hset(key, "started", begun - int(EVERY.total_seconds() * 1000))


def _wait(minutes: float) -> None:
    seconds = round(minutes * 60)
    with bar("at the real limit (s)", seconds) as advance:
        for done in range(1, seconds + 1):
            time.sleep(1)
            advance(done)


# -- lost webhooks -------------------------------------------------------------------------------------------------------


def lost(size: Size, report: Report) -> None:
    """A tenth of the webhooks never reach us; one sweep later everything is right."""
    with running(rate_limit=NO_LIMIT) as deployment:
        plenty = {"teamleader_calls_per_minute": str(NO_LIMIT)}
        merchant = add_merchant(deployment, "loses", customers=size.edits, own_creditor=True, **plenty)
        registered(deployment, [merchant])
        _sweeps(deployment, [merchant], after=0)
        _edit_all(merchant, size.edits, "Known")
        time.sleep(1.1)  # of another second than the last sync
        deployment.teamleader.patch("/settings", {"deliveries": {"drop": 0.1}})
        _edit_all(merchant, size.edits, "Edited")
        deployment.teamleader.patch("/settings", {"deliveries": {"drop": 0.0}})
        dropped = sum(one["state"] == "dropped" for one in deployment.teamleader.get("/deliveries")["deliveries"])
        before = _wrong(merchant, size.edits)
        began = time.monotonic()
        swept = operations_bulk.start_sweep(deployment.services, merchant.name, by=BY).job
        wait_for("the sweep", lambda: look(deployment, merchant.name, "sweep").is_over, seconds=120)
        wait_for("what it found", lambda: merchant.ledger.books().pending == 0, seconds=120)
        took, after = time.monotonic() - began, _wrong(merchant, size.edits)
        job = look(deployment, merchant.name, "sweep")
    assert job.run == swept.run
    report.add(f"webhooks lost, of {size.edits} edits", f"{dropped}")
    report.add("customers that are wrong before the sweep", f"{before}")
    report.add("… and one sweep later", f"{after}", "0")
    report.add(
        "… which took", f"{took:.1f} s, {job.result['calls']} calls, {job.result['marked']} customers brought over"
    )


def _edit_all(merchant: Merchant, many: int, name: str) -> None:
    """Edits every customer, and waits until what was delivered is settled."""
    with bar(f"edits ({name})", many) as advance:
        for number in range(many):
            merchant.edit(number, name=f"{name} {number}")
            advance(number + 1)
    wait_for("every delivery", lambda: not _on_its_way(merchant.deployment), seconds=120)
    wait_for("what was delivered", lambda: merchant.ledger.books().pending == 0, seconds=300)


def _on_its_way(deployment: Deployment) -> bool:
    return any(one["state"] == "pending" for one in deployment.teamleader.get("/deliveries")["deliveries"])


def _wrong(merchant: Merchant, many: int) -> int:
    """How many customers Twikey does not know as they were edited last."""
    last = {write["customer"]: write["parameters"].get("companyName") for write in merchant.writes()}
    return sum(last.get(merchant.customer(number)) != f"Edited {number}" for number in range(many))


if __name__ == "__main__":
    main()
