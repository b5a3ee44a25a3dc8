"""All creditors of one simulated Twikey, their sessions, and the settings for what nobody knows for certain."""

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Literal

from sandbox.twikey.creditor import Creditor

DEFAULT_CREDITOR = "creditor-1"
DEFAULT_API_KEY = "sandbox-api-key"


@dataclass
class TwikeySettings:
    """Durations in seconds. An empty `cc_parameter` means that Twikey ignores it."""

    session_life: float = 24 * 3600.0
    logins_allowed: int | None = None
    login_window: float = 3600.0
    bad_login: Literal["status_400", "status_200"] = "status_400"
    cc_parameter: str = "cc"
    put_available: bool = True
    put_status: int = 204
    put_clears_omitted: bool = True
    empty_clears: bool = True
    known_profiles: list[int] | None = None


@dataclass
class Office:
    settings: TwikeySettings = field(default_factory=TwikeySettings)
    creditors: dict[str, Creditor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: dict[str, tuple[str, float]] = {}
        self._logins: list[float] = []
        self.login_count = 0

    @property
    def default(self) -> Creditor:
        """The creditor that was made first."""
        return next(iter(self.creditors.values()))

    def add_creditor(self, creditor_id: str, api_key: str) -> Creditor:
        creditor = Creditor(creditor_id, api_key)
        self.creditors[creditor_id] = creditor
        return creditor

    def by_key(self, api_key: str) -> Creditor | None:
        return next((one for one in self.creditors.values() if one.api_key == api_key), None)

    def owner_of(self, number: str) -> Creditor | None:
        """The first creditor that has a customer of this number."""
        return next((one for one in self.creditors.values() if number in one.customers), None)

    def login_pause(self) -> int:
        """Counts an attempt; answers the seconds to wait when there were too many, else 0."""
        with self._lock:
            now = time.monotonic()
            self.login_count += 1
            self._logins = [at for at in self._logins if now - at < self.settings.login_window] + [now]
            allowed = self.settings.logins_allowed
            if allowed is None or len(self._logins) <= allowed:
                return 0
            return max(1, int(self._logins[-allowed - 1] + self.settings.login_window - now) + 1)

    def open_session(self, creditor: Creditor) -> str:
        token = "-".join(secrets.token_hex(size) for size in (4, 2, 2, 2, 6))
        with self._lock:
            self._sessions[token] = (creditor.id, time.monotonic() + self.settings.session_life)
        return token

    def session_of(self, token: str) -> Creditor | None:
        creditor_id, ends = self._sessions.get(token, ("", 0.0))
        return self.creditors.get(creditor_id) if time.monotonic() < ends else None

    def end_sessions(self, creditor: Creditor | None = None) -> int:
        """Of one API key (a logout ends them all), or of everybody; answers how many ended."""
        with self._lock:
            kept = {
                token: session
                for token, session in self._sessions.items()
                if creditor is not None and session[0] != creditor.id
            }
            ended = len(self._sessions) - len(kept)
            self._sessions = kept
        return ended

    def forgive_logins(self) -> None:
        with self._lock:
            self._logins.clear()
