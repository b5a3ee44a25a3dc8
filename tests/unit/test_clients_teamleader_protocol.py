"""Teamleader's bytes: what we send, and what each kind of answer means."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from workers.clients.errors import ApiFailure, NotFound, Refused, Throttled, Unavailable
from workers.clients.messages import Answer
from workers.clients.teamleader import protocol
from workers.clients.teamleader.protocol import RateLimit, Unauthorized

NOW = datetime(2026, 2, 8, 11, 0, tzinfo=UTC)
URL = "https://api.focus.teamleader.eu"


def answer(status: int, body: object = None, **headers: str) -> Answer:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer("teamleader", status, {name.replace("_", "-"): value for name, value in headers.items()}, sent)


def failure(status: int, body: object = None, **headers: str) -> ApiFailure:
    with pytest.raises(ApiFailure) as caught:
        protocol.read("contacts.info", answer(status, body, **headers), now=NOW)
    return caught.value


def errors(title: str, **meta: str) -> dict[str, object]:
    return {"errors": [{"title": title, "meta": meta}]}


def test_a_call_is_a_post_of_json_that_pins_the_version() -> None:
    request = protocol.request(URL, "contacts.info", {"id": "1-a"}, "token")

    assert (request.method, request.url) == ("POST", f"{URL}/contacts.info")
    assert json.loads(request.body) == {"id": "1-a"}
    assert request.headers["Authorization"] == "Bearer token"
    assert request.headers["X-Api-Version"] == "2023-09-26"
    assert request.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("id_", ["178d8326-793a-0374-b871-ac2df29733c1", "a", "0" * 64])
def test_an_id_need_not_be_a_proper_uuid(id_: str) -> None:
    assert protocol.checked_id(id_) == id_


@pytest.mark.parametrize("id_", ["", "0" * 65, "a b", "../x", "a\n", "é", '"', "a_b", "a\x00"])
def test_anything_odd_is_refused_as_an_id(id_: str) -> None:
    with pytest.raises(Refused, match="not a Teamleader id") as caught:
        protocol.checked_id(id_)

    assert caught.value.field == "id"


def test_an_answer_is_about_its_data() -> None:
    document = protocol.read("contacts.info", answer(200, {"data": {"id": "1"}, "included": {}}), now=NOW)

    assert protocol.data("contacts.info", document) == {"id": "1"}


def test_an_empty_answer_is_an_empty_object() -> None:
    assert protocol.read("webhooks.register", answer(204, b""), now=NOW) == {}


@pytest.mark.parametrize("document", [{}, {"data": None}, {"data": []}, {"data": "x"}])
def test_an_answer_without_proper_data_is_no_usable_answer(document: dict[str, object]) -> None:
    with pytest.raises(Unavailable):
        protocol.data("contacts.info", document)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": {"id"', [1], None, "x"])
def test_a_200_that_is_not_a_json_object_is_no_usable_answer(body: object) -> None:
    assert type(failure(200, body)) is Unavailable


def test_a_401_asks_for_another_token() -> None:
    with pytest.raises(Unauthorized):
        protocol.read("contacts.info", answer(401, errors("expired")), now=NOW)


@pytest.mark.parametrize("status", [302, 408, 425, 500, 502, 503, 504, 206])
def test_what_may_pass_is_unavailable(status: int) -> None:
    failed = failure(status, errors("Oops"))

    assert type(failed) is Unavailable
    assert failed.status == status


@pytest.mark.parametrize("status", [404, 410])
def test_a_record_that_is_gone_is_not_found(status: int) -> None:
    assert type(failure(status, errors("Not found"))) is NotFound


def test_a_404_that_is_not_teamleaders_own_does_not_say_that_a_customer_is_gone() -> None:
    assert type(failure(404, b"<html>nginx</html>")) is Unavailable


@pytest.mark.parametrize("status", [400, 402, 405, 413, 422])
def test_other_refusals_carry_the_title_and_the_field(status: int) -> None:
    failed = failure(status, errors("must be\n a string", field="id"))

    assert type(failed) is Refused
    assert failed.sentence == "Teamleader refuses contacts.info: must be a string"
    assert (failed.status, failed.field) == (status, "id")


@pytest.mark.parametrize("body", [{}, {"errors": []}, {"errors": [3]}, {"errors": [{"title": 3, "meta": 4}]}, b"?"])
def test_a_refusal_in_an_unknown_shape_is_still_a_refusal(body: object) -> None:
    assert failure(400, body).sentence == "Teamleader refuses contacts.info: no reason given"


def test_a_missing_right_names_the_scope_to_tick() -> None:
    failed = failure(403, errors("Forbidden"))

    assert type(failed) is Refused
    assert "“contacts”" in failed.sentence
    assert "(Forbidden)" in failed.sentence


@pytest.mark.parametrize(
    "quoted",
    ["https://hooks.example.com/webhooks/teamleader/a/b", "/webhooks/a/Zm9vYmFyYmF6cXV4MTIzNDU2", "an@example.com"],
)
def test_quoted_addresses_tokens_and_emails_are_left_out(quoted: str) -> None:
    failed = failure(400, errors(f"The value {quoted} is wrong"))

    assert failed.sentence.endswith("The value ‹…› is wrong")


@pytest.mark.parametrize(
    ("reset", "until"),
    [
        ("2026-02-08T11:00:08+00:00", NOW + timedelta(seconds=8)),
        ("2026-02-08T12:00:08.035+0100", NOW + timedelta(seconds=8.035)),
        ("2026-02-08T11:00:08Z", NOW + timedelta(seconds=8)),
        ("2026-02-08T10:00:00+00:00", NOW),
        ("2026-02-09T11:00:00+00:00", NOW + timedelta(minutes=5)),
        ("2026-02-08T11:00:08", NOW + timedelta(seconds=8)),
    ],
)
def test_a_429_names_when_to_come_back(reset: str, until: datetime) -> None:
    failed = failure(429, b"", x_ratelimit_reset=reset, retry_after="77")

    assert isinstance(failed, Throttled)
    assert failed.until == until


@pytest.mark.parametrize(
    ("after", "until"),
    [
        ("30", NOW + timedelta(seconds=30)),
        ("Sun, 08 Feb 2026 11:01:00 GMT", NOW + timedelta(minutes=1)),
        ("999999999", NOW + timedelta(days=1)),
        ("soon", None),
        ("-3", None),
        ("", None),
    ],
)
def test_without_a_readable_reset_retry_after_counts(after: str, until: datetime | None) -> None:
    failed = failure(429, errors("Too many"), x_ratelimit_reset="1765000000", retry_after=after)

    assert isinstance(failed, Throttled)
    assert failed.until == until


def test_the_counted_calls_are_read_from_every_answer() -> None:
    seen = protocol.rate_limit(
        answer(
            200, {}, x_ratelimit_limit="200", x_ratelimit_remaining="7", x_ratelimit_reset="2026-02-08T11:00:08+00:00"
        )
    )

    assert seen == RateLimit(limit=200, remaining=7, reset=NOW + timedelta(seconds=8))


def test_counts_that_cannot_be_read_are_none() -> None:
    assert protocol.rate_limit(answer(200, {}, x_ratelimit_remaining="-1", x_ratelimit_limit="many")) == RateLimit()
