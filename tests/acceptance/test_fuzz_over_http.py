"""Thousands of hostile requests over real HTTP: only documented answers, and nothing accepted that is not really theirs.

`make fuzz` sends more than 20,000 and prints the table of docs/reliability.md; the suite sends a few hundred.
"""

import base64
import http.client
import json
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from config.webhook_address import webhook_token
from sandbox.deployment import Deployment
from sandbox.teamleader.world import DEFAULT_ACCOUNT

pytestmark = pytest.mark.processes

CASES = int(os.environ.get("TLTW_FUZZ_CASES", "100"))
DOCUMENTED = {200, 202, 400, 401, 403, 404, 405, 411, 413, 415}
SUBJECT = "2a39e420-3ba3-4384-8024-fa702ef99c9f"
UPDATED = {
    "type": "contact.updated",
    "subject": {"type": "contact", "id": SUBJECT},
    "account": {"type": "account", "id": DEFAULT_ACCOUNT},
}
IMPORTED = {"type": "invoice.imported", "trigger": "manual", "invoice": {"id": SUBJECT}}
JSON = {"Content-Type": "application/json"}


@dataclass
class Attacker:
    """Sends requests to the web process, and counts what came back by class of attack."""

    deployment: Deployment
    connection: http.client.HTTPConnection | None = None
    answers: dict[str, Counter[int]] = field(default_factory=dict)
    slowest: float = 0.0

    @property
    def port(self) -> int:
        return int(self.deployment.environment["TLTW_WEB_PORT"])

    @property
    def address(self) -> str:
        key = self.deployment.environment["TLTW_WEBHOOK_KEY"]
        return f"/webhooks/teamleader/default/{webhook_token(key, 'default')}"

    def accepted(self) -> int:
        return self.deployment.services.ledger("default").books().accepted

    def post(self, name: str, path: str, body: bytes, headers: dict[str, str]) -> int:
        begin = time.monotonic()
        status = self._post(path, body, headers)
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.answers.setdefault(name, Counter())[status] += 1
        return status

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> int:
        for fresh in (False, True):
            connection = self._open(fresh=fresh)
            try:
                connection.request("POST", path, body, headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                # The server closes a connection after some answers; a request is only judged on a fresh one.
                self.close()
                if fresh:
                    raise
            else:
                return answer.status
        raise AssertionError

    def raw(self, name: str, sent: bytes) -> int:
        """Bytes that no client library would send; 0 when the server hung up without a word."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            first = connection.recv(64).split(b" ", 2)
        status = int(first[1]) if len(first) > 1 and first[1][:3].isdigit() else 0
        self.answers.setdefault(name, Counter())[status] += 1
        return status

    def _open(self, *, fresh: bool) -> http.client.HTTPConnection:
        if fresh or self.connection is None:
            self.close()
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@pytest.fixture(scope="module")
def attacker(running: Deployment, nothing_else: None) -> Any:
    one = Attacker(running)
    yield one
    one.close()
    for name, counts in one.answers.items():
        shown = ", ".join(f"{count} x {status or 'hung up'}" for status, count in sorted(counts.items()))
        print(f"{name:<34} {sum(counts.values()):>6} cases   {shown}")
    total = sum(sum(counts.values()) for counts in one.answers.values())
    print(f"{total} cases, slowest answer {one.slowest * 1000:.0f} ms, 0 surprises (a surprise fails a test)")


def fuzz(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Runs a test with many examples; each sends one request."""
    configured = settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return lambda test: configured(given(*strategies)(test))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
almost = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["contact.updated", "company.updated", "invoice.booked", "", "x"]) | anything,
        "subject": st.fixed_dictionaries({}, optional={"type": anything, "id": anything}) | anything,
        "account": st.fixed_dictionaries({}, optional={"type": anything, "id": anything}) | anything,
    },
)
hostile_text = st.sampled_from(
    [
        b'{"type":"contact.updated","type":"contact.updated"}',
        b'{"type":NaN}',
        b'{"type":Infinity,"subject":-Infinity}',
        b'{"type":"\\ud800"}',
        b'{"subject":{"id":"\\udfff"}}',
        b"[" * 30_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"type":"contact.updated"',
        b'\xef\xbb\xbf{"type":"contact.updated"}',
        b'{"type":"contact.updated"}garbage',
        b"1e999",
        b'"' + b"\\u0000" * 5_000 + b'"',
        b"",
        b" ",
        b"null",
        b"9" * 60_000,
    ]
)


@fuzz(st.binary(max_size=300) | hostile_text)
def test_raw_bytes_at_the_right_address_are_never_accepted(attacker, body):
    before = attacker.accepted()

    status = attacker.post("raw bytes, right address", attacker.address, body, JSON)

    assert status in DOCUMENTED - {200, 202}
    assert attacker.accepted() == before


