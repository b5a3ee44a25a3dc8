"""What happened in one run, in order, as JSON lines on disk and in memory. Written by many threads."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class History:
    """Every line has `at` (seconds since 1970) and `what`."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a")
        self._lock = threading.Lock()
        self._lines: list[dict[str, Any]] = []

    def add(self, what: str, **more: Any) -> float:
        line = {"at": time.time(), "what": what, **more}
        with self._lock:
            self._lines.append(line)
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        return float(line["at"])

    def of(self, *what: str) -> Iterator[dict[str, Any]]:
        with self._lock:
            lines = list(self._lines)
        return (line for line in lines if line["what"] in what)

    def close(self) -> None:
        self._file.close()
