"""All settings of a deployment: read once at boot, checked together, never at import.

Every variable can also be given as a file: `TLTW_SECRET_KEY_FILE=/run/secrets/key` holds the value of `TLTW_SECRET_KEY`.
`docs/configuration.md` is generated from the table below.
"""

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from dotenv import load_dotenv
from redis import Redis

from config.integrations import INTEGRATION_ID, Integration, TeamleaderConnection, TwikeyConnection

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
LANGUAGES = frozenset({"en", "nl", "fr", "de", "es", "it", "pt"})


class SettingsWrong(Exception):
    """One or more settings are missing or wrong. `problems` maps each variable to a sentence."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {sentence}" for name, sentence in self.problems.items()]
        super().__init__("These settings need attention:\n" + "\n".join(lines))


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: how it is read, its default (None = required) and what it means."""

    name: str
    default: str | None
    meaning: str
    parse: Callable[[str], Any] = str
    secret: bool = False


def _switch(text: str) -> bool:
    words = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError("say on or off")
    return words[text.lower()]


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address; it should look like https://host/path")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must start with https:// (plain http is allowed on this machine only)")
    if parts.query or parts.fragment:
        raise ValueError("must not hold a ? or #")
    return text.rstrip("/")


def _twikey_url(text: str) -> str:
    url = _url(text)
    if not url.endswith("/creditor"):
        raise ValueError("must end in /creditor; Twikey shows it beside the API key as Base URL")
    return url


def _redis_url(text: str) -> str:
    try:
        if text:
            Redis.from_url(text)  # understands the address; connects only when used
    except ValueError:
        raise ValueError("not the address of a Redis; it should look like redis://host:6379/0") from None
    return text


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("not a port number")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError("not a number above zero")
    return int(text)


