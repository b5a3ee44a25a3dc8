"""The composition root: builds, once per process, everything that the work needs. Nothing else reads the settings."""

import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import redis
import structlog

from config.embedded import NoStore, running
from config.integrations import Integration
from config.keys import INTEGRATIONS, IntegrationKeys
from config.secrets import Cipher
from config.settings import Settings, SettingsWrong
from config.store import connect, queue_url
from mapping import MappingSettings
from workers.broker import WakeUpBroker, make_broker, wake
from workers.clients.http import Http, origin_of
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.oauth import TokenStore
from workers.clients.teamleader.rate_limit import CallBudget
from workers.clients.twikey.client import TwikeyClient
from workers.clients.twikey.session import Session
from workers.ledger import Ledger, Scripts
from workers.sync.run import Tools

log = structlog.get_logger()


class UnknownIntegration(Exception):
    """There is no integration of this name."""


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
class Services:
    """What one process works with. Close it when done."""

    settings: Settings
    store: "redis.Redis"
    scripts: Scripts
    broker: WakeUpBroker
    http: Http
    cipher: Cipher
    _tools: dict[str, Tools] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def integrations(self) -> list[Integration]:
        return [self.settings.integration]

    def integration(self, name: str) -> Integration:
        for integration in self.integrations():
            if integration.id == name:
                return integration
        raise UnknownIntegration(f"There is no integration named {name!r}.")

    def ledger(self, name: str) -> Ledger:
        return Ledger(self.scripts, name, calls_per_minute=self.integration(name).teamleader.calls_per_minute)

    def tools(self, name: str) -> Tools:
        """The tools of an integration, made once: clients keep their connections and tokens."""
        with self._lock:
            if name not in self._tools:
                self._tools[name] = self._make_tools(self.integration(name))
            return self._tools[name]

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

    def _make_tools(self, integration: Integration) -> Tools:
        keys = IntegrationKeys(integration.id)
        budget = CallBudget(self.store, keys, calls_per_minute=integration.teamleader.calls_per_minute)
        session = Session(self.store, keys, self.cipher, integration.twikey, self.http)
        return Tools(
            integration=integration,
            ledger=self.ledger(integration.id),
            teamleader=TeamleaderClient(self.http, integration.teamleader, self.tokens(integration), budget),
            twikey=TwikeyClient(self.http, integration.twikey, session),
            mapping=mapping_settings(integration),
            wake=lambda subject: self.wake(integration.id, subject),
        )


def mapping_settings(integration: Integration) -> MappingSettings:
    return MappingSettings(
        customer_number_prefix=integration.customer_number_prefix,
        profile=integration.profile,
        default_language=integration.default_language,
        default_country=integration.default_country,
        cc_parameter=integration.cc_parameter,
        clear_empty=integration.clear_empty,
    )


def open_services(settings: Settings) -> Services:
    """Connects to the store and makes the services; raises `NoStore`, `SettingsWrong` or `redis.RedisError`."""
    check(settings.integration)
    url = store_url(settings)
    store = connect(url)
    scripts = Scripts(store)
    services = Services(
        settings=settings,
        store=store,
        scripts=scripts,
        broker=make_broker(connect(queue_url(url, settings.queue_redis_url))),
        http=Http(allowed=_origins(settings.integration)),
        cipher=Cipher(settings.secret_keys),
    )
    for integration in services.integrations():
        store.sadd(INTEGRATIONS, integration.id)
        services.ledger(integration.id).begin(auto_update=integration.auto_update)
    return services


def check(integration: Integration) -> None:
    """Judges the settings that only mapping and clients understand; raises `SettingsWrong`. Every process asks first."""
    try:
        mapping_settings(integration)
        for url in _origins(integration):
            origin_of(url)
    except ValueError as error:
        raise SettingsWrong({f"integration {integration.id}": str(error)}) from None


def _origins(integration: Integration) -> list[str]:
    """The only places that may be called: scheme, host and port of the configured addresses."""
    urls = (integration.teamleader.api_url, integration.teamleader.auth_url, integration.twikey.api_url)
    return ["{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls]
