"""What is done for every integration now and then: tokens, secrets, the account, the webhook registration, held work.

A few threads share the work fairly, so that integrations whose API hangs do not hold up the others. Nothing here is urgent:
what is due to be synced is woken by the clock's tick, which never waits for this.
"""

import heapq
import queue
import random
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import redis
import structlog

from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from workers.accounts import learn_account
from workers.bulk.housekeeping import expire_files
from workers.clients.errors import ApiFailure, ReconnectNeeded
from workers.fair_queue import FairQueue
from workers.integrations import ACTIVE
from workers.ledger import Ledger
from workers.reconnect import hold_for_reconnect
from workers.registration import register
from workers.secrets_at_rest import encrypt_anew
from workers.services import Services
from workers.sync.failure_policy import RECONNECT_NEEDED

THREADS = 8
LOOK_EVERY = timedelta(seconds=0.5)
# After a failure, doubled with each in a row.
TRY_AGAIN_AFTER = timedelta(seconds=15)
TRY_AGAIN_WITHIN = timedelta(minutes=15)
# Between those that begin at the same moment: hundreds do when the process starts.
APART = timedelta(seconds=0.2)
# An integration that is being connected or paused: look whether it still is.
WHILE_HELD = timedelta(minutes=1)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Step:
    """Something done for one integration (or, with an empty name, for the deployment) again and again.

    `do` may answer that it wants to be asked again sooner than `every`.
    """

    name: str
    every: timedelta
    do: Callable[[Services, str], timedelta | None]
    for_each: bool = True
    first_after: timedelta = timedelta(0)


def steps() -> tuple[Step, ...]:
    return (
        Step("register", timedelta(days=1), connect_and_register),
        Step("keep_alive", timedelta(hours=1), keep_token_alive, first_after=timedelta(minutes=1)),
        # Logging in to Twikey is what Twikey throttles most.
        Step("reconnect", timedelta(minutes=10), reconnect),
        Step("files", timedelta(hours=1), expire_files, for_each=False, first_after=timedelta(minutes=1)),
        # Not at once: a process that is restarted later than the clock cannot read yet what the new key encrypts.
        Step("secrets", timedelta(days=1), renew_secrets, for_each=False, first_after=timedelta(minutes=2)),
    )


Job = tuple[str, int]
"""An integration (or an empty name) and the number of a step."""


