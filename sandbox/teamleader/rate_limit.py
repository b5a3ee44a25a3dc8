"""Teamleader's limit: so many calls per sliding window and account, told in three headers."""

import threading
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Literal

ResetFormat = Literal["fractional", "seconds"]


class SlidingWindow:
    """Counts admitted calls; a refused call does not count."""

    def __init__(self, limit: int, window: timedelta) -> None:
        self.limit = limit
        self.window = window
        self._calls: deque[datetime] = deque()
        self._lock = threading.Lock()

    def admit(self, now: datetime) -> bool:
        with self._lock:
            self._forget(now)
            if len(self._calls) >= self.limit:
                return False
            self._calls.append(now)
            return True

    def remaining(self, now: datetime) -> int:
        with self._lock:
            self._forget(now)
            return max(0, self.limit - len(self._calls))

    def reset_at(self, now: datetime) -> datetime:
        """When the oldest counted call leaves the window: the earliest moment that a refused caller is let in."""
        with self._lock:
            return self._calls[0] + self.window if self._calls else now

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()

    def _forget(self, now: datetime) -> None:
        while self._calls and self._calls[0] + self.window <= now:
            self._calls.popleft()


def render_reset(at: datetime, style: ResetFormat) -> str:
    """Both styles were seen in public: `2021-06-15T10:51:23.035+0100` and `2026-02-08T11:09:08+00:00`."""
    if style == "seconds":
        return at.astimezone(UTC).isoformat(timespec="seconds")
    local = at.astimezone(UTC) + timedelta(hours=1)
    return local.strftime("%Y-%m-%dT%H:%M:%S.") + f"{local.microsecond // 1000:03}+0100"
