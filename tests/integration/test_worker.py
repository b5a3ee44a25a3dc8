"""The worker: a bad message stalls nobody, a dead thread is noticed, messages of a killed worker come back."""

import json
import time
from collections.abc import Iterator

import dramatiq
import pytest
import redis
from dramatiq.brokers import redis as redis_broker

from config.store import connect, queue_url
from sandbox.deployment import wait_for
from workers.broker import ACTOR, QUEUE, WakeUpBroker, make_broker, waiting, wake
from workers.worker import dead_threads

REFUSALS = {
    "READONLY": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    "OOM": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
}


@pytest.fixture
def broker(request) -> Iterator[WakeUpBroker]:
    """On a Valkey; `parametrize("broker", [...], indirect=True)` names other servers."""
    url = request.getfixturevalue(getattr(request, "param", "valkey_url"))
    with connect(queue_url(url)) as client:
        client.flushall()
        yield make_broker(client)


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
        worker.stop(timeout=60_000)


def message(**changed: object) -> bytes:
    """A wake-up as Dramatiq writes it, with something else in it."""
    whole = {
        "queue_name": QUEUE,
        "actor_name": ACTOR,
        "args": ["default", "contact:strange"],
        "kwargs": {},
        "options": {"redis_message_id": "strange"},
        "message_id": "m",
        "message_timestamp": 1,
    }
    return json.dumps(whole | changed).encode()


STRANGE = {
    "no text": b"\xff\xfe",
    "no JSON": b"{",
    "nothing": b"",
    "no data at all": None,
    "a list": b"[]",
    "a number": b"17",
    "deeply nested": b"[" * 100_000,
    "fields missing": b'{"args": []}',
    "fields unknown": message(exec="rm"),
    "an id that is a list": message(message_id=["m"]),
    "no options": message(options=None),
    "options without its own name": message(options={}),
    "to be delayed": message(options={"redis_message_id": "strange", "eta": 4_102_444_800_000}),
    "another actor": message(actor_name="no_such_actor"),
    "too many arguments": message(args=["default", "contact:1", "now"]),
    "arguments that are no text": message(args=[{}, None]),
    "named arguments": message(kwargs={"integration": "default"}),
}


def put(broker: WakeUpBroker, name: str, data: bytes | None) -> None:
    broker.client.rpush(f"{broker.namespace}:{QUEUE}", name)
    if data is not None:
        broker.client.hset(f"{broker.namespace}:{QUEUE}.msgs", name, data)


def left_in_the_queue(broker: WakeUpBroker) -> list[str]:
    """Everything that is not done with: waiting, in work, stored, or put aside by Dramatiq."""
    keys = {key.decode().removeprefix(f"{broker.namespace}:") for key in broker.client.keys(f"{broker.namespace}:*")}
    return sorted(keys - {"__heartbeats__"})


@pytest.mark.parametrize("strange", STRANGE.values(), ids=STRANGE.keys())
def test_what_is_no_wake_up_is_removed_and_the_rest_of_its_batch_is_done(broker, work, strange):
    worker, seen = work
    wake(broker, "default", "contact:1")
    put(broker, "strange", strange)
    for number in range(2, 6):
        wake(broker, "default", f"contact:{number}")

    worker.start()
    wait_for("the others", lambda: len(seen) == 5, seconds=60)

    assert sorted(seen) == [f"contact:{number}" for number in range(1, 6)]
    wait_for("an empty queue", lambda: left_in_the_queue(broker) == [], seconds=60)
    assert dead_threads(worker) == []


@pytest.mark.parametrize("broker", ["redis_url", "valkey_url"], indirect=True)
def test_under_load_with_garbage_all_over_nothing_stalls(broker, work):
    worker, seen = work
    worker.start()
    began = time.monotonic()

    for number in range(400):
        wake(broker, "default", f"contact:{number}")
        put(broker, f"strange-{number}", list(STRANGE.values())[number % len(STRANGE)])
    wait_for("all of them", lambda: len(seen) == 400, seconds=60)
    print(f"400 wake-ups among 400 pieces of garbage in {time.monotonic() - began:.1f} s")

    assert sorted(seen) == sorted(f"contact:{number}" for number in range(400))
    wait_for("an empty queue", lambda: left_in_the_queue(broker) == [], seconds=60)
    assert dead_threads(worker) == []


@pytest.mark.parametrize("minutes", [-5, 5])
def test_a_process_whose_clock_is_wrong_takes_no_message_from_another_and_loses_none(broker, monkeypatch, minutes):
    other, now = make_broker(broker.client), redis_broker.current_millis
    wake(broker, "default", "contact:1")
    in_hand = broker.do_fetch(QUEUE, 1)

    monkeypatch.setattr(redis_broker, "current_millis", lambda: now() + minutes * 60_000)
    taken = other.do_fetch(QUEUE, 10)
    wake(other, "default", "contact:2")
    held = other.do_fetch(QUEUE, 10)
    monkeypatch.undo()

    assert len(in_hand) == 1
    assert taken == []
    assert len(held) == 1
    assert broker.do_fetch(QUEUE, 10) == []


def test_a_thread_that_died_is_named(broker, work):
    worker, _ = work
    worker.start()
    assert dead_threads(worker) == []

    consumer = next(iter(worker.consumers.values()))
    consumer.stop()
    consumer.join(timeout=60)

    assert len(dead_threads(worker)) == 1


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_store_that_refuses_writes_for_a_while_kills_no_thread(broker, work, refusal, monkeypatch):
    worker, seen = work
    fetch, refused = broker.do_fetch, []

    def noting(*asked):
        try:
            return fetch(*asked)
        except redis.RedisError as error:
            refused.append(error)
            raise

    monkeypatch.setattr(broker, "do_fetch", noting)
    worker.start()
    refuse, allow = REFUSALS[refusal]
    broker.client.execute_command(*refuse)
    wait_for("a refusal", lambda: refused, seconds=60)

    broker.client.execute_command(*allow)
    wake(broker, "default", "contact:1")

    wait_for("the wake-up to be done without a restart", lambda: seen == ["contact:1"], seconds=60)
    assert dead_threads(worker) == []


@pytest.mark.parametrize("tell", ["ack", "nack"])
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_store_that_refuses_when_the_work_is_done_holds_no_thread(broker, refusal, tell):
    consumer = broker.consume(QUEUE, prefetch=1, timeout=10)
    wake(broker, "default", "contact:1")
    wake_up = next(consumer)
    refuse, allow = REFUSALS[refusal]
    broker.client.execute_command(*refuse)
    began = time.monotonic()

    getattr(consumer, tell)(wake_up)

    took = time.monotonic() - began
    broker.client.execute_command(*allow)
    assert took < 20  # it returned, and did not repeat for ever
    wake(broker, "default", "contact:2")
    assert next(consumer).args == ("default", "contact:2")


def test_only_the_queue_of_wake_ups_is_polled(broker, work):
    worker, _ = work
    worker.start()

    assert list(worker.consumers) == [QUEUE]
    assert waiting(broker) == 0
