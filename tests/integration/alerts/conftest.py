"""Alerts over real sockets: a mail server and an HTTP receiver of our own, and the services of a deployment."""

import base64
import contextlib
import json
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config import settings
from config.keys import INTEGRATIONS, INTEGRATIONS_REVISION, IntegrationKeys
from config.registry import Registry
from config.secrets import Cipher
from sandbox.teamleader import world as worlds
from workers import integrations
from workers.broker import make_broker
from workers.clients.http import Http
from workers.ledger import Scripts
from workers.services import Allowed, Services

REQUIRED = {
    "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
    "TLTW_WEBHOOK_KEY": "k" * 43,
    "TLTW_PUBLIC_URL": "https://sync.example.com",
    "TLTW_TEAMLEADER_CLIENT_ID": "id",
    "TLTW_TEAMLEADER_CLIENT_SECRET": "secret",
}


# An address that nobody answers: nothing here may call an API, unless a test says where it is.
OPTIONS = {
    "twikey_url": "http://127.0.0.1:1/creditor",
    "twikey_key": "token",
    "auto_update": "on",
    "label": "Acme & Co",
    "teamleader_refresh_token": worlds.DEFAULT_REFRESH_TOKEN,
}


@dataclass
class MailServer:
    """A mail server. `tls`: how it offers privacy; the others are its moods."""

    tls: ssl.SSLContext | None = None
    wrapped: bool = False
    user: str = ""
    password: str = ""
    refuse_data: str = ""
    refuse_recipients: tuple[str, ...] = ()
    hang_up_after_data: bool = False
    drip_greeting: bool = False
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    private: list[bool] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        who = f"{self.user}:{self.password}@" if self.user else ""
        return f"{'smtps' if self.wrapped else 'smtp'}://{who}127.0.0.1:{self.port}"


class _Mail(socketserver.StreamRequestHandler):
    """One conversation: the few words of SMTP that smtplib says (RFC 5321, 3207, 4954)."""

    timeout = 10

    def handle(self) -> None:
        self.house: MailServer = self.server.house  # type: ignore[attr-defined]
        self.is_private, self.to = False, list[str]()
        with contextlib.suppress(OSError, ValueError):
            if self.house.wrapped:
                self.go_private()
            if self.house.drip_greeting:
                self.drip()
            self.say("220 mail.example.com")
            while line := self.rfile.readline().decode().strip():
                word, _, rest = line.partition(" ")
                getattr(self, f"on_{word.lower()}", self.unknown)(rest)
        if self.is_private:
            self.request.close()  # the server only knows of the socket below

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def drip(self) -> None:
        while True:
            self.wfile.write(b"2")
            self.server.stopping.wait(0.05)  # type: ignore[attr-defined]

    def go_private(self) -> None:
        assert self.house.tls
        self.request = self.house.tls.wrap_socket(self.request, server_side=True)
        self.setup()
        self.is_private = True

    def on_ehlo(self, _rest: str) -> None:
        offers = ["STARTTLS"] if self.house.tls and not self.is_private else []
        offers += ["AUTH PLAIN LOGIN"] if self.house.user else []
        lines = ["mail.example.com", *offers]
        self.say(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    def on_starttls(self, _rest: str) -> None:
        self.say("220 go ahead")
        self.go_private()

    def on_auth(self, rest: str) -> None:
        given = base64.b64decode(rest.split()[-1]).decode().split("\0")[1:]
        right = given == [self.house.user, self.house.password]
        self.say("235 welcome" if right else "535 who are you")

    def on_mail(self, _rest: str) -> None:
        self.say("250 ok")

    def on_rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        if address in self.house.refuse_recipients:
            self.say("550 nobody here")
            return
        self.to.append(address)
        self.say("250 ok")

    def on_data(self, _rest: str) -> None:
        self.say("354 go on")
        raw = b""
        while (line := self.rfile.readline()) != b".\r\n":
            raw += line.removeprefix(b".") if line.startswith(b"..") else line
        if self.house.refuse_data:
            self.say(self.house.refuse_data)
            return
        mail = message_from_bytes(raw, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.house.mails.append(mail)
        self.house.recipients.append(self.to)
        self.house.private.append(self.is_private)
        self.say("250 taken")
        if self.house.hang_up_after_data:
            raise OSError

    def on_rset(self, _rest: str) -> None:
        self.say("250 ok")

    def on_quit(self, _rest: str) -> None:
        self.say("221 bye")
        raise OSError

    def unknown(self, _rest: str) -> None:
        self.say("502 what?")


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture
def mail_server() -> Iterator[Callable[..., MailServer]]:
    """Starts mail servers."""
    running = []

    def start(**moods: Any) -> MailServer:
        house = MailServer(**moods)
        server = _Server(("127.0.0.1", 0), _Mail)
        server.house = house  # type: ignore[attr-defined]
        server.stopping = threading.Event()  # type: ignore[attr-defined]
        house.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return house

    yield start
    for server in running:
        server.stopping.set()
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Posted:
    """One request that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """An HTTP receiver; `status` is what it answers."""

    url: str = ""
    status: int = 200
    got: list[Posted] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Callable[..., Receiver]]:
    """Starts HTTP receivers."""
    running = []

    def start(**moods: Any) -> Receiver:
        house = Receiver(**moods)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if house.status < 300:
                    house.got.append(Posted({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(house.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                """Tests are quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        house.url = f"http://127.0.0.1:{server.server_address[1]}/hook?key=1"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        running.append(server)
        return house

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1 that only those trust who are told to."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder: Path = tmp_path_factory.mktemp("certificate", numbered=True)
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + pem)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "both.pem")
    return Certificate(server, ssl.create_default_context(cadata=pem.decode()))


