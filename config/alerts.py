"""Where alerts go: the channels of a deployment, and how their settings are read. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from config.parse import LOOPBACK

SUBMISSION_PORT, SUBMISSIONS_PORT = 587, 465
LOOKS_LIKE = "not a mail server; it should look like smtp://user:password@host:587 or smtps://user:password@host"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """A mail server. `starttls` is what we insist on; on this very machine it is used when offered."""

    host: str
    port: int
    security: Literal["tls", "starttls", "if_offered"]
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """The channels that are configured beside the log. Addresses of webhooks are secrets: whoever knows one can post."""

    email_to: tuple[str, ...] = field(default=(), repr=False)
    email_from: str = field(default="", repr=False)
    smtp: SmtpServer | None = None
    webhook_url: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    slack_url: str = field(default="", repr=False)


def smtp_server(text: str) -> SmtpServer | None:
    """Reads `smtp://user:password@host:587` (STARTTLS) or `smtps://…` (TLS from the start). Raises ValueError."""
    if not text:
        return None
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError(LOOKS_LIKE) from None
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(LOOKS_LIKE)
    if bool(parts.username) != bool(parts.password):
        raise ValueError("a user name without a password, or the other way round; write @ and / in them as %40 and %2F")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not (user + password).isascii():
        raise ValueError("user name and password may only hold letters, digits and signs of ASCII")
    return SmtpServer(
        host=parts.hostname,
        port=port or (SUBMISSIONS_PORT if parts.scheme == "smtps" else SUBMISSION_PORT),
        security="tls" if parts.scheme == "smtps" else "if_offered" if parts.hostname in LOOPBACK else "starttls",
        user=user,
        password=password,
    )


def mail_addresses(text: str) -> tuple[str, ...]:
    """Reads addresses with commas between them. Raises ValueError, which does not repeat them."""
    return tuple(_mail_address(part.strip()) for part in text.split(",") if part.strip())


def mail_address(text: str) -> str:
    """Reads one address, or none. Raises ValueError."""
    return _mail_address(text) if text else ""


def receiver_url(text: str) -> str:
    """Reads the address of a webhook that we call. Raises ValueError, which does not repeat it.

    Unlike an API's address it may hold a query: several chat services put their key there.
    """
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
        raise ValueError("not an address; it should look like https://host/path")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must start with https:// (plain http is allowed on this machine only)")
    return text


def problems(values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with these settings together, by variable. One that could not be read is not named again."""

    def given(name: str) -> bool:
        return bool(values.get(name, True))

    found: dict[str, str] = {}
    mail = ("TLTW_ALERT_EMAIL_TO", "TLTW_ALERT_EMAIL_FROM", "TLTW_SMTP_URL")
    webhook = ("TLTW_ALERT_WEBHOOK_URL", "TLTW_ALERT_WEBHOOK_SECRET")
    for together in (mail, webhook):
        present = [name for name in together if given(name)]
        if present:
            found |= {name: f"missing: {present[0]} is set" for name in together if not given(name)}
    return found


def alert_settings(values: Mapping[str, Any]) -> AlertSettings:
    """The settings as one record; `values` have been read and found right."""
    return AlertSettings(
        email_to=values["TLTW_ALERT_EMAIL_TO"],
        email_from=values["TLTW_ALERT_EMAIL_FROM"],
        smtp=values["TLTW_SMTP_URL"],
        webhook_url=values["TLTW_ALERT_WEBHOOK_URL"],
        webhook_secrets=values["TLTW_ALERT_WEBHOOK_SECRET"],
        slack_url=values["TLTW_ALERT_SLACK_URL"],
    )


def _mail_address(text: str) -> str:
    try:
        address = Address(addr_spec=text)
    except (HeaderParseError, ValueError, IndexError):
        address = Address()
    if not address.username or not address.domain or address.addr_spec != text or not text.isascii():
        raise ValueError("not an e-mail address; several are written with commas between them")
    return text
