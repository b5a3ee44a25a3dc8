"""A transport for httpx whose calls end by a deadline, whatever the other side does.

httpx only limits each single read, so a server that sends one byte a second, in the headers or in the body, could hold a
worker for hours. Here every connect, handshake, write and read is capped by what is left of the whole call. No extra threads.
One thing cannot be capped without them: looking up a host's name, which the system's resolver limits.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import httpcore
import httpx

# The end of the current call by the monotonic clock. Connections are pooled and outlive calls; a call stays in its thread.
_ends_at: ContextVar[float] = ContextVar("ends_at")


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Every network operation inside the block must be over by then, or it raises `httpcore.TimeoutException`."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


class DeadlineTransport(httpx.BaseTransport):
    """Sends over HTTP/1.1 with a pool of connections. Raises `httpcore`'s exceptions. Usable only inside `within`."""

    def __init__(self, ssl_context: ssl.SSLContext, *, most_connections: int, idle_seconds: float) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=most_connections,
            max_keepalive_connections=most_connections,
            keepalive_expiry=idle_seconds,
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.read(),
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Backend(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Tries the host's addresses in turn. `SyncBackend` would do so too, but with a full timeout for each."""
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in _addresses(host, port):
            try:
                return _Stream(self._inner.connect_tcp(address, port, _capped(timeout, httpcore.ConnectTimeout)))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _capped(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _capped(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _capped(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


def _capped(timeout: float | None, timed_out: type[httpcore.TimeoutException]) -> float:
    left = _ends_at.get() - time.monotonic()
    if left <= 0:
        raise timed_out("the call took too long")
    return left if timeout is None else min(timeout, left)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError("the name could not be looked up") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
