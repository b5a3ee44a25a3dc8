"""The worker: a bad message stalls nobody, a dead thread is noticed, messages of a killed worker come back."""

import threading
from collections.abc import Iterator

import dramatiq
import pytest

from config.embedded import EmbeddedStore
from config.store import connect, queue_url
from sandbox.deployment import wait_for
from workers.broker import QUEUE, WakeUpBroker, make_broker, waiting, wake
from workers.worker import dead_threads

REFUSALS = {
    "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "OOM": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
}


@pytest.fixture
def broker(tmp_path) -> Iterator[WakeUpBroker]:
    store = EmbeddedStore(tmp_path / "data")
    broker = make_broker(connect(queue_url(store.start())))
    yield broker
    broker.client.close()
    store.stop()


@pytest.fixture
def work(broker: WakeUpBroker) -> Iterator[tuple[dramatiq.Worker, list[str]]]:
    """A worker that notes the subjects it was woken for."""
    seen: list[str] = []

    def sync_subject(integration: str, subject: str) -> None:
        seen.append(subject)

    dramatiq.actor(actor_name="sync_subject", queue_name=QUEUE, broker=broker)(sync_subject)
    worker = dramatiq.Worker(broker, worker_threads=2, worker_timeout=50)
    yield worker, seen
    if worker.workers:
        worker.stop(timeout=5000)


def test_an_unreadable_message_is_removed_and_the_rest_of_its_batch_is_done(broker, work):
    worker, seen = work
    wake(broker, "default", "contact:1")
    broker.client.rpush(f"{broker.namespace}:{QUEUE}", "poison")
    broker.client.hset(f"{broker.namespace}:{QUEUE}.msgs", "poison", b"\xff not json")
    for number in range(2, 6):
        wake(broker, "default", f"contact:{number}")

    worker.start()
    wait_for("the others", lambda: len(seen) == 5)

    assert sorted(seen) == [f"contact:{number}" for number in range(1, 6)]
    wait_for("an empty queue", lambda: broker.client.hlen(f"{broker.namespace}:{QUEUE}.msgs") == 0)
    assert dead_threads(worker) == []


def test_a_thread_that_died_is_named(broker, work):
    worker, _ = work
    worker.start()
    assert dead_threads(worker) == []

    consumer = next(iter(worker.consumers.values()))
    consumer.stop()
    consumer.join(timeout=10)

    assert len(dead_threads(worker)) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_store_that_refuses_writes_for_a_while_kills_no_thread(broker, work, refusal):
    worker, seen = work
    worker.start()
    refuse, allow = REFUSALS[refusal]
    broker.client.execute_command(*refuse)
    threading.Event().wait(1.0)

    broker.client.execute_command(*allow)
    wake(broker, "default", "contact:1")

    wait_for("the wake-up to be done without a restart", lambda: seen == ["contact:1"], seconds=20)
    assert dead_threads(worker) == []


def test_only_the_queue_of_wake_ups_is_polled(broker, work):
    worker, _ = work
    worker.start()

    assert list(worker.consumers) == [QUEUE]
    assert waiting(broker) == 0
