"""The signed webhook and the Slack-compatible one, over real HTTP."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from workers.alerts.channels.channel import NotSent
from workers.alerts.channels.post import Post
from workers.alerts.channels.slack import SlackChannel
from workers.alerts.channels.webhook import WebhookChannel
from workers.alerts.messages import Concerned, Message

OLD, NEW = ("whsec_" + base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))
MESSAGE = Message(
    at="2026-11-23T09:00:00+00:00",
    deployment="sync.example.com",
    event="opened",
    kind="updates_late",
    severity="critical",
    title="Updates are late",
    sentence="Waiting for more than 15 minutes & <still> trying.",
    next="Ask both.",
    link="docs/runbook.md#updates_late",
    number=4,
    counted="updates owed",
    integrations_total=1,
    named=(Concerned("acme", "Acme", "2026-11-23T08:40:00+00:00", 4, "Twikey fails"),),
)


@pytest.fixture
def opened():
    """Channels that are closed after the test."""
    channels = []

    def opened(channel):
        channels.append(channel)
        return channel

    yield opened
    for channel in channels:
        channel.close()


def test_a_webhook_is_signed_with_every_secret_and_verifies_with_the_library(receiver, opened):
    house = receiver()

    opened(WebhookChannel(Post(house.url), (NEW, OLD))).send(MESSAGE, alert_id="alert_1-0")

    (posted,) = house.got
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(posted.body, posted.headers) == posted.json
    assert posted.headers["webhook-id"] == "alert_1-0"
    assert posted.headers["content-type"] == "application/json"
    assert (posted.json["type"], posted.json["timestamp"]) == ("alert.opened", MESSAGE.at)
    assert posted.json["data"]["kind"] == "updates_late"
    assert posted.json["data"]["named"] == [
        {
            "integration": "acme",
            "label": "Acme",
            "since": "2026-11-23T08:40:00+00:00",
            "number": 4,
            "detail": "Twikey fails",
        }
    ]


def test_a_webhook_that_is_sent_again_has_the_same_id_and_a_new_time(receiver, opened):
    house = receiver()
    times = iter([datetime.now(UTC) - timedelta(minutes=4), datetime.now(UTC)])
    channel = opened(WebhookChannel(Post(house.url), (NEW,), now=lambda: next(times)))

    channel.send(MESSAGE, alert_id="alert_1-0")
    channel.send(MESSAGE, alert_id="alert_1-0")

    first, second = house.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 240
    assert Webhook(NEW).verify(second.body, second.headers)


def test_slack_gets_a_text_in_its_own_markup(receiver, opened):
    house = receiver()

    opened(SlackChannel(Post(house.url))).send(MESSAGE, alert_id="alert_1-0")

    text = house.got[0].json["text"]
    assert house.got[0].json.keys() == {"text"}
    assert text.splitlines()[0] == ":red_circle: *Updates are late: acme, 4 updates owed (sync.example.com)*"
    assert "15 minutes &amp; &lt;still&gt; trying." in text
    assert "- acme (Acme), since 2026-11-23 08:40 UTC: 4, Twikey fails" in text


@pytest.mark.parametrize("status", [301, 400, 410, 429, 500])
def test_anything_but_success_is_a_failure_that_names_the_status_only(receiver, opened, status):
    house = receiver(status=status)

    with pytest.raises(NotSent) as failed:
        opened(SlackChannel(Post(house.url))).send(MESSAGE, alert_id="alert_1-0")

    assert str(failed.value) == f"The receiver answered {status}."


def test_a_receiver_that_is_away_is_a_failure_that_does_not_repeat_its_address(receiver, opened):
    with pytest.raises(NotSent) as failed:
        opened(SlackChannel(Post("http://127.0.0.1:1/hook?key=1"))).send(MESSAGE, alert_id="alert_1-0")

    assert str(failed.value) == "The receiver could not be reached."


def test_a_channel_can_call_its_own_address_only(receiver, opened):
    house, other = receiver(), receiver()
    post = Post(house.url)
    opened(SlackChannel(post))
    post._url = other.url

    with pytest.raises(NotSent, match="not configured"):
        post(b"{}", {})

    assert other.got == []
