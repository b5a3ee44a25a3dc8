"""Teamleader's OAuth bytes: the consent page's address, token requests, and what their answers mean."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from config.integrations import TeamleaderConnection
from workers.clients.errors import Throttled, Unavailable
from workers.clients.messages import Answer
from workers.clients.teamleader import oauth_protocol as protocol
from workers.clients.teamleader.oauth_protocol import GrantRefused, TokenPair

NOW = datetime(2026, 2, 8, 11, 0, tzinfo=UTC)
CONNECTION = TeamleaderConnection(
    api_url="https://api.focus.teamleader.eu",
    auth_url="https://focus.teamleader.eu",
    client_id="client",
    client_secret="s&cret+",
    refresh_token="configured",
)
PAIR = {"token_type": "Bearer", "expires_in": 3600, "access_token": "access", "refresh_token": "new"}


def answer(status: int, body: object, **headers: str) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("teamleader", status, {name.replace("_", "-"): value for name, value in headers.items()}, sent)


def test_the_consent_page_is_asked_for_a_code_with_our_state() -> None:
    url = protocol.authorize_url(CONNECTION, state="a b&c", redirect_uri="https://sync.example.com/back")

    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://focus.teamleader.eu/oauth2/authorize"
    assert parse_qs(parts.query) == {
        "client_id": ["client"],
        "response_type": ["code"],
        "redirect_uri": ["https://sync.example.com/back"],
        "state": ["a b&c"],
    }


def test_a_refresh_is_a_form_sent_to_the_sign_in_host() -> None:
    request = protocol.refresh_request(CONNECTION, "o/ld=")

    assert request.url == "https://focus.teamleader.eu/oauth2/access_token"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {
        "client_id": ["client"],
        "client_secret": ["s&cret+"],
        "grant_type": ["refresh_token"],
        "refresh_token": ["o/ld="],
    }


def test_a_new_pair_lives_as_long_as_it_says() -> None:
    pair = protocol.read_pair(answer(200, PAIR), now=NOW, refresh="old", seed="s")

    assert pair == TokenPair(
        refresh="new", access="access", obtained_at=NOW.timestamp(), expires_at=NOW.timestamp() + 3600, seed="s"
    )


def test_the_old_refresh_token_stays_when_the_answer_brings_none() -> None:
    body = {name: value for name, value in PAIR.items() if name != "refresh_token"}

    assert protocol.read_pair(answer(200, body), now=NOW, refresh="old").refresh == "old"


@pytest.mark.parametrize("life", [None, "3600", -1, 0, True, 1e300, [1]])
def test_a_pair_whose_life_cannot_be_read_is_kept_all_the_same(life: object) -> None:
    pair = protocol.read_pair(answer(200, {**PAIR, "expires_in": life}), now=NOW)

    assert pair.refresh == "new"
    assert pair.is_fresh(NOW)


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "invalid_grant", "error_description": "revoked"}, "invalid_grant"),
        ({"errors": [{"title": "invalid_grant", "meta": {"hint": "Token has been revoked"}}]}, "invalid_grant"),
        ({"error": "invalid_client"}, "invalid_client"),
    ],
)
def test_a_refused_grant_is_understood_in_both_shapes(status: int, body: object, code: str) -> None:
    with pytest.raises(GrantRefused) as caught:
        protocol.read_pair(answer(status, body), now=NOW)

    assert caught.value.code == code


@pytest.mark.parametrize("status", [400, 401])
def test_a_refusal_in_other_words_of_teamleaders_own_is_one_without_a_code(status: int) -> None:
    with pytest.raises(GrantRefused) as caught:
        protocol.read_pair(answer(status, {"errors": [{"title": "The refresh token is invalid"}]}), now=NOW)

    assert caught.value.code == ""


@pytest.mark.parametrize("status", [400, 401, 403])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"message": "Forbidden"},
        {"error": "forbidden"},
        {"error": "temporarily_unavailable"},
        {"error": {"odd": 1}},
        {"errors": []},
    ],
)
def test_what_a_gateway_says_is_no_word_about_the_token(status: int, body: object) -> None:
    with pytest.raises(Unavailable):
        protocol.read_pair(answer(status, body), now=NOW, refresh="old")


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, PAIR),
        (403, {"errors": [{"title": "Forbidden"}]}),
        (400, b"<html>"),
        (403, b"blocked"),
        (404, {}),
        (302, b""),
        (200, b"<html>"),
        (200, {**PAIR, "access_token": ""}),
        (200, {**PAIR, "access_token": "a\r\nX: y"}),
        (200, {**PAIR, "access_token": 7}),
        (200, {**PAIR, "refresh_token": None}),
    ],
)
def test_anything_else_is_no_usable_answer(status: int, body: object) -> None:
    with pytest.raises(Unavailable):
        protocol.read_pair(answer(status, body), now=NOW, refresh="old")


def test_a_throttled_refresh_names_its_time() -> None:
    with pytest.raises(Throttled) as caught:
        protocol.read_pair(answer(429, b"", retry_after="5"), now=NOW)

    assert caught.value.until == NOW + timedelta(seconds=5)


def test_a_token_is_fresh_until_80_percent_and_usable_until_its_last_minute() -> None:
    pair = protocol.read_pair(answer(200, PAIR), now=NOW)

    assert pair.is_fresh(NOW + timedelta(minutes=47))
    assert not pair.is_fresh(NOW + timedelta(minutes=49))
    assert pair.is_usable(NOW + timedelta(minutes=58))
    assert not pair.is_usable(NOW + timedelta(minutes=59, seconds=30))


def test_a_short_lived_token_is_usable_for_most_of_its_life() -> None:
    pair = protocol.read_pair(answer(200, {**PAIR, "expires_in": 10}), now=NOW)

    assert pair.is_usable(NOW + timedelta(seconds=8))
    assert not pair.is_usable(NOW + timedelta(seconds=9.5))


def test_a_pair_survives_being_stored() -> None:
    pair = protocol.read_pair(answer(200, PAIR), now=NOW, seed="s")

    assert TokenPair.from_json(json.loads(json.dumps(pair.as_json()))) == pair
    assert TokenPair.from_json({**pair.as_json(), "of_a_later_release": 1}) == pair


def test_a_pair_hides_its_tokens() -> None:
    shown = repr(protocol.read_pair(answer(200, PAIR), now=NOW))

    assert "access" not in shown
    assert "new" not in shown


def test_only_the_first_pair_of_a_configured_token_follows_the_refused_one_it_was_tried_in_place_of():
    refused = TokenPair(refresh="refused", descent="second", generation=3, started_over="first")
    first = TokenPair(refresh="new", descent="first", generation=1)
    # The settings were changed to the second token and back: this one is older than the refused one.
    long_ago = TokenPair(refresh="old", descent="first", generation=9)

    assert first.follows(refused)
    assert not long_ago.follows(refused)
