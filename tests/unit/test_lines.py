"""A line for each integration: who is owed little overtakes a backlog, nobody is served twice, nothing is lost."""

import queue
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from dramatiq.common import iter_queue

from workers.lines import LONGEST, Lines
from workers.shares import PLACES


def wake_up(integration, number):
    return SimpleNamespace(message=SimpleNamespace(args=(integration, f"contact:{number}")))


def put(lines, integration, many):
    for number in range(many):
        lines.put(wake_up(integration, number))


def got(lines):
    return lines.get().message.args[0]


def test_who_is_owed_little_overtakes_a_backlog():
    lines = Lines(32)
    put(lines, "backlog", LONGEST)
    put(lines, "little", 1)

    assert [got(lines), got(lines)] == ["backlog", "little"]


def test_within_an_integration_who_came_first_is_served_first():
    lines = Lines(32)
    put(lines, "acme", 3)

    assert [lines.get().message.args[1] for _ in range(3)] == ["contact:0", "contact:1", "contact:2"]


def test_a_subject_that_waits_already_is_not_wanted_again():
    lines = Lines(32)
    put(lines, "acme", 1)

    assert not lines.wants("acme", "contact:0")
    assert lines.wants("acme", "contact:1")
    assert lines.wants("other", "contact:0")


def test_a_line_has_an_end_and_another_is_not_affected():
    lines = Lines(32)
    put(lines, "acme", LONGEST)

    assert not lines.wants("acme", "contact:next")
    assert lines.wants("other", "contact:next")


def test_a_thread_waits_until_another_gives_its_share_back():
    lines = Lines(1)
    put(lines, "acme", 2)
    lines.get()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lines.get)
        time.sleep(0.05)
        assert not waiting.done()

        lines.task_done()

        assert waiting.result(timeout=60).message.args == ("acme", "contact:1")


def test_at_the_end_who_waits_is_sent_home_and_nothing_starts_any_more():
    lines = Lines(2)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lines.get)
        time.sleep(0.05)

        lines.send_home()

        assert isinstance(waiting.exception(timeout=60), queue.Empty)
    put(lines, "acme", 1)
    with pytest.raises(queue.Empty):
        lines.get()
    assert lines.get_nowait()


def test_at_the_end_all_that_waits_can_be_given_back_also_what_might_not_start():
    lines = Lines(1)
    put(lines, "acme", 3)
    put(lines, "other", 2)
    lines.get()

    left = [item.message.args for item in iter_queue(lines)]

    assert sorted(left) == [
        ("acme", "contact:1"),
        ("acme", "contact:2"),
        ("other", "contact:0"),
        ("other", "contact:1"),
    ]


def test_many_threads_do_everything_once_and_never_too_much_of_one_integration():
    lines, done, at_once, most = Lines(8), Counter(), Counter(), Counter()
    lock = threading.Lock()
    names = [f"merchant-{number}" for number in range(6)]
    for name in names:
        put(lines, name, 40)

    def is_done() -> bool:
        with lock:
            return sum(done.values()) >= 240

    def work() -> None:
        while not is_done():
            try:
                item = lines.get()
            except queue.Empty:
                continue
            name = item.message.args[0]
            with lock:
                at_once[name] += 1
                most[name] = max(most[name], at_once[name])
            time.sleep(0.001)
            with lock:
                at_once[name] -= 1
                done[item.message.args] += 1
            lines.task_done()

    with ThreadPoolExecutor(8) as pool:
        for worker in [pool.submit(work) for _ in range(8)]:
            worker.result(timeout=60)

    assert len(done) == 240
    assert set(done.values()) == {1}
    assert max(most.values()) <= PLACES
