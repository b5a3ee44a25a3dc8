"""One integration with a simulated Teamleader and Twikey, and the bulk process and the worker in the test's own thread."""

from dataclasses import dataclass
from typing import Any

import redis

from config.keys import BULK_TURNS
from sandbox.teamleader.account import Account
from sandbox.teamleader.app import Teamleader
from sandbox.twikey.app import Twikey
from workers.bulk.jobs import Job, Jobs
from workers.bulk.runner import Runner
from workers.ledger import Ledger
from workers.services import Services
from workers.sync.run import work_on

INTEGRATION = "default"


@dataclass
class Town:
    """One integration with both simulated systems, and the bulk process in this very thread."""

    teamleader: Teamleader
    twikey: Twikey
    services: Services
    store: "redis.Redis"

    @property
    def account(self) -> Account:
        return self.teamleader.world.default

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger(INTEGRATION)

    @property
    def jobs(self) -> Jobs:
        return Jobs(self.services.store)

    def calls(self, prefix: str = "") -> list[str]:
        """The paths of the calls that Teamleader's API got, in order."""
        records = self.teamleader.log.records(prefix=f"/{prefix}")
        return [record.path for record in records if "oauth2" not in record.path]

    def forget_calls(self) -> None:
        self.teamleader.log.clear()

    def job(self, kind: str) -> Job:
        job = self.jobs.look(INTEGRATION, kind)
        assert job is not None
        return job

    def run(self, kind: str, *, runner: Runner | None = None, most: int = 500) -> Job:
        """Does turns of the bulk process, and the customers it makes owed, until the job is over or rests."""
        runner = runner or Runner(self.services)
        for _ in range(most):
            self.hurry()
            runner.run_once()
            self.work_off()
            job = self.job(kind)
            if job.is_over or job.state == "paused":
                return job
        raise AssertionError(f"still {self.job(kind)}")

    def hurry(self) -> None:
        """Lets every job have its turn now, whatever it waits for."""
        for member, _ in self.store.zrange(BULK_TURNS, 0, -1, withscores=True):
            self.store.zadd(BULK_TURNS, {member: 0})

    def work_off(self) -> None:
        """Does what is owed, as workers would."""
        for subject in self.store.zrange(self.ledger.keys.due, 0, -1):
            work_on(subject.decode(), self.services.tools(INTEGRATION))

    def in_twikey(self, customer_id: str) -> dict[str, Any] | None:
        customer = self.twikey.office.default.customers.get(customer_id)
        return dict(customer.profile) if customer else None
