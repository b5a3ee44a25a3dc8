"""The composition root: builds, once per process, everything that the work needs. Nothing else reads the settings."""

import threading
from dataclasses import dataclass, field
from functools import partial

import redis
import structlog

from config.embedded import NoStore, running
from config.integrations import Integration, OptionsWrong
from config.keys import IntegrationKeys
from config.registry import Registry
from config.secrets import Cipher, SecretUnreadable
from config.settings import Settings
from config.store import connect, queue_url
from workers.broker import WakeUpBroker, make_broker, wake
from workers.clients.http import Http, origin_of
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.oauth import TokenStore
from workers.clients.teamleader.rate_limit import CallBudget
from workers.clients.twikey.client import TwikeyClient
from workers.clients.twikey.session import Session
from workers.integrations import addresses_of, describe, mapping_settings
from workers.ledger import Ledger, Scripts
from workers.sync.run import Tools

log = structlog.get_logger()

# Questions that pages wait for only briefly (`ask.briefly`) and that are under way, at most; more are not begun.
UNAWAITED = 16


def store_url(settings: Settings) -> str:
    """The configured store, else the embedded one that is running; raises `NoStore` when there is none."""
    if settings.redis_url:
        return settings.redis_url
    found = running(settings.data_dir)
    if found is None:
        raise NoStore(
            f"No store is running in {settings.data_dir}. Start everything with: tltw run  (or set TLTW_REDIS_URL)"
        )
    return found


@dataclass(slots=True)
class Allowed:
    """Where this process may call: the configured addresses of its integrations, and nothing else."""

    origins: frozenset[str] = frozenset()

    def __call__(self, origin: str) -> bool:
        return origin in self.origins


@dataclass(slots=True)
class Services:
    """What one process works with. Close it when done.

    `integrations`, `integration`, `ledger` and `tools` cost one round trip: they ask whether any integration was changed.
    """

    settings: Settings
    store: "redis.Redis"
    scripts: Scripts
    broker: WakeUpBroker
    http: Http
    cipher: Cipher
    registry: Registry
    allowed: Allowed
    unawaited: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(UNAWAITED))
    _known: dict[str, Integration] = field(default_factory=dict)
    _revision: int = -1
    _tools: dict[str, Tools] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def integrations(self) -> list[Integration]:
        """All that can be read, by name."""
        self._look_for_changes()
        return list(self._known.values())

    def integration(self, name: str) -> Integration:
        """Raises `UnknownIntegration`, or why it cannot be read: `SecretUnreadable`, `OptionsWrong`."""
        self._look_for_changes()
        return self._known[name] if name in self._known else self.registry.get(name)

    def ledger(self, name: str) -> Ledger:
        """The ledger of an integration, also of one that cannot be read: it holds no secrets, and just then people look at it.

        Raises `UnknownIntegration`. Who works has the ledger of its tools, with the limit of this integration.
        """
        try:
            return Ledger(self.scripts, name, calls_per_minute=self.integration(name).teamleader.calls_per_minute)
        except (SecretUnreadable, OptionsWrong):
            return Ledger(self.scripts, name)

    def tools(self, name: str) -> Tools:
        """The tools of an integration as it is now. Raises as `integration` does."""
        return self._tools_for(self.integration(name))

    def tools_as_known(self, name: str) -> Tools:
        """The tools of an integration without asking whether it was changed: a claim will tell (`Claim.revision`)."""
        known = self._tools.get(name)
        return known or self.tools(name)

    def tokens(self, integration: Integration) -> TokenStore:
        keys = IntegrationKeys(integration.id)
        return TokenStore(self.store, keys, self.cipher, integration.teamleader, self.http)

    def wake(self, integration: str, subject: str) -> None:
        """Sends a wake-up; when that fails the clock sends it within seconds, so it is only noted."""
        try:
            wake(self.broker, integration, subject)
        except redis.RedisError:
            log.warning("A wake-up could not be sent; the clock will.", integration=integration, subject=subject)

    def close(self) -> None:
        self.http.close()
        self.broker.client.close()
        self.store.close()

    def _look_for_changes(self) -> None:
        revision = self.registry.revision()
        if revision == self._revision:
            return
        with self._lock:
            # A change between the two reads is seen again at the next look.
            known = self.registry.all(self._known)
            self.allowed.origins = frozenset(origin_of(url) for one in known.values() for url in addresses_of(one))
            self._known, self._revision = known, revision

    def _tools_for(self, integration: Integration) -> Tools:
        with self._lock:
            known = self._tools.get(integration.id)
            if known is None or known.integration != integration:
                known = self._tools[integration.id] = self._make_tools(integration)
            return known

    def _renewed(self, name: str) -> Tools:
        """The tools as they are after a change. When that cannot be read here they are forgotten, so that nobody claims with old ones."""
        try:
            return self.tools(name)
        except (SecretUnreadable, OptionsWrong):
            self._tools.pop(name, None)
            raise

    def _make_tools(self, integration: Integration) -> Tools:
        keys = IntegrationKeys(integration.id)
        budget = CallBudget(self.store, keys, calls_per_minute=integration.teamleader.calls_per_minute)
        session = Session(self.store, keys, self.cipher, integration.twikey, self.http)
        return Tools(
            integration=integration,
            ledger=Ledger(self.scripts, integration.id, calls_per_minute=integration.teamleader.calls_per_minute),
            teamleader=TeamleaderClient(self.http, integration.teamleader, self.tokens(integration), budget),
            twikey=TwikeyClient(self.http, integration.twikey, session),
            mapping=mapping_settings(integration),
            wake=partial(self.wake, integration.id),
            renewed=partial(self._renewed, integration.id),
        )


def open_services(settings: Settings) -> Services:
    """Connects to the store and makes the services; raises `NoStore`, `SettingsWrong` or `redis.RedisError`."""
    url = store_url(settings)
    store = connect(url)
    cipher = Cipher(settings.secret_keys)
    allowed = Allowed()
    services = Services(
        settings=settings,
        store=store,
        scripts=Scripts(store),
        broker=make_broker(connect(queue_url(url, settings.queue_redis_url))),
        http=Http(allowed),
        cipher=cipher,
        registry=Registry(store, cipher, settings.teamleader),
        allowed=allowed,
    )
    if settings.first:
        describe(services, settings.first)
    return services
