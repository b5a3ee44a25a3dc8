"""What an operator can do about alerts: see what is open and was told, and test every channel."""

from dataclasses import dataclass
from datetime import UTC, datetime

from workers.alerts import book, deliver
from workers.alerts.channels.channel import Channel, NotSent
from workers.alerts.channels.configured import channels, names
from workers.alerts.channels.log import LogChannel
from workers.alerts.decide import Alert
from workers.alerts.deliver import ChannelState
from workers.alerts.messages import Message, deployment_name, rehearsal
from workers.services import Services


@dataclass(frozen=True, slots=True)
class AlertsView:
    """The alerts at a glance: what is open, how the channels of these settings fare, what was told (newest first)."""

    open: tuple[Alert, ...]
    channels: tuple[ChannelState, ...]
    told: tuple[Message, ...]

    @property
    def reaches_nobody(self) -> bool:
        """Whether alerts only stand in the log, which wakes nobody."""
        return all(channel.name == LogChannel.name for channel in self.channels)


@dataclass(frozen=True, slots=True)
class Tried:
    """Whether a test got through over a channel; else a sentence says why not."""

    channel: str
    sent: bool
    why: str = ""


def view(services: Services, *, newest: int = 20) -> AlertsView:
    """The alerts at a glance. `newest`: how many messages are looked at.

    What is only for channels that are not configured was told to nobody, so it is left out.
    """
    configured = names(services.settings.alerts)
    alerts = book.read(services.store).alerts.values()
    return AlertsView(
        open=tuple(sorted((alert for alert in alerts if alert.phase == "open"), key=lambda alert: alert.since)),
        channels=tuple(deliver.states(services.store, configured)),
        told=tuple(
            sent.message for sent in book.newest(services.store, newest) if any(map(sent.message.is_for, configured))
        ),
    )


def try_channels(services: Services) -> list[Tried]:
    """Sends a test over every channel, now, past the queue; one that fails stops no other."""
    message = rehearsal(deployment=deployment_name(services.settings.public_url), now=datetime.now(UTC))
    made = channels(services.settings.alerts)
    try:
        return [_try(channel, message) for channel in made]
    finally:
        for channel in made:
            channel.close()


def _try(channel: Channel, message: Message) -> Tried:
    try:
        channel.send(message, alert_id=f"alert_test_{datetime.now(UTC):%Y%m%d%H%M%S%f}")
    except NotSent as failure:
        return Tried(channel.name, sent=False, why=str(failure))
    return Tried(channel.name, sent=True)
