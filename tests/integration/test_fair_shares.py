"""The worker over a real queue: merchants whose API hangs, and merchants who owe much, leave another one's update alone."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import dramatiq
import pytest

from config.embedded import EmbeddedStore
from config.store import connect, queue_url
from sandbox.deployment import wait_for
from workers.broker import QUEUE, WakeUpBroker, make_broker, waiting, wake
from workers.lines import LONGEST, Lines
from workers.worker import make_worker, stop_worker

THREADS = 16


@dataclass
class Work:
    """What the worker does instead of syncing: whose name begins with `hangs` blocks until it is let go, and whose name
    begins with `owes` takes its time, once it may begin."""

    broker: WakeUpBroker
    worker: dramatiq.Worker = field(init=False)
    seen: dict[tuple[str, str], float] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    all_owed: threading.Event = field(default_factory=threading.Event)

    def __call__(self, integration: str, subject: str) -> None:
        self.begun.append(subject)
        if integration.startswith("hangs"):
            self.released.wait(100)
        elif integration.startswith("owes"):
            self.all_owed.wait(100)
            time.sleep(0.1)
        self.seen[integration, subject] = time.monotonic()

    @property
    def at_work(self) -> int:
        return len(self.begun)

    def wait_for_turn(self, integration: str) -> None:
        wait_for(f"{integration}'s turn", lambda: (integration, "contact:1") in self.seen, seconds=60)


@pytest.fixture
def work(tmp_path) -> Iterator[Work]:
    store = EmbeddedStore(tmp_path / "data")
    broker = make_broker(connect(queue_url(store.start())))
    work = Work(broker)
    dramatiq.actor(actor_name="sync_subject", queue_name=QUEUE, broker=broker)(lambda *ids: work(*ids))
    worker = make_worker(broker, THREADS)
    worker.start()
    work.worker = worker
    yield work
    work.released.set()
    work.all_owed.set()
    stop_worker(worker)
    broker.client.close()
    store.stop()


def owe(work: Work, name: str, merchants: int, subjects: int) -> None:
    for number in range(merchants):
        for subject in range(subjects):
            wake(work.broker, f"{name}-{number}", f"contact:{subject}")


def test_many_that_hang_leave_another_alone(work):
    owe(work, "hangs", merchants=8, subjects=LONGEST)
    wait_for("them to hang", lambda: work.at_work >= 8, seconds=60)

    wake(work.broker, "well", "contact:1")
    work.wait_for_turn("well")

    assert not [name for name, _ in work.seen if name.startswith("hangs")]


def test_many_that_owe_much_leave_another_alone(work):
    owe(work, "owes", merchants=40, subjects=LONGEST)
    wake(work.broker, "well", "contact:1")
    work.all_owed.set()  # not sooner: however slow this test is, all of that is owed now

    work.wait_for_turn("well")

    # In the order of their coming all the others would have been done before, but for those that are at work.
    served = list(work.seen.values())
    assert sum(at < work.seen["well", "contact:1"] for at in served) < 40 * LONGEST - 2 * THREADS


def test_one_that_hangs_leaves_a_backlog_of_another_its_threads(work):
    owe(work, "hangs", merchants=1, subjects=LONGEST)
    wait_for("it to hang", lambda: work.at_work >= 1, seconds=60)
    owe(work, "owes", merchants=1, subjects=LONGEST)
    work.all_owed.set()

    wait_for("the backlog", lambda: len(work.seen) == LONGEST, seconds=60)


def test_what_is_too_much_is_dropped_and_leaves_nothing_in_the_queue(work):
    owe(work, "hangs", merchants=1, subjects=4 * LONGEST)

    wait_for("an empty queue", lambda: waiting(work.broker) == 0, seconds=60)
    work.released.set()
    done = wait_for("the line", lambda: len(work.seen) if len(work.seen) >= LONGEST else 0, seconds=60)

    left = f"{work.broker.namespace}:{QUEUE}.msgs"
    wait_for("all to be acknowledged", lambda: work.broker.client.hlen(left) == 0, seconds=60)
    assert done < 4 * LONGEST


def test_when_the_worker_stops_what_waits_is_given_back_at_once(work, monkeypatch):
    owe(work, "hangs", merchants=2, subjects=LONGEST)
    lines = cast(Lines, work.worker.work_queue)
    wait_for(
        "all to be fetched", lambda: work.at_work + sum(map(len, lines._lines.values())) == 2 * LONGEST, seconds=60
    )
    # They end once the stop has begun, and no sooner: whoever ends before would begin with the next.
    stop = work.worker.stop
    monkeypatch.setattr(work.worker, "stop", lambda **how: (work.released.set(), stop(**how)))

    stop_worker(work.worker)

    assert work.at_work < 2 * LONGEST
    assert waiting(work.broker) == 2 * LONGEST - work.at_work
