"""The clock: wakes what is due, keeps connections fresh, tells people what needs them. Two clocks are harmless: every step is an atomic script or a lock."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import redis
import structlog

from workers.alerts.rounds import open_rounds
from workers.broker import waiting
from workers.ledger import Ledger, due
from workers.lines import LONGEST
from workers.services import Services
from workers.upkeep import Step, Upkeep, attempt

TICK = timedelta(milliseconds=250)
# While there is something to wake: few are woken at a time, so that the queue stays short.
BUSY_TICK = timedelta(milliseconds=100)
# After a failed tick: the store is away.
RECOVER = timedelta(seconds=1)
ALERT_EVERY = timedelta(seconds=30)
WAKE_AT_MOST = 128
# More wake-ups than this are not put into the queue: they would only wait there.
QUEUE_FULL = 256

log = structlog.get_logger()


@dataclass(slots=True)
class Clock:
    """Runs until `stop` is called."""

    services: Services
    _stopped: threading.Event = field(default_factory=threading.Event)
    _busy: bool = True

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Ticks until stopped. A store that is away is waited for; work that is slow never delays a tick."""
        upkeep = Upkeep(self.services)
        # Alerts have a thread of their own: those of upkeep hang on the very APIs whose outage alerts should tell of, and a
        # mail server that hangs must not keep tokens from being renewed.
        beside = [
            threading.Thread(target=upkeep.run, name="upkeep", daemon=True),
            threading.Thread(target=self._alerts, name="alerts", daemon=True),
        ]
        for thread in beside:
            thread.start()
        try:
            self._tick_until_stopped(beside)
        finally:
            upkeep.stop()

    def _tick_until_stopped(self, beside: Sequence[threading.Thread]) -> None:
        while not self._stopped.is_set():
            try:
                pause = BUSY_TICK if self.tick() else TICK
            except redis.RedisError as error:
                log.warning("The store does not answer; the clock waits for it.", error=type(error).__name__)
                pause = RECOVER
            dead = [thread.name for thread in beside if not thread.is_alive()]
            if dead and not self._stopped.is_set():  # in this order: alerts end when told to
                raise RuntimeError(f"a thread died, see the log above: {', '.join(dead)}")
            self._stopped.wait(pause.total_seconds())

    def tick(self) -> bool:
        """Wakes what is due and releases what was held; answers whether anybody was woken. One round trip when nobody is."""
        # Only what was woken lately can have filled the queue.
        room = min(WAKE_AT_MOST, QUEUE_FULL - waiting(self.services.broker)) if self._busy else WAKE_AT_MOST
        found = due(self.services.scripts, most=max(0, room), share=LONGEST)
        for integration, number in found.release:
            Ledger(self.services.scripts, integration).release_held(number)
        for integration, subject in found.wake:
            self.services.wake(integration, subject)
        self._busy = bool(found.wake) or room <= 0
        return bool(found.wake)

    def _alerts(self) -> None:
        rounds = open_rounds(self.services)
        step = Step("alerts", ALERT_EVERY, lambda *_: rounds.run(), for_each=False)
        wait = timedelta(0)
        while not self._stopped.wait(wait.total_seconds()):
            wait = attempt(step, self.services, "").again_after
        rounds.close()
