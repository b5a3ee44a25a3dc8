"""A whole deployment on this machine: store, simulated Teamleader and Twikey, and our processes, all real processes.

The demo plays its story on it and the acceptance tests prove the promises on it.
"""

import base64
import itertools
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from cryptography.fernet import Fernet

from config import settings as settings_of
from config.embedded import EmbeddedStore
from ingress.cli.supervisor import Supervisor, read_procfile
from sandbox.teamleader.world import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_REFRESH_TOKEN
from sandbox.twikey.office import DEFAULT_API_KEY
from workers import operators, passwords
from workers.connect import CALLBACK
from workers.operators import Role
from workers.services import Services, open_services

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")

# Only a guard against waiting for ever: on a small machine that does much else, one start of Python may take ten seconds.
WITHIN_SECONDS = 60.0
START_WITHIN_SECONDS = 90.0
LOOK_EVERY_SECONDS, LOOK_AT_LEAST_EVERY_SECONDS = 0.03, 0.2
FIRST_PORT, PORTS_OF_ONE_PROCESS = 10_000, 32


class TookTooLong(Exception):
    """Something that should have happened did not happen in time."""


def wait_for(what: str, look: Callable[[], T], *, seconds: float = WITHIN_SECONDS) -> T:
    """Looks until there is something to see; answers it. Raises `TookTooLong` naming what was waited for.

    The longer it takes the less often it looks: on a small machine, looking keeps others from their work.
    """
    deadline, pause = time.monotonic() + seconds, LOOK_EVERY_SECONDS
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TookTooLong(f"{what}: not within {seconds:g} s")
        time.sleep(pause)
        pause = min(pause * 1.2, LOOK_AT_LEAST_EVERY_SECONDS)


@dataclass(slots=True)
class Simulated:
    """One simulated service and its control API."""

    url: str
    client: httpx.Client

    def get(self, path: str, **query: str | int) -> Any:
        return self.client.get(f"{self.url}/_sandbox{path}", params=query).raise_for_status().json()

    def post(self, path: str, body: Mapping[str, object] | None = None, **query: str) -> Any:
        return self.client.post(f"{self.url}/_sandbox{path}", json=body or {}, params=query).raise_for_status().json()

    def patch(self, path: str, body: Mapping[str, object], **query: str) -> Any:
        return self.client.patch(f"{self.url}/_sandbox{path}", json=body, params=query).raise_for_status().json()

    def delete(self, path: str) -> Any:
        return self.client.delete(f"{self.url}/_sandbox{path}").raise_for_status().json()

    def answers(self) -> bool:
        try:
            return self.client.get(f"{self.url}/_sandbox/faults").is_success
        except httpx.TransportError:
            return False


@dataclass(slots=True)
class Deployment:
    """Everything that runs; made by `deploy`."""

    folder: Path
    environment: dict[str, str] = field(repr=False)
    teamleader: Simulated
    twikey: Simulated
    supervisor: Supervisor
    simulators: Supervisor
    store: EmbeddedStore | None
    client: httpx.Client
    services: Services = field(init=False)

    @property
    def web_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['TLTW_WEB_PORT']}"

    @property
    def console_url(self) -> str:
        return f"http://127.0.0.1:{self.environment['TLTW_CONSOLE_PORT']}"

    def ready(self) -> bool:
        """Whether the web process can promise and Teamleader knows where to send its webhooks."""
        try:
            promises = self.client.get(f"{self.web_url}/readyz").is_success
        except httpx.TransportError:
            return False
        return promises and bool(self.teamleader.get("/webhooks")["webhooks"])

    def console_answers(self) -> bool:
        try:
            return self.client.get(f"{self.console_url}/livez").is_success
        except httpx.TransportError:
            return False

    def add_operator(self, name: str, role: Role = Role.ADMIN) -> str:
        """Somebody who may use the console; answers the password."""
        password = passwords.generated()
        operators.add(self.services.store, name, password=password, role=role, by="service")
        return password

    # -- what a person would do or look at ------------------------------------------------------------

    def edit(self, kind: str, customer_id: str, **fields: object) -> None:
        """A person edits a customer in Teamleader; a webhook follows."""
        self.teamleader.patch(f"/customers/{kind}/{customer_id}", fields)

    def source(self, kind: str, customer_id: str) -> dict[str, Any]:
        data: dict[str, Any] = self.teamleader.get(f"/customers/{kind}/{customer_id}")["data"]
        return data

    def create(self, kind: str, *, silently: bool = True, **fields: Any) -> str:
        """A person adds a customer in Teamleader; answers its id. `silently`: no webhook is sent."""
        query = {"silent": "1"} if silently else {}
        customer_id: str = self.teamleader.post("/customers", {"type": kind, **fields}, **query)["id"]
        return customer_id

    def in_twikey(self, customer_id: str) -> dict[str, Any] | None:
        """What Twikey holds of a customer, or None when it does not know it."""
        answer = self.client.get(f"{self.twikey.url}/_sandbox/customers/{customer_id}")
        if answer.status_code == 404:
            return None
        profile: dict[str, Any] = answer.raise_for_status().json()["profile"]
        return profile

    def writes(self, customer_id: str) -> list[dict[str, Any]]:
        """Every write of a customer that Twikey accepted, in order."""
        writes = self.twikey.get("/writes", accepted=1)["writes"]
        return [write for write in writes if write["customer"] == customer_id]

    def fetches(self, customer_id: str) -> int:
        """How often a customer was read from Teamleader."""
        requests = self.teamleader.get("/requests", customer=customer_id)["requests"]
        return sum(request["path"].endswith(".info") for request in requests)

    def settled(self) -> bool:
        """Whether nothing is owed any more."""
        return self.services.ledger("default").books().pending == 0


