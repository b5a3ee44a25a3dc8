"""The clients against a Teamleader and a Twikey over real HTTP, with Redis in memory unless a test asks for a server."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier

import fakeredis
import pytest
import redis
from cryptography.fernet import Fernet

from config.integrations import TeamleaderConnection, TwikeyConnection
from config.keys import IntegrationKeys
from config.secrets import Cipher
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY
from workers.clients.http import Http
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.oauth import TokenStore
from workers.clients.teamleader.rate_limit import CallBudget
from workers.clients.twikey.client import TwikeyClient
from workers.clients.twikey.session import Session

KEYS = IntegrationKeys("acme")


@dataclass
class Wall:
    """A clock that tests can put forward."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class AtTeamleader:
    """A simulated Teamleader, and the parts of as many processes of ours as a test wants."""

    app: Teamleader
    connection: TeamleaderConnection
    store: "redis.Redis"
    cipher: Cipher
    http: Http
    wall: Wall = field(default_factory=Wall)
    keys: IntegrationKeys = KEYS

    def tokens(self, connection: TeamleaderConnection | None = None) -> TokenStore:
        return TokenStore(self.store, self.keys, self.cipher, connection or self.connection, self.http, now=self.wall)

    def budget(self, calls_per_minute: int = 190) -> CallBudget:
        return CallBudget(self.store, self.keys, calls_per_minute=calls_per_minute)

    def client(self, tokens: TokenStore | None = None, *, calls_per_minute: int = 190) -> TeamleaderClient:
        return TeamleaderClient(self.http, self.connection, tokens or self.tokens(), self.budget(calls_per_minute))

    def calls(self, path: str) -> int:
        return sum(1 for _ in self.app.log.records(path=path))

    @property
    def refreshes(self) -> int:
        return self.calls("/oauth2/access_token")

    @property
    def counted(self) -> int:
        return self.store.llen(self.keys.calls("teamleader"))


@dataclass
class AtTwikey:
    """A simulated Twikey, and the parts of as many processes of ours as a test wants."""

    app: Twikey
    connection: TwikeyConnection
    store: "redis.Redis"
    cipher: Cipher
    http: Http
    wall: Wall = field(default_factory=Wall)
    keys: IntegrationKeys = KEYS

    def session(self, connection: TwikeyConnection | None = None) -> Session:
        return Session(self.store, self.keys, self.cipher, connection or self.connection, self.http, now=self.wall)

    def client(self, session: Session | None = None) -> TwikeyClient:
        return TwikeyClient(self.http, self.connection, session or self.session())

    @property
    def logins(self) -> int:
        return self.app.office.login_count

    def profile(self, number: str) -> dict[str, str]:
        return self.app.office.default.customers[number].profile


@pytest.fixture
def memory() -> "redis.Redis":
    return fakeredis.FakeRedis(server=fakeredis.FakeServer())


@pytest.fixture
def cipher() -> Cipher:
    return Cipher([Fernet.generate_key().decode()])


@pytest.fixture
def http() -> Iterator[Http]:
    client = Http(lambda _origin: True)
    yield client
    client.close()


@pytest.fixture
def at_teamleader(memory: "redis.Redis", cipher: Cipher, http: Http) -> Iterator[AtTeamleader]:
    app = create_teamleader()
    with serve(app) as url:
        connection = TeamleaderConnection(
            api_url=url,
            auth_url=url,
            client_id=worlds.DEFAULT_CLIENT_ID,
            client_secret=worlds.DEFAULT_CLIENT_SECRET,
            refresh_token=worlds.DEFAULT_REFRESH_TOKEN,
        )
        yield AtTeamleader(app, connection, memory, cipher, http)


@pytest.fixture
def at_twikey(memory: "redis.Redis", cipher: Cipher, http: Http) -> Iterator[AtTwikey]:
    app = create_twikey()
    with serve(app) as url:
        connection = TwikeyConnection(api_url=f"{url}/creditor", api_token=DEFAULT_API_KEY)
        yield AtTwikey(app, connection, memory, cipher, http)


@pytest.fixture
def everywhere_at_once() -> Callable[[int, Callable[[], object]], list[object]]:
    """Runs a function in as many threads, all let go at the same moment; answers what each returned or raised."""

    def run(threads: int, work: Callable[[], object]) -> list[object]:
        start = Barrier(threads)

        def one(_: int) -> object:
            start.wait()
            try:
                return work()
            except Exception as error:  # noqa: BLE001 # the test looks at it
                return error

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(threads)))

    return run
