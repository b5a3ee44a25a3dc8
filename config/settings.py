"""All settings of a deployment: read once at boot, checked together, never at import.

Every variable can also be given as a file: `TLTW_SECRET_KEY_FILE=/run/secrets/key` holds the value of `TLTW_SECRET_KEY`.
`docs/configuration.md` is generated from the table below.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from dotenv import load_dotenv
from redis import Redis

from config import alerts, parse
from config.integrations import OPTIONS, TeamleaderApp


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


def _redis_url(text: str) -> str:
    try:
        if text:
            Redis.from_url(text)  # understands the address; connects only when used
    except ValueError:
        raise ValueError("not the address of a Redis; it should look like redis://host:6379/0") from None
    return text


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: read(text) if text else ""


def _days(text: str) -> timedelta:
    if not text.isdigit() or int(text) > 3650:
        raise ValueError("a whole number of days, 0 or more")
    return timedelta(days=int(text))


def _folder(text: str) -> Path | None:
    return Path(text).absolute() if text else None


# The options of the first integration that make it one: when any of them is set all that are needed must be.
DESCRIBES_THE_FIRST = ("TLTW_TEAMLEADER_REFRESH_TOKEN", "TLTW_TWIKEY_API_URL", "TLTW_TWIKEY_API_TOKEN")
NEEDED_BY_THE_FIRST = ("TLTW_TWIKEY_API_URL", "TLTW_TWIKEY_API_TOKEN")

TABLE: tuple[Variable, ...] = (
    Variable("TLTW_REDIS_URL", "", "The Redis (6.2 or newer) or Valkey that keeps everything. Empty: an embedded Valkey.", _redis_url),
    Variable("TLTW_QUEUE_REDIS_URL", "", "Where Dramatiq queues. Empty: the next database number of the same server.", _redis_url),
    Variable("TLTW_DATA_DIR", "data", "Folder of the embedded store.", Path),
    Variable("TLTW_SECRET_KEY", None, "Fernet keys, newest first, comma-separated. They encrypt tokens in the store.", parse.fernet_keys, True),
    Variable("TLTW_WEBHOOK_KEY", None, "Keys of the signed webhook address, newest first, comma-separated.", parse.webhook_keys, True),
    Variable("TLTW_EVENTS_SECRET", "", "Standard Webhooks secrets (whsec_…) of invoice-import events. Empty: that way in is closed.", parse.event_secrets, True),
    Variable("TLTW_PUBLIC_URL", None, "The https address under which Teamleader reaches the web process.", parse.url),
    Variable("TLTW_WEB_HOST", "127.0.0.1", "Address the web process listens on; 0.0.0.0 inside a container."),
    Variable("TLTW_WEB_PORT", "8000", "Port of the web process (webhooks).", parse.port),
    Variable("TLTW_WORKER_THREADS", "32", "Customers one worker process handles at a time.", parse.positive),
    Variable("TLTW_BULK_THREADS", "4", "Bulk jobs (sweep, comparison, export, …) one bulk process works on at a time.", parse.positive),
    Variable("TLTW_COMPARE_EVERY_DAYS", "7", "How often all customers are compared with Twikey (tltw drift) by the clock. 0: never.", _days),
    Variable("TLTW_CONSOLE_URL", "", "The https address at which operators open the console. Empty: http://127.0.0.1 and its port, this machine only.", parse.console_url),
    Variable("TLTW_CONSOLE_HOST", "127.0.0.1", "Address the console listens on; 0.0.0.0 inside a container, with a proxy in front."),
    Variable("TLTW_CONSOLE_PORT", "8001", "Port of the console. Never the same as the web process: that one is public.", parse.port),
    Variable("TLTW_CONSOLE_PROXIES", "0", "How many proxies in front of the console set X-Forwarded-For and X-Forwarded-Host. 0: these headers are ignored.", parse.count),
    Variable("TLTW_TWIKEY_CUSTOMER_URL", "", "Address of a customer's page in Twikey's web application, with {customerNumber} where the number stands: the console links there. Empty: no link (docs/connect.md says how to find yours).", parse.customer_page),
    Variable("TLTW_FILES_DIR", "", "Folder of Shared files and of exports and imports under way. Every process that runs these, and every command that lists them, must see the same folder; no other deployment may use it. Empty: files in TLTW_DATA_DIR.", _folder),
    Variable("TLTW_FILES_KEPT_DAYS", "14", "Days after which a shared file is deleted.", parse.positive),
    Variable("TLTW_TWIKEY_CALLS_PER_MINUTE", "300", "Calls per minute that an import makes at Twikey, which does not publish its limit. Live work is not counted.", parse.positive),
    Variable("TLTW_TEAMLEADER_CLIENT_ID", "", "Client id of your Teamleader integration. Needed to connect accounts."),
    Variable("TLTW_TEAMLEADER_CLIENT_SECRET", "", "Its client secret.", secret=True),
    Variable("TLTW_TEAMLEADER_API_URL", "https://api.focus.teamleader.eu", "Teamleader's API.", parse.url),
    Variable("TLTW_TEAMLEADER_AUTH_URL", "https://focus.teamleader.eu", "Teamleader's sign-in.", parse.url),
    Variable("TLTW_INTEGRATION", "default", "Name of the first integration, and of the one that commands mean when you name none.", parse.integration_id),
    *(
        # A required option is only required when there is a first integration (see _first).
        Variable(option.variable, option.default or "", option.meaning, option.parse if option.default is not None else _optional(option.parse), option.secret)
        for option in OPTIONS if option.variable
    ),
    Variable("TLTW_RELAY_HMAC_HEADER", "", "Header of an HMAC that a gateway in front of us adds. Empty: none is demanded."),
    Variable("TLTW_RELAY_HMAC_SECRET", "", "Its secret.", secret=True),
    Variable("TLTW_RELAY_HMAC_ENCODING", "hex", "hex or base64."),
    Variable("TLTW_ALERT_EMAIL_TO", "", "Who gets alerts by e-mail, comma-separated. Empty: nobody; alerts are always in the log too.", alerts.mail_addresses),
    Variable("TLTW_ALERT_EMAIL_FROM", "", "The sender of these e-mails.", alerts.mail_address),
    Variable("TLTW_SMTP_URL", "", "The mail server: smtp://user:password@host:587 (STARTTLS) or smtps://… (TLS). Write @ and / in user or password as %40 and %2F.", alerts.smtp_server, True),
    Variable("TLTW_ALERT_WEBHOOK_URL", "", "An address that alerts are posted to, signed as Standard Webhooks.", alerts.receiver_url, True),
    Variable("TLTW_ALERT_WEBHOOK_SECRET", "", "Its Standard Webhooks secrets (whsec_…), comma-separated; each signs.", parse.event_secrets, True),
    Variable("TLTW_ALERT_SLACK_URL", "", "An incoming webhook of Slack, or of a chat that understands the same (Mattermost, Rocket.Chat, Discord with /slack).", alerts.receiver_url, True),
    Variable("TLTW_LOG_FORMAT", "auto", "json, console, or auto: console on a terminal. Processes log to standard output; commands only warnings, to standard error."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """The integration that the environment describes: its id and its options as texts."""

    id: str
    options: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one deployment. `first`: None when the environment describes no integration."""

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
    compare_every: timedelta
    console_url: str
    console_host: str
    console_port: int
    console_proxies: int
    twikey_customer_url: str
    twikey_calls_per_minute: int
    files_dir: Path
    files_kept: timedelta
    relay_hmac_header: str
    relay_hmac_secret: str = field(repr=False)
    relay_hmac_encoding: str
    log_format: str
    alerts: alerts.AlertSettings
    teamleader: TeamleaderApp
    default_integration: str
    first: First | None

    @property
    def embedded(self) -> bool:
        """Whether we run the store ourselves."""
        return not self.redis_url


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads and checks every setting; raises `SettingsWrong` naming all that need attention."""
    values, texts, problems = _read(os.environ if environment is None else environment)
    if values.get("TLTW_RELAY_HMAC_HEADER") and not values.get("TLTW_RELAY_HMAC_SECRET"):
        problems["TLTW_RELAY_HMAC_SECRET"] = "missing: TLTW_RELAY_HMAC_HEADER is set"  # noqa: S105 # a sentence
    if values.get("TLTW_RELAY_HMAC_ENCODING") not in ("hex", "base64"):
        problems["TLTW_RELAY_HMAC_ENCODING"] = "say hex or base64"
    if values.get("TLTW_CONSOLE_PORT") == values.get("TLTW_WEB_PORT") is not None:
        problems["TLTW_CONSOLE_PORT"] = "must differ from TLTW_WEB_PORT: the console is not public"
    if values.get("TLTW_LOG_FORMAT") not in ("auto", "json", "console"):
        problems["TLTW_LOG_FORMAT"] = "say auto, json or console"
    problems |= alerts.problems(values)
    if any(texts.get(name) for name in DESCRIBES_THE_FIRST):
        problems |= {
            name: f"missing: the first integration needs it. {_meaning(name)}"
            for name in NEEDED_BY_THE_FIRST
            if name not in problems and not texts.get(name)
        }
    if problems:
        raise SettingsWrong(problems)
    return _settings(values, texts)


def read_env_file(path: Path) -> None:
    """Adds the variables of a `.env` file to the environment; what is set already stays."""
    load_dotenv(path, override=False)


def _read(environment: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str], dict[str, str]]:
    values: dict[str, Any] = {}
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    for variable in TABLE:
        try:
            texts[variable.name] = _text(variable, environment)
            values[variable.name] = variable.parse(texts[variable.name])
        except (ValueError, OSError) as error:
            problems[variable.name] = str(error) if isinstance(error, ValueError) else "its file cannot be read"
    return values, texts, problems


def _text(variable: Variable, environment: Mapping[str, str]) -> str:
    file = environment.get(variable.name + "_FILE", "")
    text = Path(file).read_text().strip() if file else environment.get(variable.name, "").strip()
    if text:
        return text
    if variable.default is None:
        raise ValueError(f"missing. {variable.meaning}")
    return variable.default


def _meaning(name: str) -> str:
    return next(variable.meaning for variable in TABLE if variable.name == name)


def _settings(values: Mapping[str, Any], texts: Mapping[str, str]) -> Settings:
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
        compare_every=of("COMPARE_EVERY_DAYS"),
        console_url=of("CONSOLE_URL") or f"http://127.0.0.1:{of('CONSOLE_PORT')}",
        console_host=of("CONSOLE_HOST"),
        console_port=of("CONSOLE_PORT"),
        console_proxies=of("CONSOLE_PROXIES"),
        twikey_customer_url=of("TWIKEY_CUSTOMER_URL"),
        twikey_calls_per_minute=of("TWIKEY_CALLS_PER_MINUTE"),
        files_dir=of("FILES_DIR") or of("DATA_DIR").absolute() / "files",
        files_kept=timedelta(days=of("FILES_KEPT_DAYS")),
        relay_hmac_header=of("RELAY_HMAC_HEADER"),
        relay_hmac_secret=of("RELAY_HMAC_SECRET"),
        relay_hmac_encoding=of("RELAY_HMAC_ENCODING"),
        log_format=of("LOG_FORMAT"),
        alerts=alerts.alert_settings(values),
        teamleader=TeamleaderApp(
            api_url=of("TEAMLEADER_API_URL"),
            auth_url=of("TEAMLEADER_AUTH_URL"),
            client_id=of("TEAMLEADER_CLIENT_ID"),
            client_secret=of("TEAMLEADER_CLIENT_SECRET"),
        ),
        default_integration=of("INTEGRATION"),
        first=_first(of("INTEGRATION"), texts),
    )


def _first(name: str, texts: Mapping[str, str]) -> First | None:
    if not any(texts.get(variable) for variable in DESCRIBES_THE_FIRST):
        return None
    return First(id=name, options={option.name: texts[option.variable] for option in OPTIONS if option.variable})
