"""E-mail to a real mail server: what arrives, in private, and what happens when the server has a bad day."""

import smtplib
import time
from datetime import UTC, datetime

import pytest

from config.alerts import smtp_server
from workers.alerts.channels.channel import NotSent
from workers.alerts.channels.smtp import SmtpChannel
from workers.alerts.messages import rehearsal

MESSAGE = rehearsal(deployment="sync.example.com", now=datetime(2026, 11, 23, 9, tzinfo=UTC))


@pytest.fixture
def channel():
    def channel(server, *, security="", **more):
        place = smtp_server(server.url)
        if security:
            place = type(place)(
                host=place.host, port=place.port, security=security, user=place.user, password=place.password
            )
        given = {"step_seconds": 20.0, "whole_seconds": 30.0} | more
        return SmtpChannel(place, sender="tltw@example.com", to=("ops@example.com", "night@example.com"), **given)

    return channel


def why(channel):
    with pytest.raises(NotSent) as failed:
        channel.send(MESSAGE, alert_id="alert_1-0")
    return str(failed.value)


def test_an_alert_arrives_as_one_plain_mail_to_all(mail_server, channel):
    server = mail_server()

    channel(server).send(MESSAGE, alert_id="alert_1-0")

    (mail,), (recipients,) = server.mails, server.recipients
    assert mail["Subject"] == "Test of the alerts (sync.example.com)"
    assert (mail["From"], mail["To"]) == ("tltw@example.com", "ops@example.com, night@example.com")
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<alert_1-0.tltw@example.com>", "auto-generated")
    assert "alerts reach you" in mail.get_content()
    assert recipients == ["ops@example.com", "night@example.com"]


@pytest.mark.parametrize("wrapped", [False, True], ids=["starttls", "tls"])
def test_user_password_and_mail_travel_in_private(mail_server, channel, certificate, wrapped):
    server = mail_server(tls=certificate.server, wrapped=wrapped, user="us", password="secret")

    channel(server, security="tls" if wrapped else "starttls", tls=certificate.client).send(
        MESSAGE, alert_id="alert_1-0"
    )

    assert (len(server.mails), server.private) == (1, [True])


def test_a_server_that_offers_no_privacy_gets_nothing(mail_server, channel):
    server = mail_server(user="us", password="secret")

    assert "STARTTLS" in why(channel(server, security="starttls"))
    assert server.mails == []


@pytest.mark.parametrize("wrapped", [False, True], ids=["starttls", "tls"])
def test_a_certificate_that_nobody_vouches_for_is_refused(mail_server, channel, certificate, wrapped):
    server = mail_server(tls=certificate.server, wrapped=wrapped)

    assert "certificate" in why(channel(server, security="tls" if wrapped else "starttls"))
    assert server.mails == []


def test_a_wrong_password_is_said_without_repeating_it(mail_server, channel):
    server = mail_server(user="us", password="secret")
    server.password = "another"
    asking = channel(server)
    server.password = "secret"

    said = why(asking)

    assert "password" in said
    assert "another" not in said


def test_a_refusal_is_said_with_its_number_and_without_addresses(mail_server, channel):
    assert why(channel(mail_server(refuse_data="554 no spam from tltw@example.com"))) == "The mail server answered 554."
    nobody = mail_server(refuse_recipients=("ops@example.com", "night@example.com"))
    assert "none of the addresses" in why(channel(nobody))


def test_when_some_addresses_are_refused_the_others_get_it(mail_server, channel):
    server = mail_server(refuse_recipients=("ops@example.com",))

    channel(server).send(MESSAGE, alert_id="alert_1-0")

    assert server.recipients == [["night@example.com"]]


def test_a_server_that_hangs_up_after_taking_the_mail_does_not_get_it_again(mail_server, channel):
    server = mail_server(hang_up_after_data=True)

    channel(server).send(MESSAGE, alert_id="alert_1-0")

    assert len(server.mails) == 1


def test_nobody_there_is_said(mail_server, channel):
    server = mail_server()
    server.port = 1

    assert "could not be reached" in why(channel(server))


def test_a_dripping_server_ends_with_the_whole_budget(mail_server, channel):
    server = mail_server(drip_greeting=True)
    started = time.monotonic()

    assert "broke off" in why(channel(server, step_seconds=5.0, whole_seconds=0.4))

    assert time.monotonic() - started < 30  # it drips for ever


def test_smtplib_still_compares_certificates_with_the_name_that_we_give_it():
    server = smtplib.SMTP()

    assert hasattr(server, "_host"), "workers/alerts/channels/smtp.py sets it, because it connects later"
