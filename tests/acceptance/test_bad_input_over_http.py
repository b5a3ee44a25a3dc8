"""Every kind of bad input gets its documented answer from the real web process, and leaves nothing behind."""

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography.fernet import Fernet
from standardwebhooks.webhooks import Webhook

from config.keys import IntegrationKeys
from config.store import connect
from config.webhook_address import webhook_token
from sandbox.deployment import free_port

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
KEY, OLD_KEY = "n" * 40, "o" * 40
SECRET, OLD_SECRET = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"n", b"o"))
ADDRESS = f"/webhooks/teamleader/default/{webhook_token(KEY, 'default')}"
EVENTS = "/events/invoice-imported/default"
UPDATED = {
    "type": "contact.updated",
    "subject": {"type": "contact", "id": "c-1"},
    "account": {"type": "account", "id": "acc-1"},
}
IMPORTED = {"type": "invoice.imported", "trigger": "manual", "invoice": {"id": "i-1"}}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: http.client.HTTPMessage


@dataclass(frozen=True)
class Web:
    """The running web process, spoken to over plain sockets, and the store behind it."""

    port: int
    store: "redis.Redis"

    def post(self, path: str, body: bytes | dict[str, Any] = b"", headers: dict[str, str] = JSON) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", path, raw, headers)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {}, encode_chunked=headers == CHUNKED)
            return _answer(connection.getresponse())
        finally:
            connection.close()

    def raw(self, text: bytes) -> Answer:
        """Sends bytes that a well-behaved client would not send."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(text)
            response = http.client.HTTPResponse(connection)
            response.begin()
            return _answer(response)

    def left_behind(self) -> list[bytes]:
        return [key for key in self.store.keys("*") if b":s:" in key or b":due" in key or b":seen:" in key]


CHUNKED = JSON | {"Transfer-Encoding": "chunked"}


def _answer(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, json.loads(response.read()), response.headers)


def signed(
    body: bytes | dict[str, Any], *, secret: str = SECRET, event_id: str = "msg_1", age: int = 0
) -> dict[str, str]:
    text = body.decode() if isinstance(body, bytes) else json.dumps(body)
    at = datetime.fromtimestamp(int(time.time()) - age, UTC)
    return JSON | {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, text),
    }


def environment(store_url: str, port: int) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TLTW_")} | {
        "TLTW_REDIS_URL": store_url,
        "TLTW_WEB_PORT": str(port),
        "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
        "TLTW_WEBHOOK_KEY": f"{KEY},{OLD_KEY}",
        "TLTW_EVENTS_SECRET": f"{SECRET},{OLD_SECRET}",
        "TLTW_PUBLIC_URL": "https://sync.example.com",
        "TLTW_AUTO_UPDATE": "on",
        "TLTW_TEAMLEADER_CLIENT_ID": "client",
        "TLTW_TEAMLEADER_CLIENT_SECRET": "client-secret",
        "TLTW_TEAMLEADER_REFRESH_TOKEN": "refresh-token",
        "TLTW_TWIKEY_API_URL": "https://api.example.com/creditor",
        "TLTW_TWIKEY_API_TOKEN": "api-token",
    }


def wait_until_alive(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the web process did not start")


@pytest.fixture(scope="module")
def started(valkey_url: str) -> Iterator[Web]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ingress.cli", "web"], cwd=ROOT, env=environment(valkey_url, port)
    )
    try:
        wait_until_alive(port, process)
        with connect(valkey_url) as store:
            yield Web(port, store)
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


@pytest.fixture
def web(started: Web) -> Web:
    """The running process, with a store that knows nothing but the integration, its account and the option."""
    started.store.flushdb()
    keys = IntegrationKeys("default")
    started.store.hset(keys.record, "twikey_url", "https://api.example.com/creditor")
    started.store.set(keys.account, "acc-1")
    started.store.hset(keys.options, "auto_update", "on")
    return started


def test_good_input_is_accepted_with_both_keys_and_both_secrets_during_a_rotation(web: Web):
    old_address = f"/webhooks/teamleader/default/{webhook_token(OLD_KEY, 'default')}"

    statuses = [
        web.post(ADDRESS, UPDATED).status,
        web.post(old_address, UPDATED).status,
        web.post(EVENTS, IMPORTED, signed(IMPORTED, event_id="a")).status,
        web.post(EVENTS, IMPORTED, signed(IMPORTED, secret=OLD_SECRET, event_id="b")).status,
    ]

    assert statuses == [202, 202, 202, 202]
    assert web.store.zrange(IntegrationKeys("default").due, 0, -1) == [b"contact:c-1", b"invoice:i-1"]


def test_a_charset_beside_the_content_type_is_fine(web: Web):
    assert web.post(ADDRESS, UPDATED, {"Content-Type": "application/json; charset=utf-8"}).status == 202


def test_an_event_delivered_again_is_ignored_as_a_duplicate(web: Web):
    headers = signed(IMPORTED)
    web.post(EVENTS, IMPORTED, headers)

    again = web.post(EVENTS, IMPORTED, headers)

    assert (again.status, again.body) == (200, {"status": "ignored", "reason": "duplicate"})


def test_an_unknown_event_type_is_ignored(web: Web):
    answer = web.post(ADDRESS, UPDATED | {"type": "deal.created"})

    assert (answer.status, answer.body) == (200, {"status": "ignored", "reason": "unknown_event_type"})
    assert web.left_behind() == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks/teamleader/default",
        "/webhooks/teamleader/default/",
        "/webhooks/teamleader/default/short",
        f"/webhooks/teamleader/default/{'A' * 43}",
        f"/webhooks/teamleader/other/{webhook_token(KEY, 'default')}",
        f"/webhooks/teamleader/nobody/{webhook_token(KEY, 'nobody')}",
        f"/webhooks/teamleader/default/{webhook_token(KEY, 'default')[:-1]}",
        f"{ADDRESS}/",
        f"{ADDRESS}%0a",
        "/webhooks/teamleader/%ff%fe/%ff",
    ],
)
def test_a_wrong_address_is_404_and_says_nothing_more(web: Web, path: str):
    answer = web.post(path, UPDATED)

    assert (answer.status, answer.body) == (404, {"status": "refused", "reason": "not_found"})
    assert web.left_behind() == []


def test_a_webhook_of_another_account_is_403(web: Web):
    answer = web.post(ADDRESS, UPDATED | {"account": {"type": "account", "id": "acc-2"}})

    assert (answer.status, answer.body["reason"]) == (403, "wrong_account")
    assert web.left_behind() == []


FOREIGN_SECRET = "whsec_" + base64.b64encode(b"x" * 32).decode()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"webhook-id": ""}, "signature_missing"),
        ({"webhook-timestamp": ""}, "signature_missing"),
        ({"webhook-signature": ""}, "signature_missing"),
        ({"webhook-signature": "v1,AAAA"}, "signature_wrong"),
        ({"webhook-signature": "nonsense"}, "signature_wrong"),
        ({"webhook-id": "msg_2"}, "signature_wrong"),
        ({"webhook-timestamp": "soon"}, "signature_wrong"),
        ({"webhook-timestamp": "1600000000"}, "timestamp_outside_tolerance"),
        ({"webhook-timestamp": "9600000000"}, "timestamp_outside_tolerance"),
    ],
)
def test_a_missing_or_wrong_signature_is_401(web: Web, changed: dict[str, str], reason: str):
    answer = web.post(EVENTS, IMPORTED, signed(IMPORTED) | changed)

    assert (answer.status, answer.body) == (401, {"status": "refused", "reason": reason})
    assert web.left_behind() == []


# The one from the future gets younger while it is on its way: by less than a minute, however slow this machine is.
@pytest.mark.parametrize("age", [310, -360])
def test_an_honest_signature_that_is_too_old_or_too_early_is_401(web: Web, age: int):
    answer = web.post(EVENTS, IMPORTED, signed(IMPORTED, age=age))

    assert (answer.status, answer.body["reason"]) == (401, "timestamp_outside_tolerance")
    assert web.left_behind() == []


def test_the_signature_of_another_secret_or_of_another_body_is_401(web: Web):
    foreign = web.post(EVENTS, IMPORTED, signed(IMPORTED, secret=FOREIGN_SECRET))
    changed = web.post(EVENTS, IMPORTED, signed(IMPORTED | {"trigger": "automatic"}))

    assert [foreign.status, changed.status] == [401, 401]
    assert web.left_behind() == []


BAD_BODIES = [
    (b"", "not_json", "body"),
    (b"not json", "not_json", "body"),
    (b'{"type": NaN}', "not_json", "body"),
    (b'{"type": Infinity}', "not_json", "body"),
    (b'{"type": "a", "type": "b"}', "duplicate_key", "type"),
    (rb'{"type": "\ud800"}', "not_utf8", "body"),
    (b'{"a":' * 21 + b"1" + b"}" * 21, "too_deep", "body"),
    (b"[" * 65_000, None, "body"),
    (b"[]", "wrong_shape", "body"),
    (b'"text"', "wrong_shape", "body"),
    (b"{}", "wrong_shape", "type"),
    (b'{"type": 1}', "wrong_shape", "type"),
]


@pytest.mark.parametrize(("body", "reason", "field"), [*BAD_BODIES, (b'{"type": "\xff"}', "not_utf8", "body")])
def test_a_bad_webhook_is_400_naming_the_field(web: Web, body: bytes, reason: str | None, field: str):
    answer = web.post(ADDRESS, body)

    # How the parser gives up on 65,000 brackets is its own affair.
    allowed = {reason} if reason else {"not_json", "too_deep"}
    assert (answer.status, answer.body["status"], answer.body["field"]) == (400, "refused", field)
    assert answer.body["reason"] in allowed
    assert web.left_behind() == []


@pytest.mark.parametrize(("body", "reason", "field"), BAD_BODIES)
def test_a_bad_body_is_400_also_when_it_is_signed(web: Web, body: bytes, reason: str | None, field: str):
    answer = web.post(EVENTS, body, signed(body))

    allowed = {reason} if reason else {"not_json", "too_deep"}
    assert (answer.status, answer.body["status"], answer.body["field"]) == (400, "refused", field)
    assert answer.body["reason"] in allowed
    assert web.left_behind() == []


def test_a_signed_event_refused_for_its_shape_may_come_again_under_its_id(web: Web):
    wrong = {"type": "invoice.imported", "trigger": "sometimes"}

    assert web.post(EVENTS, wrong, signed(wrong)).body["field"] == "trigger"
    assert web.post(EVENTS, IMPORTED, signed(IMPORTED)).status == 202


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [ADDRESS, EVENTS])
def test_another_method_than_post_is_405(web: Web, method: str, path: str):
    answer = web.request(method, path)

    assert (answer.status, answer.body["reason"]) == (405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST"


@pytest.mark.parametrize("path", [ADDRESS, EVENTS])
def test_a_body_without_a_length_is_411(web: Web, path: str):
    chunked = web.request("POST", path, iter([json.dumps(UPDATED).encode()]), CHUNKED)
    silent = web.raw(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\r\n".encode())

    assert (chunked.status, chunked.body["reason"]) == (411, "length_required")
    assert (silent.status, silent.body["reason"]) == (411, "length_required")
    assert web.left_behind() == []


@pytest.mark.parametrize("size", [64 * 1024 + 1, 5_000_000])
@pytest.mark.parametrize("path", [ADDRESS, EVENTS])
def test_a_body_over_64_kib_is_413_and_its_sender_sees_the_answer(web: Web, path: str, size: int):
    answer = web.post(path, b" " * size)

    assert (answer.status, answer.body["reason"]) == (413, "too_large")


def test_a_body_of_exactly_64_kib_is_read(web: Web):
    text = json.dumps(UPDATED).encode()

    assert web.post(ADDRESS, text + b" " * (64 * 1024 - len(text))).status == 202


def test_a_huge_announced_length_is_refused_before_anything_is_sent(web: Web):
    head = (
        f"POST {ADDRESS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n"
    )

    assert web.raw(head.encode()).status == 413


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
@pytest.mark.parametrize("path", [ADDRESS, EVENTS])
def test_another_content_type_is_415(web: Web, path: str, kind: str):
    answer = web.post(path, UPDATED, {"Content-Type": kind})

    assert (answer.status, answer.body["reason"]) == (415, "wrong_content_type")
    assert web.left_behind() == []


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"POST / HTTP/9.9\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: rot13\r\n\r\n", 411),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_proper_http_is_refused_in_the_same_shape(web: Web, text: bytes, status: int):
    answer = web.raw(text)

    assert (answer.status, answer.body) == (status, {"status": "refused", "reason": "bad_http"})
