"""Twikey's bytes: what we send, what each kind of answer means, and that no sent value comes back in words."""

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from config.integrations import TwikeyConnection
from workers.clients.errors import (
    ApiFailure,
    CreateUnavailable,
    Refused,
    Throttled,
    Unavailable,
    UnknownCustomer,
)
from workers.clients.messages import Answer
from workers.clients.twikey import protocol
from workers.clients.twikey.masking import mask

NOW = datetime(2026, 2, 8, 11, 0, tzinfo=UTC)
URL = "https://api.twikey.com/creditor"
TEXT = st.text(st.characters(exclude_characters="‹›\0"), max_size=30)
SENT = {"email": "an@example.com", "mobile": "+32475123456", "companyName": "Ascensio & Co", "l": "nl"}


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("twikey", status, {name.replace("_", "-"): value for name, value in headers.items()}, sent)


def error(code: str, message: str = "", extra: str = "", status: int = 400) -> Answer:
    return answer(status, {"code": code, "message": message, "extra": extra}, apierror=code, apierrorcode=code)


def failure(given_: Answer, *, creating: bool = False) -> ApiFailure:
    with pytest.raises(ApiFailure) as caught:
        protocol.check(given_, SENT, now=NOW, creating=creating)
    return caught.value


def test_an_update_travels_in_the_query_and_has_no_body() -> None:
    request = protocol.update_request(URL, "session", "TL-178d", {**SENT, "city": "Sint Niklaas"})

    parts = urlsplit(request.url)
    assert (request.method, parts.path, request.body) == ("PATCH", "/creditor/customer/TL-178d", b"")
    assert parse_qs(parts.query)["mobile"] == ["+32475123456"]
    assert "mobile=%2B32475123456" in parts.query
    assert "companyName=Ascensio%20%26%20Co" in parts.query
    assert request.headers["Authorization"] == "session"


def test_a_value_may_be_sent_empty_to_clear_it() -> None:
    assert protocol.update_request(URL, "s", "1", {"mobile": ""}).url.endswith("?mobile=")


def test_a_creation_travels_as_a_form() -> None:
    request = protocol.create_request(URL, "session", "178d", SENT)

    assert (request.method, request.url) == ("PUT", f"{URL}/customer/178d")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.body.decode()) == {name: [value] for name, value in SENT.items()}


def test_half_a_character_does_not_stop_an_update() -> None:
    assert "city=%3F" in protocol.update_request(URL, "s", "1", {"city": "\ud800"}).url


@pytest.mark.parametrize("number", ["", ".", "..", "../x", "a/b", "a b", "a#b", "é", "x" * 51, "a?b=c", "%2e", "a\n"])
def test_a_number_that_could_mean_another_address_is_refused(number: str) -> None:
    with pytest.raises(Refused, match="customer number"):
        protocol.update_request(URL, "s", number, SENT)


def test_a_login_sends_the_key_as_a_form_to_the_base_itself() -> None:
    request = protocol.login_request(TwikeyConnection(api_url=URL, api_token="k+y"))

    assert (request.method, request.url, request.body) == ("POST", URL, b"apiToken=k%2By")


@pytest.mark.parametrize(
    "given_",
    [
        answer(200, b"", authorization="token"),
        answer(200, {"Authorization": "token"}),
        answer(200, {"Authorization": "other"}, authorization="token"),
    ],
)
def test_the_session_is_in_the_header_or_the_body(given_: Answer) -> None:
    assert protocol.session_token(given_) == "token"


@pytest.mark.parametrize(
    "given_",
    [
        answer(200, b""),
        answer(200, {"Authorization": 7}),
        answer(200, {"Authorization": "a\r\nb"}),
        answer(200, {"Authorization": "token"}, apierrorcode="err_no_login"),
        answer(200, {"Authorization": "token"}, apierror="Not allowed"),
        answer(400, {"Authorization": "token"}),
        answer(201, {"Authorization": "token"}),
    ],
)
def test_anything_else_holds_no_session(given_: Answer) -> None:
    assert protocol.session_token(given_) is None


@pytest.mark.parametrize("given_", [answer(204), answer(200, {}), answer(201), answer(200, {"code": "err_not_found"})])
def test_a_2xx_without_error_headers_is_fine(given_: Answer) -> None:
    protocol.check(given_, SENT, now=NOW)


@pytest.mark.parametrize(
    "body", [b"<!doctype html><h1>We will be back soon</h1>", b'["not", "an", "object"]', b'{"cut']
)
def test_a_200_with_something_that_is_not_twikeys_is_not_a_yes(body: bytes) -> None:
    assert isinstance(failure(answer(200, body)), Unavailable)


@pytest.mark.parametrize(
    ("given_", "code"),
    [
        (answer(400, {"code": "err_invalid_email"}), "err_invalid_email"),
        (answer(400, b"", apierror="err_invalid_email", apierrorcode="403"), "err_invalid_email"),
        (answer(400, b"<p>", apierror="E-mail is wrong", apierrorcode="err_invalid_email"), "err_invalid_email"),
        (answer(200, b"", apierrorcode="err_invalid_email"), "err_invalid_email"),
        (answer(400, {"code": "an@example.com"}), ""),
        (answer(400, {"code": ["err_x"]}), ""),
    ],
)
def test_the_code_is_wherever_a_machine_word_stands(given_: Answer, code: str) -> None:
    failed = failure(given_)

    assert type(failed) is Refused
    assert failed.code == code


