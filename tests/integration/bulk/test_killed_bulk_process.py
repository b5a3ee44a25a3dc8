"""kill -9 of the real `tltw bulk` process: an export and an import end as if nothing had happened.

Once certainly in the middle, at a gate; then at random moments, as long as it is not over, which a quick machine soon is.
"""

import csv
import io
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from config import settings as settings_of
from config.keys import BULK_TURNS
from config.store import connect
from sandbox.deployment import ROOT, free_port, settings_for, wait_for
from sandbox.gates import Gate, Gates
from sandbox.serve import serve
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.twikey.app import Twikey, create_twikey
from tests.integration.bulk.test_import import table
from tests.integration.bulk.town import INTEGRATION
from workers import operations_files
from workers.bulk.jobs import Job, Jobs
from workers.services import Services, open_services

CUSTOMERS, ROWS = 3_000, 600
KILLS = 4

pytestmark = [pytest.mark.processes, pytest.mark.needs_redis_server]


@dataclass
class Mortal:
    """A bulk process that is started, and killed."""

    environment: dict[str, str]
    services: Services
    store: "redis.Redis"
    teamleader: Teamleader
    twikey: Twikey
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ingress.cli", "bulk"],
                env={**os.environ, **self.environment},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def look(self, kind: str) -> Job:
        job = Jobs(self.store).look(INTEGRATION, kind)
        assert job is not None
        return job

    def live_and_die(self, kind: str, seconds: random.Random, gates: Gates, asking: str) -> Job:
        """Kills the process while it asks for something, again and again while it works, and waits until the job is over."""
        gate = gates.set(Gate("middle", asking))
        self.start()
        wait_for("it to be in the middle", lambda: gate.waiting, seconds=60)
        self._die(kind)
        gates.release()
        assert not self.look(kind).is_over
        for _ in range(KILLS - 1):
            if self.look(kind).is_over:
                break
            self.start()
            self._wait_until_taken_up(kind)
            time.sleep(seconds.uniform(0, 2.0))
            self._die(kind)
        self.start()
        wait_for("the job to be over", lambda: self.look(kind).is_over, seconds=90)
        self.kill()
        return self.look(kind)

    def _die(self, kind: str) -> None:
        self.kill()
        self._leases_are_over(kind)

    def _wait_until_taken_up(self, kind: str) -> None:
        begun = self.look(kind)
        wait_for("the job to be taken up", lambda: self.look(kind) != begun or begun.is_over, seconds=60)

    def _leases_are_over(self, kind: str) -> None:
        """Twenty seconds later."""
        keys = self.services.ledger(INTEGRATION).keys
        if not self.look(kind).is_over:
            self.store.hset(keys.job(kind), mapping={"lease": 1, "claims": 0})
            self.store.zadd(BULK_TURNS, {f"{INTEGRATION} {kind}": 0})
        for key in self.store.scan_iter(keys.subject("*")):
            self.store.hset(key, "l", 1)


@pytest.fixture
def mortal(redis_url: str, tmp_path: Path) -> Iterator[Mortal]:
    teamleader, twikey = create_teamleader(generated=GeneratedWorld(CUSTOMERS), characters=()), create_twikey()
    teamleader.world.set_rate_limit(1_000_000, 60)
    with connect(redis_url) as client, serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        client.flushall()
        environment = settings_for(tmp_path, teamleader_url, twikey_url, free_port())
        environment |= {
            "TLTW_REDIS_URL": redis_url,
            "TLTW_TEAMLEADER_CALLS_PER_MINUTE": "1000000",
            "TLTW_TWIKEY_CALLS_PER_MINUTE": "1000000",
        }
        services = open_services(settings_of.load(environment))
        # A refresh token works once: a process killed in the middle of its first refresh would need a person.
        services.tools(INTEGRATION).teamleader.me()
        mortal = Mortal(environment, services, client, teamleader, twikey, tmp_path / "bulk.log")
        yield mortal
        mortal.kill()
        services.close()


@pytest.mark.timeout(240)
def test_an_export_has_neither_gaps_nor_doubles(mortal: Mortal) -> None:
    operations_files.start_export(mortal.services, INTEGRATION, full=False, about=None, by="cli:els")

    job = mortal.live_and_die("export", random.Random(1), mortal.teamleader.gates, "/contacts.list")

    assert job.state == "done", job
    files = operations_files.files_of(mortal.services, INTEGRATION)
    with files.open(str(job.result["file"])) as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        parts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("customers-")]
    numbers = Counter(row["customerNumber"] for part in parts for row in csv.DictReader(io.StringIO(part, newline="")))
    world = GeneratedWorld(CUSTOMERS)
    expected = {world.identify(kind, n) for kind in ("contact", "company") for n in range(world.count(kind))}  # type: ignore[arg-type]
    assert numbers == Counter(expected)
    assert job.result["rows"] == CUSTOMERS
    assert len(files.all()) == 1


@pytest.mark.timeout(240)
def test_an_import_writes_every_row_once_and_tells_each_truly(mortal: Mortal, tmp_path: Path) -> None:
    numbers = [f"n{number}" for number in range(ROWS)]
    for number in numbers[::3]:
        mortal.twikey.office.default.add(number, {"lastname": "Oud"})
    for number in numbers[1::3]:
        mortal.twikey.office.default.add(number, {"lastname": "Nieuw"})
    path = tmp_path / "rows.csv"
    path.write_text(table(*({"customerNumber": number, "lastname": "Nieuw"} for number in numbers)), newline="")
    checked = operations_files.check_import(mortal.services, INTEGRATION, [path])
    operations_files.start_import(mortal.services, INTEGRATION, checked, dry_run=False, by="cli:els")

    job = mortal.live_and_die("import", random.Random(1), mortal.twikey.gates, "/creditor/customer")

    assert job.state == "done", job
    files = operations_files.files_of(mortal.services, INTEGRATION)
    with files.open(str(job.result["file"])) as file:
        told = [(row["customerNumber"], row["outcome"]) for row in csv.DictReader(io.StringIO(file.read().decode()))]
    assert told == [(number, ("updated", "unchanged", "created")[n % 3]) for n, number in enumerate(numbers)]
    writes = Counter(write.customer for write in mortal.twikey.office.default.writes if write.accepted)
    assert writes == Counter(numbers[::3] + numbers[2::3])
    assert {one.profile["lastname"] for one in mortal.twikey.office.default.customers.values()} == {"Nieuw"}
