"""`make demo` ends when it is told to, wherever it was started."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.deployment import ROOT, wait_for


def ignore_ctrl_c() -> None:
    """As a shell does for what a script starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.processes
def test_a_demo_that_a_script_started_in_the_background_ends_at_sigint(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with log.open("wb") as out:
        demo = subprocess.Popen(
            [sys.executable, "-u", "-m", "sandbox", "--quiet-story"],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=tmp_path,
            stdout=out,
            stderr=out,
            start_new_session=True,
            preexec_fn=ignore_ctrl_c,
        )
    try:
        wait_for("the invitation", lambda: "Ctrl-C stops everything." in log.read_text(), seconds=180)
        demo.send_signal(signal.SIGINT)

        assert demo.wait(timeout=90) == 0
        assert "Stopped: every process that was started has ended." in log.read_text()
    finally:
        if demo.poll() is None:
            demo.terminate()
            demo.wait(timeout=90)
