"""Runs our command line under libfaketime, whose clock a scenario moves: `python -m tests.chaos.stepped worker`.

libfaketime 0.9.10 refuses `clock_nanosleep` with an absolute time of the monotonic clock, which is what `time.sleep` asks for;
so sleeping is done by select here. gevent has a sleep of its own and does not mind.
"""

import os
import select
import time
from collections.abc import Mapping
from pathlib import Path


def library() -> Path | None:
    """libfaketime as Debian (package `faketime`) and others install it, or None."""
    found = [
        *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
        *Path("/usr").glob("lib*/faketime/libfaketimeMT.so.1"),
    ]
    return next(iter(found), None)


def why_not() -> str:
    """Why no clock can be stepped on this machine; empty when it can."""
    return "" if library() else "libfaketime is not installed here (Debian: apt-get install faketime)"


def environment(clock: Path) -> Mapping[str, str]:
    """What makes a process take its time of day from a file that holds an offset such as `+300`."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",  # seconds; reading the file at every look at the clock costs more than the work
        # A step of the time of day leaves the monotonic clock alone, and the times of files.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def step(clock: Path, seconds: int) -> None:
    """Moves the time of day of the processes that look at this file, at once."""
    new = clock.with_suffix(".new")
    new.write_text(f"{seconds:+d}")
    os.replace(new, clock)


def _sleep(seconds: float) -> None:
    select.select((), (), (), max(0.0, seconds))


if __name__ == "__main__":
    from ingress.cli.main import main

    time.sleep = _sleep
    main()