@dataclass(frozen=True, slots=True)
class SecondMerchant:
    """A Teamleader account and a Twikey creditor that nobody has connected yet."""

    account: str
    account_name: str
    company: str
    creditor: str
    api_key: str


def second_merchant(
    deployment: Deployment, *, name: str = "Garage Vandamme", creditor: str = "garage"
) -> SecondMerchant:
    """Somebody to connect: an account with one company in it, and an empty creditor with a key of its own."""
    account = deployment.teamleader.post("/accounts", {"empty": True, "name": name})["id"]
    emails = [{"type": "primary", "email": "an@goossens.example.com"}]
    company = {"type": "company", "name": "Taxi Goossens", "emails": emails}
    made = deployment.teamleader.post("/customers", company, account=account, silent="1")["id"]
    key = f"{creditor}-{secrets.token_hex(8)}"
    deployment.twikey.post("/creditors", {"id": creditor, "api_key": key})
    return SecondMerchant(account, name, made, creditor, key)


def free_port() -> int:
    """A port that stays free until it is used, and while a process that was killed is away.

    It lies below those that the system hands out to whoever connects, and in a stretch that other processes which look for
    a port at the same time (tests side by side) begin elsewhere.
    """
    return next(port for port in itertools.islice(_ports, _room()) if _is_free(port))


def _candidates() -> Iterator[int]:
    begin = os.getpid() * PORTS_OF_ONE_PROCESS
    return (FIRST_PORT + number % _room() for number in itertools.count(begin))


def _room() -> int:
    """How many ports lie between ours and those that the system hands out."""
    try:
        first_handed_out = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except OSError:
        first_handed_out = 32_768
    return max(first_handed_out - FIRST_PORT, 1_000)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_ports = _candidates()


def settings_for(
    folder: Path, teamleader_url: str, twikey_url: str, web_port: int, console_port: int = 0
) -> dict[str, str]:
    """The environment of our processes: simulated systems, fresh keys."""
    return {
        "TLTW_DATA_DIR": str(folder / "store"),
        "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
        "TLTW_WEBHOOK_KEY": secrets.token_urlsafe(32),
        "TLTW_EVENTS_SECRET": "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode(),
        "TLTW_PUBLIC_URL": f"http://127.0.0.1:{web_port}",
        "TLTW_WEB_PORT": str(web_port),
        "TLTW_CONSOLE_PORT": str(console_port or free_port()),
        "TLTW_AUTO_UPDATE": "on",
        "TLTW_TEAMLEADER_CLIENT_ID": DEFAULT_CLIENT_ID,
        "TLTW_TEAMLEADER_CLIENT_SECRET": DEFAULT_CLIENT_SECRET,
        "TLTW_TEAMLEADER_REFRESH_TOKEN": DEFAULT_REFRESH_TOKEN,
        "TLTW_TEAMLEADER_API_URL": teamleader_url,
        "TLTW_TEAMLEADER_AUTH_URL": teamleader_url,
        "TLTW_TWIKEY_API_URL": f"{twikey_url}/creditor",
        "TLTW_TWIKEY_API_TOKEN": DEFAULT_API_KEY,
        "TLTW_TWIKEY_PROFILE": "123",
        "TLTW_TWIKEY_CUSTOMER_URL": f"{twikey_url}/ui/customers/{{customerNumber}}",
        "TLTW_DEFAULT_LANGUAGE": "nl",
        "TLTW_LOG_FORMAT": "json",
        # Never the .env of the folder we run in: it may name a real account or a real store.
        "TLTW_ENV_FILE": os.devnull,
    }