def _copy(services: Services, names: tuple[str, ...]) -> None:
    """Makes all of them like the first, active since yesterday. Adding hundreds one by one would take a minute."""
    record = services.store.hgetall(IntegrationKeys(names[0]).record)
    yesterday = int((datetime.now(UTC) - timedelta(days=1)).timestamp() * 1000)
    pipeline = services.store.pipeline()
    for name in names:
        keys = IntegrationKeys(name)
        pipeline.hset(keys.record, mapping=record)
        pipeline.hset(keys.options, mapping={"auto_update": "on", "state": "active", "state_since": yesterday})
    pipeline.sadd(INTEGRATIONS, *names)
    pipeline.incr(INTEGRATIONS_REVISION)
    pipeline.execute()


MakeServices = Callable[..., Services]


@pytest.fixture
def required() -> dict[str, str]:
    """The settings that every deployment needs."""
    return dict(REQUIRED)


@pytest.fixture
def make_services() -> Iterator[MakeServices]:
    """Makes services over a store (in memory unless given), with active integrations and the settings of the test."""
    made: list[Services] = []

    def make(store: "redis.Redis | None" = None, *, names: tuple[str, ...] = ("acme",), **variables: str) -> Services:
        loaded = settings.load(REQUIRED | {f"TLTW_{name.upper()}": value for name, value in variables.items()})
        store = store if store is not None else fakeredis.FakeRedis(server=fakeredis.FakeServer())
        cipher, allowed = Cipher(loaded.secret_keys), Allowed()
        services = Services(
            settings=loaded,
            store=store,
            scripts=Scripts(store),
            broker=make_broker(fakeredis.FakeRedis(server=fakeredis.FakeServer())),
            http=Http(allowed),
            cipher=cipher,
            registry=Registry(store, cipher, loaded.teamleader),
            allowed=allowed,
        )
        integrations.add(services, names[0], OPTIONS, by="cli:test")
        _copy(services, names)
        made.append(services)
        return services

    yield make
    for services in made:
        services.http.close()