@pytest.mark.parametrize("code", ["err_debtor_not_found", "err_not_found"])
def test_an_unknown_customer_is_a_400_with_a_code(code: str) -> None:
    assert type(failure(error(code))) is UnknownCustomer
    assert type(failure(error(code), creating=True)) is CreateUnavailable


@pytest.mark.parametrize("status", [404, 405])
def test_an_account_without_put_cannot_create(status: int) -> None:
    assert type(failure(answer(status, b"<html>"), creating=True)) is CreateUnavailable
    assert type(failure(answer(status, b"<html>"))) is Unavailable


@pytest.mark.parametrize(
    "given_",
    [
        answer(500),
        answer(502, b"<html>"),
        answer(302),
        answer(408, {}),
        answer(409, {}),
        answer(403, b"<html>blocked"),
        error("error_system", status=400),
        error("err_call_in_progress"),
        error("error_system", status=200),
    ],
)
def test_what_may_pass_is_unavailable(given_: Answer) -> None:
    assert type(failure(given_)) is Unavailable


@pytest.mark.parametrize(
    ("headers", "until"),
    [
        ({"x_rate_limit_retry_after_seconds": "1009"}, NOW + timedelta(seconds=1009)),
        ({"retry_after": "7"}, NOW + timedelta(seconds=7)),
        ({"x_rate_limit_retry_after_seconds": "-3"}, None),
        ({"x_rate_limit_retry_after_seconds": "soon"}, None),
        ({}, None),
    ],
)
def test_a_429_names_when_to_come_back(headers: dict[str, str], until: datetime | None) -> None:
    failed = failure(answer(429, b"", **headers))

    assert isinstance(failed, Throttled)
    assert failed.until == until


@pytest.mark.parametrize(
    ("code", "extra", "field"),
    [
        ("err_invalid_params", "mobile", "mobile"),
        ("err_invalid_params", "+32475123456", ""),
        ("err_invalid_params", "ct", ""),
        ("err_invalid_email", "an@example.com", "email"),
        ("err_invalid_lang", "nl", "l"),
        ("err_invalid_country", "BE", ""),
        ("err_name_required", "", ""),
    ],
)
def test_a_refusal_names_the_field_but_only_one_that_was_sent(code: str, extra: str, field: str) -> None:
    failed = failure(error(code, "Not good", extra))

    assert isinstance(failed, Refused)
    assert failed.field == field
    assert (f"field {field}" in failed.sentence) == bool(field)
    assert extra == "" or extra == field or extra not in failed.sentence


def test_a_refusal_speaks_in_twikeys_words_without_our_values() -> None:
    failed = failure(
        error("err_invalid_params", "AN@EXAMPLE.com of Ascensio &amp; Co (0032 475 12 34 56) is\n wrong", "email")
    )

    assert failed.sentence == (
        "Twikey refuses this: err_invalid_params, field email, ‹email› of ‹companyName› (‹number›) is wrong"
    )


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        ("user an unknown at example.com", "user an unknown at ‹email›"),
        ("other@example.org is wrong", "‹email› is wrong"),
        ("at most 140 characters", "at most 140 characters"),
        ("an%40example.com", "‹email›"),
        ("nl is no language", "nl is no language"),
    ],
)
def test_what_looks_like_a_value_is_masked_too(words: str, masked: str) -> None:
    assert mask(words, SENT) == masked


@given(value=TEXT.filter(lambda text: len(text) >= 3), before=TEXT, after=TEXT)
@example(value="00ß", before="", after="")
@example(value="100%25 pure", before="", after="")
def test_no_sent_value_survives_in_any_words(value: str, before: str, after: str) -> None:
    one_line = " ".join(value.split())
    assume(len(one_line) >= 3)
    assume(one_line not in "‹email› ‹number›")

    masked = mask(f"{before} {value} {after}", {"x": value})

    assert one_line not in masked.replace("‹x›", "\0")


@pytest.mark.parametrize(
    ("given_", "dead", "suspect"),
    [
        (answer(401, {"message": "Not logged in"}), True, False),
        (answer(200, b"", apierrorcode="err_no_login"), True, False),
        (error("err_no_login"), True, False),
        (error("err_not_authorised", status=429), False, True),
        (answer(429), False, False),
        (answer(204), False, False),
    ],
)
def test_a_dead_session_is_told_from_a_suspect_one(given_: Answer, dead: bool, suspect: bool) -> None:
    assert protocol.session_is_dead(given_) is dead
    assert protocol.session_is_suspect(given_) is suspect


@pytest.mark.parametrize(
    ("given_", "refused"),
    [
        (error("err_no_login"), True),
        (error("err_no_login", status=200), True),
        (answer(401), True),
        (answer(403, {"message": "no"}), True),
        (answer(403, b"<html>"), False),
        (answer(404, {}), False),
        (answer(500, {}), False),
        (error("error_system"), False),
        (answer(200, b"<html>"), False),
    ],
)
def test_a_refused_login_is_told_from_a_failed_one(given_: Answer, refused: bool) -> None:
    assert protocol.is_refused_login(given_) is refused
