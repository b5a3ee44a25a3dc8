"""The integrations of a deployment as the store keeps them. Reads only; `workers.integrations` changes them.

One hash per integration: its options as texts, the secret ones encrypted, and a few fields of our own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import redis
import structlog
from redis.client import Pipeline

from config import parse
from config.integrations import BY_NAME, Integration, OptionsWrong, TeamleaderApp, integration_from
from config.keys import INTEGRATIONS, INTEGRATIONS_REVISION, IntegrationKeys
from config.secrets import Cipher, SecretUnreadable

# How long a webhook address stays valid after another took its place: deliveries may still be under way.
OLD_ADDRESS_LIVES = timedelta(days=1)
# Fields of the hash that are no options.
SOURCE, ADDRESS_VERSION, ROTATED = "source", "address_version", "rotated"
CREATED, CREATED_BY = "created", "created_by"
ENVIRONMENT = "environment"

log = structlog.get_logger()


class UnknownIntegration(Exception):
    """There is no integration of this name."""

    def __init__(self, name: str, known: Iterable[str] = ()) -> None:
        there = ", ".join(sorted(known))
        super().__init__(f"There is no integration named {name!r}." + (f" There is: {there}." if there else ""))


@dataclass(frozen=True, slots=True)
class Doorplate:
    """What the web process needs of an integration: no secrets, so that receiving does not depend on them."""

    id: str
    extra_event_types: tuple[str, ...] = ()
    address_versions: tuple[int, ...] = (0,)


class Registry:
    """The integrations in one store. Every method raises `redis.RedisError` when the store fails."""

    def __init__(self, store: "redis.Redis", cipher: Cipher, app: TeamleaderApp) -> None:
        self._store = store
        self._cipher = cipher
        self._app = app

    def ids(self) -> list[str]:
        return sorted(name.decode() for name in cast(set[bytes], self._store.smembers(INTEGRATIONS)))

    def revision(self) -> int:
        """Moves with every change of any integration."""
        return int(cast(bytes | None, self._store.get(INTEGRATIONS_REVISION)) or 0)

    def get(self, name: str) -> Integration:
        """Raises `UnknownIntegration`, `SecretUnreadable` or `OptionsWrong`."""
        keys = IntegrationKeys(name)
        pipeline = self._store.pipeline(transaction=False)
        _ask(pipeline, keys)
        revision, record = pipeline.execute()
        if not record:
            raise UnknownIntegration(name, self.ids())
        return self._integration(name, record, int(revision or 0))

    def options_of(self, name: str) -> dict[str, str]:
        """The stored options as texts, secrets in clear. Raises as `get` does."""
        record = cast(dict[bytes, bytes], self._store.hgetall(IntegrationKeys(name).record))
        if not record:
            raise UnknownIntegration(name, self.ids())
        return self.texts(record)

    def readable_options_of(self, name: str) -> tuple[dict[str, str], frozenset[str]]:
        """As `options_of`, but without the secrets that cannot be decrypted; those are named. Raises `UnknownIntegration`."""
        record = cast(dict[bytes, bytes], self._store.hgetall(IntegrationKeys(name).record))
        if not record:
            raise UnknownIntegration(name, self.ids())
        return self.readable_texts(record)

    def is_described_by_environment(self, name: str) -> bool:
        """Whether the environment described it last. Needs none of its secrets."""
        return cast(bytes | None, self._store.hget(IntegrationKeys(name).record, SOURCE)) == ENVIRONMENT.encode()

    def all(self, known: Mapping[str, Integration]) -> dict[str, Integration]:
        """Every integration that can be read, by name, in three round trips; one that cannot is logged and left out.

        Those of `known` that were not changed since are not read again: among hundreds one change costs one look.
        """
        names = self.ids()
        changed = [
            name
            for name, revision in zip(names, self._revisions(names), strict=True)
            if name not in known or known[name].revision != revision
        ]
        found = {name: known[name] for name in names if name in known and name not in changed}
        found |= self._read(changed)
        return dict(sorted(found.items()))

    def _revisions(self, names: Sequence[str]) -> list[int]:
        pipeline = self._store.pipeline(transaction=False)
        for name in names:
            pipeline.hget(IntegrationKeys(name).options, "revision")
        return [int(revision or 0) for revision in pipeline.execute()]

    def _read(self, names: Sequence[str]) -> dict[str, Integration]:
        pipeline = self._store.pipeline(transaction=False)
        for name in names:
            _ask(pipeline, IntegrationKeys(name))
        answers = iter(pipeline.execute())
        found = {}
        for name, revision, record in zip(names, answers, answers, strict=False):
            try:
                if record:
                    found[name] = self._integration(name, record, int(revision or 0))
            except (SecretUnreadable, OptionsWrong) as wrong:
                log.error("An integration cannot be read; its work waits.", integration=name, problem=str(wrong))
        return found

    def texts(self, record: Mapping[bytes, bytes]) -> dict[str, str]:
        """The options of a stored record as texts, secrets decrypted; raises `SecretUnreadable`."""
        stored = {name.decode(): value for name, value in record.items()}
        return {name: self._text(name, stored[name]) for name in BY_NAME if name in stored}

    def readable_texts(self, record: Mapping[bytes, bytes]) -> tuple[dict[str, str], frozenset[str]]:
        """As `texts`, but without the secrets that cannot be decrypted; those are named."""
        found, unreadable = dict[str, str](), set[str]()
        for name in [name for name in BY_NAME if name.encode() in record]:
            try:
                found[name] = self._text(name, record[name.encode()])
            except SecretUnreadable:
                unreadable.add(name)
        return found, frozenset(unreadable)

    def _text(self, option: str, stored: bytes) -> str:
        return self._cipher.decrypt(stored) if BY_NAME[option].secret else stored.decode()

    def _integration(self, name: str, record: Mapping[bytes, bytes], revision: int) -> Integration:
        return integration_from(
            name,
            self.texts(record),
            self._app,
            revision=revision,
            address_version=int(record.get(ADDRESS_VERSION.encode(), 0)),
            old_address_valid=_old_address_valid(record.get(ROTATED.encode())),
        )


def _ask(pipeline: Pipeline, keys: IntegrationKeys) -> None:
    """The revision first: a change between the two leaves a new record under an old number, which is read once more."""
    pipeline.hget(keys.options, "revision")
    pipeline.hgetall(keys.record)


def doorplate(store: "redis.Redis", name: str) -> Doorplate | None:
    """What the web process needs of an integration, in one round trip; None when there is none of this name."""
    fields = ("twikey_url", "extra_event_types", ADDRESS_VERSION, ROTATED)
    exists, extra, version, rotated = cast(
        list[bytes | None], store.hmget(IntegrationKeys(name).record, cast(list[str], list(fields)))
    )
    if exists is None:
        return None
    newest = int(version or 0)
    versions = (newest, newest - 1) if _old_address_valid(rotated) else (newest,)
    return Doorplate(name, parse.extra_event_types((extra or b"").decode()), versions)


def _old_address_valid(rotated: bytes | None) -> bool:
    if not rotated:
        return False
    return datetime.now(UTC) - datetime.fromtimestamp(int(rotated) / 1000, UTC) < OLD_ADDRESS_LIVES
