"""Export of a big account: `python -m benchmarks.bulk [--customers N] [--budget-minutes M]`.

Prints rows per second as a ratio to simply reading all list pages with httpx, and how the memory of the bulk process grows.
With `--budget-minutes` it also runs an export at Teamleader's real limit and prints how much of the budget it uses.
Everything is real but Teamleader and Twikey: the bulk process, the store, HTTP over loopback.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.measure import cpu_seconds, rss_mb
from config import settings as settings_of
from config.embedded import EmbeddedStore
from sandbox.deployment import ROOT, free_port, settings_for, wait_for
from workers import operations_files
from workers.bulk.jobs import Job, Jobs
from workers.services import Services, open_services

INTEGRATION = "default"
NO_LIMIT = 1_000_000_000
PAGE = 100


@dataclass(slots=True)
class Bench:
    """What runs: a simulated Teamleader, a store, and our bulk process."""

    teamleader: str
    environment: Mapping[str, str]
    services: Services
    client: httpx.Client
    bulk: subprocess.Popen[bytes]

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.services.store)

    def export(self, *, about: int) -> Job:
        job, is_new = operations_files.start_export(self.services, INTEGRATION, full=False, about=about, by="benchmark")
        assert is_new
        return job

    def look(self) -> Job:
        job = self.jobs.look(INTEGRATION, "export")
        assert job is not None
        return job


@dataclass(slots=True)
class Memory:
    """The bulk process' memory (MB) while an export runs: before, after the first tenth, and at its highest."""

    before: float
    after_a_tenth: float = 0
    highest: float = 0


@contextmanager
def bench(customers: int, *, calls_per_minute: int, rate_limit: int) -> Iterator[Bench]:
    folder = Path(tempfile.mkdtemp(prefix="tltw-bench-"))
    store, client, processes = EmbeddedStore(folder / "store"), httpx.Client(timeout=30), []
    port, url = (number := free_port()), f"http://127.0.0.1:{number}"
    try:
        command = [sys.executable, "-m", "sandbox.teamleader", "--port", str(port), "--generate", str(customers)]
        processes.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL))
        store.start()
        wait_for("the simulated Teamleader", lambda: _answers(client, url), seconds=60)
        client.patch(f"{url}/_sandbox/settings", json={"settings": {"rate_limit": rate_limit}}).raise_for_status()
        environment = settings_for(folder, url, "http://127.0.0.1:9", free_port())
        environment["TLTW_TEAMLEADER_CALLS_PER_MINUTE"] = str(calls_per_minute)
        services = open_services(settings_of.load(environment))
        services.tools(INTEGRATION).teamleader.me()
        log = (folder / "bulk.log").open("wb")
        bulk = subprocess.Popen(
            [sys.executable, "-m", "ingress.cli", "bulk"],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
        )
        processes.append(bulk)
        wait_for("the bulk process", lambda: b"ready" in (folder / "bulk.log").read_bytes(), seconds=30)
        yield Bench(url, environment, services, client, bulk)
        services.close()
        log.close()
    finally:
        for process in processes:
            process.kill()
            process.wait()
        client.close()
        store.stop()
        shutil.rmtree(folder)


def read_all(bench: Bench) -> tuple[int, float]:
    """Simply reads all list pages; answers how many customers, in how many seconds."""
    token = bench.client.post(f"{bench.teamleader}/_sandbox/tokens", json={}).json()["access_token"]
    rows, began = 0, time.perf_counter()
    for action in ("contacts.list", "companies.list"):
        page = 1
        while True:
            body = {"page": {"size": PAGE, "number": page}, "sort": [{"field": "added_at", "order": "asc"}]}
            headers = {"Authorization": f"Bearer {token}"}
            found = bench.client.post(f"{bench.teamleader}/{action}", json=body, headers=headers).json()["data"]
            rows, page = rows + len(found), page + 1
            if len(found) < PAGE:
                break
    return rows, time.perf_counter() - began


def export_all(bench: Bench, customers: int) -> tuple[int, float, Memory]:
    """Exports everything; answers how many customers, in how many seconds, and with how much memory."""
    memory = Memory(before=rss_mb(bench.bulk.pid))
    began = time.perf_counter()
    bench.export(about=customers)
    while not (job := bench.look()).is_over:
        now = rss_mb(bench.bulk.pid)
        memory.highest = max(memory.highest, now)
        if not memory.after_a_tenth and job.done >= customers / 10:
            memory.after_a_tenth = now
        time.sleep(0.1)
    took = time.perf_counter() - began
    assert job.state == "done", job
    return int(str(job.result["rows"])), took, memory


def throughput(customers: int) -> None:
    with bench(customers, calls_per_minute=NO_LIMIT, rate_limit=NO_LIMIT) as running:
        _, first = read_all(running)
        cpu = cpu_seconds(running.bulk.pid)
        rows, took, memory = export_all(running, customers)
        cpu = cpu_seconds(running.bulk.pid) - cpu
        read, second = read_all(running)
        assert rows == read, f"{rows} exported, {read} there"
        plain = (first + second) / 2
        print(f"customers                                    {rows:,}")
        print(
            f"reading all list pages with httpx            {rows / plain:,.0f} rows/s ({first:.1f} s, {second:.1f} s)"
        )
        print(f"export, zip and checksums included           {rows / took:,.0f} rows/s ({took:.1f} s)")
        print(f"ratio                                        {plain / took:.2f}   (to reach: 0.80)")
        print(f"  processor time of ours per 1,000 rows      {cpu / rows * 1e6:.0f} ms on {os.cpu_count()} cores")
        growth, late = memory.highest - memory.before, memory.highest - (memory.after_a_tenth or memory.highest)
        print(f"memory of the bulk process before            {memory.before:.0f} MB")
        print(f"  it grew by, at most                        {growth:.1f} MB   (to reach: < 50)")
        print(f"  of that after the first tenth              {late:.1f} MB")


def budget(minutes: float) -> None:
    """An export at the real limit: calls used of those we allow ourselves. The first minute fills the window."""
    limit = 190
    with bench(5_000_000, calls_per_minute=limit, rate_limit=200) as running:
        running.export(about=5_000_000)
        time.sleep(60)
        begun, at = _calls(running), time.perf_counter()
        time.sleep(minutes * 60)
        calls, seconds = _calls(running) - begun, time.perf_counter() - at
        used = calls / (limit * seconds / 60)
        print(f"calls at the real limit, over {seconds:.0f} s          {calls}")
        print(f"of the budget of {limit} a minute                {used:.1%}   (to reach: 95 %)")
        running.jobs.cancel(INTEGRATION, "export")


def _calls(bench: Bench) -> int:
    return int(str(bench.look().result.get("calls", 0)))


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/_sandbox/faults").is_success
    except httpx.TransportError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--customers", type=int, default=100_000, help="of the simulated account (default: %(default)s)"
    )
    parser.add_argument(
        "--budget-minutes", type=float, default=0, help="also measure the budget for so long, plus a minute"
    )
    arguments = parser.parse_args()
    throughput(arguments.customers)
    if arguments.budget_minutes:
        budget(arguments.budget_minutes)


if __name__ == "__main__":
    main()
