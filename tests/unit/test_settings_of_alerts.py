"""Where alerts go is optional, but half a channel is a mistake, named before anything starts."""

import pytest

from config import settings
from config.alerts import SmtpServer, mail_addresses, receiver_url, smtp_server
from tests.unit.test_settings import GOOD

MAIL = {
    "TLTW_ALERT_EMAIL_TO": "ops@example.com, night@example.com",
    "TLTW_ALERT_EMAIL_FROM": "tltw@example.com",
    "TLTW_SMTP_URL": "smtp://us%40er:p%2Fw@mail.example.com",
}
WEBHOOK = {
    "TLTW_ALERT_WEBHOOK_URL": "https://alerts.example.com/in?key=1",
    "TLTW_ALERT_WEBHOOK_SECRET": "whsec_" + "QUJD" * 8,
}
SLACK = {"TLTW_ALERT_SLACK_URL": "https://hooks.example.com/services/T/B/x"}


def test_without_any_of_them_alerts_go_to_the_log_only():
    alerts = settings.load(GOOD).alerts

    assert (alerts.email_to, alerts.smtp, alerts.webhook_url, alerts.slack_url) == ((), None, "", "")


def test_all_channels_can_be_configured_at_once():
    alerts = settings.load(GOOD | MAIL | WEBHOOK | SLACK).alerts

    assert alerts.email_to == ("ops@example.com", "night@example.com")
    assert alerts.smtp == SmtpServer(
        host="mail.example.com", port=587, security="starttls", user="us@er", password="p/w"
    )
    assert alerts.webhook_url == WEBHOOK["TLTW_ALERT_WEBHOOK_URL"]
    assert alerts.slack_url == SLACK["TLTW_ALERT_SLACK_URL"]


@pytest.mark.parametrize("channel", [MAIL, WEBHOOK], ids=["e-mail", "webhook"])
def test_half_a_channel_is_a_mistake_that_names_what_is_missing(channel):
    first = next(iter(channel))

    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | {first: channel[first]})

    assert wrong.value.problems.keys() == channel.keys() - {first}


def test_a_value_that_cannot_be_read_is_named_once_and_not_repeated():
    mistakes = MAIL | WEBHOOK | {"TLTW_SMTP_URL": "canary://x", "TLTW_ALERT_WEBHOOK_SECRET": "canary"}

    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | mistakes)

    assert wrong.value.problems.keys() == {"TLTW_SMTP_URL", "TLTW_ALERT_WEBHOOK_SECRET"}
    assert "canary" not in str(wrong.value)


def test_nothing_of_a_channel_shows_in_the_representation():
    shown = repr(settings.load(GOOD | MAIL | WEBHOOK | SLACK))

    assert [word for word in ("us@er", "p/w", "ops@", "whsec_", "key=1", "services/T") if word in shown] == []


@pytest.mark.parametrize(
    ("text", "port", "security"),
    [
        ("smtp://mail.example.com", 587, "starttls"),
        ("smtp://mail.example.com:25", 25, "starttls"),
        ("smtps://mail.example.com", 465, "tls"),
        ("smtp://127.0.0.1:1025", 1025, "if_offered"),
    ],
)
def test_a_mail_server_is_spoken_to_in_private_unless_it_is_this_machine(text, port, security):
    server = smtp_server(text)

    assert (server.port, server.security) == (port, security)


@pytest.mark.parametrize(
    "text", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://a:1:2", "smtp://user@h", "smtp://h/x"]
)
def test_what_is_no_mail_server_is_refused(text):
    with pytest.raises(ValueError, match=r"mail server|password"):
        smtp_server(text)


@pytest.mark.parametrize("text", ["ops", "ops@", "@example.com", "a@b.c\nBcc: d@e.f", "A <a@b.c>", "a b@c.d", "ö@b.c"])
def test_what_is_no_mail_address_is_refused_without_repeating_it(text):
    with pytest.raises(ValueError, match="not an e-mail address"):
        mail_addresses(text)


@pytest.mark.parametrize("text", ["http://alerts.example.com", "ftp://x", "https://u:p@x", "https://x/#y", "https://"])
def test_a_receiver_must_be_reached_over_https(text):
    with pytest.raises(ValueError, match="https"):
        receiver_url(text)
