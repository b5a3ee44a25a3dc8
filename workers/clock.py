"""The clock: wakes what is due and keeps connections fresh. Two clocks are harmless: every step is an atomic script or a lock."""

import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import redis
import structlog

from config.keys import CLOCK_TICKED, IntegrationKeys
from workers.alerts.kinds import Kind
from workers.alerts.raised import raise_alert
from workers.alerts.rounds import open_rounds
from workers.broker import waiting
from workers.clients.errors import ApiFailure, ReconnectNeeded
from workers.ledger import due
from workers.registration import register
from workers.services import Services
from workers.sync.failure_policy import RECONNECT_NEEDED

TICK = timedelta(milliseconds=250)
# After a failed tick: the store is away.
RECOVER = timedelta(seconds=1)
CONNECT_EVERY = timedelta(seconds=15)
REGISTER_EVERY = timedelta(days=1)
# Logging in to Twikey is what Twikey throttles most.
RECONNECT_EVERY = timedelta(minutes=10)
ALERT_EVERY = timedelta(seconds=30)
TRY_AGAIN_AFTER = timedelta(seconds=15)
WAKE_AT_MOST = 128
WAKE_PER_INTEGRATION = 32
# More wake-ups than this are not put into the queue: they would only wait there.
QUEUE_FULL = 256

log = structlog.get_logger()


@dataclass(slots=True)
class Clock:
    """Runs until `stop` is called."""

    services: Services
    _stopped: threading.Event = field(default_factory=threading.Event)
    _next: dict[str, float] = field(default_factory=dict)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Ticks until stopped. A store that is away is waited for; work that is slow never delays a tick."""
        # Alerts have a thread of their own: upkeep hangs on the very APIs whose outage they should tell of, and a mail
        # server that hangs must not keep tokens from being renewed.
        beside = [
            threading.Thread(target=target, name=name, daemon=True)
            for name, target in (("upkeep", self._upkeep), ("alerts", self._alerts))
        ]
        for thread in beside:
            thread.start()
        while not self._stopped.is_set():
            pause = TICK
            try:
                tick(self.services)
            except redis.RedisError as error:
                log.warning("The store does not answer; the clock waits for it.", error=type(error).__name__)
                pause = RECOVER
            dead = [thread.name for thread in beside if not thread.is_alive()]
            if dead and not self._stopped.is_set():  # in this order: they end when told to
                raise RuntimeError(f"a thread died, see the log above: {', '.join(dead)}")
            self._stopped.wait(pause.total_seconds())

    def _upkeep(self) -> None:
        while not self._stopped.wait(0.5):
            for integration in self.services.integrations():
                self._every(CONNECT_EVERY, f"connect:{integration.id}", partial(self._connect, integration.id))

    def _alerts(self) -> None:
        rounds = open_rounds(self.services)
        while not self._stopped.wait(0.5):
            self._every(ALERT_EVERY, "alerts", rounds.run)
        rounds.close()

    def _every(self, interval: timedelta, name: str, step: Callable[[], object]) -> None:
        if time.monotonic() < self._next.get(name, 0):
            return
        self._next[name] = time.monotonic() + min(interval, TRY_AGAIN_AFTER).total_seconds()
        try:
            step()
            self._next[name] = time.monotonic() + interval.total_seconds()
        except ReconnectNeeded as refused:
            log.error("Credentials are refused; work is held until a person reconnects.", step=name, api=refused.api)
        except ApiFailure as failure:
            log.warning("Upkeep failed; it will be tried again.", step=name, reason=failure.reason, api=failure.api)
        except redis.RedisError as error:
            log.warning("Upkeep needs the store, which does not answer.", step=name, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 # whatever it is, the clock goes on ticking and tries again
            # Where, not what: the text of an unforeseen error may quote an answer.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("Upkeep met a mistake of our own.", step=name, error=type(error).__name__, traceback=where)

    def _connect(self, name: str) -> None:
        self._every(RECONNECT_EVERY, f"reconnect:{name}", partial(reconnect, self.services, name))
        self._every(REGISTER_EVERY, f"account:{name}", partial(learn_account, self.services, name, again=True))
        learn_account(self.services, name)
        self.services.tokens(self.services.integration(name)).keep_alive()
        self._every(REGISTER_EVERY, f"register:{name}", partial(register, self.services, name))


def tick(services: Services) -> int:
    """Wakes what is due, releases what was held, and notes that the clock is alive; answers how many were woken."""
    seconds, micros = services.store.time()
    services.store.set(CLOCK_TICKED, seconds * 1000 + micros // 1000)
    if waiting(services.broker) >= QUEUE_FULL:
        return 0
    found = due(services.scripts, most=WAKE_AT_MOST, share=WAKE_PER_INTEGRATION)
    for integration, number in found.release:
        services.ledger(integration).release_held(number)
    for integration, subject in found.wake:
        services.wake(integration, subject)
    return len(found.wake)


def reconnect(services: Services, name: str) -> bool:
    """Lets held work run again once both credentials work again; answers whether it did."""
    ledger = services.ledger(name)
    if ledger.state() != RECONNECT_NEEDED:
        return False
    tools = services.tools(name)
    tools.teamleader.me()
    tools.twikey.check()
    if not ledger.change_state(before=RECONNECT_NEEDED, after="active"):
        return False
    log.info("Connected again; held work runs.", integration=name)
    return True


def learn_account(services: Services, name: str, *, again: bool = False) -> str:
    """The id of the integration's Teamleader account (`users.me`), kept because webhooks must name it.

    Asked when it is not known, or `again`: somebody may have connected another account.
    """
    keys = IntegrationKeys(name)
    known = services.store.get(keys.account)
    if known and not again:
        return known.decode()  # type: ignore[union-attr] # bytes: we never ask for decoded answers
    me = services.tools(name).teamleader.me()
    account = me.get("account")
    account_id = account.get("id") if isinstance(account, dict) else None
    if known and account_id and known.decode() != account_id:  # type: ignore[union-attr] # bytes
        # Two accounts must not mix under one set of customer numbers (docs/runbook.md, wrong_account).
        services.ledger(name).set_state("paused")
        raise_alert(services.store, Kind.PAUSED_ITSELF, name)
        log.error(
            "The token is of another Teamleader account than before; the integration is paused.", integration=name
        )
        return known.decode()  # type: ignore[union-attr]
    if isinstance(account_id, str) and account_id:
        services.store.set(keys.account, account_id)
        log.info("Connected to Teamleader.", integration=name)
    return str(account_id or "")
