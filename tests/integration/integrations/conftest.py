"""Services over a store in memory, with a simulated Teamleader and Twikey over real HTTP that know several accounts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import fakeredis
import pytest
from cryptography.fernet import Fernet

from config.keys import INTEGRATIONS_REVISION, IntegrationKeys
from config.registry import Registry
from config.secrets import Cipher
from config.settings import load
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.account import Account
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY
from workers import connect, integrations
from workers.broker import make_broker
from workers.clients.http import Http
from workers.ledger import Scripts
from workers.services import Allowed, Services

BACK = "http://127.0.0.1:8001/connect/teamleader"
BROWSER = "what only this browser knows"


@dataclass
class Scene:
    """Everything a test about integrations needs."""

    services: Services
    teamleader: Teamleader
    twikey: Twikey
    twikey_url: str

    def add(self, name: str = "bakery", **options: str) -> None:
        needed = {"twikey_url": f"{self.twikey_url}/creditor", "twikey_key": DEFAULT_API_KEY}
        integrations.add(self.services, name, needed | options, by="cli:an")

    def pretend_changed(self, name: str) -> None:
        """Every process reads the integration again."""
        self.services.store.hincrby(IntegrationKeys(name).options, "revision", 1)
        self.services.store.incr(INTEGRATIONS_REVISION)

    def account(self) -> Account:
        """One more Teamleader account that our integration at Teamleader may be connected to."""
        return self.teamleader.world.add_account()

    def consent(self, name: str, account: Account | None = None, *, browser: str = BROWSER) -> list[connect.Step]:
        """A person opens the consent page, chooses an account, allows, and comes back."""
        state = self.begin(name)
        wanted = connect.take(self.services, state, binding=browser)
        return connect.finish(self.services, wanted, code=self.code(account))

    def begin(self, name: str) -> str:
        address = connect.begin(self.services, name, by="operator:an", redirect_uri=BACK, binding=BROWSER)
        return address.partition("state=")[2]

    def code(self, account: Account | None = None) -> str:
        world = self.teamleader.world
        chosen = account or world.default
        return world.tokens.issue_code(chosen.id, chosen.client_id, BACK, world.clock())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    teamleader, twikey = create_teamleader(), create_twikey()
    with serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        settings = load(
            {
                "TLTW_DATA_DIR": str(tmp_path),
                "TLTW_SECRET_KEY": Fernet.generate_key().decode(),
                "TLTW_WEBHOOK_KEY": "k" * 40,
                "TLTW_PUBLIC_URL": "https://sync.example.com",
                "TLTW_TEAMLEADER_CLIENT_ID": worlds.DEFAULT_CLIENT_ID,
                "TLTW_TEAMLEADER_CLIENT_SECRET": worlds.DEFAULT_CLIENT_SECRET,
                "TLTW_TEAMLEADER_API_URL": teamleader_url,
                "TLTW_TEAMLEADER_AUTH_URL": teamleader_url,
            }
        )
        store = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        cipher, allowed = Cipher(settings.secret_keys), Allowed()
        services = Services(
            settings=settings,
            store=store,
            scripts=Scripts(store),
            broker=make_broker(fakeredis.FakeRedis(server=fakeredis.FakeServer())),
            http=Http(allowed),
            cipher=cipher,
            registry=Registry(store, cipher, settings.teamleader),
            allowed=allowed,
        )
        scene = Scene(services, teamleader, twikey, twikey_url)
        yield scene
        scene.services.close()
