"""Encrypts what is kept anew with the newest of `TLTW_SECRET_KEY`, so that an older key can be taken out.

Everything we keep encrypted: the secret options of each integration, its Teamleader tokens and its Twikey session, in
whatever state the integration is. What no key opens is left as it is: the right key may come back.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog
from redis.client import Pipeline

from config.integrations import OPTIONS
from config.keys import IntegrationKeys
from config.secrets import Cipher, SecretUnreadable
from workers.services import Services

SECRET_OPTIONS = [option.name for option in OPTIONS if option.secret]
NEWEST, OLDER, UNREADABLE = "newest", "older", "unreadable"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """How many secrets are encrypted with an older key, and how many no key opens."""

    older: int
    unreadable: int


def look(services: Services) -> Kept:
    """Under which keys the secrets of all integrations are kept."""
    found = Counter[str]()
    for name in services.registry.ids():
        keys = IntegrationKeys(name)
        pipeline = services.store.pipeline(transaction=False)
        pipeline.hmget(keys.record, SECRET_OPTIONS)
        pipeline.mget(keys.token, keys.session)
        options, (token, session) = pipeline.execute()
        found.update(_under(services.cipher, one) for one in [*options, token] if one)
        # One that cannot be read costs a login, no more.
        found[OLDER] += bool(session) and _under(services.cipher, session) == OLDER
    return Kept(found[OLDER], found[UNREADABLE])


def encrypt_anew(services: Services) -> int:
    """Encrypts with the newest key what is kept under an older one; answers how many secrets. Repeats harmlessly."""
    renewed = 0
    for name in services.registry.ids():
        keys = IntegrationKeys(name)
        renewed += _renew_options(services, keys)
        renewed += sum(_renew_string(services, key) for key in (keys.token, keys.session))
    if renewed:
        log.info("Secrets were encrypted anew with the newest key.", secrets=renewed)
    return renewed


def _renew_options(services: Services, keys: IntegrationKeys) -> int:
    """In one transaction: a change or a removal by somebody else in between wins."""

    def attempt(pipeline: Pipeline) -> int:
        stored = cast(list[bytes | None], pipeline.hmget(keys.record, SECRET_OPTIONS))
        pipeline.multi()
        renewed = 0
        for option, one in zip(SECRET_OPTIONS, stored, strict=True):
            if one and _under(services.cipher, one) == OLDER:
                pipeline.hset(keys.record, option, _anew(services.cipher, one))
                renewed += 1
        return renewed

    return _transaction(services, attempt, keys.record)


def _renew_string(services: Services, key: str) -> int:
    """As above; a refresh under way writes its new pair over ours, or makes us read again."""

    def attempt(pipeline: Pipeline) -> int:
        stored = cast(bytes | None, pipeline.get(key))
        pipeline.multi()
        if not stored or _under(services.cipher, stored) != OLDER:
            return 0
        pipeline.set(key, _anew(services.cipher, stored), xx=True, keepttl=True)
        return 1

    return _transaction(services, attempt, key)


def _transaction(services: Services, attempt: Callable[[Pipeline], int], key: str) -> int:
    return cast(
        int,
        services.store.transaction(cast(Callable[[Pipeline], None], attempt), key, value_from_callable=True),
    )


def _anew(cipher: Cipher, stored: bytes) -> bytes:
    return cipher.encrypt(cipher.decrypt(stored))


def _under(cipher: Cipher, stored: bytes) -> str:
    if cipher.is_newest(stored):
        return NEWEST
    try:
        cipher.decrypt(stored)
    except SecretUnreadable:
        return UNREADABLE
    return OLDER
