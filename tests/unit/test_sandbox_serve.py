"""The sandbox server: keep-alive, many connections at once, and outages on a port that stays."""

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.serve import Server, serve


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Peer", environ["REMOTE_ADDR"])])
    return [environ["PATH_INFO"].encode("latin-1"), b" ", body]


def test_two_requests_share_one_connection() -> None:
    with serve(echo) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
        replies = []
        for _ in range(2):
            connection.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
            replies.append(connection.recv(1000))

    assert all(reply.startswith(b"HTTP/1.1 200 OK") and reply.endswith(b"/a hi") for reply in replies)


def test_a_body_sent_in_chunks_arrives_whole() -> None:
    with serve(echo) as url:
        answer = httpx.post(f"{url}/chunks", content=iter([b"one ", b"two"]))

    assert answer.text == "/chunks one two"


@pytest.mark.parametrize(
    "begun",
    [b"Content-Length: 9\r\n\r\nhalf", b"Content-Length: 9\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"],
)
def test_a_request_whose_sender_dies_in_the_middle_asks_for_nothing(begun: bytes) -> None:
    seen: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ["PATH_INFO"])
        return echo(environ, start_response)

    with serve(app) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as connection:
        connection.sendall(b"PUT /half HTTP/1.1\r\nHost: x\r\n" + begun)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.recv(1000)

    assert answer == b""
    assert seen == []


def test_an_encoded_path_arrives_decoded() -> None:
    with serve(echo) as url:
        answer = httpx.get(f"{url}/caf%C3%A9")

    assert answer.text == "/café "


def test_fifty_connections_are_served_at_once() -> None:
    with serve(echo) as url, httpx.Client(timeout=60) as client, ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda n: client.post(f"{url}/", content=str(n)).text, range(300)))

    assert answers == [f"/ {n}" for n in range(300)]


def test_a_stopped_server_cuts_open_connections_and_comes_back_on_its_port() -> None:
    server = Server(echo).start()
    port = server.port
    with httpx.Client() as client:
        client.get(server.base_url)
        server.stop()
        with pytest.raises(httpx.TransportError):
            client.get(f"http://127.0.0.1:{port}")
        server.start()
        answer = client.get(server.base_url)
        server.stop()

    assert answer.status_code == 200
    assert server.port == port
