"""What a channel is."""

from typing import Protocol

from workers.alerts.messages import Message


class NotSent(Exception):
    """The message did not get through, as far as we know. Its text is a sentence that holds no address and no secret."""


class Channel(Protocol):
    """One way to reach people. `send` is bounded in time and never tries again by itself."""

    @property
    def name(self) -> str:
        """Its word in settings, lists and keys."""

    def send(self, message: Message, *, alert_id: str) -> None:
        """Sends one message. Raises `NotSent`. The same `alert_id` means the same message, sent again."""

    def close(self) -> None:
        """Gives connections back."""
