"""What both simulated services share: every call is logged, may be held at a gate, and may suffer a fault."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

from sandbox import misbehave
from sandbox.faults import Fault, Switchboard
from sandbox.gates import Gates
from sandbox.request_log import RequestLog, RequestRecord
from sandbox.serve import ConnectionTaken, Environ, RawConnection, StartResponse, collect_answer

OWN_PREFIXES = ("/_sandbox", "/static", "/ui")


@dataclass(frozen=True)
class Manners:
    """How one service words its failures, and how it tells callers apart."""

    failure: Callable[[Fault], misbehave.Answer]
    account_of: Callable[[Environ], str | None]


class Simulator:
    """A WSGI app around a Flask app; the pages and the control API (`/`, `/ui`, `/_sandbox`) never misbehave."""

    def __init__(self, flask: Flask, manners: Manners, *, faults: Switchboard | None = None) -> None:
        self.flask = flask
        self.manners = manners
        self.faults = faults or Switchboard()
        self.gates = Gates()
        self.log = RequestLog()

    def close(self) -> None:
        """Lets everything go that still waits."""
        self.faults.clear()
        self.gates.release()

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        path = environ["PATH_INFO"]
        if path == "/" or path.startswith(OWN_PREFIXES):
            status, headers, body = collect_answer(self.flask, environ)
        else:
            status, headers, body = self._simulate(environ)
        start_response(status, headers)
        return [body]

    def _simulate(self, environ: Environ) -> misbehave.Answer:
        record = self.log.begin(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ.get("QUERY_STRING", ""),
            environ.get("sandbox.body", b""),
            self.manners.account_of(environ),
        )
        environ["sandbox.record"] = record
        try:
            answer = self._through_gates(environ, record)
            record.status = int(answer[0].split()[0])
            return answer
        finally:
            record.ended = time.time()

    def _through_gates(self, environ: Environ, record: RequestRecord) -> misbehave.Answer:
        connection: RawConnection = environ["sandbox.connection"]
        self.gates.hold("before", record, connection.stopping)
        if connection.stopping.is_set():
            raise ConnectionTaken
        answer = self._answer(environ, record, connection)
        self.gates.hold("after", record, connection.stopping)
        return answer

    def _answer(self, environ: Environ, record: RequestRecord, connection: RawConnection) -> misbehave.Answer:
        fault = self.faults.pick(record)
        if fault is None:
            return collect_answer(self.flask, environ)
        record.fault = fault.kind
        if fault.kind == "status":
            return self.manners.failure(fault)
        return misbehave.carry_out(fault, connection, lambda: collect_answer(self.flask, environ), record.path)
