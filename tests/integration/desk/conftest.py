"""An operator's desk: the services of a deployment over a store in memory, its command line, and both APIs over real HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fakeredis
import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from config.settings import load
from ingress.cli import shared
from ingress.cli.main import main
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY
from sandbox.world import Kind
from workers import services as composition
from workers.ledger import Ledger
from workers.services import Services, open_services
from workers.sync.run import work_on

BY = "operator:an"


@dataclass
class Desk:
    """Everything a test about one operator's work needs. The integration is called `acme`, auto-update is on."""

    services: Services
    teamleader: Teamleader
    twikey: Twikey
    environment: dict[str, str]

    @property
    def ledger(self) -> Ledger:
        return self.services.ledger("acme")

    def create(self, kind: Kind, **fields: Any) -> str:
        """Somebody adds a customer in Teamleader; answers its id. No webhook is sent."""
        customer_id: str = self.teamleader.world.default.create(kind, fields, silent=True).id
        return customer_id

    def work(self, subject: str) -> None:
        """A worker does what is owed to a subject."""
        work_on(subject, self.services.tools("acme"))

    def in_twikey(self, customer_id: str) -> dict[str, str] | None:
        customer = self.twikey.office.default.customers.get(customer_id)
        return None if customer is None else dict(customer.profile)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    teamleader, twikey = create_teamleader(), create_twikey()
    server = fakeredis.FakeServer()
    monkeypatch.setattr(composition, "connect", lambda _url: fakeredis.FakeRedis(server=server))
    with serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        environment = {
            "TLTW_DATA_DIR": str(tmp_path),
            "TLTW_REDIS_URL": "redis://in-memory:6379/0",
            "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
            "TLTW_WEBHOOK_KEY": "k" * 40,
            "TLTW_PUBLIC_URL": "https://sync.example.com",
            "TLTW_INTEGRATION": "acme",
            "TLTW_AUTO_UPDATE": "on",
            "TLTW_TEAMLEADER_CLIENT_ID": worlds.DEFAULT_CLIENT_ID,
            "TLTW_TEAMLEADER_CLIENT_SECRET": worlds.DEFAULT_CLIENT_SECRET,
            "TLTW_TEAMLEADER_REFRESH_TOKEN": worlds.DEFAULT_REFRESH_TOKEN,
            "TLTW_TEAMLEADER_API_URL": teamleader_url,
            "TLTW_TEAMLEADER_AUTH_URL": teamleader_url,
            "TLTW_TWIKEY_API_URL": f"{twikey_url}/creditor",
            "TLTW_TWIKEY_API_TOKEN": DEFAULT_API_KEY,
        }
        services = open_services(load(environment))
        close = services.close  # the one that `tltw` keeps commands from
        yield Desk(services, teamleader, twikey, environment)
        close()


@dataclass
class Answered:
    """What a command answered."""

    result: Result

    @property
    def code(self) -> int:
        return self.result.exit_code

    @property
    def out(self) -> str:
        return self.result.stdout

    @property
    def json(self) -> Any:
        return json.loads(self.result.stdout)


@pytest.fixture
def tltw(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Answered]:
    """Gives commands as somebody would type them, in this process."""
    monkeypatch.setattr(shared, "open_services", lambda _settings: desk.services)
    monkeypatch.setattr(Services, "close", lambda _services: None)

    def give(*words: str) -> Answered:
        typed = ["--env", str(tmp_path / "none.env"), *words]
        return Answered(CliRunner().invoke(main, typed, env=desk.environment))

    return give
