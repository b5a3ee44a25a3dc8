"""The clock: wakes what is due and keeps connections fresh. Two clocks are harmless: every step is an atomic script or a lock."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta

import redis
import structlog

from config.keys import CLOCK_TICKED
from workers.broker import waiting
from workers.ledger import Ledger, due
from workers.services import Services
from workers.upkeep import Upkeep

TICK = timedelta(milliseconds=250)
# After a failed tick: the store is away.
RECOVER = timedelta(seconds=1)
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

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        """Ticks until stopped. A store that is away is waited for; work that is slow never delays a tick."""
        upkeep = Upkeep(self.services)
        thread = threading.Thread(target=upkeep.run, name="upkeep", daemon=True)
        thread.start()
        while not self._stopped.is_set():
            pause = TICK
            try:
                tick(self.services)
            except redis.RedisError as error:
                log.warning("The store does not answer; the clock waits for it.", error=type(error).__name__)
                pause = RECOVER
            if not thread.is_alive():
                raise RuntimeError("the upkeep thread died; see the log above")
            self._stopped.wait(pause.total_seconds())
        upkeep.stop()


def tick(services: Services) -> int:
    """Wakes what is due, releases what was held, and notes that the clock is alive; answers how many were woken."""
    seconds, micros = services.store.time()
    services.store.set(CLOCK_TICKED, seconds * 1000 + micros // 1000)
    if waiting(services.broker) >= QUEUE_FULL:
        return 0
    found = due(services.scripts, most=WAKE_AT_MOST, share=WAKE_PER_INTEGRATION)
    for integration, number in found.release:
        Ledger(services.scripts, integration).release_held(number)
    for integration, subject in found.wake:
        services.wake(integration, subject)
    return len(found.wake)
