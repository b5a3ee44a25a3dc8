"""The log: always there."""

import logging
from typing import Literal

import structlog

from workers.alerts.messages import Message

log = structlog.get_logger()


class LogChannel:
    """Writes each message as one line, critical ones as errors."""

    name: Literal["log"] = "log"

    def send(self, message: Message, *, alert_id: str) -> None:
        log.log(
            _level(message),
            f"Alert: {message.subject}.",
            alert=message.kind,
            happened=message.event,
            alert_id=alert_id,
            integrations=message.concerned,
            integrations_total=message.integrations_total,
            number=message.number,
            next=message.next,
        )

    def close(self) -> None:
        """Nothing to give back."""


def _level(message: Message) -> int:
    if message.event in ("recovered", "test"):
        return logging.INFO
    return logging.ERROR if message.severity == "critical" else logging.WARNING
