"""Readers of single settings: a text in, a value out, or a `ValueError` whose sentence says what would be right."""

import base64
import binascii
import re
from urllib.parse import SplitResult, urlsplit

from cryptography.fernet import Fernet

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# Stands for the number of a customer in the address of its page.
CUSTOMER_NUMBER = "{customerNumber}"
LANGUAGES = frozenset({"en", "nl", "fr", "de", "es", "it", "pt"})
INTEGRATION_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
# What Teamleader can tell us about beyond what we always listen to (event types of webhooks.register in its
# OpenAPI 1.112, looked up 2026-11-22).
EXTRA_EVENT_TYPES = ("contact.added", "company.added", "invoice.updated")


def switch(text: str) -> bool:
    words = {"on": True, "true": True, "1": True, "yes": True, "off": False, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise ValueError("say on or off")
    return words[text.lower()]


def url(text: str) -> str:
    parts = _address(text)
    if parts.query or parts.fragment:
        raise ValueError("must not hold a ? or #")
    return text.rstrip("/")


def customer_page(text: str) -> str:
    """The address of the page of any customer, with `CUSTOMER_NUMBER` in the place of its number; or nothing."""
    if not text:
        return ""
    parts = _address(text)
    if CUSTOMER_NUMBER in parts.netloc or text.count(CUSTOMER_NUMBER) != 1:
        raise ValueError(f"must hold {CUSTOMER_NUMBER} once, where the number of the customer stands, after the host")
    if not text.isprintable() or " " in text or set("{}\"'<>\\") & set(text.replace(CUSTOMER_NUMBER, "")):
        raise ValueError("holds a character that no address has")
    return text


def _address(text: str) -> SplitResult:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an address; it should look like https://host/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must start with https:// (plain http is allowed on this machine only)")
    return parts


def console_url(text: str) -> str:
    if text and urlsplit(url(text)).path:
        raise ValueError("must not hold a path: the console needs a host name of its own")
    return url(text) if text else ""


def twikey_url(text: str) -> str:
    address = url(text)
    if not address.endswith("/creditor"):
        raise ValueError("must end in /creditor; Twikey shows it beside the API key as Base URL")
    return address


def port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ValueError("not a port number")
    return int(text)


def positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ValueError("not a number above zero")
    return int(text)


def count(text: str) -> int:
    if not text.isdigit() or int(text) > 9:
        raise ValueError("not a number from 0 to 9")
    return int(text)


def fernet_keys(text: str) -> tuple[str, ...]:
    keys = _some(text)
    for key in keys:
        try:
            Fernet(key)
        except (ValueError, binascii.Error):
            raise ValueError("not a Fernet key; make one with: tltw new-key") from None
    return keys


def webhook_keys(text: str) -> tuple[str, ...]:
    keys = _some(text)
    if any(len(key) < 32 for key in keys):
        raise ValueError("each key needs at least 32 characters; make one with: tltw new-key")
    return keys


def event_secrets(text: str) -> tuple[str, ...]:
    keys = words(text)
    for key in keys:
        try:
            long_enough = len(base64.b64decode(key.removeprefix("whsec_"), validate=True)) >= 24
        except binascii.Error:
            long_enough = False
        if not key.startswith("whsec_") or not long_enough:
            raise ValueError("must be whsec_ followed by base64 of at least 24 bytes (Standard Webhooks)")
    return keys


def words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def integration_id(text: str) -> str:
    if not INTEGRATION_ID.fullmatch(text):
        raise ValueError("small letters, digits and dashes only, at most 40")
    return text


def label(text: str) -> str:
    if len(text) > 80 or not text.isprintable():
        raise ValueError("one line of at most 80 characters")
    return text


def needed(text: str) -> str:
    if not text:
        raise ValueError("missing")
    return text


def language(text: str) -> str:
    if text and text not in LANGUAGES:
        raise ValueError("one of " + " ".join(sorted(LANGUAGES)))
    return text


def profile(text: str) -> str:
    if text and (not text.isdigit() or len(text) > 4):
        raise ValueError("the number of a Twikey profile (ct), at most four digits")
    return text


def country(text: str) -> str:
    if len(text) != 2 or not text.isascii() or not text.isalpha():
        raise ValueError("two letters, for example BE")
    return text.upper()


def parameter(text: str) -> str:
    """The name of a request parameter; off, none and - mean none."""
    if text.lower() in ("off", "none", "-"):
        return ""
    if not re.fullmatch(r"\w{0,40}", text, re.ASCII):
        raise ValueError("letters, digits and _ only")
    return text


def number_prefix(text: str) -> str:
    """What a customer number may begin with (`mapping.USABLE_NUMBER`); it leaves room for the id of Teamleader, a UUID."""
    if text and not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,13}", text):
        raise ValueError("letters, digits, dots, hyphens and underscores only, a letter or digit first, at most 14")
    return text


def extra_event_types(text: str) -> tuple[str, ...]:
    given = words(text)
    if unknown := [one for one in given if one not in EXTRA_EVENT_TYPES]:
        raise ValueError(f"{', '.join(unknown)}: not one of {', '.join(EXTRA_EVENT_TYPES)}")
    return tuple(one for one in EXTRA_EVENT_TYPES if one in given)


def _some(text: str) -> tuple[str, ...]:
    if keys := words(text):
        return keys
    raise ValueError("holds no key; make one with: tltw new-key")
