"""What may be called, and what an answer's body is, before any socket is opened."""

import pytest

from workers.clients.errors import Unavailable
from workers.clients.http import Http, origin_of
from workers.clients.messages import Answer, Request


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.focus.teamleader.eu", "https://api.focus.teamleader.eu:443"),
        ("https://API.example.com/creditor?x=1", "https://api.example.com:443"),
        ("https://api.example.com:8443/", "https://api.example.com:8443"),
        ("http://127.0.0.1:9001/x", "http://127.0.0.1:9001"),
        ("http://127.8.9.1", "http://127.8.9.1:80"),
        ("http://localhost", "http://localhost:80"),
        ("http://[::1]:81", "http://[::1]:81"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://10.0.0.1",
        "https://user:secret@api.example.com",
        "https://:@api.example.com",
        "ftp://127.0.0.1",
        "https://",
        "//api.example.com",
        "https://api.example.com:99999",
        "",
    ],
)
def test_an_address_that_is_not_safe_cannot_be_configured(url: str) -> None:
    with pytest.raises(ValueError, match=r"https|range"):
        Http(allowed=[url])


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com.evil.test/contacts.info",
        "https://api.example.com@evil.test/contacts.info",
        "https://api.example.com:444/contacts.info",
        "http://api.example.com/contacts.info",
        "not an address",
    ],
)
def test_only_configured_origins_are_called(url: str) -> None:
    http = Http(allowed=["https://api.example.com/some/path"])

    with pytest.raises(Unavailable, match="not configured"):
        http.send(Request("teamleader", "POST", url))


def test_a_function_may_decide_what_is_configured() -> None:
    asked: list[str] = []

    def allowed(origin: str) -> bool:
        asked.append(origin)
        return False

    with pytest.raises(Unavailable):
        Http(allowed).send(Request("twikey", "GET", "https://api.example.com/creditor"))

    assert asked == ["https://api.example.com:443"]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null", b"<html>", b"\xff", b"{" * 100_000, b'{"a":' * 100_000])
def test_a_body_that_is_not_a_json_object_is_none(body: bytes) -> None:
    assert Answer("twikey", 200, {}, body).json_object() is None


def test_requests_and_answers_hide_what_they_carry() -> None:
    request = Request(
        "twikey", "PATCH", "https://x.test/?email=a@example.com", {"Authorization": "secret"}, b"a@example.com"
    )
    answer = Answer("twikey", 200, {"authorization": "secret"}, b"a@example.com")

    shown = f"{request!r} {answer!r}"

    assert "example.com" not in shown
    assert "secret" not in shown
