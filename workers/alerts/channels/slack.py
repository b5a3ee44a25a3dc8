"""An incoming webhook of Slack, or of a chat that understands the same JSON.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (looked up 2026-11-23)
"""

import json
from typing import Literal

from workers.alerts.channels.post import Post
from workers.alerts.messages import Message

SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:"}


class SlackChannel:
    """Posts `{"text": …}`."""

    name: Literal["slack"] = "slack"

    def __init__(self, post: Post) -> None:
        self._post = post

    def send(self, message: Message, *, alert_id: str) -> None:
        self._post(json.dumps({"text": text(message)}, ensure_ascii=False).encode(), {})

    def close(self) -> None:
        self._post.close()


def text(message: Message) -> str:
    """The message in Slack's markup: the first line bold, the three characters escaped that mean something there."""
    sign = ":large_green_circle:" if message.event in ("recovered", "test") else SIGNS[message.severity]
    first, _, rest = message.text.partition("\n")
    return f"{sign} *{_escaped(first)}*\n{_escaped(rest).strip()}"


def _escaped(plain: str) -> str:
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
