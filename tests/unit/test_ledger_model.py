"""The ledger as a machine: any order of edits, workers, crashes, stalls, failures and switches keeps P2, P4, P5, P6 and P8.

Two customers, three workers that are moved step by step, a source that counts versions, a target that keeps the last one
written, and a clock that only moves when the model says so. At the end, with a healthy worker, target equals source.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import fakeredis
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workers.ledger import Cause, Claim, Ledger, Outcome, Scripts, due
from workers.ledger.ledger import LEASE

CUSTOMERS = ("contact:1", "company:2")
WORKERS = 3
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
LEASE_SECONDS = LEASE.total_seconds()
customers, which = st.sampled_from(CUSTOMERS), st.integers(0, WORKERS - 1)


@dataclass(eq=False)
class Work:
    """What one worker has in hand."""

    claim: Claim
    lease_end: float
    version: int | None = None
    may_write: bool = False
    wrote: bool = False
    wrote_late: bool = False

    @property
    def automatic(self) -> bool:
        return not self.claim.causes & {Cause.OPERATOR, Cause.REPLAY}

    @property
    def fingerprint(self) -> str:
        return f"v{self.version}"


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.clock = time_machine.travel(BEGIN, tick=False)
        self.traveller = self.clock.start()
        self.scripts = Scripts(fakeredis.FakeRedis(server=fakeredis.FakeServer()))
        self.ledger = Ledger(self.scripts, "acme", calls_per_minute=10_000)
        self.ledger.begin(auto_update=True)
        self.source = dict.fromkeys(CUSTOMERS, 1)
        self.target: dict[str, int] = {}
        self.heard_of: set[str] = set()
        self.work: list[Work] = []

    # -- the world ------------------------------------------------------------------------------------

    @rule(customer=customers)
    def edit(self, customer: str) -> None:
        self.source[customer] += 1
        self.ledger.mark(customer, frozenset({Cause.WEBHOOK}), event_id="e")
        self.heard_of.add(customer)

    @rule(customer=customers, times=st.integers(1, 3))
    def replay(self, customer: str, times: int) -> None:
        for _ in range(times):
            self.ledger.mark(customer, frozenset({Cause.REPLAY}), event_id="r")
        self.heard_of.add(customer)

    @rule(on=st.booleans())
    def switch(self, on: bool) -> None:
        self.ledger.set_auto_update(on)

    @rule(seconds=st.sampled_from([0.5, 3, 19, 21, 45, 900]))
    def time_passes(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))

    @rule()
    def clock_ticks(self) -> None:
        for _, number in due(self.scripts, most=10, share=10).release:
            self.ledger.release_held(number)

    # -- the workers, one step at a time --------------------------------------------------------------

    @precondition(lambda self: len(self.work) < WORKERS)
    @rule(customer=customers)
    def claim(self, customer: str) -> None:
        claim = self.ledger.claim(customer)
        if isinstance(claim, Claim):
            self._nobody_else_holds(customer)
            self.work.append(Work(claim, time.time() + LEASE_SECONDS))

    @precondition(lambda self: self.work)
    @rule(which=which)
    def advance(self, which: int) -> None:
        """The next step of a worker: read, then ask, then write, then commit."""
        work = self.work[which % len(self.work)]
        if work.version is None:
            work.version = self.source[work.claim.subject]
        elif not work.may_write:
            self._ask(work)
        elif not work.wrote:
            # Perhaps long after it was allowed: the worker was stopped in between.
            self.target[work.claim.subject] = work.version
            work.wrote, work.wrote_late = True, time.time() > work.lease_end + 2 * LEASE_SECONDS
        else:
            self._end(work, Outcome.SYNCED)

    @precondition(lambda self: self.work)
    @rule(which=which)
    def finish(self, which: int) -> None:
        """All the steps that are left, without anything in between."""
        work = self.work[which % len(self.work)]
        while work in self.work:
            self.advance(self.work.index(work))

    @precondition(lambda self: self.work)
    @rule(which=which, action=st.sampled_from(["retry", "retry", "dead"]))
    def fail(self, which: int, action: str) -> None:
        work = self.work.pop(which % len(self.work))
        self.ledger.fail(work.claim, action, reason="unavailable", delay=timedelta(seconds=5))

    @precondition(lambda self: self.work)
    @rule(which=which)
    def crash(self, which: int) -> None:
        # Not promised (P3): a write more than two leases late by a worker that dies before it can say so.
        work = self.work[which % len(self.work)]
        if not work.wrote_late:
            self.work.remove(work)

    def _ask(self, work: Work) -> None:
        if work.fingerprint == work.claim.fingerprint and work.automatic and not work.claim.must_write:
            self._end(work, Outcome.UNCHANGED)
            return
        answer = self.ledger.still_mine(work.claim, "twikey", automatic=work.automatic, writes=True)
        if answer == "mine":
            assert not work.automatic or self.ledger.auto_update(), "P8: written while auto-update is off"
            self._nobody_else_holds(work.claim.subject, but=work)
            work.may_write, work.lease_end = True, time.time() + LEASE_SECONDS
            return
        self.work.remove(work)
        if answer == "off":
            self.ledger.commit(work.claim, Outcome.SKIPPED, reason="auto_update_off", hold=True)

    # -- what must hold -------------------------------------------------------------------------------

    @invariant()
    def the_books_add_up(self) -> None:
        if hasattr(self, "ledger"):
            account = self.ledger.account()
            assert account.adds_up, account

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        try:
            self._all_comes_right()
        finally:
            self.clock.stop()

    def _all_comes_right(self) -> None:
        """P2: events have stopped, the option is on, what is dead is replayed, and healthy workers do what is due."""
        self.ledger.set_auto_update(True)
        while self.work:
            self.finish(0)
        for letter in self.ledger.dead_letters():
            self.ledger.mark(letter.subject, frozenset({Cause.REPLAY}))
        for _ in range(12):
            self.clock_ticks()
            self.traveller.shift(timedelta(seconds=61))
            for customer in CUSTOMERS:
                self.claim(customer)
                while self.work:
                    self.finish(0)
        assert self.ledger.account().pending == 0
        assert {one: self.target.get(one) for one in self.heard_of} == {one: self.source[one] for one in self.heard_of}
        self.the_books_add_up()

    def _end(self, work: Work, outcome: Outcome) -> None:
        self.work.remove(work)
        self.ledger.commit(work.claim, outcome, fingerprint=work.fingerprint)

    def _nobody_else_holds(self, customer: str, *, but: Work | None = None) -> None:
        others = [work for work in self.work if work is not but and work.claim.subject == customer]
        assert not [work for work in others if work.lease_end > time.time()], "P4: somebody holds a valid lease already"


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
