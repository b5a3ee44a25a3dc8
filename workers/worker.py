"""The worker process: runs Dramatiq's `Worker` in this very process, without Dramatiq's own parent.

One plain process per worker drains on SIGTERM, also when its whole process group is signalled, and ends with an error when
one of its threads dies, so that whoever supervises it starts a new one (docs/decisions/0002).
"""

import os
import signal
import threading
from types import FrameType
from typing import Any, cast

import dramatiq
import redis
import structlog
from dramatiq.errors import ConnectionClosed

from workers import actors
from workers.broker import WakeUpBroker
from workers.lines import Lines
from workers.services import Services

DRAIN_MS = 18_000
POLL_MS = 200
# Dramatiq's own three seconds are most of what a short outage of the store costs.
RECONNECT_AFTER_SECONDS = 1.0
CHECK_THREADS_EVERY_SECONDS = 1.0

log = structlog.get_logger()


def run_worker(services: Services) -> int:
    """Works until SIGTERM or SIGINT; answers the exit code: 0 after draining, 1 when a thread died."""
    stopping = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    actors.declare(services.broker, services.tools_as_known)
    worker = make_worker(services.broker, services.settings.worker_threads)
    worker.start()
    log.info("Worker ready.", threads=services.settings.worker_threads, worker=services.scripts.process)
    while not stopping.wait(CHECK_THREADS_EVERY_SECONDS):
        if dead := dead_threads(worker):
            log.critical("A thread of the worker died; the process ends so that a new one starts.", threads=dead)
            os._exit(1)
    log.info("Worker draining.")
    try:
        stop_worker(worker)
    except (redis.RedisError, ConnectionClosed):
        log.warning("The store was away while stopping; the clock wakes again what was left.")
    log.info("Worker stopped.")
    return 0


def make_worker(broker: WakeUpBroker, threads: int) -> dramatiq.Worker:
    """Dramatiq's worker, whose threads are shared fairly between the integrations (`lines`)."""
    worker = dramatiq.Worker(broker, worker_threads=threads, worker_timeout=POLL_MS)
    # As many at a time as threads could take up.
    worker.queue_prefetch = threads
    dramatiq.worker.CONSUMER_RESTART_DELAY_SECS = RECONNECT_AFTER_SECONDS
    broker.lines = Lines(threads)
    worker.work_queue = cast(Any, broker.lines)
    return worker


def stop_worker(worker: dramatiq.Worker) -> None:
    """Lets every thread finish what it has in hand, and gives back what only waits."""
    for thread in worker.workers:
        thread.stop()
    cast(Lines, worker.work_queue).send_home()
    worker.stop(timeout=DRAIN_MS)


def dead_threads(worker: dramatiq.Worker) -> list[str]:
    """The names of threads that should be running and are not."""
    threads = [*worker.consumers.values(), *worker.workers]
    return [thread.name for thread in threads if not thread.is_alive()]
