"""`make bench-many`: what hundreds of merchants cost, and whether one of them can disturb another.

Real processes (web, worker, clock, store) against the simulated Teamleader and Twikey. It prints figures and judges
nothing: this machine may be slow. One run, one table.
"""

import itertools
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from benchmarks.measure import cpu_seconds, percentile, rss_mb
from benchmarks.report import Report, console
from ingress.cli.supervisor import Supervisor
from sandbox.deployment import Deployment, TookTooLong, deploy, wait_for
from sandbox.merchants import Merchant, add_merchant, registered


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done. `quick` is for a look in under a minute."""

    merchants: int = 500
    calm_seconds: float = 120.0
    idle_seconds: float = 60.0
    owed: int = 20_000
    edits: int = 60
    edit_every_seconds: float = 1.0
    crowd: int = 20
    expiries: int = 100
    processes: int = 16
    held: int = 50


FULL = Size()
QUICK = Size(
    merchants=60,
    calm_seconds=5,
    idle_seconds=8,
    owed=2_000,
    edits=12,
    edit_every_seconds=0.5,
    crowd=8,
    expiries=5,
    processes=4,
    held=10,
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--quick", is_flag=True, help="Smaller numbers, in under a minute.")
@click.option(
    "--only", multiple=True, type=click.Choice(["idle", "fair", "crowd", "resume", "refresh"]), help="Some parts only."
)
def main(quick: bool, only: tuple[str, ...]) -> None:
    """Measure many merchants in one deployment."""
    size, report = QUICK if quick else FULL, Report("make bench-many")
    parts: dict[str, Callable[[Deployment, Size, Report], None]] = {
        "idle": idle, "fair": fair, "crowd": crowd, "resume": resume, "refresh": refresh,
    }  # fmt: skip
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tltw-bench-") as folder, deploy(Path(folder)) as deployment:
        # On a busy machine a webhook takes its time; the simulated Teamleader must not give it up.
        deployment.teamleader.patch("/settings", {"deliveries": {"timeout": 60}})
        for name, part in parts.items():
            if only and name not in only:
                continue
            console.print(f"[bold]{name}[/]  ({time.monotonic() - began:.0f} s)")
            try:
                part(deployment, size, report)
            except TookTooLong as late:
                report.add(name, f"not finished: {late}")
    console.print()
    console.print(report.table())
    console.print(f"{time.monotonic() - began:.0f} s in all.")


# -- idle ----------------------------------------------------------------------------------------------------------------


def idle(deployment: Deployment, size: Size, report: Report) -> None:
    """What merchants cost that do nothing."""
    merchants = []
    for number in range(size.merchants):
        merchants.append(add_merchant(deployment, f"idle-{number:03}"))
        _progress("registering merchants", number + 1, size.merchants)
    clock = _pid(deployment, "clock")
    before = cpu_seconds(clock)
    registered(deployment, merchants, seconds=300)
    report.add(f"checking {size.merchants} webhook registrations: clock", f"{cpu_seconds(clock) - before:.1f} s of CPU")
    time.sleep(size.calm_seconds)  # tokens are stored, and each was looked at once more a minute after it came
    pids = {name: _pid(deployment, name) for name in ("worker", "clock")}
    used = _cpu_share(list(pids.values()), size.idle_seconds)
    for (name, pid), share in zip(pids.items(), used, strict=True):
        report.add(
            f"idle with {size.merchants} merchants: {name}",
            f"{rss_mb(pid):.0f} MB, {share:.2f} % of a core",
            "< 120 MB",
        )
    report.add("worker and clock together", f"{sum(used):.2f} % of a core", "< 2 %")


def _cpu_share(pids: list[int], seconds: float) -> list[float]:
    began, before = time.monotonic(), [cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    lasted = time.monotonic() - began
    return [100 * (cpu_seconds(pid) - was) / lasted for pid, was in zip(pids, before, strict=True)]


# -- fair shares ---------------------------------------------------------------------------------------------------------


def fair(deployment: Deployment, size: Size, report: Report) -> None:
    """One merchant owes very much, another one's Teamleader hangs; a third edits a customer now and then."""
    owing = add_merchant(deployment, "fair-a", customers=size.owed, own_creditor=True)
    hanging = add_merchant(deployment, "fair-b", customers=200, own_creditor=True)
    editing = add_merchant(deployment, "fair-c", customers=2 * size.edits, own_creditor=True)
    registered(deployment, [owing, hanging, editing])
    numbers = itertools.count()
    edits(editing, size, numbers, size.edits // 3).tell(report, "an edit of C, alone")
    console.print(f"  A comes to owe {size.owed} customers …")
    owing.owe(range(size.owed))
    began = time.time()
    with hung([hanging]):
        latency = edits(editing, size, numbers, size.edits, meanwhile=lambda: hanging.owe(range(200)))
        lasted = time.time() - began
    latency.tell(report, f"an edit of C while A owes {size.owed} and B hangs", "p99 ≤ 2 s")
    reads = len(owing.reads(since=began))
    limit = 190 * max(1.0, lasted / 60)
    report.add("A meanwhile", f"{reads} customers in {lasted:.0f} s", f"budget: {limit:.0f}")
    report.add(
        "B meanwhile",
        f"{len(hanging.reads(since=began))} calls that hung, {hanging.ledger.account().pending} owed, {hanging.ledger.dead_count()} dead",
    )


def crowd(deployment: Deployment, size: Size, report: Report) -> None:
    """Harder: many merchants hang at the same moment, and as many owe hundreds of customers."""
    hanging = [add_merchant(deployment, f"hangs-{n}", customers=40) for n in range(size.crowd)]
    owing = [add_merchant(deployment, f"owes-{n}", customers=400) for n in range(size.crowd)]
    editing = add_merchant(deployment, "crowd-c", customers=size.edits, own_creditor=True)
    registered(deployment, [*hanging, *owing, editing])
    numbers = itertools.count()
    began = time.time()
    for merchant in owing:
        merchant.owe(range(400))
    with hung(hanging):
        for merchant in hanging:
            merchant.owe(range(40))
        latency = edits(editing, size, numbers, size.edits)
        lasted = time.time() - began
    latency.tell(report, f"an edit of C while {size.crowd} hang and {size.crowd} owe 400", "p99 ≤ 2 s")
    shares = sorted(len(merchant.reads(since=began)) for merchant in owing)
    report.add(f"the {size.crowd} that owe", f"{shares[0]} to {shares[-1]} customers each in {lasted:.0f} s")


@contextmanager
def hung(merchants: list[Merchant]) -> Iterator[None]:
    """Teamleader does not answer these merchants."""
    faults = [merchant.hang() for merchant in merchants]
    yield
    for fault, merchant in zip(faults, merchants, strict=True):
        merchant.deployment.teamleader.delete(f"/faults/{fault}")


def edits(
    merchant: Merchant, size: Size, numbers: Iterator[int], many: int, *, meanwhile: Callable[[], None] = lambda: None
) -> "Latency":
    """So many edits of different customers, one after the other; waits until Twikey has all of them."""
    chance, made = random.Random(many), {}
    for done in range(many):
        number = next(numbers)
        made[merchant.customer(number)] = time.time()
        merchant.edit(number, name=f"Edited {number}")
        _progress("edits", done + 1, many)
        if done % 10 == 0:
            meanwhile()
        time.sleep(size.edit_every_seconds * chance.uniform(0.5, 1.5))
    arrived: dict[str, float] = {}

    def all_there() -> bool:
        arrived.update({write["customer"]: write["ended"] for write in merchant.writes()})
        return made.keys() <= arrived.keys()

    wait_for("every edit to reach Twikey", all_there, seconds=120)
    return Latency([arrived[customer] - at for customer, at in made.items()], _waits(merchant, made.keys()))


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds of each edit: from Teamleader to Twikey, and the part of them from our taking the webhook in to a worker's
    beginning. The rest is the HTTP of the simulated systems and the worker's own work."""

    whole: list[float]
    waited: list[float]

    def tell(self, report: Report, what: str, wanted: str = "") -> None:
        report.add(f"{what} ({len(self.whole)} edits)", _percentiles(self.whole), wanted)
        report.add("… of that until a worker began", _percentiles(self.waited))


def _waits(merchant: Merchant, customers: Collection[str]) -> list[float]:
    """What the worker's log says about these customers' waiting."""
    lines = (merchant.deployment.folder / "logs" / "worker.log").read_text().splitlines()
    said = [json.loads(line) for line in lines if f'"{merchant.name}"' in line and "waited_ms" in line]
    return [one["waited_ms"] / 1000 for one in said if one["subject"].partition(":")[2] in customers]


def _percentiles(seconds: list[float]) -> str:
    return ", ".join(f"p{percent} {percentile(seconds, percent) * 1000:.0f} ms" for percent in (50, 99))


# -- held work and reconnecting ------------------------------------------------------------------------------------------


def resume(deployment: Deployment, size: Size, report: Report) -> None:
    """Access is revoked, edits are held, a person connects again."""
    merchant = add_merchant(deployment, "resumes", customers=size.held, own_creditor=True)
    registered(deployment, [merchant])
    merchant.edit(0, name="Before")
    wait_for("the first customer", merchant.writes)
    merchant.revoke()
    revoked = time.time()
    merchant.edit(0, name="Held 0")
    wait_for("the integration to be held", lambda: merchant.ledger.state() == "reconnect_needed")
    report.add("from revoked access to work being held", f"{time.time() - revoked:.1f} s")
    for number in range(1, size.held):
        merchant.edit(number, name=f"Held {number}")
    wait_for("everything to be held", lambda: merchant.ledger.account().pending == size.held)
    began = time.time()
    merchant.reconnect()
    connected = time.time()
    wait_for("the held customers", lambda: merchant.ledger.account().pending == 0, seconds=60)
    ended = [write["ended"] for write in merchant.writes() if write["ended"] > began]
    report.add("connecting again (consent, account, key, webhook)", f"{connected - began:.1f} s")
    report.add(
        "from being active again to the first held customer in Twikey",
        f"{max(0.0, min(ended) - connected) * 1000:.0f} ms after all steps",
    )
    report.add(f"… to all {size.held} held customers", f"{max(ended) - began:.1f} s from the beginning")


# -- token refresh -------------------------------------------------------------------------------------------------------


def refresh(deployment: Deployment, size: Size, report: Report) -> None:
    """Many worker processes, and tokens that end again and again under their hands."""
    plenty = 100_000
    deployment.teamleader.patch("/settings", {"settings": {"rate_limit": plenty}})
    each = 2 * size.processes
    merchant = add_merchant(
        deployment, "expires", customers=each, own_creditor=True, teamleader_calls_per_minute=str(plenty)
    )
    registered(deployment, [merchant])
    with more_workers(deployment, size.processes - 1):
        before, accepted = _refreshes(deployment), merchant.ledger.account().accepted
        for turn in range(size.expiries):
            deployment.teamleader.post("/tokens/expire", account=merchant.account)
            for number in range(each):
                merchant.edit(number, name=f"Turn {turn}")
            wait_for("every edit of this turn", partial(_settled, merchant, accepted + each), seconds=60)
            accepted = merchant.ledger.account().accepted
            _progress("expiries", turn + 1, size.expiries)
    wrong = _not_named(merchant, each, f"Turn {size.expiries - 1}")
    made, refused = (now - was for now, was in zip(_refreshes(deployment), before, strict=True))
    report.add(
        f"{size.processes} processes, {size.expiries} expiries: refresh calls",
        f"{made}, {refused} refused",
        f"{size.expiries}",
    )
    report.add(
        f"customers that are wrong after {size.expiries * each} edits",
        f"{len(wrong)}, {merchant.ledger.dead_count()} dead",
        "0",
    )


def _settled(merchant: Merchant, accepted: int) -> bool:
    account = merchant.ledger.account()
    return account.accepted >= accepted and account.pending == 0


def _not_named(merchant: Merchant, many: int, name: str) -> list[int]:
    last = {write["customer"]: write["parameters"].get("companyName") for write in merchant.writes()}
    return [number for number in range(many) if last.get(merchant.customer(number)) != name]


def _refreshes(deployment: Deployment) -> tuple[int, int]:
    tokens = deployment.teamleader.get("/tokens")
    return tokens["refreshes"], tokens["refused_refreshes"]


@contextmanager
def more_workers(deployment: Deployment, number: int) -> Iterator[None]:
    """So many further worker processes, of two threads each."""
    environment = {**deployment.supervisor.environment, "TLTW_WORKER_THREADS": "2"}
    command = [sys.executable, "-m", "ingress.cli", "worker"]
    names = [f"worker-{one}" for one in range(number)]
    extra = Supervisor(dict.fromkeys(names, command), environment, deployment.folder / "logs")
    try:
        for ready, child in enumerate(extra.children):
            child.start()
            log = deployment.folder / "logs" / f"{child.name}.log"
            wait_for(f"{child.name}", partial(_says_ready, log), seconds=60)
            _progress("starting workers", ready + 1, number)
        yield
    finally:
        extra.stop()


def _says_ready(log: Path) -> bool:
    return "Worker ready" in log.read_text()


def _pid(deployment: Deployment, name: str) -> int:
    pid = deployment.supervisor.pid(name)
    assert pid, f"{name} does not run"
    return pid


def _progress(what: str, done: int, of: int) -> None:
    if console.is_terminal:
        console.print(f"  {what}: {done}/{of}", end="\n" if done == of else "\r")
    elif done == of or done % max(1, of // 5) == 0:
        console.print(f"  {what}: {done}/{of}")


if __name__ == "__main__":
    main()
