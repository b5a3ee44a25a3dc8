"""The ledger as a machine: any order of edits, workers, crashes, stalls, failures and switches keeps P2, P4, P5, P6 and P8.

Two customers that are edited there and back, three workers that are moved step by step, a target that keeps what was written
last, and a clock that only moves when the model says so. Whenever it becomes quiet, target equals source.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import fakeredis
import pytest
import time_machine
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workers.ledger import Cause, Claim, Ledger, Loan, Outcome, Refusal, Scripts, due
from workers.ledger.ledger import LEASE

# Over a minute of pure computing; on a busy machine several.
pytestmark = pytest.mark.timeout(600)

CUSTOMERS = ("contact:1", "company:2")
WORKERS = 3
FOREIGN = 0
BEGIN = datetime(2026, 11, 23, tzinfo=UTC)
LEASE_SECONDS = LEASE.total_seconds()
customers, which = st.sampled_from(CUSTOMERS), st.integers(0, WORKERS - 1)


@dataclass(eq=False)
class Work:
    """What one worker has in hand."""

    claim: Claim
    lease_end: float
    version: int
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
        # There and back again: what is written now may look like what was written before.
        self.source[customer] = 3 - self.source[customer]
        self.ledger.mark(customer, frozenset({Cause.WEBHOOK}), event_id="e")
        self.heard_of.add(customer)

    @rule(customer=customers, times=st.integers(1, 3))
    def replay(self, customer: str, times: int) -> None:
        for _ in range(times):
            self.ledger.mark(customer, frozenset({Cause.REPLAY}), event_id="r")
        self.heard_of.add(customer)

    @rule(customer=customers, meanwhile=st.booleans(), gives_back=st.booleans(), adds=st.booleans())
    def imported(self, customer: str, meanwhile: bool, gives_back: bool, adds: bool) -> None:
        """An import, or somebody who adds it by hand, writes something else, perhaps while an edit arrives, and perhaps dies."""
        loan = self.ledger.borrow(customer)
        if not isinstance(loan, Loan):
            return
        self._nobody_else_holds(customer)
        if meanwhile:
            self.edit(customer)
        refused = self.ledger.claim(customer)
        assert isinstance(refused, Refusal), "P4: a worker writes what is lent"
        assert self.ledger.still_lent(loan, writes=True) == "mine"
        self.target[customer] = FOREIGN
        if gives_back:
            self.ledger.give_back(loan, brought=adds)
        # What was edited before counts as seen: the file had the last word. The next edit must have it again.
        self.edit(customer)

    @rule(on=st.booleans())
    def switch(self, on: bool) -> None:
        self.ledger.set_auto_update(on)
        self._clock_ticks()

    @rule(seconds=st.sampled_from([3, 21, 45, 900]))
    def time_passes(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))
        self._clock_ticks()

    # -- the workers, one step at a time --------------------------------------------------------------

    @precondition(lambda self: len(self.work) < WORKERS)
    @rule(customer=customers, edited=st.booleans(), patient=st.booleans(), steps=st.integers(0, 2))
    def begin_work(self, customer: str, edited: bool, patient: bool, steps: int) -> None:
        """Claims, perhaps when the lease of another is over, reads at once, the stalest it can, and stalls somewhere."""
        if edited:
            self.edit(customer)
        claim = self.ledger.claim(customer)
        if isinstance(claim, Refusal) and claim.reason == "leased" and patient:
            self.traveller.shift(LEASE + timedelta(seconds=1))
            claim = self.ledger.claim(customer)
        if isinstance(claim, Refusal):
            return
        self._nobody_else_holds(customer)
        work = Work(claim, time.time() + LEASE_SECONDS, self.source[customer])
        self.work.append(work)
        for _ in range(steps):
            if work in self.work:
                self.advance(self.work.index(work))

    @rule(customer=customers, edited=st.booleans())
    def work_well(self, customer: str, edited: bool) -> None:
        """A healthy worker from beginning to end, whatever the stalled ones hold in their hands."""
        # Ask, write, commit.
        self.begin_work(customer, edited, patient=True, steps=3)

    @precondition(lambda self: len(self.work) < WORKERS)
    @rule(customer=customers, seconds=st.sampled_from([0, 45, 900]), ends=st.booleans())
    def stopped_and_overtaken(self, customer: str, seconds: float, ends: bool) -> None:
        """A worker is stopped just before its write (SIGSTOP), overtaken, and goes on; then it ends, or is killed."""
        before = list(self.work)
        self.begin_work(customer, edited=True, patient=True, steps=1)
        self.work_well(customer, edited=True)
        self.traveller.shift(timedelta(seconds=seconds))
        self.work_well(customer, edited=False)
        for stopped in [work for work in self.work if work not in before and work.may_write]:
            self.advance(self.work.index(stopped))
            if ends or stopped.wrote_late:
                self.advance(self.work.index(stopped))
            else:
                self.work.remove(stopped)

    @precondition(lambda self: self.work)
    @rule(which=which)
    def advance(self, which: int) -> None:
        """The next step of a worker: ask, then write, then commit."""
        work = self.work[which % len(self.work)]
        if not work.may_write:
            self._ask(work)
        elif not work.wrote:
            # Perhaps long after it was allowed: the worker was stopped in between.
            self.target[work.claim.subject] = work.version
            work.wrote, work.wrote_late = True, time.time() > work.lease_end + 2 * LEASE_SECONDS
        else:
            self._end(work, Outcome.SYNCED)

    @precondition(lambda self: self.work)
    @rule(which=which, how=st.sampled_from(["retry", "dead", "crash"]))
    def end_badly(self, which: int, how: Literal["retry", "dead", "crash"]) -> None:
        work = self.work[which % len(self.work)]
        # Not promised (P3): a write more than two leases late by a worker that dies before it can say so.
        if how == "crash" and work.wrote_late:
            return
        self.work.remove(work)
        if how != "crash":
            self.ledger.fail(work.claim, how, reason="unavailable", delay=timedelta(seconds=5))

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
            account = self.ledger.books()
            assert account.adds_up, account

    @rule(killed=st.booleans())
    def all_comes_right(self, killed: bool) -> None:
        """P2: events have stopped, the option is on, what is dead is replayed, and healthy workers do what is due.

        Also in the middle of a run, because a later event would heal what had gone wrong. Stalled workers end their work
        or are killed before they say so; but not those that wrote too late (see `end_badly`).
        """
        self.ledger.set_auto_update(True)
        self.work = [work for work in self.work if work.wrote_late or not killed]
        while self.work:
            self.advance(0)
        for letter in self.ledger.dead_letters():
            self.ledger.mark(letter.subject, frozenset({Cause.REPLAY}))
        for _ in range(12):
            if not (self.ledger.books().pending or self.ledger.held_count()):
                break
            self.traveller.shift(timedelta(seconds=61))
            self._clock_ticks()
            for customer in CUSTOMERS:
                self.work_well(customer, edited=False)
        assert self.ledger.books().pending == 0
        known = self.ledger.look_at(CUSTOMERS)
        assert self.ledger.counts().get("customers", 0) == sum(bool(state and state.synced) for state in known)
        assert {one: self.target.get(one) for one in self.heard_of} == {one: self.source[one] for one in self.heard_of}

    def teardown(self) -> None:
        if not hasattr(self, "ledger"):
            return
        try:
            self.all_comes_right(killed=False)
        finally:
            self.clock.stop()

    def _clock_ticks(self) -> None:
        for _, number in due(self.scripts, most=10, share=10).release:
            self.ledger.release_held(number)

    def _end(self, work: Work, outcome: Outcome) -> None:
        self.work.remove(work)
        self.ledger.commit(work.claim, outcome, fingerprint=work.fingerprint)

    def _nobody_else_holds(self, customer: str, *, but: Work | None = None) -> None:
        others = [work for work in self.work if work is not but and work.claim.subject == customer]
        assert not [work for work in others if work.lease_end > time.time()], "P4: somebody holds a valid lease already"


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
