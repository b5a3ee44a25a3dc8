"""What is answered to bytes that gunicorn cannot parse."""

import json

import pytest
from gunicorn.http import errors

from ingress.webhooks.bad_http import answer, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.InvalidRequestLine("x"), 400),
        (errors.InvalidHeader("x"), 400),
        (errors.LimitRequestLine(9, 8), 414),
        (errors.LimitRequestHeaders("x"), 431),
        (errors.UnsupportedTransferCoding("x"), 411),
        (errors.InvalidResponseHeader("x"), 503),
        (ValueError("x"), 503),
    ],
)
def test_the_senders_mistakes_are_4xx_and_ours_are_503(error: Exception, status: int):
    assert status_of(error) == status


@pytest.mark.parametrize("status", [400, 503])
def test_the_answer_is_whole_http_in_our_shape_and_ends_the_connection(status: int):
    head, _, body = answer(status).partition(b"\r\n\r\n")

    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Length: {len(body)}".encode() in head
    assert b"Connection: close" in head
    assert (b"Retry-After: " in head) == (status == 503)
    assert json.loads(body)["status"] == "refused"
