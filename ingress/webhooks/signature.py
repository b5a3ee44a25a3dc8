"""Is it really theirs? Pure checks of tokens and signatures over raw bytes; no I/O, no parsing of bodies."""

import base64
import binascii
import hmac
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from config.webhook_address import version_of, webhook_token
from ingress.webhooks.refusals import Reason, Refused

# As the Standard Webhooks library has it, in both directions.
TOLERANCE_SECONDS = 300
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
EVENT_ID = re.compile(r"[0-9A-Za-z_:@-]{1,128}")


def verify_token(keys: Sequence[str], integration: str, token: str) -> bool:
    """Whether the token of a webhook address was made with one of our keys for this integration.

    The work is the same for any token and any name, known or not: every key is tried, every comparison runs to its end.
    Whether the token's version is still valid is for the integration to say.
    """
    given = _bytes(token)
    name = _bytes(integration).decode("ascii", "replace")
    version = version_of(token)
    matches = [hmac.compare_digest(webhook_token(key, name, version).encode(), given) for key in keys]
    return any(matches)


@dataclass(frozen=True, slots=True)
class EventSecrets:
    """The Standard Webhooks secrets (`whsec_…`) of our own producers; any of them may sign.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (looked up 2026-11-23)
    """

    secrets: Sequence[str] = field(repr=False)

    def verify(self, raw: bytes, headers: Mapping[str, str]) -> str:
        """The id of a signed event; raises `Refused`. `headers`: those three, by their names in small letters."""
        if not self.secrets:
            raise Refused(Reason.EVENTS_NOT_CONFIGURED)
        if not all(headers.get(name) for name in (ID, TIMESTAMP, SIGNATURE)):
            raise Refused(Reason.SIGNATURE_MISSING)
        if not any(_signed_with(secret, raw, headers) for secret in self.secrets):
            raise Refused(_why_not(headers[TIMESTAMP]))
        if not EVENT_ID.fullmatch(headers[ID]):
            raise Refused(Reason.WRONG_SHAPE, ID)
        return headers[ID]


@dataclass(frozen=True, slots=True)
class RelayHmac:
    """An HMAC-SHA256 over the raw body that a gateway in front of us adds to what Teamleader sends."""

    header: str
    secret: str = field(repr=False)
    encoding: Literal["hex", "base64"] = "hex"

    def verify(self, raw: bytes, given: str) -> None:
        """Raises `Refused` unless the header's value is the HMAC of the body. A `sha256=` before it is tolerated."""
        if not given:
            raise Refused(Reason.SIGNATURE_MISSING)
        if not hmac.compare_digest(hmac.digest(self.secret.encode(), raw, "sha256"), self._decoded(given)):
            raise Refused(Reason.SIGNATURE_WRONG)

    def _decoded(self, given: str) -> bytes:
        text = given.strip().removeprefix("sha256=")
        try:
            return bytes.fromhex(text) if self.encoding == "hex" else base64.b64decode(text, validate=True)
        except ValueError:
            return b""


def _signed_with(secret: str, raw: bytes, headers: Mapping[str, str]) -> bool:
    try:
        Webhook(secret).verify(raw, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError, binascii.Error, OverflowError):
        # ValueError: the library trips over a signature header without a comma, and over bytes that are not UTF-8.
        return False
    return True


def _why_not(timestamp: str) -> Reason:
    """Only for the answer: a clock that is wrong is found sooner when it is named."""
    try:
        too_far = abs(time.time() - float(timestamp)) > TOLERANCE_SECONDS
    except (ValueError, OverflowError):
        return Reason.SIGNATURE_WRONG
    return Reason.TIMESTAMP_OUTSIDE_TOLERANCE if too_far else Reason.SIGNATURE_WRONG


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
