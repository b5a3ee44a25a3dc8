"""How Twikey words its answers: error codes travel in two headers and in the body."""

from flask import Response, jsonify, make_response

from sandbox.twikey.validation import Refused


def refused(refusal: Refused, status: int = 400) -> Response:
    body = {"code": refusal.code, "message": refusal.message, "extra": refusal.extra}
    answer = make_response(jsonify(body), status)
    answer.headers["ApiError"] = refusal.code
    answer.headers["ApiErrorCode"] = refusal.code
    return answer


def not_logged_in() -> Response:
    """Without a code, neither in the headers nor in the body."""
    return make_response(jsonify(message="Not logged in"), 401)


def empty(status: int) -> Response:
    answer = make_response("", status)
    del answer.headers["Content-Type"]
    return answer


def slow_down(seconds: int) -> Response:
    """429 without a body."""
    answer = empty(429)
    answer.headers["X-Rate-Limit-Retry-After-Seconds"] = str(seconds)
    return answer
