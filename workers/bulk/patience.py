"""Waits for a free call while a plan is made; jobs themselves never sleep, the runner takes them up again."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

from workers.clients.errors import Throttled

LONGEST_SECONDS = 90.0
T = TypeVar("T")


def patiently(call: Callable[[], T], *, longest_seconds: float = LONGEST_SECONDS) -> T:
    """Calls until our own budget allows it. Raises `Throttled` when that takes too long, or when the API itself says so."""
    ends = time.monotonic() + longest_seconds
    while True:
        try:
            return call()
        except Throttled as full:
            wait = (full.until - datetime.now(UTC)).total_seconds() if full.until else longest_seconds
            if full.status is not None or time.monotonic() + wait > ends:
                raise
            time.sleep(max(wait, 0.001))
