"""The keeper of webhook registrations: repairs what is missing, touches only our own, new before old."""

import json
from dataclasses import replace

import pytest

from config.keys import ALERTS_RAISED
from config.webhook_address import addresses_of, webhook_address
from workers import connect, integrations
from workers.clients.errors import Unavailable
from workers.clients.messages import Answer
from workers.registration import EVENT_TYPES, address_of, compare, register, unregister

OURS = addresses_of("https://sync.example.com", "bakery")
PRESENT = OURS + "token"


@pytest.fixture
def connected(scene):
    scene.add()
    scene.consent("bakery")
    return scene


def registrations(scene):
    return scene.teamleader.world.default.registrations


def test_what_is_right_needs_no_repair():
    repair = compare({PRESENT: frozenset({"a", "b"})}, present=PRESENT, ours=OURS, wanted=("a", "b"))

    assert repair.nothing


def test_missing_unwanted_and_stale_are_told_apart_and_strangers_left_alone():
    listed = {
        PRESENT: frozenset({"a", "old type"}),
        OURS + "older": frozenset({"a"}),
        "https://sync.example.com/webhooks/teamleader/bakery-2/token": frozenset({"a"}),
        "https://elsewhere.example.com/": frozenset({"a"}),
    }

    repair = compare(listed, present=PRESENT, ours=OURS, wanted=("a", "b"))

    assert repair.missing == ("b",)
    assert repair.unwanted == ("old type",)
    assert repair.stale == ((OURS + "older", ("a",)),)


def test_a_registration_that_vanished_is_mended_and_told(connected):
    registrations(connected).clear()

    kept = register(connected.services, "bakery")

    assert set(kept.vanished) == set(kept.added) == set(EVENT_TYPES)
    assert registrations(connected)[address_of(connected.services, connected.services.integration("bakery"))]


def test_looking_again_finds_nothing_to_do(connected):
    kept = register(connected.services, "bakery")

    assert (kept.added, kept.removed, kept.vanished) == ((), (), ())


def test_after_a_rotation_the_new_address_is_registered_before_the_old_is_taken_off(connected):
    (old,) = registrations(connected)
    integrations.rotate_address(connected.services, "bakery", by="cli:an")

    kept = register(connected.services, "bakery")

    (new,) = registrations(connected)
    assert new != old
    assert kept.vanished == ()
    told = [record.path for record in connected.teamleader.log.records() if "register" in record.path]
    assert [path.endswith("unregister") for path in told] == [False] * (len(told) - 1) + [True]


def test_a_new_webhook_key_moves_the_registration_and_is_no_alarm(connected):
    settings = connected.services.settings
    object.__setattr__(settings, "webhook_keys", ("n" * 40, *settings.webhook_keys))

    kept = register(connected.services, "bakery")

    assert list(registrations(connected)) == [webhook_address(settings.public_url, "n" * 40, "bakery")]
    assert kept.vanished == ()


def test_an_extra_event_type_is_added_and_taken_off_again(connected):
    integrations.change(connected.services, "bakery", {"extra_event_types": "invoice.updated"}, by="cli:an")
    assert register(connected.services, "bakery").added == ("invoice.updated",)

    integrations.change(connected.services, "bakery", {"extra_event_types": ""}, by="cli:an")
    kept = register(connected.services, "bakery")
    assert (kept.removed, kept.vanished) == (("invoice.updated",), ())


def test_another_services_registration_is_never_touched(connected):
    registrations(connected)["https://elsewhere.example.com/hook"] = {"contact.updated"}

    register(connected.services, "bakery")
    unregister(connected.services, "bakery")

    assert registrations(connected) == {"https://elsewhere.example.com/hook": {"contact.updated"}}


def test_another_services_registration_that_we_cannot_read_hinders_nobody(connected, monkeypatch):
    send = connected.services.http.send

    def with_an_odd_one(asked):
        answer = send(asked)
        if not asked.url.endswith("webhooks.list"):
            return answer
        rows = [*json.loads(answer.body)["data"], {"url": "https://elsewhere.example.com/hook", "types": {"0": "x"}}]
        return replace(answer, body=json.dumps({"data": rows}).encode())

    monkeypatch.setattr(connected.services.http, "send", with_an_odd_one)
    registrations(connected).clear()

    kept = register(connected.services, "bakery")

    assert "contact.updated" in kept.added


@pytest.fixture(
    params=[
        (204, b""),
        (200, b"{}"),
        (200, {"data": None}),
        (200, {"data": ["https://sync.example.com"]}),
        (200, {"data": [{"address": "renamed", "types": []}]}),
        (200, {"data": [{"url": PRESENT, "types": None}]}),
    ],
    ids=str,
)
def no_list(connected, request, monkeypatch):
    """Teamleader answers `webhooks.list` with something that is no list of registrations."""
    (status, body), send = request.param, connected.services.http.send
    answer = Answer("teamleader", status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())
    monkeypatch.setattr(
        connected.services.http, "send", lambda asked: answer if asked.url.endswith("webhooks.list") else send(asked)
    )


@pytest.mark.usefixtures("no_list")
def test_an_answer_that_is_no_list_is_no_alarm_and_repairs_nothing(connected):
    before = dict(registrations(connected))

    with pytest.raises(Unavailable):
        register(connected.services, "bakery")

    assert registrations(connected) == before
    assert connected.services.store.hlen(ALERTS_RAISED) == 0


@pytest.mark.usefixtures("no_list")
def test_nobody_is_told_that_the_webhook_was_taken_off_when_that_is_not_known(connected):
    removed = connect.remove(connected.services, "bakery", by="cli:an")

    assert "webhooks.list" in removed.trouble
