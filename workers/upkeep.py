"""What is done for every integration now and then: tokens, the account, the webhook registration, held work.

A few threads share the work, so that one integration whose API hangs does not hold up the others. Nothing here is urgent:
what is due to be synced is woken by the clock's tick, which never waits for this.
"""

import heapq
import random
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import redis
import structlog

from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from workers.accounts import learn_account
from workers.bulk.housekeeping import expire_files
from workers.clients.errors import ApiFailure, ReconnectNeeded
from workers.integrations import ACTIVE
from workers.registration import register
from workers.services import Services
from workers.sync.failure_policy import RECONNECT_NEEDED

THREADS = 4
LOOK_EVERY = timedelta(seconds=0.5)
TRY_AGAIN_AFTER = timedelta(seconds=15)
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
    )


@dataclass(slots=True)
class Upkeep:
    """Runs the steps until `stop`. Two of them, in two clocks, are harmless."""

    services: Services
    steps: tuple[Step, ...] = field(default_factory=steps)
    _agenda: list[tuple[float, str, int]] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        for number, step in enumerate(self.steps):
            if not step.for_each:
                self._plan("", number, step.first_after)
        with ThreadPoolExecutor(THREADS, thread_name_prefix="upkeep") as pool:
            while not self._stopped.wait(LOOK_EVERY.total_seconds()):
                try:
                    self._welcome()
                except redis.RedisError as error:
                    log.warning("Upkeep needs the store, which does not answer.", error=type(error).__name__)
                for name, number in self._due():
                    pool.submit(self._do, name, number)

    def _welcome(self) -> None:
        """Begins with integrations that are new here; those that went away are dropped when their turn comes."""
        now = {integration.id for integration in self.services.integrations()}
        for name in sorted(now - self._known):
            for number, step in enumerate(self.steps):
                if step.for_each:
                    # Spread: hundreds of integrations begin at once when the process starts.
                    self._plan(name, number, step.first_after + timedelta(seconds=len(self._known) * 0.05))
            self._known.add(name)
        self._known &= now

    def _plan(self, name: str, number: int, after: timedelta) -> None:
        with self._lock:
            heapq.heappush(self._agenda, (time.monotonic() + after.total_seconds(), name, number))

    def _due(self) -> list[tuple[str, int]]:
        found = []
        with self._lock:
            while self._agenda and self._agenda[0][0] <= time.monotonic():
                _, name, number = heapq.heappop(self._agenda)
                if not name or name in self._known:
                    found.append((name, number))
        return found

    def _do(self, name: str, number: int) -> None:
        step = self.steps[number]
        wait = attempt(step, self.services, name)
        self._plan(name, number, wait * random.uniform(0.9, 1.0))  # noqa: S311 # spread


def attempt(step: Step, services: Services, name: str) -> timedelta:
    """Does a step once; answers when to do it again. Whatever goes wrong is one line in the log."""
    fields = {"step": step.name, "integration": name}
    try:
        return step.do(services, name) or step.every
    except UnknownIntegration:
        return step.every
    except ReconnectNeeded as refused:
        _held(services, name, refused)
        return step.every
    except ApiFailure as failure:
        log.warning("Upkeep failed; it will be tried again.", **fields, reason=failure.reason, api=failure.api)
    except SecretUnreadable as unreadable:
        log.error(str(unreadable), **fields)
    except redis.RedisError as error:
        log.warning("Upkeep needs the store, which does not answer.", **fields, error=type(error).__name__)
    except Exception as error:  # noqa: BLE001 # whatever it is, the clock goes on ticking and tries again
        # Where, not what: the text of an unforeseen error may quote an answer.
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("Upkeep met a mistake of our own.", **fields, error=type(error).__name__, traceback=where)
    return min(step.every, TRY_AGAIN_AFTER)


def _held(services: Services, name: str, refused: ReconnectNeeded) -> None:
    """A person must reconnect: said once, however many steps find it out."""
    if services.ledger(name).change_state(before=ACTIVE, after=RECONNECT_NEEDED):
        log.error("Credentials are refused; work is held until a person reconnects.", integration=name, api=refused.api)


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
        services.tokens(services.integration(name)).keep_alive()


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
