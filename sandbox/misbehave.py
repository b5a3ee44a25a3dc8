"""Carries out a fault: everything a service can do to a caller besides answering properly."""

from collections.abc import Callable

from sandbox.faults import Fault
from sandbox.serve import ConnectionTaken, Headers, RawConnection, http_bytes, reason

Answer = tuple[str, Headers, bytes]
DoTheWork = Callable[[], Answer]

HUGE_BYTES = 20_000_000
WEB_PAGE = b"<!doctype html><title>Maintenance</title><h1>We will be back soon</h1>"


def carry_out(fault: Fault, connection: RawConnection, work: DoTheWork, path: str) -> Answer:
    """Answers wrongly, or takes the connection over and raises `ConnectionTaken`."""
    match fault.kind:
        case "delay":
            fault.cleared.wait(fault.seconds)
            return work()
        case "hang":
            return _hang(fault, connection)
        case "reset":
            return _reset(connection)
        case "lost_answer":
            work()
            return _reset(connection)
        case "drip":
            return _drip(fault, connection, work())
        case "truncated":
            return _cut(work())
        case "redirect":
            return reason(302), [("Location", path)], b""
        case _:
            return instead(fault.kind)


def instead(kind: str) -> Answer:
    """The fixed wrong answers."""
    match kind:
        case "html":
            return reason(200), [("Content-Type", "text/html; charset=utf-8")], WEB_PAGE
        case "huge":
            return reason(200), [("Content-Type", "application/json")], b'{"data": "%s"}' % (b"x" * HUGE_BYTES)
        case _:
            return reason(200), [("Content-Type", "application/json")], b'["not", "what", {"you": "expect"}, null, 7]'


def _reset(connection: RawConnection) -> Answer:
    connection.reset()
    raise ConnectionTaken


def _hang(fault: Fault, connection: RawConnection) -> Answer:
    # Not longer than the caller waits: hundreds of forgotten calls would cost more than the ones that are tried.
    while not fault.cleared.wait(0.2) and not connection.stopping.is_set() and not connection.peer_is_gone():
        pass
    return _reset(connection)


def _drip(fault: Fault, connection: RawConnection, answer: Answer) -> Answer:
    for byte in http_bytes(*answer):
        if fault.cleared.is_set() or connection.stopping.is_set():
            break
        connection.send(bytes([byte]))
        fault.cleared.wait(fault.seconds)
    raise ConnectionTaken


def _cut(answer: Answer) -> Answer:
    status, headers, body = answer
    body = body or b'{"data": {"id": "cut off here'
    kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
    return (reason(200) if status.startswith("204") else status), kept, body[: len(body) // 2]
