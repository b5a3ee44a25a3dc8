"""`tltw run`: the store and every process of the Procfile; a killed one comes back; Ctrl-C leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from sandbox.deployment import ROOT, free_port, settings_for, wait_for
from sandbox.serve import serve
from sandbox.teamleader.app import create_teamleader
from sandbox.twikey.app import create_twikey


def children_of(pid: int) -> dict[str, int]:
    """Processes started by another, by the last word of their command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        except (OSError, IndexError):
            continue
        if parent == pid:
            found[command[-1].decode()] = int(folder.name)
    return found


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


@pytest.mark.processes
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_killed_process_comes_back_and_a_signal_stops_all(tmp_path, stop):
    with serve(create_teamleader()) as teamleader, serve(create_twikey()) as twikey:
        environment = settings_for(tmp_path, teamleader, twikey, free_port())
        with (tmp_path / "run.log").open("wb") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "ingress.cli", "run"],
                env={**os.environ, **environment},
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        ready = f"{environment['TLTW_PUBLIC_URL']}/readyz"
        wait_for("ready", lambda: answers(ready), seconds=90)
        wait_for("every process", lambda: {"web", "worker", "clock"} <= set(children_of(run.pid)))
        first = children_of(run.pid)

        os.kill(first["clock"], signal.SIGKILL)
        wait_for("another clock", lambda: children_of(run.pid).get("clock", first["clock"]) != first["clock"])
        before = children_of(run.pid)
        os.killpg(run.pid, stop)

        assert run.wait(timeout=90) == 0, (tmp_path / "run.log").read_text()
        assert [name for name, pid in before.items() if not gone(pid)] == []


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.TransportError:
        return False