@fuzz(anything | almost)
def test_json_that_is_no_event_of_this_account_is_never_accepted(attacker, document):
    before = attacker.accepted()
    body = json.dumps(document).encode("utf-8", "surrogatepass")

    status = attacker.post("JSON of any shape, right address", attacker.address, body, JSON)

    assert status in DOCUMENTED - {202}
    assert attacker.accepted() == before


@fuzz(
    st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", max_size=60),
    st.integers(0, 42),
)
def test_a_wrong_token_is_not_found_whatever_is_sent(attacker, token, position):
    right = attacker.address.rsplit("/", 1)[1]
    off_by_one = right[:position] + ("A" if right[position] != "A" else "B") + right[position + 1 :]
    before = attacker.accepted()
    body = json.dumps(UPDATED).encode()

    for wrong in (token, off_by_one, right + "A", right[:-1]):
        path = f"/webhooks/teamleader/default/{wrong}"
        assert attacker.post("wrong token", path, body, JSON) == 404

    assert attacker.accepted() == before


@fuzz(
    st.sampled_from(["foreign", "none", "old", "new", "other body", "other id", "garbage", "v2", "empty"]),
    st.binary(min_size=1, max_size=80),
)
def test_an_invoice_event_without_a_valid_signature_is_refused(attacker, kind, noise):
    before = attacker.accepted()
    body = json.dumps(IMPORTED).encode()

    status = attacker.post(
        "forged invoice events", "/events/invoice-imported/default", body, forged(attacker, kind, noise, body)
    )

    assert status == 401
    assert attacker.accepted() == before


def forged(attacker: Attacker, kind: str, noise: bytes, body: bytes) -> dict[str, str]:
    """Headers of a signed event with one thing wrong."""
    secret = attacker.deployment.environment["TLTW_EVENTS_SECRET"]
    if kind == "foreign":
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    shift = {"old": timedelta(minutes=-6), "new": timedelta(minutes=6)}.get(kind, timedelta(0))
    now, event_id = datetime.now(UTC) + shift, "msg_" + secrets.token_hex(6)
    signed = "{}" if kind == "other body" else body.decode()
    signature = Webhook(secret).sign("msg_other" if kind == "other id" else event_id, now, signed)
    text = base64.b64encode(noise).decode()
    signature = {"garbage": text, "v2": signature.replace("v1,", "v2,"), "empty": "v1,", "none": ""}.get(
        kind, signature
    )
    sent = {"webhook-id": event_id, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    return JSON | {name: value for name, value in sent.items() if kind != "none" or name != "webhook-signature"}


@fuzz(
    st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=40),
    st.sampled_from(["POST", "post", "GET", "PUT", "PATCH", "DELETE", "TRACE", "BREW"]),
)
def test_any_method_and_path_gets_a_documented_answer(attacker, path, method):
    before = attacker.accepted()
    begin = f"{method} /{path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"

    status = attacker.raw("any method and path", begin.encode())

    assert status in DOCUMENTED | {0}
    assert attacker.accepted() == before


framing = st.sampled_from(
    [
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n{}",
        b"Content-Length: -1\r\n\r\n{}",
        b"Content-Length: 1e3\r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"Content-Length: 10485760\r\n\r\n{}",
        b"Content-Length: 65537\r\n\r\n" + b" " * 65537,
        b"\r\n",
        b"X: " + b"a" * 70_000 + b"\r\n\r\n",
        b"X\x00Y: 1\r\n\r\n",
        b"Content-Length : 2\r\n\r\n{}",
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    ]
)


@fuzz(framing, st.binary(max_size=40))
def test_broken_framing_is_never_accepted(attacker, rest, tail):
    before = attacker.accepted()
    head = f"POST {attacker.address} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()

    status = attacker.raw("broken framing", head + rest + tail)

    # 100: the interim answer that `Expect: 100-continue` asks for.
    assert status in DOCUMENTED | {0, 100, 414, 431, 501} - {200, 202}
    assert attacker.accepted() == before


@fuzz(st.text(max_size=40), st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", ""]))
def test_extra_keys_are_ignored_and_a_wrong_type_is_refused(attacker, extra, content_type):
    before = attacker.accepted()
    body = json.dumps(UPDATED | {"extra": extra, "data": {"name": extra}}).encode("utf-8", "surrogatepass")

    status = attacker.post("extra keys, content types", attacker.address, body, {"Content-Type": content_type})

    assert status == (202 if content_type.startswith("application/json") else 415)
    assert attacker.accepted() == before + (status == 202)