@contextmanager
def deploy(
    folder: Path,
    *,
    more_settings: Mapping[str, str] | None = None,
    teamleader_port: int = 0,
    twikey_port: int = 0,
    web_port: int = 0,
    console_port: int = 0,
    generated: int = 0,
) -> Iterator[Deployment]:
    """Starts everything, waits until it is ready, and stops every process again.

    `generated`: so many made up customers more in Teamleader's default account.
    """
    teamleader_port, twikey_port = teamleader_port or free_port(), twikey_port or free_port()
    client = httpx.Client(timeout=WITHIN_SECONDS)
    teamleader = Simulated(f"http://127.0.0.1:{teamleader_port}", client)
    twikey = Simulated(f"http://127.0.0.1:{twikey_port}", client)
    environment = settings_for(folder, teamleader.url, twikey.url, web_port or free_port(), console_port)
    environment |= more_settings or {}
    everything = {**_without_ours(os.environ), **environment}
    logs = folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    simulators = Supervisor(_simulators(teamleader_port, twikey_port, generated), everything, logs)
    supervisor = Supervisor(read_procfile(ROOT / "Procfile"), everything, logs)
    store = None if environment.get("TLTW_REDIS_URL") else EmbeddedStore(folder / "store")
    deployment = Deployment(folder, environment, teamleader, twikey, supervisor, simulators, store, client)
    try:
        _start_or_say_why_not(deployment)
        yield deployment
    finally:
        _stop(deployment)


def _start_or_say_why_not(deployment: Deployment) -> None:
    try:
        _start(deployment)
    except TookTooLong as late:
        raise TookTooLong(f"{late}\n{_last_lines(deployment.folder / 'logs')}") from None


def _last_lines(logs: Path) -> str:
    """What each process said last: a process that does not start usually says why."""
    said = {log.stem: log.read_text(errors="replace").strip().splitlines()[-3:] for log in sorted(logs.glob("*.log"))}
    return "\n".join(f"{name}: {line}" for name, lines in said.items() for line in lines)


def _start(deployment: Deployment) -> None:
    deployment.simulators.start()
    if deployment.store:
        deployment.store.start()
    both = lambda: deployment.teamleader.answers() and deployment.twikey.answers()  # noqa: E731
    wait_for("the simulated systems", both, seconds=START_WITHIN_SECONDS)
    # What one enters at Teamleader's marketplace, so that a person can connect one more merchant in the console.
    backs = [f"{url}{CALLBACK}" for url in (deployment.console_url, deployment.environment["TLTW_PUBLIC_URL"])]
    deployment.teamleader.patch("/settings", {"settings": {"redirect_uris": backs}})
    deployment.services = open_services(settings_of.load(deployment.environment))
    deployment.supervisor.start()
    deployment.supervisor.watch_in_background()
    wait_for("web, worker and clock", deployment.ready, seconds=START_WITHIN_SECONDS)
    wait_for("the console", deployment.console_answers, seconds=START_WITHIN_SECONDS)


def _stop(deployment: Deployment) -> None:
    deployment.supervisor.stop()
    deployment.simulators.stop()
    if hasattr(deployment, "services"):
        deployment.services.close()
    if deployment.store:
        deployment.store.stop()
    deployment.client.close()


def _simulators(teamleader_port: int, twikey_port: int, generated: int) -> dict[str, list[str]]:
    more = ["--generate", str(generated)] if generated else []
    return {
        "teamleader": [sys.executable, "-m", "sandbox.teamleader", "--port", str(teamleader_port), *more],
        "twikey": [sys.executable, "-m", "sandbox.twikey", "--port", str(twikey_port)],
    }


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """The surrounding environment without any `TLTW_…`: the simulation must not reach a real account."""
    return {name: value for name, value in environment.items() if not name.startswith("TLTW_")}
