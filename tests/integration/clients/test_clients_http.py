"""One call over real sockets: budgets that hold against every kind of bad server."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from sandbox.serve import serve, stop_listening
from sandbox.twikey.app import Twikey, create_twikey
from workers.clients import deadline
from workers.clients.errors import Unavailable
from workers.clients.http import Budgets, Http
from workers.clients.messages import Request

QUICK = Budgets(connect_seconds=0.3, read_seconds=0.3, write_seconds=0.3, pool_seconds=0.3, whole_seconds=0.8)
# Only so that what hangs is told from what ends: a busy machine may stand still for seconds.
SLACK, HANGS_SECONDS = 25.0, 60

Behaviour = Callable[[socket.socket], None]
Raw = Callable[[Behaviour], str]


@pytest.fixture
def raw() -> Iterator[Raw]:
    """Starts a server that does with each connection whatever the test says; answers its address."""
    listeners: list[socket.socket] = []

    def start(behave: Behaviour) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def handle(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                behave(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=handle, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        stop_listening(listener)


@pytest.fixture
def quick() -> Iterator[Http]:
    http = Http(lambda _origin: True, budgets=QUICK)
    yield http
    http.close()


@pytest.fixture
def usual() -> Iterator[Http]:
    """For what is answered: as much time as in production, so that a busy machine cuts nothing short."""
    http = Http(lambda _origin: True)
    yield http
    http.close()


def request(url: str, **headers: str) -> Request:
    return Request("twikey", "GET", url, headers)


def drip(connection: socket.socket, data: bytes) -> None:
    connection.recv(65536)
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        lambda connection: drip(connection, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000),
        lambda connection: drip(connection, b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        lambda connection: [connection.recv(65536), connection.sendall(HEADERS), drip(connection, b"x" * 1000)],
    ],
    ids=["headers", "informational answers", "body"],
)
def test_a_dripping_answer_ends_with_the_whole_budget(raw: Raw, quick: Http, behave: Behaviour) -> None:
    url = raw(behave)
    started = time.monotonic()

    with pytest.raises(Unavailable, match="in time"):
        quick.send(request(url))

    assert time.monotonic() - started < QUICK.whole_seconds + SLACK


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_says_nothing_ends_with_the_read_or_connect_budget(raw: Raw, quick: Http, scheme: str) -> None:
    url = raw(lambda connection: time.sleep(HANGS_SECONDS)).replace("http", scheme)
    started = time.monotonic()

    with pytest.raises(Unavailable, match="in time"):
        quick.send(request(url))

    assert time.monotonic() - started < QUICK.read_seconds + SLACK


def test_a_dripping_handshake_ends_too(raw: Raw, quick: Http) -> None:
    url = raw(lambda connection: drip(connection, b"\x16\x03\x03\x3f\xff" + b"x" * 1000)).replace("http", "https")
    started = time.monotonic()

    with pytest.raises(Unavailable):
        quick.send(request(url))

    assert time.monotonic() - started < QUICK.whole_seconds + SLACK


def test_a_server_that_reads_nothing_ends_with_the_write_budget(raw: Raw, quick: Http) -> None:
    url = raw(lambda connection: time.sleep(HANGS_SECONDS))
    started = time.monotonic()

    with pytest.raises(Unavailable):
        quick.send(Request("twikey", "PUT", url, {}, b"x" * 20_000_000))

    assert time.monotonic() - started < QUICK.whole_seconds + SLACK


def test_a_deadline_ends_with_its_call(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer_twice(connection: socket.socket) -> None:
        for _ in range(2):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    passed = 0.0
    monotonic = time.monotonic
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: monotonic() + passed))
    http = Http(lambda _origin: True, idle_seconds=60)
    url = raw(answer_twice)

    first = http.send(request(url))
    passed = 2 * Budgets().whole_seconds
    second = http.send(request(url))

    assert (first.status, second.status) == (200, 200)
    http.close()


@pytest.mark.parametrize(
    "behave",
    [
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"),
        lambda connection: connection.sendall(b"hello, who is secret@example.com?\r\n\r\n"),
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000),
        lambda connection: connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nab"
        ),
        lambda connection: connection.recv(65536),
        lambda connection: None,
    ],
    ids=["cut", "not http", "endless header", "compressed", "silent end", "early end"],
)
def test_an_answer_that_is_no_answer_is_unavailable(raw: Raw, usual: Http, behave: Behaviour) -> None:
    with pytest.raises(Unavailable) as caught:
        usual.send(request(raw(behave)))

    assert caught.value.api == "twikey"
    assert "secret@example.com" not in f"{caught.value}{caught.value.__cause__}"


@pytest.mark.parametrize("length_said", [True, False])
def test_a_huge_answer_is_given_up_early(raw: Raw, length_said: bool) -> None:
    sent = 0

    def huge(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(65536)
        length = b"Content-Length: 100000000\r\n" if length_said else b""
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent += 65536

    http = Http(lambda _origin: True)

    with pytest.raises(Unavailable, match="too large"):
        http.send(request(raw(huge)))

    time.sleep(0.2)
    assert sent < 20_000_000
    http.close()


def test_nobody_listening_is_unavailable(usual: Http) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # so that nobody else comes to listen there

        with pytest.raises(Unavailable, match="could not be reached"):
            usual.send(request(f"http://127.0.0.1:{taken.getsockname()[1]}"))


def test_a_name_that_does_not_exist_is_unavailable(usual: Http) -> None:
    with pytest.raises(Unavailable, match="could not be reached"):
        usual.send(request("https://nobody.invalid"))


def test_a_certificate_is_demanded(raw: Raw, usual: Http) -> None:
    url = raw(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")).replace("http", "https")

    with pytest.raises(Unavailable):
        usual.send(request(url))


@pytest.fixture
def twikey() -> Iterator[tuple[Twikey, str]]:
    app = create_twikey()
    with serve(app) as url:
        yield app, f"{url}/creditor/customer/1"


@pytest.mark.parametrize("kind", ["hang", "drip", "huge", "reset", "lost_answer"])
def test_the_bad_days_of_the_sandbox_are_unavailable(twikey: tuple[Twikey, str], quick: Http, kind: str) -> None:
    app, url = twikey
    app.faults.set(kind, seconds=0.1)

    with pytest.raises(Unavailable):
        quick.send(request(url))


def test_a_redirect_is_an_answer_and_not_followed(twikey: tuple[Twikey, str], usual: Http) -> None:
    app, url = twikey
    app.faults.set("redirect")

    answer = usual.send(request(url))

    assert answer.status == 302
    assert len(app.log.last(10)) == 1


def test_a_cookie_never_travels_to_another_call(raw: Raw, usual: Http) -> None:
    heard: list[bytes] = []

    def give_cookie(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: session=acme; Path=/\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )

    url = raw(give_cookie)

    usual.send(request(url))
    usual.send(request(url))

    assert len(heard) == 2
    assert b"cookie" not in heard[1].lower()


def test_a_request_says_who_we_are_and_asks_for_plain_answers(raw: Raw, usual: Http) -> None:
    heard: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        heard.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    answer = usual.send(request(f"{raw(listen)}/x?mobile=%2B32&city=Sint%20Niklaas&a=%26", Authorization="token"))

    assert answer.status == 204
    assert b"User-Agent: teamleader-twikey-sync/" in heard[0]
    assert b"Accept-Encoding: identity" in heard[0]
    assert heard[0].startswith(b"GET /x?mobile=%2B32&city=Sint%20Niklaas&a=%26 HTTP/1.1\r\n")


def test_environment_proxies_and_netrc_are_ignored(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []
    proxy = raw(lambda connection: heard.append(connection.recv(65536)))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy)
    url = raw(lambda connection: connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"))
    http = Http(lambda _origin: True)

    assert http.send(request(url)).status == 204
    assert heard == []
    http.close()


def test_no_address_is_logged(twikey: tuple[Twikey, str], caplog: pytest.LogCaptureFixture) -> None:
    _, url = twikey
    caplog.set_level(logging.INFO)
    http = Http(lambda _origin: True)

    http.send(request(f"{url}?email=an%40example.com"))

    assert "example.com" not in caplog.text
    http.close()


def test_many_threads_share_one_client(
    twikey: tuple[Twikey, str], usual: Http, everywhere_at_once: Callable[..., list[object]]
) -> None:
    _, url = twikey

    answers = everywhere_at_once(16, lambda: usual.send(request(url)).status)

    assert answers == [401] * 16