def _folder(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _fernet_keys(text: str) -> tuple[str, ...]:
    keys = _some(text)
    for key in keys:
        try:
            Fernet(key)
        except (ValueError, binascii.Error):
            raise ValueError("not a Fernet key; make one with: tltw new-key") from None
    return keys


def _webhook_keys(text: str) -> tuple[str, ...]:
    keys = _some(text)
    if any(len(key) < 32 for key in keys):
        raise ValueError("each key needs at least 32 characters; make one with: tltw new-key")
    return keys


def _event_secrets(text: str) -> tuple[str, ...]:
    keys = _list(text)
    for key in keys:
        try:
            long_enough = len(base64.b64decode(key.removeprefix("whsec_"), validate=True)) >= 24
        except binascii.Error:
            long_enough = False
        if not key.startswith("whsec_") or not long_enough:
            raise ValueError("must be whsec_ followed by base64 of at least 24 bytes (Standard Webhooks)")
    return keys


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _some(text: str) -> tuple[str, ...]:
    if keys := _list(text):
        return keys
    raise ValueError("holds no key; make one with: tltw new-key")


def _integration_id(text: str) -> str:
    if not INTEGRATION_ID.fullmatch(text):
        raise ValueError("small letters, digits and dashes only, at most 40")
    return text


def _language(text: str) -> str:
    if text and text not in LANGUAGES:
        raise ValueError("one of " + " ".join(sorted(LANGUAGES)))
    return text


def _profile(text: str) -> str:
    if text and (not text.isdigit() or len(text) > 4):
        raise ValueError("the number of a Twikey profile (ct), at most four digits")
    return text


def _country(text: str) -> str:
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise ValueError("two letters, for example BE")
    return text.upper()


TABLE: tuple[Variable, ...] = (
    Variable("TLTW_REDIS_URL", "", "The Redis (6.2 or newer) or Valkey that keeps everything. Empty: an embedded Valkey.", _redis_url),
    Variable("TLTW_QUEUE_REDIS_URL", "", "Where Dramatiq queues. Empty: the next database number of the same server.", _redis_url),
    Variable("TLTW_DATA_DIR", "data", "Folder of the embedded store.", Path),
    Variable("TLTW_SECRET_KEY", None, "Fernet keys, newest first, comma-separated. They encrypt tokens in the store.", _fernet_keys, True),
    Variable("TLTW_WEBHOOK_KEY", None, "Keys of the signed webhook address, newest first, comma-separated.", _webhook_keys, True),
    Variable("TLTW_EVENTS_SECRET", "", "Standard Webhooks secrets (whsec_…) of invoice-import events. Empty: that way in is closed.", _event_secrets, True),
    Variable("TLTW_PUBLIC_URL", None, "The https address under which Teamleader reaches the web process.", _url),
    Variable("TLTW_WEB_HOST", "127.0.0.1", "Address the web process listens on; 0.0.0.0 inside a container."),
    Variable("TLTW_WEB_PORT", "8000", "Port of the web process (webhooks).", _port),
    Variable("TLTW_WORKER_THREADS", "16", "Customers one worker process handles at a time.", _positive),
    Variable("TLTW_BULK_THREADS", "4", "Bulk jobs (sweep, comparison, export, …) one bulk process works on at a time.", _positive),
    Variable("TLTW_FILES_DIR", "", "Folder of Shared files and of exports and imports under way. Every process that runs these, and every command that lists them, must see the same folder. Empty: files in TLTW_DATA_DIR.", _folder),
    Variable("TLTW_FILES_KEPT_DAYS", "14", "Days after which a shared file is deleted.", _positive),
    Variable("TLTW_INTEGRATION", "default", "Name of the first integration.", _integration_id),
    Variable("TLTW_AUTO_UPDATE", "off", "First value of the option Import invoices and update customers automatically; operators change it later.", _switch),
    Variable("TLTW_UPDATE_ONLY", "off", "on: a customer that Twikey does not know is not created by an edit in Teamleader.", _switch),
    Variable("TLTW_SYNC_ADDED", "off", "on: customers that are added in Teamleader are synced too, not only edited and invoiced ones.", _switch),
    Variable("TLTW_TEAMLEADER_CLIENT_ID", None, "Client id of your Teamleader integration."),
    Variable("TLTW_TEAMLEADER_CLIENT_SECRET", None, "Its client secret.", secret=True),
    Variable("TLTW_TEAMLEADER_REFRESH_TOKEN", None, "A refresh token to start with; the rotated ones live in the store.", secret=True),
    Variable("TLTW_TEAMLEADER_API_URL", "https://api.focus.teamleader.eu", "Teamleader's API.", _url),
    Variable("TLTW_TEAMLEADER_AUTH_URL", "https://focus.teamleader.eu", "Teamleader's sign-in.", _url),
    Variable("TLTW_TEAMLEADER_CALLS_PER_MINUTE", "190", "Calls per sliding minute we allow ourselves; Teamleader allows 200.", _positive),
    Variable("TLTW_TWIKEY_API_URL", None, "Base URL shown beside the Twikey API key, including /creditor.", _twikey_url),
    Variable("TLTW_TWIKEY_API_TOKEN", None, "The Twikey API key.", secret=True),
    Variable("TLTW_TWIKEY_PROFILE", "", "Profile (ct) that new customers get.", _profile),
    Variable("TLTW_TWIKEY_CC_PARAMETER", "cc", "Twikey parameter that carries the CC address. Empty: CC is not sent. Unproven at Twikey, see docs/field-map.md."),
    Variable("TLTW_TWIKEY_CALLS_PER_MINUTE", "300", "Calls per minute that an import may make at Twikey, which does not publish its limit. Live work is not counted.", _positive),
    Variable("TLTW_DEFAULT_LANGUAGE", "", "Language of customers whose own is unknown to Twikey.", _language),
    Variable("TLTW_DEFAULT_COUNTRY", "BE", "Country of phone numbers without one.", _country),
    Variable("TLTW_CUSTOMER_NUMBER_PREFIX", "", "Put before the Teamleader id to make the Twikey customer number."),
    Variable("TLTW_CLEAR_EMPTY", "off", "on: what was emptied in Teamleader is emptied in Twikey. Unproven at Twikey.", _switch),
    Variable("TLTW_RELAY_HMAC_HEADER", "", "Header of an HMAC that a gateway in front of us adds. Empty: none is demanded."),
    Variable("TLTW_RELAY_HMAC_SECRET", "", "Its secret.", secret=True),
    Variable("TLTW_RELAY_HMAC_ENCODING", "hex", "hex or base64."),
    Variable("TLTW_LOG_FORMAT", "auto", "json, console, or auto: console on a terminal."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one deployment."""

    redis_url: str
    queue_redis_url: str
    data_dir: Path
    secret_keys: tuple[str, ...] = field(repr=False)
    webhook_keys: tuple[str, ...] = field(repr=False)
    event_secrets: tuple[str, ...] = field(repr=False)
    public_url: str
    web_host: str
    web_port: int
    worker_threads: int
    bulk_threads: int
    twikey_calls_per_minute: int
    files_dir: Path
    files_kept: timedelta
    relay_hmac_header: str
    relay_hmac_secret: str = field(repr=False)
    relay_hmac_encoding: str
    log_format: str
    integration: Integration

    @property
    def embedded(self) -> bool:
        """Whether we run the store ourselves."""
        return not self.redis_url


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks every setting; raises `SettingsWrong` naming all that need attention."""
    values, problems = _read(os.environ if environment is None else environment)
    if values.get("TLTW_RELAY_HMAC_HEADER") and not values.get("TLTW_RELAY_HMAC_SECRET"):
        problems["TLTW_RELAY_HMAC_SECRET"] = "missing: TLTW_RELAY_HMAC_HEADER is set"  # noqa: S105 # a sentence
    if values.get("TLTW_RELAY_HMAC_ENCODING") not in ("hex", "base64"):
        problems["TLTW_RELAY_HMAC_ENCODING"] = "say hex or base64"
    if values.get("TLTW_LOG_FORMAT") not in ("auto", "json", "console"):
        problems["TLTW_LOG_FORMAT"] = "say auto, json or console"
    if problems:
        raise SettingsWrong(problems)
    return _settings(values)


def read_env_file(path: Path) -> None:
    """Adds the variables of a `.env` file to the environment; what is set already stays."""
    load_dotenv(path, override=False)


def _read(environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for variable in TABLE:
        try:
            text = _text(variable, environment)
            values[variable.name] = variable.parse(text)
        except (ValueError, OSError) as error:
            problems[variable.name] = str(error) if isinstance(error, ValueError) else "its file cannot be read"
    return values, problems


def _text(variable: Variable, environment: Mapping[str, str]) -> str:
    file = environment.get(variable.name + "_FILE", "")
    text = Path(file).read_text().strip() if file else environment.get(variable.name, "").strip()
    if text:
        return text
    if variable.default is None:
        raise ValueError(f"missing. {variable.meaning}")
    return variable.default


def _settings(values: Mapping[str, Any]) -> Settings:
    def of(name: str) -> Any:
        return values["TLTW_" + name]

    return Settings(
        redis_url=of("REDIS_URL"),
        queue_redis_url=of("QUEUE_REDIS_URL"),
        data_dir=of("DATA_DIR").absolute(),
        secret_keys=of("SECRET_KEY"),
        webhook_keys=of("WEBHOOK_KEY"),
        event_secrets=of("EVENTS_SECRET"),
        public_url=of("PUBLIC_URL"),
        web_host=of("WEB_HOST"),
        web_port=of("WEB_PORT"),
        worker_threads=of("WORKER_THREADS"),
        bulk_threads=of("BULK_THREADS"),
        twikey_calls_per_minute=of("TWIKEY_CALLS_PER_MINUTE"),
        files_dir=of("FILES_DIR") or of("DATA_DIR").absolute() / "files",
        files_kept=timedelta(days=of("FILES_KEPT_DAYS")),
        relay_hmac_header=of("RELAY_HMAC_HEADER"),
        relay_hmac_secret=of("RELAY_HMAC_SECRET"),
        relay_hmac_encoding=of("RELAY_HMAC_ENCODING"),
        log_format=of("LOG_FORMAT"),
        integration=Integration(
            id=of("INTEGRATION"),
            auto_update=of("AUTO_UPDATE"),
            create_unknown=not of("UPDATE_ONLY"),
            sync_added=of("SYNC_ADDED"),
            profile=of("TWIKEY_PROFILE"),
            cc_parameter=_cc(of("TWIKEY_CC_PARAMETER")),
            default_language=of("DEFAULT_LANGUAGE"),
            default_country=of("DEFAULT_COUNTRY"),
            customer_number_prefix=of("CUSTOMER_NUMBER_PREFIX"),
            clear_empty=of("CLEAR_EMPTY"),
            teamleader=TeamleaderConnection(
                api_url=of("TEAMLEADER_API_URL"),
                auth_url=of("TEAMLEADER_AUTH_URL"),
                client_id=of("TEAMLEADER_CLIENT_ID"),
                client_secret=of("TEAMLEADER_CLIENT_SECRET"),
                refresh_token=of("TEAMLEADER_REFRESH_TOKEN"),
                calls_per_minute=of("TEAMLEADER_CALLS_PER_MINUTE"),
            ),
            twikey=TwikeyConnection(api_url=of("TWIKEY_API_URL"), api_token=of("TWIKEY_API_TOKEN")),
        ),
    )


def _cc(text: str) -> str:
    return "" if text.lower() in ("off", "none", "-") else text
