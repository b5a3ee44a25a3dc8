"""What one integration is: a Teamleader account joined to a Twikey account."""

import re
from dataclasses import dataclass, field

INTEGRATION_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamleaderConnection:
    """How we reach one Teamleader account. Addresses carry no trailing slash."""

    api_url: str
    auth_url: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    calls_per_minute: int = 190


@dataclass(frozen=True, slots=True, kw_only=True)
class TwikeyConnection:
    """How we reach one Twikey account; `api_url` includes `/creditor` and has no trailing slash."""

    api_url: str
    api_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One Teamleader account joined to one Twikey account.

    `auto_update` is only the option's first value: the current one lives in the store, where operators change it.
    """

    id: str
    teamleader: TeamleaderConnection
    twikey: TwikeyConnection
    auto_update: bool = False
    profile: str = ""
    cc_parameter: str = "cc"
    default_language: str = ""
    default_country: str = "BE"
    customer_number_prefix: str = ""
    clear_empty: bool = False
    create_unknown: bool = True
    sync_added: bool = False
