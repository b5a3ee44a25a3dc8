"""Delivery: every channel at its own pace, in order, nothing lost, nobody kept waiting by another one."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from config.keys import ALERTS_MESSAGES, alert_channel_lock
from workers.alerts import deliver as deliver_module
from workers.alerts.channels.channel import NotSent
from workers.alerts.deliver import GIVE_UP_AFTER, LONGEST_WAIT, backoff, begin, deliver, failures, states
from workers.alerts.messages import rehearsal

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Friend:
    """A channel that notes what it was given; `mood` is raised instead, when set."""

    name: str
    mood: Exception | None = None
    got: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    def send(self, message, *, alert_id):
        self.ids.append(alert_id)
        if self.mood:
            raise self.mood
        self.got.append(message.deployment)

    def close(self):
        """Holds nothing."""


@pytest.fixture
def tell(store):
    """Puts messages into the stream; their `deployment` tells them apart."""

    def tell(*names, at=NOW):
        for name in names:
            store.xadd(ALERTS_MESSAGES, {"m": rehearsal(deployment=name, now=at).to_json()})

    return tell


def test_messages_go_out_in_order_and_once(store, tell):
    friend = Friend("email")
    begin(store, ["email"])
    tell("one", "two")

    deliver(store, [friend], NOW)
    deliver(store, [friend], NOW)

    assert friend.got == ["one", "two"]


def test_a_new_channel_hears_only_what_comes_after_it(store, tell):
    friend = Friend("email")
    tell("before")
    begin(store, ["email"])
    tell("after")
    begin(store, ["email"])

    deliver(store, [friend], NOW)

    assert friend.got == ["after"]


def test_a_channel_that_fails_keeps_no_other_waiting_and_gets_everything_later(store, tell):
    bad, good = Friend("email", NotSent("Away.")), Friend("slack")
    begin(store, ["email", "slack"])
    tell("one", "two")

    deliver(store, [bad, good], NOW)
    assert (bad.got, good.got) == ([], ["one", "two"])
    bad.mood = None
    deliver(store, [bad, good], NOW + backoff(1))

    assert bad.got == ["one", "two"]
    assert bad.ids[0] == bad.ids[1]


def test_a_channel_that_fails_is_left_alone_longer_and_longer(store, tell):
    bad = Friend("email", NotSent("Away."))
    begin(store, ["email"])
    tell("one")
    tries = []

    for second in range(0, 4 * 3600, 30):
        before = len(bad.ids)
        deliver(store, [bad], NOW + timedelta(seconds=second))
        tries += [second] if len(bad.ids) > before else []

    waits = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert waits[:7] == [30, 60, 120, 240, 480, 960, 1800]
    assert set(waits[7:]) == {LONGEST_WAIT.total_seconds()}


def test_how_a_channel_fares_is_noted_and_forgotten_when_it_works_again(store, tell):
    bad = Friend("email", NotSent("Away."))
    begin(store, ["email"])
    tell("one")

    deliver(store, [bad], NOW)
    (state,) = states(store, ["email"])
    assert (state.failures, state.why, state.again_at) == (1, "Away.", NOW + backoff(1))
    assert failures(store, ["email", "slack"]) == {"email": 1, "slack": 0}

    bad.mood = None
    deliver(store, [bad], NOW + MINUTE)
    (state,) = states(store, ["email"])
    assert (state.failures, state.why, state.again_at, state.sent_at) == (0, "", None, NOW + MINUTE)


def test_a_mistake_in_a_channel_is_a_failure_like_any_other(store, tell):
    bad, good = Friend("email", UnicodeError("who@example.com")), Friend("slack")
    begin(store, ["email", "slack"])
    tell("one")

    deliver(store, [bad, good], NOW)

    assert good.got == ["one"]
    assert states(store, ["email"])[0].why == "A mistake of our own (UnicodeError)."


def test_what_could_not_be_sent_for_a_day_is_given_up_and_the_rest_is_sent(store, tell):
    friend = Friend("email", NotSent("Away."))
    begin(store, ["email"])
    tell("old", "old too")
    tell("new", at=NOW + GIVE_UP_AFTER - MINUTE)
    deliver(store, [friend], NOW)
    friend.mood = None

    deliver(store, [friend], NOW + GIVE_UP_AFTER)

    assert friend.got == ["new"]


def test_a_clock_that_dies_after_sending_sends_again_rather_than_never(store, tell):
    friend = Friend("email", KeyboardInterrupt())
    begin(store, ["email"])
    tell("one")
    with pytest.raises(KeyboardInterrupt):
        deliver(store, [friend], NOW)
    friend.mood = None

    deliver(store, [friend], NOW)

    assert friend.got == ["one"]


def test_while_another_clock_sends_over_a_channel_this_one_does_not(store, tell):
    busy, free = Friend("email"), Friend("slack")
    begin(store, ["email", "slack"])
    tell("one")
    other = store.lock(alert_channel_lock("email"), timeout=30)
    other.acquire()

    deliver(store, [busy, free], NOW)
    assert (busy.got, free.got) == ([], ["one"])

    other.release()
    deliver(store, [busy, free], NOW)
    assert (busy.got, free.got) == (["one"], ["one"])


def test_a_lease_that_ended_while_sending_ends_the_turn_quietly(store, tell, monkeypatch):
    class Slow(Friend):
        def send(self, message, *, alert_id):
            super().send(message, alert_id=alert_id)
            store.delete(alert_channel_lock("email"))

    friend, after = Slow("email"), Friend("slack")
    begin(store, ["email", "slack"])
    tell("one", "two")

    deliver(store, [friend, after], NOW)

    assert (friend.got, after.got) == (["one"], ["one", "two"])
    deliver(store, [friend, after], NOW)
    assert friend.got == ["one", "two"]


def test_a_long_queue_is_sent_in_parts(store, tell, monkeypatch):
    monkeypatch.setattr(deliver_module, "AT_ONCE", 2)
    friend = Friend("email")
    begin(store, ["email"])
    tell("one", "two", "three")

    deliver(store, [friend], NOW)
    assert friend.got == ["one", "two"]
    deliver(store, [friend], NOW)

    assert friend.got == ["one", "two", "three"]
