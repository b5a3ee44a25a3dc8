"""Gates hold matching calls until a test lets them go, so that it can act exactly in the middle of one."""

import threading
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.request_log import RequestRecord

When = Literal["before", "after"]


@dataclass
class Gate:
    """Holds calls before the work is done, or after it but before the answer; at most `count` of them."""

    name: str
    prefix: str
    when: When = "before"
    method: str | None = None
    customer: str | None = None
    account: str | None = None
    count: int | None = None
    waiting: int = 0
    passed: int = 0
    opened: threading.Event = field(default_factory=threading.Event, repr=False)

    def catches(self, when: str, record: RequestRecord) -> bool:
        return (
            self.when == when
            and not self.opened.is_set()
            and record.path.startswith(self.prefix)
            and self.method in (None, record.method)
            and self.account in (None, record.account)
            and (self.customer is None or record.concerns(self.customer))
            and (self.count is None or self.waiting + self.passed < self.count)
        )

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "opened"}


class Gates:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gates: dict[str, Gate] = {}

    def set(self, gate: Gate) -> Gate:
        self.release(gate.name)
        with self._lock:
            self._gates[gate.name] = gate
        return gate

    def listed(self) -> list[Gate]:
        with self._lock:
            return list(self._gates.values())

    def release(self, name: str | None = None) -> int:
        """Opens and removes one gate, or all; answers how many gates were opened."""
        with self._lock:
            opening = [gate for gate in self._gates.values() if name in (None, gate.name)]
            for gate in opening:
                gate.opened.set()
                del self._gates[gate.name]
        return len(opening)

    def hold(self, when: When, record: RequestRecord, stopping: threading.Event) -> None:
        """Blocks while a gate catches this call."""
        while gate := self._enter(when, record):
            while not gate.opened.wait(0.1) and not stopping.is_set():
                pass
            with self._lock:
                gate.waiting -= 1
                gate.passed += 1
            if stopping.is_set():
                return

    def _enter(self, when: When, record: RequestRecord) -> Gate | None:
        with self._lock:
            for gate in self._gates.values():
                if gate.catches(when, record):
                    gate.waiting += 1
                    return gate
        return None
