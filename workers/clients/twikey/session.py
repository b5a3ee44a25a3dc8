"""Keeps one Twikey account logged in: one session for all processes, encrypted in Redis, renewed only when refused.

Logins are what Twikey throttles most, and every try counts; so one process logs in at a time, and a refusal stops all of
them for a while. It never logs out: that would end the session of everybody who uses the same API key.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NoReturn, cast

import redis

from config.integrations import TwikeyConnection
from config.keys import IntegrationKeys
from config.secrets import Cipher, SecretUnreadable
from workers.clients.clock import Clock, utc_now
from workers.clients.errors import ReconnectNeeded, Throttled, Unavailable
from workers.clients.http import Http
from workers.clients.locks import OneAtATime
from workers.clients.messages import Answer
from workers.clients.twikey import protocol

# Twikey's sessions live 24 h.
LIFE = timedelta(hours=23)
# How long a process trusts its own copy before it asks Redis again.
COPY_LIFE = timedelta(minutes=10)
# A throttled login that names no time; 1009 s were once seen.
BLOCK_UNSAID = timedelta(minutes=15)
# A refused login is not tried again at once by every waiting thread.
BLOCK_REFUSED = timedelta(seconds=30)
THROTTLED, REFUSED = "throttled", "refused"


@dataclass(frozen=True, slots=True)
class _Copy:
    token: str = ""
    until: float = 0.0


class Session:
    """The Twikey session of one integration. Safe for threads; share one instance per process and integration."""

    def __init__(
        self,
        store: "redis.Redis",
        keys: IntegrationKeys,
        cipher: Cipher,
        connection: TwikeyConnection,
        http: Http,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._store = store
        self._keys = keys
        self._cipher = cipher
        self._connection = connection
        self._http = http
        self._now = now
        # A session or a refusal is only worth something for the key it came from: keys are replaced, accounts change.
        self._login = sha256(f"{connection.api_url}\n{connection.api_token}".encode()).hexdigest()[:16]
        self._one = OneAtATime(store, keys.lock("twikey-login"), "twikey")
        self._copy = _Copy()

    def token(self) -> str:
        """The session's token; logs in when there is none. Raises as `renew` does."""
        copy = self._copy
        if copy.token and self._now().timestamp() < copy.until:
            return copy.token
        return self.renew(stale="")

    def renew(self, stale: str) -> str:
        """A token other than `stale`, which was refused; somebody else may have logged in already.

        Raises `ReconnectNeeded`, `Throttled`, `Unavailable`, or `redis.RedisError`.
        """
        with self._one.in_process():
            if (stored := self._read()) not in ("", stale):
                return self._keep(stored)
            with self._one.everywhere():
                # Read again: while we waited for the lock its holder may have logged in.
                if (stored := self._read()) not in ("", stale):
                    return self._keep(stored)
                return self._keep(self._log_in())

    def forget(self, token: str) -> None:
        """Drops a token that Twikey no longer knows, unless it has been replaced already."""
        self._copy = _Copy()
        if self._read() == token:
            self._store.delete(self._keys.session)

    def _log_in(self) -> str:
        self._raise_if_blocked()
        answer = self._http.send(protocol.login_request(self._connection))
        token = protocol.session_token(answer)
        if token is None:
            self._refused(answer)
        stored = json.dumps({"login": self._login, "token": token})
        self._store.set(self._keys.session, self._cipher.encrypt(stored), ex=LIFE)
        return token

    def _refused(self, answer: Answer) -> NoReturn:
        if answer.status == 429:
            now = self._now()
            until = protocol.throttled(answer, now=now).until or now + BLOCK_UNSAID
            self._block(THROTTLED, until - now)
            raise _throttled(until)
        if not protocol.is_refused_login(answer):
            sentence = f"Twikey gave no usable answer to a login (HTTP {answer.status})"
            raise Unavailable("twikey", sentence, status=answer.status)
        self._block(REFUSED, BLOCK_REFUSED)
        raise _refused_login(answer.status, protocol.error_code(answer))

    def _block(self, why: str, how_long: timedelta) -> None:
        milliseconds = max(1, round(how_long / timedelta(milliseconds=1)))
        self._store.set(self._keys.login_blocked, f"{why}:{self._login}", px=milliseconds)

    def _raise_if_blocked(self) -> None:
        """Throttling may concern the whole account, so it also holds for a new API key; a refusal does not."""
        why = self._store.get(self._keys.login_blocked)
        if why is None:
            return
        assert isinstance(why, bytes), "the store's client must not decode answers"
        if why.startswith(THROTTLED.encode()):
            left = self._store.pttl(self._keys.login_blocked)
            raise _throttled(self._now() + timedelta(milliseconds=max(0, left)))
        if why.decode() == f"{REFUSED}:{self._login}":
            raise _refused_login(None, "")

    def _read(self) -> str:
        """The stored token, or an empty string when there is none for this API key."""
        stored = self._store.get(self._keys.session)
        if stored is None:
            return ""
        assert isinstance(stored, bytes), "the store's client must not decode answers"
        try:
            session = json.loads(self._cipher.decrypt(stored))
        except SecretUnreadable:  # another login is all it takes
            return ""
        return str(session["token"]) if session["login"] == self._login else ""

    def _keep(self, token: str) -> str:
        self._copy = _Copy(token, (self._now() + COPY_LIFE).timestamp())
        return token


def forgive_refusal(store: "redis.Redis", keys: IntegrationKeys) -> None:
    """A person says that what made Twikey refuse us was mended, so the next login is tried at once.

    A throttled login stays blocked: every further try would only prolong it.
    """
    if cast(bytes, store.get(keys.login_blocked) or b"").startswith(REFUSED.encode()):
        store.delete(keys.login_blocked)


def _throttled(until: datetime) -> Throttled:
    return Throttled("twikey", "Twikey has seen too many logins and takes no more for a while", until=until)


def _refused_login(status: int | None, code: str) -> ReconnectNeeded:
    sentence = "Twikey does not accept our API key: check the key and the base URL"
    return ReconnectNeeded("twikey", sentence, status=status, code=code)
