"""A small threaded HTTP/1.1 server for WSGI apps on loopback, with keep-alive and access to the raw connection.

The development server of werkzeug closes the connection after every answer, and no WSGI server lets an app
answer half a header; a simulator of bad days needs both.
"""

import contextlib
import io
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any, Self
from urllib.parse import unquote

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WsgiApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class ConnectionTaken(Exception):
    """The app used the raw connection; the server must close it and write nothing more."""


class RawConnection:
    """What an app may do to the TCP connection behind its request."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._socket = sock
        self.stopping = stopping

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def peer_is_gone(self) -> bool:
        """Whether the caller has closed its side."""
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def reset(self) -> None:
        """Makes the peer see `connection reset` instead of an orderly end."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._socket.close()


def http_bytes(status: str, headers: Headers, body: bytes) -> bytes:
    """Renders one complete HTTP/1.1 answer; `status` is like `200 OK`."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers)]
    names = {name.lower() for name, _ in headers}
    if "content-length" not in names and not status.startswith(("204", "304")):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_ThreadedServer"

    def answer(self) -> None:
        body = self._read_body()
        connection = RawConnection(self.connection, self.server.stopping)
        try:
            self.wfile.write(call_app(self.server.app, self._environ(body, connection)))
        except (ConnectionTaken, ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - the names http.server looks up

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self._read_exactly(int(self.headers.get("Content-Length") or 0))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self._read_exactly(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _read_exactly(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            # Whoever was killed while sending asked for nothing: half a form would be a customer without a name.
            raise ConnectionAbortedError("the caller went away in the middle of its request")
        return body

    def _environ(self, body: bytes, connection: RawConnection) -> Environ:
        path, _, query = self.path.partition("?")
        host, port = self.server.server_address[:2]
        environ: Environ = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": host,
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "REQUEST_URI": self.path,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "sandbox.body": body,
            "sandbox.connection": connection,
        }
        for name, value in self.headers.items():
            environ.setdefault("HTTP_" + name.upper().replace("-", "_"), value)
        return environ

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the overridden method
        """Says nothing: the request log of the sandbox is the record."""


def call_app(app: WsgiApp, environ: Environ) -> bytes:
    """Runs a WSGI app to its end and renders what it answered."""
    return http_bytes(*collect_answer(app, environ))


def collect_answer(app: WsgiApp, environ: Environ) -> tuple[str, Headers, bytes]:
    started: list[tuple[str, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: object = None) -> None:
        started[:] = [(status, headers)]

    parts = app(environ, start_response)
    try:
        body = b"".join(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
    status, headers = started[0]
    return status, headers, body


class _ThreadedServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, app: WsgiApp, port: int) -> None:
        self.app = app
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._open_lock:
            self._open.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ValueError)):
            super().handle_error(request, client_address)

    def close_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Server:
    """One app on one port; `start` and `stop` may be repeated, and the port stays the same (a restart after an outage)."""

    def __init__(self, app: WsgiApp, port: int = 0) -> None:
        self.app = app
        self.port = port
        self._server: _ThreadedServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        self._server = _ThreadedServer(self.app, self.port)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name=f"sandbox-{self.port}", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Refuses new connections and cuts the open ones, as a crash would."""
        if self._server is None or self._thread is None:
            return
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.close_connections()
        self._server = self._thread = None

    def wait(self) -> None:
        """Blocks until `stop` is called from another thread."""
        if self._thread is not None:
            self._thread.join()


@contextlib.contextmanager
def serve(app: WsgiApp, port: int = 0) -> Iterator[str]:
    """Serves `app` on loopback for the length of a `with` block, and hands over its base URL."""
    server = Server(app, port).start()
    try:
        yield server.base_url
    finally:
        server.stop()
        if close := getattr(app, "close", None):
            close()


def stop_listening(listener: socket.socket) -> None:
    """Closes a bare listener and wakes the thread that accepts on it: after a mere `close` that would sleep on, and may take
    connections of whoever has the same file number next."""
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def reason(status: int) -> str:
    return f"{status} {responses.get(status, 'Unknown')}"
