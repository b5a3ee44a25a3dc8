"""Decides which calls go wrong, and how; carrying the fault out is the work of `sandbox.misbehave`."""

import itertools
import random
import threading
import time
from dataclasses import dataclass, field, fields
from typing import Any

from sandbox.request_log import RequestRecord

KINDS = {
    "status": "answers with `status` instead of doing anything",
    "delay": "waits `seconds`, then does what was asked",
    "hang": "never answers; the connection drops when the fault is cleared",
    "reset": "resets the connection without doing anything",
    "html": "answers 200 with a web page",
    "truncated": "does what was asked, but cuts the answer in half",
    "wrong_type": "answers 200 with JSON of another type",
    "huge": "answers 200 with 20 MB",
    "drip": "does what was asked, and sends one byte every `seconds`, headers too",
    "redirect": "redirects to the same address, for ever",
    "lost_answer": "does what was asked, then resets the connection",
}
RETRY_HINTS = ("future", "past", "garbage", "missing")


class FaultRefused(ValueError):
    """The description of a fault makes no sense."""


@dataclass
class Fault:
    """One thing that goes wrong, where, how often and for how long."""

    kind: str
    prefix: str = "/"
    method: str | None = None
    customer: str | None = None
    account: str | None = None
    probability: float = 1.0
    count: int | None = None
    for_seconds: float | None = None
    status: int = 500
    seconds: float = 1.0
    retry: str = "future"
    retry_seconds: float = 2.0
    id: str = ""
    hits: int = 0
    since: float = field(default_factory=time.monotonic, repr=False)
    cleared: threading.Event = field(default_factory=threading.Event, repr=False)

    def is_over(self) -> bool:
        spent = self.count is not None and self.hits >= self.count
        return spent or (self.for_seconds is not None and time.monotonic() - self.since > self.for_seconds)

    def matches(self, record: RequestRecord) -> bool:
        return (
            record.path.startswith(self.prefix)
            and self.method in (None, record.method)
            and self.account in (None, record.account)
            and (self.customer is None or record.concerns(self.customer))
        )

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("since", "cleared")}


_SETTABLE = {item.name for item in fields(Fault)} - {"hits", "since", "cleared"}


class Switchboard:
    """The faults of one server. A fault set later wins over an earlier one that matches the same call."""

    def __init__(self, *faults: Fault, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._faults: dict[str, Fault] = {}
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> Fault:
        if fault.kind not in KINDS:
            raise FaultRefused(f"unknown kind of fault: {fault.kind}; known: {', '.join(KINDS)}")
        if fault.retry not in RETRY_HINTS:
            raise FaultRefused(f"retry must be one of {', '.join(RETRY_HINTS)}")
        with self._lock:
            fault.id = fault.id or f"fault-{next(self._numbers)}"
            if replaced := self._faults.pop(fault.id, None):
                replaced.cleared.set()
            self._faults[fault.id] = fault
        return fault

    def set(self, kind: str, **wanted: Any) -> Fault:
        if unknown := set(wanted) - _SETTABLE:
            raise FaultRefused(f"unknown settings: {', '.join(sorted(unknown))}")
        return self.add(Fault(kind, **wanted))

    def clear(self, fault_id: str | None = None) -> int:
        """Ends one fault, or all of them; answers how many ended."""
        with self._lock:
            ending = [fault for fault in self._faults.values() if fault_id in (None, fault.id)]
            for fault in ending:
                fault.cleared.set()
                del self._faults[fault.id]
        return len(ending)

    def listed(self) -> list[Fault]:
        with self._lock:
            return list(self._faults.values())

    def pick(self, record: RequestRecord) -> Fault | None:
        """The fault this call must suffer, if any; counts the hit."""
        with self._lock:
            for fault in reversed(self._faults.values()):
                if fault.is_over() or not fault.matches(record):
                    continue
                if self._random.random() < fault.probability:
                    fault.hits += 1
                    return fault
        return None
