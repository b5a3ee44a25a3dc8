"""One budget of time per request for the store: both ways of keeping it, over a store that answers as slowly as one likes."""

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import redis
from flask import Flask

from config.store import connect_ingress
from ingress import in_time
from ingress.in_time import InTimeStore, LimitOfThreads, OutOfTime, limit_of_gevent
from sandbox.serve import stop_listening

BUDGET = 0.5
# For what is to be answered, however long this machine stands still.
ENOUGH = 60.0
# Only a guard against a hang: a busy machine may stand still for seconds. That the budget ends is seen by what is raised.
SLACK = 30.0


class SlowStore:
    """Echoes, one byte each `pause` seconds (as they are when it is asked), which no time-out of a single read notices."""

    def __init__(self, pause: float) -> None:
        self.pause = pause
        self.connections = self.asked = 0
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._over.set()
        stop_listening(self._listener)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while received := connection.recv(4096):
                    pause = self.pause
                    self.asked += 1
                    for command in received.split(b"*")[1:]:
                        for byte in command[command.rindex(b"$") :]:
                            if self._over.wait(pause):
                                return
                            connection.sendall(bytes([byte]))
            except OSError:
                return


@pytest.fixture
def slow_store() -> Iterator[SlowStore]:
    store = SlowStore(pause=0.02)
    yield store
    store.close()


@pytest.fixture(params=["gevent", "threads"])
def client(request, slow_store, monkeypatch) -> Iterator[InTimeStore]:
    monkeypatch.setattr(in_time, "STORE_SECONDS", BUDGET)
    client = connect_ingress(slow_store.url, InTimeStore)
    # Nothing but the budget of a request ends anything here.
    client.connection_pool.connection_kwargs |= {"socket_timeout": ENOUGH, "socket_connect_timeout": ENOUGH}
    client.limit = limit_of_gevent if request.param == "gevent" else LimitOfThreads(4)
    if request.param == "gevent":
        # Its time-outs end only what waits through gevent, as everything does in the web process.
        monkeypatch.setattr("redis.connection.socket", pytest.importorskip("gevent.socket"))
    yield client
    client.close()


def out_of_time_after(call) -> float:
    """How long it took until the budget was over."""
    began = time.monotonic()
    with pytest.raises(OutOfTime):
        call()
    return time.monotonic() - began


def test_commands_that_are_quick_enough_each_share_the_budget_of_their_request(client, monkeypatch):
    def ask_ten_times():
        for number in range(10):
            client.echo(str(number))

    with Flask("test").app_context():
        took = out_of_time_after(ask_ten_times)

    assert BUDGET <= took < BUDGET + SLACK
    monkeypatch.setattr(in_time, "STORE_SECONDS", ENOUGH)
    with Flask("test").app_context():  # another request
        assert client.echo("1") == b"1"


def test_one_command_that_drips_ends_with_the_budget(client, slow_store):
    slow_store.pause = 0.2

    with Flask("test").app_context():
        took = out_of_time_after(lambda: client.echo("1"))

    assert BUDGET <= took < BUDGET + SLACK


def test_a_pipeline_ends_with_the_budget_too(client, slow_store):
    slow_store.pause = 0.2
    pipeline = client.pipeline(transaction=False)
    pipeline.echo("1")
    pipeline.echo("2")

    with Flask("test").app_context():
        took = out_of_time_after(pipeline.execute)

    assert BUDGET <= took < BUDGET + SLACK


def test_after_the_budget_nothing_is_even_sent(client, slow_store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(in_time, "STORE_SECONDS", ENOUGH)
        client.echo("connects")
    with Flask("test").app_context():
        slow_store.pause = 0.2
        out_of_time_after(lambda: client.echo("1"))
        before = slow_store.connections

        out_of_time_after(lambda: client.echo("1"))

    assert slow_store.connections == before


def test_what_runs_out_of_time_is_a_failure_of_the_store_and_leaves_no_half_read_answer(
    client, slow_store, monkeypatch
):
    slow_store.pause = ENOUGH
    while not slow_store.asked:  # this machine may stand still before anything is sent
        with Flask("test").app_context(), pytest.raises(redis.RedisError):
            client.echo("1")
    slow_store.pause = 0.0
    monkeypatch.setattr(in_time, "STORE_SECONDS", ENOUGH)

    for number in (b"7", b"8", b"9"):
        assert client.echo(number.decode()) == number
    assert slow_store.connections >= 2


def test_the_time_of_a_slow_sender_is_not_the_time_of_the_store(client, slow_store, monkeypatch):
    passed, monotonic = 0.0, time.monotonic
    monkeypatch.setattr(in_time, "time", SimpleNamespace(monotonic=lambda: monotonic() + passed))
    monkeypatch.setattr(in_time, "STORE_SECONDS", ENOUGH)
    slow_store.pause = 0.0
    with Flask("test").app_context():
        passed = 2 * ENOUGH  # reading the body

        assert client.echo("1") == b"1"


@pytest.mark.parametrize("error", [ValueError("a mistake"), TimeoutError("of its own"), redis.ResponseError("no")])
def test_an_error_of_the_work_itself_comes_through(client, error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        client.limit(fail, 1.0)
