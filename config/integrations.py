"""What one integration is: a Teamleader account joined to a Twikey account, and the table of its options.

The table drives the environment variables of the first integration, what the store keeps, what operators may set, and the docs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config import parse


class OptionsWrong(ValueError):
    """Options of an integration that are missing or wrong. `problems` maps each option to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{name}: {sentence}" for name, sentence in self.problems.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamleaderConnection:
    """How we reach one Teamleader account. Addresses carry no trailing slash."""

    api_url: str
    auth_url: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(default="", repr=False)
    calls_per_minute: int = 190


@dataclass(frozen=True, slots=True, kw_only=True)
class TwikeyConnection:
    """How we reach one Twikey account; `api_url` includes `/creditor` and has no trailing slash."""

    api_url: str
    api_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One Teamleader account joined to one Twikey account.

    Whether auto-update is on and which state it is in is the ledger's; `auto_update` is only the first value.
    `revision` moves with every change. Webhook addresses of version `address_version` are valid, and of the one before
    it while a rotation is under way (`old_address_valid`).
    """

    id: str
    teamleader: TeamleaderConnection
    twikey: TwikeyConnection
    label: str = ""
    auto_update: bool = False
    profile: str = ""
    cc_parameter: str = "cc"
    default_language: str = ""
    default_country: str = "BE"
    customer_number_prefix: str = ""
    clear_empty: bool = False
    create_unknown: bool = True
    extra_event_types: tuple[str, ...] = ()
    revision: int = 0
    address_version: int = 0
    old_address_valid: bool = False

    @property
    def name(self) -> str:
        """For people."""
        return self.label or self.id

    @property
    def address_versions(self) -> tuple[int, ...]:
        """The versions of our webhook address that are valid now, newest first."""
        return (self.address_version, self.address_version - 1) if self.old_address_valid else (self.address_version,)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an integration. `default` None = required; `fixed`: set when it is added, never changed by `set`."""

    name: str
    variable: str
    default: str | None
    meaning: str
    parse: Callable[[str], Any] = str
    secret: bool = False
    fixed: bool = False


OPTIONS: tuple[Option, ...] = (
    Option("label", "TLTW_LABEL", "", "A name of the integration for people, for example the merchant's.", parse.label),
    Option("auto_update", "TLTW_AUTO_UPDATE", "off", "First value of the option Import invoices and update customers automatically; operators change it later.", parse.switch, fixed=True),
    Option("update_only", "TLTW_UPDATE_ONLY", "off", "on: a customer that Twikey does not know is not created by an edit in Teamleader.", parse.switch),
    Option("extra_event_types", "TLTW_EXTRA_EVENT_TYPES", "", f"Event types of Teamleader to listen to beyond the usual, comma-separated: {', '.join(parse.EXTRA_EVENT_TYPES)}.", parse.extra_event_types),
    Option("teamleader_refresh_token", "TLTW_TEAMLEADER_REFRESH_TOKEN", "", "A refresh token to start with; the rotated ones live in the store. Empty: connect in the console or with tltw integration connect.", secret=True, fixed=True),
    Option("teamleader_calls_per_minute", "TLTW_TEAMLEADER_CALLS_PER_MINUTE", "190", "Calls per sliding minute we allow ourselves; Teamleader allows 200.", parse.positive),
    Option("twikey_url", "TLTW_TWIKEY_API_URL", None, "Base URL shown beside the Twikey API key, including /creditor.", parse.twikey_url),
    Option("twikey_key", "TLTW_TWIKEY_API_TOKEN", None, "The Twikey API key.", parse.needed, secret=True),
    Option("profile", "TLTW_TWIKEY_PROFILE", "", "Profile (ct) that new customers get.", parse.profile),
    Option("cc_parameter", "TLTW_TWIKEY_CC_PARAMETER", "cc", "Twikey parameter that carries the CC address; off = CC is not sent. Unproven at Twikey, see docs/field-map.md.", parse.parameter),
    Option("default_language", "TLTW_DEFAULT_LANGUAGE", "", "Language of customers whose own is unknown to Twikey.", parse.language),
    Option("default_country", "TLTW_DEFAULT_COUNTRY", "BE", "Country of phone numbers without one.", parse.country),
    Option("customer_number_prefix", "TLTW_CUSTOMER_NUMBER_PREFIX", "", "Put before the Teamleader id to make the Twikey customer number: letters, digits, dots, hyphens and underscores, a letter or digit first, at most 14.", parse.number_prefix),
    Option("clear_empty", "TLTW_CLEAR_EMPTY", "off", "on: what was emptied in Teamleader is emptied in Twikey. Unproven at Twikey.", parse.switch),
    Option("teamleader_client_id", "", "", "Client id of a Teamleader integration of its own; empty: the deployment's."),
    Option("teamleader_client_secret", "", "", "Client secret that belongs to it.", secret=True),
)  # fmt: skip
BY_NAME = {option.name: option for option in OPTIONS}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamleaderApp:
    """What all integrations of a deployment share unless they say otherwise: where Teamleader is, and our registration there."""

    api_url: str
    auth_url: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)


def parsed(texts: Mapping[str, str]) -> dict[str, Any]:
    """The value of every option, defaults included; raises `OptionsWrong` naming all that need attention."""
    values: dict[str, Any] = {}
    problems = {name: "there is no such option" for name in texts if name not in BY_NAME}
    for option in OPTIONS:
        text = texts.get(option.name, "").strip() or option.default
        try:
            if text is None:
                raise ValueError("missing")
            values[option.name] = option.parse(text)
        except ValueError as wrong:
            problems[option.name] = str(wrong)
    if problems:
        raise OptionsWrong(problems)
    return values


def integration_from(
    integration_id: str,
    texts: Mapping[str, str],
    app: TeamleaderApp,
    *,
    revision: int = 0,
    address_version: int = 0,
    old_address_valid: bool = False,
) -> Integration:
    """An integration of its options as texts; raises `OptionsWrong`."""
    of = parsed(texts)
    own_app = bool(of["teamleader_client_id"])
    return Integration(
        id=integration_id,
        label=of["label"],
        auto_update=of["auto_update"],
        create_unknown=not of["update_only"],
        extra_event_types=of["extra_event_types"],
        profile=of["profile"],
        cc_parameter=of["cc_parameter"],
        default_language=of["default_language"],
        default_country=of["default_country"],
        customer_number_prefix=of["customer_number_prefix"],
        clear_empty=of["clear_empty"],
        teamleader=TeamleaderConnection(
            api_url=app.api_url,
            auth_url=app.auth_url,
            client_id=of["teamleader_client_id"] if own_app else app.client_id,
            client_secret=of["teamleader_client_secret"] if own_app else app.client_secret,
            refresh_token=of["teamleader_refresh_token"],
            calls_per_minute=of["teamleader_calls_per_minute"],
        ),
        twikey=TwikeyConnection(api_url=of["twikey_url"], api_token=of["twikey_key"]),
        revision=revision,
        address_version=address_version,
        old_address_valid=old_address_valid,
    )
