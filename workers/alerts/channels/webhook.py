"""A webhook of the operator's own, signed as Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (looked up 2026-11-23)
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from standardwebhooks.webhooks import Webhook

from workers.alerts.channels.post import Post
from workers.alerts.messages import Message
from workers.clients.clock import utc_now


class WebhookChannel:
    """Posts the message as JSON. Every secret signs, so that receivers can move from one to the next."""

    name: Literal["webhook"] = "webhook"

    def __init__(self, post: Post, secrets: Sequence[str], *, now: Callable[[], datetime] = utc_now) -> None:
        self._post = post
        self._secrets = secrets
        self._now = now

    def send(self, message: Message, *, alert_id: str) -> None:
        raw = payload(message)
        self._post(raw.encode(), signed(raw, alert_id, self._secrets, self._now()))

    def close(self) -> None:
        self._post.close()


def payload(message: Message) -> str:
    """The body: a type to choose by, the time, and the message as data."""
    data = {name: value for name, value in asdict(message).items() if name not in ("at", "only")}
    document = {"type": f"alert.{message.event}", "timestamp": message.at, "data": data | {"subject": message.subject}}
    return json.dumps(document, ensure_ascii=False)


def signed(raw: str, alert_id: str, secrets: Sequence[str], at: datetime) -> Mapping[str, str]:
    """The headers. The id stays the same when a message is sent again, the time is that of the sending."""
    return {
        "webhook-id": alert_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(alert_id, at, raw) for secret in secrets),
    }
