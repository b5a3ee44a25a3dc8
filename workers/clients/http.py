"""Sends one request and reads one answer, within fixed budgets and only to configured addresses.

It knows nothing of Teamleader or Twikey and never tries again. `send` talks to one of the two APIs, and every failure of the
network is `errors.Unavailable`; `exchange` talks to anybody else who is allowed (a receiver of alerts), and such a failure
is `NoAnswer`. The only module (with `deadline`) that imports httpx.
"""

import ipaddress
import logging
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib import metadata
from urllib.parse import urlsplit

import httpcore
import httpx

from workers.clients.deadline import DeadlineTransport, within
from workers.clients.errors import NAMES, Unavailable
from workers.clients.messages import Answer, Request

DISTRIBUTION = "teamleader-twikey-sync"


@dataclass(frozen=True, slots=True)
class Budgets:
    """What one call may cost. `whole_seconds` also ends an answer that keeps dripping in."""

    connect_seconds: float = 3.0
    read_seconds: float = 8.0
    write_seconds: float = 5.0
    pool_seconds: float = 2.0
    whole_seconds: float = 15.0
    answer_bytes: int = 1024 * 1024


class NoAnswer(Exception):
    """No complete answer came within the budgets. `what` continues a sentence that begins with who was called."""

    def __init__(self, what: str, *, status: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.status = status


class NotConfigured(NoAnswer):
    """Nothing was sent: the address is none of those that may be called."""


@dataclass(frozen=True, slots=True)
class Received:
    """One answer, read to its end, whoever gave it. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom we believe to be who they say. Read once per process; that takes tens of milliseconds."""
    return httpx.create_ssl_context(trust_env=False)


class Http:
    """One per process, made after a fork; safe for threads.

    `allowed`: the configured addresses, or a function that is asked with an origin like `https://host:443`.
    Raises `ValueError` for an address that may not be configured (see `origin_of`).
    """

    def __init__(
        self,
        allowed: Collection[str] | Callable[[str], bool],
        *,
        budgets: Budgets = Budgets(),  # frozen
        most_connections: int = 64,
        idle_seconds: float = 5.0,
    ) -> None:
        self._is_allowed = allowed if callable(allowed) else {origin_of(url) for url in allowed}.__contains__
        self._budgets = budgets
        # Both log whole addresses, and the address of an update holds the customer.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._client = httpx.Client(
            transport=DeadlineTransport(_certificates(), most_connections=most_connections, idle_seconds=idle_seconds),
            # Compressed answers are not asked for: a small one could unpack to gigabytes.
            headers={"User-Agent": f"{DISTRIBUTION}/{metadata.version(DISTRIBUTION)}", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(
                connect=budgets.connect_seconds,
                read=budgets.read_seconds,
                write=budgets.write_seconds,
                pool=budgets.pool_seconds,
            ),
            # All integrations share this client; a cookie would carry one account's session into another's calls.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    def send(self, request: Request) -> Answer:
        """Sends one request to an API. Raises `Unavailable` when no complete answer came within the budgets."""
        try:
            received = self.exchange(request.method, request.url, request.headers, request.body)
        except NotConfigured as refused:
            raise Unavailable(request.api, refused.what) from None
        except NoAnswer as missing:
            sentence = f"{NAMES[request.api]} {missing.what}"
            raise Unavailable(request.api, sentence, status=missing.status) from missing.__cause__
        return Answer(request.api, received.status, received.headers, received.body)

    def exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Received:
        """Sends one request to any allowed address. Raises `NoAnswer`; any status is an answer."""
        self._check_address(url)
        try:
            with within(self._budgets.whole_seconds):
                return self._exchange(method, url, headers, body)
        except httpcore.TimeoutException as error:
            raise NoAnswer("did not answer in time") from error
        except httpcore.NetworkError as error:
            raise NoAnswer("could not be reached") from error
        except (httpcore.ProtocolError, httpcore.UnsupportedProtocol, httpcore.ConnectionNotAvailable, httpx.HTTPError):
            # No cause: the parser's error quotes the bytes it could not read.
            raise NoAnswer("did not answer in proper HTTP") from None

    def close(self) -> None:
        self._client.close()

    def _check_address(self, url: str) -> None:
        try:
            allowed = self._is_allowed(origin_of(url))
        except ValueError:
            allowed = False
        if not allowed:
            raise NotConfigured("refusing to call an address that is not configured")

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Received:
        with self._client.stream(method, url, headers=dict(headers), content=body) as answer:
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise NoAnswer("sent a compressed answer, which was not asked for")
            return Received(answer.status_code, dict(answer.headers), self._read(answer))

    def _read(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        for chunk in answer.iter_raw():
            body += chunk
            if len(body) > self._budgets.answer_bytes:
                raise NoAnswer("sent an answer that is far too large", status=answer.status_code)
        return bytes(body)


def origin_of(url: str) -> str:
    """`scheme://host:port` in lower case. Raises `ValueError` unless it is https, or http to this very machine."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme not in ("https", "http") or not host or parts.username is not None or parts.password is not None:
        raise ValueError("an API's address must look like https://host/path, without a user name")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"plain http is only allowed on this machine itself, not to {host}: use https")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
