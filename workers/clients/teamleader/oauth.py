"""Keeps one Teamleader connection signed in: one token pair, encrypted in Redis, renewed by one process at a time.

A refresh token works once. So the pair is written before it is used, a note is written before a refresh is begun, and
whoever is refused looks first whether another process was faster, or may be about to store what it got. A pair that the store did not take or has lost again is
kept in memory and written back, but only over the one that led to it: never over what a person connected meanwhile, and
never for an integration that was removed. (Except while keys are being rotated: a process that lacks the newest key and is
in the middle of a refresh cannot see what was connected in these seconds, and writes over it.)
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import cast

import redis
import structlog
from redis.client import Pipeline

from config.integrations import TeamleaderConnection
from config.keys import IntegrationKeys
from config.secrets import Cipher, SecretUnreadable
from workers.clients.clock import Clock, utc_now
from workers.clients.errors import ApiFailure, CredentialsUnreadable, ReconnectNeeded, Throttled, Unavailable
from workers.clients.http import Http
from workers.clients.locks import LEASE_SECONDS, WAIT_SECONDS, Busy, OneAtATime
from workers.clients.teamleader import oauth_protocol as protocol
from workers.clients.teamleader.oauth_protocol import CLIENT_REFUSED, GrantRefused, TokenPair

log = structlog.get_logger()
IDLE = timedelta(days=1)
EARLY_TRY_AGAIN = timedelta(minutes=1)
# Pauses between the tries to store a new pair: the old one is used up, so a Redis that restarts must not cost us both.
STORE_PAUSES_SECONDS = (0.1, 0.4, 1.0, 2.0)
# A person's consent works once as well, so it waits for whoever is at it, also for one who died with the lock in hand.
WAIT_FOR_ANYBODY_SECONDS = LEASE_SECONDS + 5
# How long a pair that was refused while its refresh is under way may be with another process that has yet to store the new
# one: that process takes its work up again once its leases have ended.
HOLDER_IS_BACK_WITHIN = timedelta(minutes=1)
UNREADABLE = (
    "Our Teamleader tokens cannot be decrypted here: restart this process with the TLTW_SECRET_KEY of the others, or put the "
    "key that was taken out back behind the new one"
)
NOBODY = TokenPair(refresh="")


class TokenStore:
    """The tokens of one integration. Safe for threads; share one instance per process and integration.

    The configured refresh token only starts a connection. It is used when the store holds nothing, or when the stored
    one is refused and this one was configured after it: that is how a person reconnects by configuration.
    """

    def __init__(
        self,
        store: "redis.Redis",
        keys: IntegrationKeys,
        cipher: Cipher,
        connection: TeamleaderConnection,
        http: Http,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._store = store
        self._key = keys.token
        self._options = keys.options
        self._cipher = cipher
        self._connection = connection
        self._http = http
        self._now = now
        self._seed = _digest(connection.refresh_token)
        self._one = OneAtATime(store, keys.lock("teamleader-token"), "teamleader")
        # What is handed out, and the newest one known, which the store may not have (yet, or any more).
        self._held = NOBODY
        self._known = NOBODY
        self._no_early_try_before = datetime.min.replace(tzinfo=UTC)

    def access_token(self) -> str:
        """A token that works now, renewed at 80 % of its life. Raises as `renew` does."""
        held, now = self._held, self._now()
        if held.is_fresh(now):
            return held.access
        if held.is_usable(now):
            return self._renewed_early(held, now)
        return self.renew(stale=held.access)

    def renew(self, stale: str) -> str:
        """A token other than `stale`, which was refused or is over; somebody else may have it already.

        Raises `ReconnectNeeded`, `CredentialsUnreadable`, `Unavailable`, `Throttled`, or `redis.RedisError`.
        """
        return self._replace(stale).access

    def exchange(self, code: str, redirect_uri: str) -> TokenPair:
        """The pair that the code of the consent page is worth; nothing is stored. Raises `GrantRefused` and what `renew` does."""
        answer = self._http.send(protocol.code_request(self._connection, code, redirect_uri))
        return protocol.read_pair(answer, now=self._now(), seed=self._seed)

    def store(self, pair: TokenPair) -> None:
        """Makes this the connection's pair, whatever was there before.

        Raises `Busy`, `redis.RedisError`, or `ReconnectNeeded` for an integration that was removed.
        """
        begun = replace(pair, seed=self._seed, descent=_digest(pair.refresh))
        with self._one.in_process(), self._one.everywhere(wait=WAIT_FOR_ANYBODY_SECONDS):
            self._write_surely(begun)

    def keep_alive(self) -> bool:
        """Renews a pair older than a day, so that a connection nobody uses does not die. True when it did."""
        stored = self._read()
        if self._now().timestamp() - stored.obtained_at < IDLE.total_seconds():
            return False
        self.renew(stale=stored.access)
        return True

    def _renewed_early(self, held: TokenPair, now: datetime) -> str:
        """The old token still works, so nobody waits for the new one, and a failure to get it harms nobody yet."""
        if now < self._no_early_try_before:
            return held.access
        try:
            return self._replace(held.access, wait=0).access
        except Busy:
            return held.access
        except (Unavailable, Throttled, ReconnectNeeded, CredentialsUnreadable) as failure:
            log.warning(
                "The Teamleader token could not be renewed yet; the old one still works.", reason=failure.reason
            )
            self._no_early_try_before = now + EARLY_TRY_AGAIN
            return held.access

    def _replace(self, stale: str, *, wait: float = WAIT_SECONDS) -> TokenPair:
        with self._one.in_process(wait=wait):
            if self._serves_instead(self._held, stale):
                return self._held
            if not self._known.follows(found := self._read()):
                self._held = self._known = found
                if self._serves_instead(found, stale):
                    return found
            with self._one.everywhere(wait=wait):
                # Read again: while we waited for the lock its holder may have stored a new pair.
                self._known = stored = self._newest()
                self._held = self._known = stored if self._serves_instead(stored, stale) else self._refresh(stored)
                return self._held

    def _newest(self) -> TokenPair:
        """The stored pair, or the one we know to have come of it: then the store lost that one, or never took it."""
        stored = self._read()
        if not self._known.follows(stored):
            return stored
        log.warning("The store did not have the newest Teamleader token; it is written again.")
        return self._write_surely(self._known, over=stored)

    def _serves_instead(self, pair: TokenPair, stale: str) -> bool:
        return pair.access != stale and pair.is_usable(self._now())

    def _refresh(self, stored: TokenPair) -> TokenPair:
        # Of several tries the first counts: from then on the token may be used up.
        noted = replace(stored, refreshing_since=stored.refreshing_since or self._now().timestamp())
        try:
            return self._spend(stored, noted=noted)
        except GrantRefused as refused:
            # Our lock may have ended while we waited, and another process been faster.
            after = self._read()
            if after.refresh != stored.refresh and after.is_usable(self._now()):
                return after
            if not stored.refreshing_since:
                # Refused outright, so no answer is on its way to anybody.
                self._write(stored, over=noted)
            # Teamleader's exact word for a dead refresh token is not documented (facts §1): any but one about the client.
            if refused.code in CLIENT_REFUSED:
                raise _reconnect(refused) from None
            if not self._is_configured_anew(stored):
                raise self._used_up(refused, stored) from None
        return self._start_over(stored)

    def _used_up(self, refused: GrantRefused, stored: TokenPair) -> ApiFailure:
        """What a refusal means: that a person is needed, once nobody can be expected to come back with the new pair."""
        since = abs(self._now().timestamp() - stored.refreshing_since)
        if since < HOLDER_IS_BACK_WITHIN.total_seconds():
            sentence = "Our Teamleader refresh token is used up, and another process may hold the new one"
            return Unavailable("teamleader", sentence)
        return _reconnect(refused, interrupted=stored.refreshing_since > 0)

    def _is_configured_anew(self, stored: TokenPair) -> bool:
        """Whether a person configured a refresh token after this pair. One that was taken out of the settings is none."""
        return bool(self._connection.refresh_token) and stored.seed != self._seed

    def _start_over(self, stored: TokenPair) -> TokenPair:
        """Uses the refresh token that was configured later. The refused pair stays until this one has worked."""
        try:
            return self._spend(self._configured(), noted=replace(stored, started_over=self._seed))
        except GrantRefused as refused:
            raise _reconnect(refused, interrupted=stored.started_over == self._seed) from None

    def _spend(self, pair: TokenPair, *, noted: TokenPair) -> TokenPair:
        """Uses the refresh token of `pair` up. After a crash in here `noted` tells the next one that it may be used up."""
        now = self._now()
        there = self._write(noted, over=noted)
        if there is not noted:
            return there
        answer = self._http.send(protocol.refresh_request(self._connection, pair.refresh))
        new = protocol.read_pair(answer, now=now, refresh=pair.refresh, seed=pair.seed)
        # Kept here as well: the old one is used up, so this must not be lost when the store does not take it.
        self._known = replace(new, descent=pair.descent, generation=pair.generation + 1)
        return self._write_surely(self._known, over=noted)

    def _configured(self) -> TokenPair:
        return TokenPair(refresh=self._connection.refresh_token, seed=self._seed, descent=self._seed)

    def _read(self) -> TokenPair:
        try:
            return self._pair(self._store.get(self._key))
        except SecretUnreadable as error:
            raise CredentialsUnreadable("teamleader", UNREADABLE) from error

    def _pair(self, stored: object) -> TokenPair:
        if stored is None:
            if not self._connection.refresh_token:
                raise ReconnectNeeded("teamleader", "Teamleader is not connected yet: there is no refresh token")
            return self._configured()
        return TokenPair.from_json(json.loads(self._cipher.decrypt(_as_bytes(stored))))

    def _write(self, pair: TokenPair, *, over: TokenPair | None = None) -> TokenPair:
        """Puts the pair into the store and answers the one that is there now.

        `over`: only over this one or another that led to `pair`; what a person or a faster process stored meanwhile stays.
        Raises `ReconnectNeeded` when the integration was removed meanwhile, also when one of its name was added since.
        """

        def attempt(pipeline: Pipeline) -> TokenPair:
            state, stored = pipeline.hget(self._options, "state"), pipeline.get(self._key)
            pipeline.multi()
            if cast(bytes | None, state) == b"closed":
                raise ReconnectNeeded("teamleader", "The integration was removed")
            if over and (other := self._other_than(over, stored, leading_to=pair)):
                return other
            pipeline.set(self._key, self._cipher.encrypt(json.dumps(pair.as_json())))
            return pair

        written = self._store.transaction(
            cast(Callable[[Pipeline], None], attempt), self._key, self._options, value_from_callable=True
        )
        return cast(TokenPair, written)

    def _other_than(self, expected: TokenPair, stored: object, *, leading_to: TokenPair) -> TokenPair | None:
        try:
            there = self._pair(stored)
        except SecretUnreadable:
            # While keys are being rotated: the expected one was encrypted anew, and we do not have that key yet.
            return None
        return None if there.refresh == expected.refresh or leading_to.follows(there) else there

    def _write_surely(self, pair: TokenPair, *, over: TokenPair | None = None) -> TokenPair:
        for pause in STORE_PAUSES_SECONDS:
            try:
                return self._write(pair, over=over)
            except redis.RedisError:
                time.sleep(pause)
        return self._write(pair, over=over)


def _digest(refresh_token: str) -> str:
    return sha256(refresh_token.encode()).hexdigest()[:16]


def _as_bytes(stored: object) -> bytes:
    assert isinstance(stored, bytes), "the store's client must not decode answers"
    return stored


def _reconnect(refused: GrantRefused, *, interrupted: bool = False) -> ReconnectNeeded:
    return ReconnectNeeded("teamleader", _sentence(refused.code, interrupted=interrupted), code=refused.code)


def _sentence(code: str, *, interrupted: bool) -> str:
    if code in CLIENT_REFUSED:
        return "Teamleader does not accept our client id or client secret"
    why = " (a refresh was begun earlier and its answer never arrived)" if interrupted else ""
    return f"Teamleader no longer accepts our refresh token{why}: connect again"
