"""One integration with a simulated Teamleader and Twikey, and the bulk process and the worker in the test's own thread."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from config.keys import BULK_TURNS
from sandbox.teamleader.account import Account
from sandbox.teamleader.app import Teamleader
from sandbox.twikey.app import Twikey
from sandbox.world import Kind
from workers.bulk.jobs import Job, Jobs
from workers.bulk.runner import Runner
from workers.bulk.sweep import window
from workers.integrations import describe
from workers.ledger import Cause, Claim, Ledger, Outcome
from workers.services import Services
from workers.sync.run import work_on

INTEGRATION = "default"


# One life of a bulk process that ends at its n-th round trip to the store; says whether it ended so.
Live = Callable[[Runner, int], bool]


class Killed(BaseException):
    """As abrupt as kill -9: nothing of ours catches it."""


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

    def begin_again(self) -> None:
        """An empty store, and the same integration in it."""
        self.store.flushall()
        assert self.services.settings.first
        describe(self.services, self.services.settings.first)

    def look_back(self, how_far: timedelta = timedelta(hours=1)) -> None:
        """As if the integration had been connected long ago and the last complete sweep begun then."""
        at = (datetime.now(UTC) - how_far).isoformat()
        self.store.hset(self.ledger.keys.sweep, mapping={"begun": at, "complete": at})

    def complete(self) -> datetime:
        return window(self.store, INTEGRATION).complete

    def edit_silently(self, kind: Kind, customer_id: str, **changes: Any) -> None:
        """A person edits a customer in Teamleader, and the webhook is lost."""
        assert self.account.edit(kind, customer_id, changes, silent=True) is not None

    def at(self, moment: datetime) -> None:
        """What Teamleader's clock says from now on."""
        self.account.clock = lambda: moment

    def sweep(self) -> Job:
        """Starts a sweep and sees it, and what it finds, through to the end."""
        self.jobs.start(INTEGRATION, "sweep", {}, by="cli:els")
        return self.run("sweep")

    def sync(self, subject: str, cause: Cause = Cause.WEBHOOK) -> None:
        """Brings one customer over, as a webhook would."""
        self.ledger.mark(subject, frozenset({cause}))
        self.work_off()

    def owed(self) -> set[str]:
        return {subject.decode() for subject in self.store.zrange(self.ledger.keys.due, 0, -1)}

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
        """Lets every job have its turn now, whatever it waits for, a new minute of calls included."""
        self.store.delete(self.ledger.keys.calls("teamleader"), self.ledger.keys.bulk_calls("teamleader"))
        for member, _ in self.store.zrange(BULK_TURNS, 0, -1, withscores=True):
            self.store.zadd(BULK_TURNS, {member: 0})

    def work_off(self) -> None:
        """Does what is owed, as workers would, and what that makes owed; once each, so not what must be tried again."""
        done: set[str] = set()
        while left := self.owed() - done:
            for subject in left:
                work_on(subject, self.services.tools(INTEGRATION))
            done |= left

    def settle_all(self) -> set[str]:
        """As if workers had done all that is owed; answers what that was."""
        subjects = self.owed()
        roomy = Ledger(self.services.scripts, INTEGRATION, calls_per_minute=1_000_000)
        for subject in subjects:
            claim = roomy.claim(subject)
            assert isinstance(claim, Claim)
            roomy.commit(claim, Outcome.SYNCED, source_updated_at="2030-01-01T00:00:00+00:00")
        return subjects

    def in_twikey(self, customer_id: str) -> dict[str, Any] | None:
        customer = self.twikey.office.default.customers.get(customer_id)
        return dict(customer.profile) if customer else None
