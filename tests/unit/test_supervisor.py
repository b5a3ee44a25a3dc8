"""When a process that ended is started again: what was killed at once, what fails at its start later each time."""

import signal
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from ingress.cli.supervisor import RESTART_LONGEST_SECONDS, Child, Supervisor, restart_wait
from sandbox.deployment import wait_for
from workers.ledger.ledger import LEASE

# What importing everything and connecting takes on a slow machine.
START_SECONDS = 5.0


@pytest.mark.parametrize("code", [-signal.SIGKILL, -signal.SIGSEGV, -signal.SIGTERM])
@pytest.mark.parametrize("lived", [2.0, 7.0, 3600.0])
def test_a_process_that_was_killed_once_it_was_up_is_started_again_at_once(code, lived):
    assert restart_wait(code, lived_seconds=lived, last_wait_seconds=5.0) == 0


@pytest.mark.parametrize("code", [1, 0, 2, -signal.SIGSEGV])
def test_a_process_that_ends_in_its_start_waits_twice_as_long_each_time(code):
    waits = [0.0]
    for _ in range(8):
        waits.append(restart_wait(code, lived_seconds=0.5, last_wait_seconds=waits[-1]))

    assert waits[1] > 0
    assert all(later in (earlier * 2, RESTART_LONGEST_SECONDS) for earlier, later in pairwise(waits[1:]))


def test_a_process_that_ran_for_long_is_not_blamed_for_how_it_began():
    assert restart_wait(1, lived_seconds=31, last_wait_seconds=RESTART_LONGEST_SECONDS) < 1


def test_even_the_longest_wait_leaves_time_to_be_back_before_the_leases_of_the_killed_one_end():
    assert LEASE.total_seconds() > RESTART_LONGEST_SECONDS + START_SECONDS


def test_a_child_that_is_killed_comes_back_with_the_next_look(monkeypatch):
    monkeypatch.setattr("ingress.cli.supervisor.HEALTHY_SECONDS", 0.0)
    child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], {})
    child.start()
    first = child.process
    assert first
    first.kill()
    wait_for("its end", lambda: first.poll() is not None)

    child.look()

    assert child.process
    assert child.process.pid != first.pid
    child.process.kill()
    child.process.wait()


def test_stopping_leaves_no_child_of_a_child_behind(tmp_path):
    """A process may end and leave its own children running, as Dramatiq's does when it is killed."""
    note = tmp_path / "grandchild"
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    program = f"import subprocess, pathlib, time; one = subprocess.Popen({sleeper!r}); " + (
        f"pathlib.Path({str(note)!r}).write_text(str(one.pid)); time.sleep(60)"
    )
    supervisor = Supervisor({"parent": [sys.executable, "-c", program]}, {})
    supervisor.start()
    wait_for("the grandchild", lambda: note.exists() and note.read_text())

    supervisor.stop()

    wait_for("its end", lambda: not_running(int(note.read_text())))


def not_running(pid: int) -> bool:
    """Gone, or a zombie that waits for an init which does not reap."""
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"
