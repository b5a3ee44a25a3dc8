"""Runs the processes of the Procfile side by side, starts again what ends, and stops all of them in order.

honcho, which reads the same Procfile, ends everything as soon as one process ends and kills after 5 s; we promise that a killed
worker is back within seconds and that stopping drains (docs/decisions/0002).
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from honcho.environ import parse_procfile

OURS = [sys.executable, "-m", "ingress.cli"]
DRAIN_SECONDS = 20.0
RESTART_FIRST_SECONDS = 0.2
# With the two or three seconds of a start still less than a lease (20 s): what the process had in hand is free only then,
# so that its being away costs nobody more than the lease does.
RESTART_LONGEST_SECONDS = 5.0
# After so long an end is no consequence of the start.
STEADY_SECONDS = 30.0
# A start takes less; and it is the least time between two starts of something that is killed again and again.
HEALTHY_SECONDS = 2.0

log = structlog.get_logger()


def read_procfile(path: Path) -> dict[str, list[str]]:
    """The commands of a Procfile by process name. `tltw` becomes the one of this very Python."""
    commands = {name: shlex.split(line) for name, line in parse_procfile(path.read_text()).processes.items()}
    return {name: OURS + words[1:] if words[0] == "tltw" else words for name, words in commands.items()}


def restart_wait(code: int, *, lived_seconds: float, last_wait_seconds: float) -> float:
    """How long to wait (seconds) before a process that ended is started again.

    One that was killed by a signal (a negative code) once it was up did nothing wrong: at once. One that ends by itself soon
    after its start will probably do so again: each time twice as long.
    """
    if code < 0 and lived_seconds >= HEALTHY_SECONDS:
        return 0.0
    if lived_seconds >= STEADY_SECONDS:
        return RESTART_FIRST_SECONDS
    return min(max(last_wait_seconds * 2, RESTART_FIRST_SECONDS), RESTART_LONGEST_SECONDS)


@dataclass(slots=True)
class Child:
    """One process that is kept running."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(repr=False)
    log_file: Path | None = None
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = 0.0
    start_at: float = 0.0

    def start(self) -> None:
        # Its own session: Ctrl-C in the terminal reaches the supervisor only, which then stops things in order.
        output = self.log_file.open("ab") if self.log_file else None
        self.process = subprocess.Popen(  # noqa: S603 # commands of our own Procfile
            self.command, env=dict(self.environment), start_new_session=True, stdout=output, stderr=output
        )
        if output:
            output.close()
        self.started = time.monotonic()

    def look(self) -> None:
        """Starts the process again if it ended, when `restart_wait` says so."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self.wait = restart_wait(code, lived_seconds=now - self.started, last_wait_seconds=self.wait)
            log.warning("A process ended and is started again.", name=self.name, code=code, in_seconds=self.wait)
            self.process, self.start_at = None, now + self.wait
        if now >= self.start_at:
            self.start()


@dataclass(slots=True)
class Supervisor:
    """Keeps processes running until `stop`. With `log_dir` each writes to a file of its own there."""

    commands: Mapping[str, list[str]]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    log_dir: Path | None = None
    children: list[Child] = field(init=False)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _watcher: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.children = [
            Child(name, command, self.environment, self.log_dir / f"{name}.log" if self.log_dir else None)
            for name, command in self.commands.items()
        ]

    def pid(self, name: str) -> int | None:
        """The process id of a child that is running."""
        child = next(child for child in self.children if child.name == name)
        return child.process.pid if child.process and child.process.poll() is None else None

    def start(self) -> None:
        for child in self.children:
            child.start()

    def watch(self) -> None:
        """Restarts what ends, until `stop` is asked for."""
        while not self._stopping.wait(0.1):
            for child in self.children:
                child.look()

    def watch_in_background(self) -> None:
        self._watcher = threading.Thread(target=self.watch, name="supervisor", daemon=True)
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Makes `watch` return; safe in a signal handler."""
        self._stopping.set()

    def stop(self) -> None:
        """Lets every process finish its work, then makes sure that none is left."""
        self._stopping.set()
        if self._watcher:
            self._watcher.join()  # it may just be starting something again
        running = [child.process for child in self.children if child.process and child.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + DRAIN_SECONDS
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # whatever is left of its group
            process.wait()
