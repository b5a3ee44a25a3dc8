"""Codes, access tokens and refresh tokens: who they belong to, how long they live, and that they work once."""

import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

CODE_LIFE = timedelta(minutes=10)


class TokenRefused(Exception):
    """The code or refresh token is unknown, spent, expired or revoked; the text is the hint for the caller."""


@dataclass(frozen=True)
class Grant:
    """What a token stands for."""

    account: str
    client_id: str
    expires_at: datetime | None = None
    redirect_uri: str | None = None


@dataclass(frozen=True)
class TokenPair:
    access_token: str
    refresh_token: str


class TokenBook:
    """All tokens of the server. Refreshing kills the old refresh token; old access tokens live out their time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._codes: dict[str, Grant] = {}
        self._access: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self.refreshes = 0
        self.refused_refreshes = 0

    def issue_code(self, account: str, client_id: str, redirect_uri: str, now: datetime) -> str:
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = Grant(account, client_id, now + CODE_LIFE, redirect_uri)
        return code

    def redeem_code(self, code: str, client_id: str, redirect_uri: str, now: datetime) -> str:
        """Answers the account the code was given for; a code works once."""
        with self._lock:
            grant = self._codes.pop(code, None)
        if grant is None or grant.expires_at is None or grant.expires_at <= now:
            raise TokenRefused("Authorization code has expired or was used before")
        if (grant.client_id, grant.redirect_uri) != (client_id, redirect_uri):
            raise TokenRefused("Authorization code was issued to another client or redirect URI")
        return grant.account

    def spend_refresh_token(self, token: str, client_id: str) -> str:
        """Kills the refresh token and answers its account."""
        with self._lock:
            grant = self._refresh.get(token)
            if grant is None or grant.client_id != client_id:
                self.refused_refreshes += 1
                raise TokenRefused("Token has been revoked")
            del self._refresh[token]
            self.refreshes += 1
        return grant.account

    def issue_pair(
        self, account: str, client_id: str, expires_at: datetime, *, access: str = "", refresh: str = ""
    ) -> TokenPair:
        pair = TokenPair(access or secrets.token_urlsafe(40), refresh or secrets.token_urlsafe(40))
        with self._lock:
            self._access[pair.access_token] = Grant(account, client_id, expires_at)
            self._refresh[pair.refresh_token] = Grant(account, client_id)
        return pair

    def account_of(self, access_token: str, now: datetime) -> str | None:
        """None for a token that is unknown or expired."""
        grant = self._access.get(access_token)
        return grant.account if grant and grant.expires_at and now < grant.expires_at else None

    def owner_of(self, access_token: str) -> str | None:
        """Whose token this is or once was."""
        grant = self._access.get(access_token)
        return grant.account if grant else None

    def expire_access_tokens(self, account: str) -> None:
        with self._lock:
            self._access = {token: grant for token, grant in self._access.items() if grant.account != account}

    def revoke_all(self, account: str) -> None:
        """As when the user disconnects the integration at Teamleader."""
        self.expire_access_tokens(account)
        with self._lock:
            self._refresh = {token: grant for token, grant in self._refresh.items() if grant.account != account}
