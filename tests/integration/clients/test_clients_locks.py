"""One at a time, over threads and processes, over every kind of store."""

import threading
import time
from collections.abc import Callable

import pytest
import redis

from workers.clients.errors import Unavailable
from workers.clients.locks import Busy, OneAtATime

AtOnce = Callable[[int, Callable[[], object]], list[object]]


def test_only_one_process_is_inside_at_a_time(store: "redis.Redis", everywhere_at_once: AtOnce) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        one = OneAtATime(store, "lock", "twikey")
        with one.in_process(), one.everywhere():
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            inside -= 1

    answers = everywhere_at_once(8, work)

    assert answers == [None] * 8
    assert most == 1
    assert store.exists("lock") == 0


def test_who_waits_too_long_for_another_process_is_told_so(store: "redis.Redis") -> None:
    one = OneAtATime(store, "lock", "twikey")

    with store.lock("lock", timeout=30), pytest.raises(Busy), one.everywhere(wait=0.2):
        pass

    assert issubclass(Busy, Unavailable)


def test_who_waits_too_long_for_another_thread_is_told_so(store: "redis.Redis") -> None:
    one = OneAtATime(store, "lock", "twikey")
    entered, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with one.in_process():
            entered.set()
            leave.wait(60)

    thread = threading.Thread(target=stay)
    thread.start()
    assert entered.wait(60)

    with pytest.raises(Busy), one.in_process(wait=0.1):
        pass

    leave.set()
    thread.join()


def test_a_lock_that_was_lost_meanwhile_harms_nobody(store: "redis.Redis") -> None:
    one = OneAtATime(store, "lock", "twikey")

    with one.everywhere():
        store.set("lock", "somebody else's")

    assert store.get("lock") == b"somebody else's"
