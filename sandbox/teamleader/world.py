"""All accounts of one simulated Teamleader, its settings, its tokens and its postman."""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sandbox.teamleader.account import Account, Clock, Event, utc_now
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.rate_limit import ResetFormat, SlidingWindow
from sandbox.teamleader.tokens import TokenBook, TokenPair
from sandbox.teamleader.webhooks import DeliverySettings, Postman
from sandbox.world import CHARACTERS, Character, stable_id

DEFAULT_ACCOUNT = stable_id("account")
DEFAULT_ACCOUNT_NAME = "The usual account"
DEFAULT_CLIENT_ID = "sandbox-client"
DEFAULT_CLIENT_SECRET = "sandbox-secret"
DEFAULT_REFRESH_TOKEN = "sandbox-refresh-token"


@dataclass
class TeamleaderSettings:
    """What is unknown or worth changing about the real service. Durations in seconds."""

    access_token_life: float = 3600.0
    rate_limit: int = 200
    rate_window: float = 60.0
    reset_format: ResetFormat = "seconds"
    oauth_error_shape: Literal["envelope", "rfc6749"] = "envelope"
    redirect_uris: tuple[str, ...] = ()
    default_api_version: str = "2023-09-26"


class World:
    def __init__(
        self,
        settings: TeamleaderSettings | None = None,
        deliveries: DeliverySettings | None = None,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self.settings = settings or TeamleaderSettings()
        self.clock = clock
        self.tokens = TokenBook()
        self.accounts: dict[str, Account] = {}
        self.postman = Postman(self._urls_for, deliveries)

    @property
    def default(self) -> Account:
        """The account that was made first."""
        return next(iter(self.accounts.values()))

    def add_account(
        self,
        account_id: str = "",
        *,
        client_id: str = DEFAULT_CLIENT_ID,
        client_secret: str = DEFAULT_CLIENT_SECRET,
        characters: tuple[Character, ...] = CHARACTERS,
        generated: GeneratedWorld | None = None,
        name: str = "",
    ) -> Account:
        account = Account(
            account_id or str(uuid.uuid4()),
            client_id,
            client_secret,
            SlidingWindow(self.settings.rate_limit, timedelta(seconds=self.settings.rate_window)),
            self.postman.announce,
            self.clock,
            characters,
            generated,
            name,
        )
        self.accounts[account.id] = account
        return account

    def issue_tokens(self, account: Account, *, access: str = "", refresh: str = "") -> TokenPair:
        return self.tokens.issue_pair(account.id, account.client_id, self.token_end(), access=access, refresh=refresh)

    def token_end(self) -> datetime:
        return self.clock() + timedelta(seconds=self.settings.access_token_life)

    def accounts_of(self, client_id: str) -> list[Account]:
        return [account for account in self.accounts.values() if account.client_id == client_id]

    def set_rate_limit(self, limit: int, window_seconds: float) -> None:
        self.settings.rate_limit, self.settings.rate_window = limit, window_seconds
        for account in self.accounts.values():
            account.limiter.limit, account.limiter.window = limit, timedelta(seconds=window_seconds)

    def _urls_for(self, event: Event) -> list[str]:
        return self.accounts[event.account].urls_for(event.type)
