"""Teamleader's OAuth in bytes: the consent page's address, token requests and what their answers mean. No I/O.

github.com/teamleadercrm/api, src/authentication.apib (looked up 2026-11-22): a refresh token works once; each refresh gives a new pair.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from urllib.parse import urlencode

from config.integrations import TeamleaderConnection
from workers.clients.errors import Unavailable
from workers.clients.messages import Answer, Request
from workers.clients.teamleader.protocol import first_error, throttled

# When the answer does not say how long a token lives. A guess that is too long is corrected by a 401.
LIFE_WHEN_UNSAID = timedelta(minutes=10)
RENEW_AT = 0.8
# A token is not used in its last minute, or last tenth if that is less: clocks differ, and a call takes time.
MARGIN_SECONDS = 60.0
# What may stand in a header.
TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
CODE = re.compile(r"[a-z_]{1,40}")
# All that a token endpoint may say no with: https://www.rfc-editor.org/rfc/rfc6749#section-5.2 (looked up 2026-11-26).
CLIENT_REFUSED = frozenset({"invalid_client", "unauthorized_client"})
REFUSALS = CLIENT_REFUSED | {"invalid_request", "invalid_grant", "unsupported_grant_type", "invalid_scope"}


class GrantRefused(Exception):
    """The token endpoint understood us and said no. `code`: its word for it, for example `invalid_grant`, or empty."""

    def __init__(self, code: str) -> None:
        super().__init__(code or "refused")
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What we hold of one Teamleader connection. Times in seconds since 1970; `access` is empty before the first refresh.

    `refreshing_since`: a refresh with this refresh token was begun and its answer is not in the store, so it may be used up.
    `seed`: digest of the configured refresh token when the pair was stored; another one configured later is new to us.
    `started_over`: digest of a configured refresh token that was tried in place of this refused one; it may be used up.
    `descent`: digest of the refresh token that all began with, a person's consent or a configured one; `generation` counts
    the refreshes since. Clocks of machines differ, so no time tells which of two pairs is the newer one.
    """

    refresh: str = field(repr=False)
    access: str = field(default="", repr=False)
    obtained_at: float = 0.0
    expires_at: float = 0.0
    refreshing_since: float = 0.0
    seed: str = ""
    started_over: str = ""
    descent: str = ""
    generation: int = 0

    def follows(self, other: "TokenPair") -> bool:
        """Whether the other one was used up to get this one, in however many steps."""
        if self.descent == other.descent:
            return self.generation > other.generation
        # Only the first: later ones of the same descent may be from before the other, when the settings were put back.
        return self.generation == 1 and bool(self.descent) and self.descent == other.started_over

    def is_usable(self, now: datetime) -> bool:
        margin = min(MARGIN_SECONDS, self._life / 10)
        return bool(self.access) and now.timestamp() < self.expires_at - margin

    def is_fresh(self, now: datetime) -> bool:
        """True until 80 % of its life are over."""
        return self.is_usable(now) and now.timestamp() < self.obtained_at + RENEW_AT * self._life

    @property
    def _life(self) -> float:
        return self.expires_at - self.obtained_at

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, object]) -> "TokenPair":
        known = {item.name for item in fields(cls)}
        return cls(**{name: value for name, value in stored.items() if name in known})  # type: ignore[arg-type]


def authorize_url(connection: TeamleaderConnection, *, state: str, redirect_uri: str) -> str:
    """Where a person consents. There is no scope parameter: scopes are ticked in Teamleader's marketplace."""
    query = {
        "client_id": connection.client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "state": state,
    }
    return f"{connection.auth_url}/oauth2/authorize?{urlencode(query)}"


def refresh_request(connection: TeamleaderConnection, refresh_token: str) -> Request:
    return _token_request(connection, {"grant_type": "refresh_token", "refresh_token": refresh_token})


def code_request(connection: TeamleaderConnection, code: str, redirect_uri: str) -> Request:
    """Exchanges the code of the consent page, which lives 10 minutes and works once, for the first pair."""
    return _token_request(connection, {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri})


def read_pair(answer: Answer, *, now: datetime, refresh: str = "", seed: str = "") -> TokenPair:
    """The new pair; `refresh` stays when the answer brings no other. Raises `GrantRefused`, `Throttled`, `Unavailable`.

    Lenient about everything but the tokens: the old one is used up by now.
    """
    if answer.status == 429:
        raise throttled(answer, now=now)
    document = answer.json_object()
    if document is not None and _is_refusal(answer.status, document):
        raise GrantRefused(_code(document))
    new_refresh = (document or {}).get("refresh_token", refresh)
    access = (document or {}).get("access_token")
    if answer.status != 200 or not _is_token(access) or not _is_token(new_refresh):
        said = f"Teamleader gave no usable answer to a token request (HTTP {answer.status})"
        raise Unavailable("teamleader", said, status=answer.status)
    return TokenPair(
        refresh=str(new_refresh),
        access=str(access),
        obtained_at=now.timestamp(),
        expires_at=(now + _life(document or {})).timestamp(),
        seed=seed,
    )


def _token_request(connection: TeamleaderConnection, grant: Mapping[str, str]) -> Request:
    form = {"client_id": connection.client_id, "client_secret": connection.client_secret, **grant}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    return Request(
        "teamleader", "POST", f"{connection.auth_url}/oauth2/access_token", headers, urlencode(form).encode()
    )


def _is_refusal(status: int, document: Mapping[str, object]) -> bool:
    """Whether Teamleader itself said no. A gateway's 403 and a server that is not well are not a word about the token.

    How Teamleader words its own `errors` is not documented (facts §1), so with 400 and 401 any of them counts.
    """
    if _code(document) in REFUSALS:
        return status in (400, 401, 403)
    return status in (400, 401) and "error" not in document and bool(first_error(document)[0])


def _code(document: Mapping[str, object]) -> str:
    """RFC 6749's `error`, or the first title of Teamleader's own `errors`; anything but a code is left out."""
    said = document.get("error") or first_error(document)[0]
    return said if isinstance(said, str) and CODE.fullmatch(said) else ""


def _is_token(value: object) -> bool:
    return isinstance(value, str) and TOKEN.fullmatch(value) is not None


def _life(document: Mapping[str, object]) -> timedelta:
    seconds = document.get("expires_in")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 10**9:
        return LIFE_WHEN_UNSAID
    return timedelta(seconds=seconds)
