"""The channels of a deployment, made from its settings."""

from config.alerts import AlertSettings
from workers.alerts.channels.channel import Channel
from workers.alerts.channels.log import LogChannel
from workers.alerts.channels.post import Post
from workers.alerts.channels.slack import SlackChannel
from workers.alerts.channels.smtp import SmtpChannel
from workers.alerts.channels.webhook import WebhookChannel


def names(settings: AlertSettings) -> tuple[str, ...]:
    """The words of the channels, without making them."""
    given = {"log": True, "email": settings.smtp, "webhook": settings.webhook_url, "slack": settings.slack_url}
    return tuple(name for name, value in given.items() if value)


def channels(settings: AlertSettings) -> tuple[Channel, ...]:
    """The log, and whatever is configured. Connects to nothing. Each may call its own address only."""
    made: list[Channel] = [LogChannel()]
    if settings.smtp:
        made.append(SmtpChannel(settings.smtp, sender=settings.email_from, to=settings.email_to))
    if settings.webhook_url:
        made.append(WebhookChannel(Post(settings.webhook_url), settings.webhook_secrets))
    if settings.slack_url:
        made.append(SlackChannel(Post(settings.slack_url)))
    return tuple(made)
