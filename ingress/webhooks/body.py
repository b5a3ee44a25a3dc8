"""Reading a request's body: exactly as many bytes as announced, never more than 64 KiB, before anything is parsed."""

from flask import Request

from ingress.webhooks.refusals import Reason, Refused

MAX_BYTES = 64 * 1024


def read_body(request: Request) -> bytes:
    """The raw body; raises `Refused`.

    A length is demanded because gunicorn cuts a chunked body silently at Flask's limit (measured with
    gunicorn 27: of 409,600 bytes the view got 65,536 and answered 200).
    """
    if request.mimetype != "application/json":
        raise Refused(Reason.WRONG_CONTENT_TYPE)
    if request.content_length is None or "Transfer-Encoding" in request.headers:
        raise Refused(Reason.LENGTH_REQUIRED)
    if request.content_length > MAX_BYTES:
        raise Refused(Reason.TOO_LARGE)
    raw: bytes = request.environ["wsgi.input"].read(request.content_length)
    if len(raw) != request.content_length:
        raise Refused(Reason.BAD_HTTP)
    return raw