@dataclass(slots=True)
class Upkeep:
    """Runs the steps until `stop`. Two of them, in two clocks, are harmless."""

    services: Services
    steps: tuple[Step, ...] = field(default_factory=steps)
    _agenda: list[tuple[float, Job]] = field(default_factory=list)
    _due: FairQueue[Job] = field(default_factory=lambda: FairQueue(THREADS, lambda job: job[0], places=1))
    _failed: dict[Job, int] = field(default_factory=dict)
    _known: set[str] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        self._stopped.set()
        self._due.send_home()

    def run(self) -> None:
        for number, step in enumerate(self.steps):
            if not step.for_each:
                self._plan(("", number), step.first_after)
        # No daemons: the process waits for what they have in hand. A token pair must be stored once Teamleader gave it out.
        threads = [threading.Thread(target=self._work, name=f"upkeep-{one}", daemon=False) for one in range(THREADS)]
        for thread in threads:
            thread.start()
        while not self._stopped.wait(LOOK_EVERY.total_seconds()):
            self._look()
            if not all(thread.is_alive() for thread in threads):
                raise RuntimeError("a thread of upkeep died; see the log above")

    def _look(self) -> None:
        try:
            self._welcome()
        except redis.RedisError as error:
            log.warning("Upkeep needs the store, which does not answer.", error=type(error).__name__)
        for job in self._take_due():
            self._due.put(job)

    def _welcome(self) -> None:
        """Begins with integrations that are new here; those that went away are dropped when their turn comes."""
        now = {integration.id for integration in self.services.integrations()}
        for place, name in enumerate(sorted(now - self._known)):
            for number, step in enumerate(self.steps):
                if step.for_each:
                    self._plan((name, number), step.first_after + place * APART)
        self._known = now

    def _plan(self, job: Job, after: timedelta) -> None:
        with self._lock:
            heapq.heappush(self._agenda, (time.monotonic() + after.total_seconds(), job))

    def _take_due(self) -> list[Job]:
        found = []
        with self._lock:
            while self._agenda and self._agenda[0][0] <= time.monotonic():
                _, job = heapq.heappop(self._agenda)
                if not job[0] or job[0] in self._known:
                    found.append(job)
        return found

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                job = self._due.get()
            except queue.Empty:
                continue
            try:
                self._do(job)
            finally:
                self._due.task_done()

    def _do(self, job: Job) -> None:
        name, number = job
        done = attempt(self.steps[number], self.services, name, failed=self._failed.get(job, 0))
        self._due.tell(answered=done.ok)
        if done.ok:
            self._failed.pop(job, None)
        else:
            self._failed[job] = self._failed.get(job, 0) + 1
        self._plan(job, done.again_after * random.uniform(0.9, 1.0))  # noqa: S311 # spread


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a step went, and when to do it again."""

    ok: bool
    again_after: timedelta


def attempt(step: Step, services: Services, name: str, *, failed: int = 0) -> Attempt:
    """Does a step once. Whatever goes wrong is one line in the log. `failed`: how often it failed in a row before."""
    fields = {"step": step.name, "integration": name}
    try:
        return Attempt(True, _do_or_hold(step, services, name) or step.every)
    except UnknownIntegration:
        return Attempt(True, step.every)
    except ApiFailure as failure:
        log.warning("Upkeep failed; it will be tried again.", **fields, reason=failure.reason, api=failure.api)
    except SecretUnreadable as unreadable:
        log.error(str(unreadable), **fields)
    except redis.RedisError as error:
        log.warning("Upkeep needs the store, which does not answer.", **fields, error=type(error).__name__)
        failed = 0  # nobody is spared by waiting longer for our own store
    except Exception as error:  # noqa: BLE001 # whatever it is, the clock goes on ticking and tries again
        # Where, not what: the text of an unforeseen error may quote an answer.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("Upkeep met a mistake of our own.", **fields, error=type(error).__name__, traceback=where)
    return Attempt(False, min(step.every, TRY_AGAIN_WITHIN, TRY_AGAIN_AFTER * 2 ** min(failed, 10)))


def _do_or_hold(step: Step, services: Services, name: str) -> timedelta | None:
    """Does the step; when credentials are refused the integration's work is held."""
    try:
        return step.do(services, name)
    except ReconnectNeeded as refused:
        # Made of the name alone: the integration may have been removed meanwhile.
        hold_for_reconnect(Ledger(services.scripts, name), refused.api)
        return None


def connect_and_register(services: Services, name: str) -> timedelta | None:
    """Makes sure whose account it is and that our webhook is registered there, unless a person must connect it first."""
    if services.ledger(name).state() != ACTIVE:
        return WHILE_HELD
    if learn_account(services, name, again=True):
        register(services, name)
    return None


def keep_token_alive(services: Services, name: str) -> None:
    """Renews a token that nobody used for a day."""
    if services.ledger(name).state() == ACTIVE:
        services.tools(name).teamleader.keep_signed_in()


def renew_secrets(services: Services, _name: str) -> None:
    """After a change of `TLTW_SECRET_KEY`: nothing that is kept needs the older key any more."""
    encrypt_anew(services)


def reconnect(services: Services, name: str) -> None:
    """Lets held work run again once both credentials work again."""
    ledger = services.ledger(name)
    if ledger.state() != RECONNECT_NEEDED:
        return
    tools = services.tools(name)
    tools.teamleader.me()
    tools.twikey.check()
    if ledger.change_state(before=RECONNECT_NEEDED, after=ACTIVE):
        log.info("Connected again; held work runs.", integration=name)
