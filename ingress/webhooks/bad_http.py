"""What gunicorn does with bytes that are no HTTP request: our shape of refusal, and no log line that holds an address."""

import json
import socket
from typing import Any

import structlog
from gunicorn.http import errors

from ingress.webhooks.refusals import Reason, Refused, retry_after_seconds

STATUS_LINES = {
    400: "Bad Request",
    411: "Length Required",
    414: "URI Too Long",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}

log = structlog.get_logger()


class AnswersBadHttp:
    """Mixed into a gunicorn worker. The stock method logs the whole address, which holds the token, and answers HTML."""

    def handle_error(self, _req: object, client: socket.socket, _addr: object, exc: BaseException) -> None:
        status = status_of(exc)
        if status == 503:
            log.error("A connection failed unexpectedly.", error=type(exc).__name__)
        else:
            log.warning("A request was refused.", reason=Reason.BAD_HTTP.value, error=type(exc).__name__)
        try:
            client.settimeout(1)
            client.sendall(answer(status))
        except OSError:
            log.debug("The sender of a bad request did not wait for the answer.")


def status_of(error: BaseException) -> int:
    """The status code for what gunicorn could not parse; 503 for what is our own fault."""
    match error:
        case errors.LimitRequestLine():
            return 414
        case errors.LimitRequestHeaders():
            return 431
        case errors.UnsupportedTransferCoding():
            return 411
        case errors.InvalidResponseHeader() | errors.InvalidResponseHeaderName() | errors.ConfigurationProblem():
            return 503
        case errors.ParseException():
            return 400
        case _:
            return 503


def answer(status: int) -> bytes:
    """A whole HTTP answer; the connection is closed after it, because where the next request starts is unknown."""
    reason = Reason.INTERNAL if status == 503 else Reason.BAD_HTTP
    body = json.dumps(Refused(reason).body()).encode()
    headers: dict[str, Any] = {"Content-Type": "application/json", "Content-Length": len(body), "Connection": "close"}
    if status == 503:
        headers["Retry-After"] = retry_after_seconds()
    lines = [f"HTTP/1.1 {status} {STATUS_LINES[status]}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
