"""Twikey's customers and the session, through the whole client, on good days and bad ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet

from config.secrets import Cipher
from sandbox.misbehave import Answer
from sandbox.serve import Environ, StartResponse, serve
from workers.clients.errors import (
    CreateUnavailable,
    ReconnectNeeded,
    Refused,
    Throttled,
    Unavailable,
    UnknownCustomer,
)
from workers.clients.twikey.client import TwikeyClient

AtOnce = Callable[[int, Callable[[], object]], list[object]]
NUMBER = "178d8326-793a-0374-b871-ac2df29733c1"
FIELDS = {
    "email": "an+billing@example.com",
    "firstname": "Zoë",
    "lastname": "O'Brien & Søn",
    "mobile": "+32475123456",
    "address": "Dok Noord 3A #101",
    "city": "Sint Niklaas",
    "country": "BE",
    "l": "nl",
}


def test_a_customer_can_be_created_updated_and_read(at_twikey: Any) -> None:
    client = at_twikey.client()

    client.create(NUMBER, FIELDS)
    client.update(NUMBER, {"mobile": "+32475999999", "city": "50% off + more"})
    found = client.get(NUMBER)

    assert at_twikey.profile(NUMBER) == {**FIELDS, "mobile": "+32475999999", "city": "50% off + more"}
    assert found["email"] == FIELDS["email"]
    assert at_twikey.logins == 1


@pytest.mark.parametrize("status", [200, 201, 204])
def test_any_2xx_creates(at_twikey: Any, status: int) -> None:
    at_twikey.app.office.settings.put_status = status

    at_twikey.client().create(NUMBER, FIELDS)

    assert at_twikey.profile(NUMBER)["lastname"] == FIELDS["lastname"]


def test_an_unknown_customer_is_told(at_twikey: Any) -> None:
    client = at_twikey.client()

    with pytest.raises(UnknownCustomer):
        client.update(NUMBER, FIELDS)

    assert client.get(NUMBER) is None


def test_an_account_without_put_cannot_create(at_twikey: Any) -> None:
    at_twikey.app.office.settings.put_available = False

    with pytest.raises(CreateUnavailable):
        at_twikey.client().create(NUMBER, FIELDS)


def test_a_refusal_names_the_field_and_not_the_value(at_twikey: Any) -> None:
    client = at_twikey.client()
    client.create(NUMBER, FIELDS)

    with pytest.raises(Refused) as caught:
        client.update(NUMBER, {"email": "nobody-at-all"})

    assert (caught.value.code, caught.value.field, caught.value.status) == ("err_invalid_email", "email", 400)
    assert "nobody" not in caught.value.sentence


def test_a_dead_session_is_renewed_and_the_call_replayed_once(at_twikey: Any) -> None:
    client = at_twikey.client()
    client.create(NUMBER, FIELDS)
    at_twikey.app.office.end_sessions()

    client.update(NUMBER, {"city": "Gent"})

    assert at_twikey.profile(NUMBER)["city"] == "Gent"
    assert at_twikey.logins == 2


def test_sixteen_threads_of_several_processes_log_in_once(at_twikey: Any, everywhere_at_once: AtOnce) -> None:
    at_twikey.client().create(NUMBER, FIELDS)
    clients = [at_twikey.client() for _ in range(4)]
    for client in clients:
        client.get(NUMBER)
    at_twikey.app.office.end_sessions()
    turns = iter(clients * 4)

    answers = everywhere_at_once(16, lambda: next(turns).update(NUMBER, {"city": "Gent"}))

    assert answers == [None] * 16
    assert at_twikey.logins == 2


def test_the_first_sixteen_threads_log_in_once(at_twikey: Any, everywhere_at_once: AtOnce) -> None:
    client = at_twikey.client()

    answers = everywhere_at_once(16, lambda: client.get(NUMBER))

    assert answers == [None] * 16
    assert at_twikey.logins == 1


def test_a_session_refused_at_once_needs_a_person(at_twikey: Any) -> None:
    at_twikey.app.faults.set("status", prefix="/creditor/customer", status=401)

    with pytest.raises(ReconnectNeeded):
        at_twikey.client().update(NUMBER, FIELDS)

    assert at_twikey.logins == 2


@pytest.mark.parametrize("style", ["status_400", "status_200"])
def test_a_wrong_key_needs_a_person_and_is_not_hammered(at_twikey: Any, everywhere_at_once: AtOnce, style: str) -> None:
    at_twikey.app.office.settings.bad_login = style
    session = at_twikey.session(replace(at_twikey.connection, api_token="wrong"))

    answers = everywhere_at_once(8, session.token)

    assert all(isinstance(answer, ReconnectNeeded) for answer in answers)
    assert at_twikey.logins == 1


def test_a_corrected_key_is_tried_at_once(at_twikey: Any) -> None:
    with pytest.raises(ReconnectNeeded):
        at_twikey.session(replace(at_twikey.connection, api_token="wrong")).token()

    at_twikey.client().check()

    assert at_twikey.logins == 2


def test_another_key_never_uses_the_old_keys_session(at_twikey: Any) -> None:
    at_twikey.app.office.add_creditor("creditor-2", "second-key")
    at_twikey.client().create(NUMBER, FIELDS)
    second = at_twikey.session(replace(at_twikey.connection, api_token="second-key"))

    at_twikey.client(second).create("2", FIELDS)

    assert "2" in at_twikey.app.office.creditors["creditor-2"].customers
    assert "2" not in at_twikey.app.office.default.customers


def test_a_throttled_login_stops_everybody_until_the_time_it_names(at_twikey: Any) -> None:
    at_twikey.app.office.settings.logins_allowed = 0
    at_twikey.app.office.settings.login_window = 1000

    with pytest.raises(Throttled) as first:
        at_twikey.client().get(NUMBER)
    with pytest.raises(Throttled) as second:
        at_twikey.client().get(NUMBER)

    assert at_twikey.logins == 1
    for caught in (first, second):
        assert caught.value.api == "twikey"
        left = caught.value.until - datetime.now(UTC)
        assert timedelta(seconds=900) < left < timedelta(seconds=1010)


def test_a_throttled_login_without_a_time_pauses_for_a_while(at_twikey: Any) -> None:
    at_twikey.app.faults.set("status", prefix="/creditor", status=429, retry="missing")

    with pytest.raises(Throttled):
        at_twikey.client().get(NUMBER)

    assert 890_000 < at_twikey.store.pttl(at_twikey.keys.login_blocked) <= 900_000


def test_the_session_lives_23_hours_in_the_store_and_is_not_readable_there(at_twikey: Any) -> None:
    token = at_twikey.session().token()

    raw = at_twikey.store.get(at_twikey.keys.session)

    assert token.encode() not in raw
    assert 22 * 3600 < at_twikey.store.ttl(at_twikey.keys.session) <= 23 * 3600


def test_a_process_asks_the_store_again_from_time_to_time(at_twikey: Any) -> None:
    session = at_twikey.session()
    first = session.token()
    at_twikey.store.delete(at_twikey.keys.session)

    assert session.token() == first
    at_twikey.wall.ahead = timedelta(minutes=11)
    assert session.token() != first


def test_a_lost_secret_key_costs_one_login(at_twikey: Any) -> None:
    at_twikey.client().create(NUMBER, FIELDS)
    at_twikey.cipher = Cipher([Fernet.generate_key().decode()])

    at_twikey.client().update(NUMBER, {"city": "Gent"})

    assert at_twikey.logins == 2


@pytest.mark.parametrize("kind", ["html", "wrong_type", "huge", "redirect", "reset"])
def test_garbage_from_the_login_is_unavailable_and_blocks_nobody(at_twikey: Any, kind: str) -> None:
    at_twikey.app.faults.set(kind, prefix="/creditor", method="POST", count=1)
    client = at_twikey.client()

    with pytest.raises(Unavailable):
        client.get(NUMBER)

    assert client.get(NUMBER) is None


@pytest.mark.parametrize("kind", ["html", "truncated", "wrong_type", "huge", "redirect", "reset"])
def test_garbage_about_a_customer_is_unavailable(at_twikey: Any, kind: str) -> None:
    client = at_twikey.client()
    client.create(NUMBER, FIELDS)
    at_twikey.app.faults.set(kind, method="GET")

    with pytest.raises(Unavailable):
        client.get(NUMBER)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_twikey_is_unavailable_and_asked_once(at_twikey: Any, status: int) -> None:
    client = at_twikey.client()
    client.create(NUMBER, FIELDS)
    at_twikey.app.faults.set("status", method="PATCH", status=status)

    with pytest.raises(Unavailable):
        client.update(NUMBER, FIELDS)

    assert sum(1 for _ in at_twikey.app.log.records(method="PATCH")) == 1


def test_a_429_names_its_time(at_twikey: Any) -> None:
    at_twikey.app.faults.set("status", prefix="/creditor/customer", status=429, retry_seconds=30)

    with pytest.raises(Throttled) as caught:
        at_twikey.client().update(NUMBER, FIELDS)

    assert timedelta(seconds=0) < caught.value.until - datetime.now(UTC) < timedelta(seconds=31)
    assert at_twikey.store.exists(at_twikey.keys.login_blocked) == 0


def test_a_check_proves_the_key_even_when_a_session_is_stored(at_twikey: Any) -> None:
    at_twikey.client().check()
    at_twikey.app.office.default.api_key = "replaced at Twikey"
    at_twikey.app.office.end_sessions()

    with pytest.raises(ReconnectNeeded):
        at_twikey.client().check()


def test_a_number_that_could_mean_another_address_is_sent_nowhere(at_twikey: Any) -> None:
    client = at_twikey.client()
    client.check()
    before = len(at_twikey.app.log.last(100))

    for attempt in (lambda: client.update("../x", FIELDS), lambda: client.get("a/b")):
        with pytest.raises(Refused):
            attempt()

    assert len(at_twikey.app.log.last(100)) == before


def scripted(*answers: Answer) -> Callable[[Environ, StartResponse], list[bytes]]:
    """A server that lets everybody log in and gives these answers to the other calls, in turn."""
    left = iter(answers)

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        login = environ["REQUEST_METHOD"] == "POST"
        status, headers, body = ("200 OK", [("Authorization", "token")], b"") if login else next(left)
        start_response(status, headers)
        return [body]

    return app


SUSPECT: Answer = ("429 Too Many Requests", [("ApiErrorCode", "err_not_authorised")], b"")


def test_a_session_that_twikey_forgot_is_dropped_after_a_pause(at_twikey: Any) -> None:
    with serve(scripted(SUSPECT, ("204 No Content", [], b""))) as url:
        at_twikey.connection = replace(at_twikey.connection, api_url=url)
        client: TwikeyClient = at_twikey.client()

        with pytest.raises(Throttled) as caught:
            client.update(NUMBER, FIELDS)
        dropped = at_twikey.store.get(at_twikey.keys.session) is None
        client.update(NUMBER, FIELDS)

    assert caught.value.until is not None
    assert dropped


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
def test_a_2xx_with_an_error_header_is_an_error(at_twikey: Any, status: str) -> None:
    with serve(scripted((status, [("ApiErrorCode", "err_invalid_email")], b""))) as url:
        at_twikey.connection = replace(at_twikey.connection, api_url=url)

        with pytest.raises(Refused) as caught:
            at_twikey.client().update(NUMBER, FIELDS)

    assert caught.value.field == "email"


def test_a_200_without_a_body_means_unknown(at_twikey: Any) -> None:
    with serve(scripted(("200 OK", [], b""))) as url:
        at_twikey.connection = replace(at_twikey.connection, api_url=url)

        assert at_twikey.client().get(NUMBER) is None


@pytest.mark.parametrize("status", ["404 Not Found", "405 Method Not Allowed"])
def test_an_account_that_cannot_be_read_says_so(at_twikey: Any, status: str) -> None:
    with serve(scripted((status, [], b"<html>"), (status, [], b"<html>"))) as url:
        at_twikey.connection = replace(at_twikey.connection, api_url=url)
        client = at_twikey.client()

        with pytest.raises(Refused, match="read customers"):
            client.get(NUMBER)
        client.check()


def test_whether_it_may_still_be_sent_is_asked_after_the_login_and_right_before_each_request(at_twikey: Any) -> None:
    client, asked = at_twikey.client(), []

    def ask() -> None:
        asked.append(at_twikey.logins)

    client.create("c-1", {"lastname": "Peeters"}, before_send=ask)
    at_twikey.app.office.end_sessions()
    client.update("c-1", {"lastname": "Janssens"}, before_send=ask)

    # Asked once after the first login; then before the request that was answered 401, and again after the second login.
    assert asked == [1, 1, 2]


def test_nothing_is_sent_when_it_may_no_longer_be(at_twikey: Any) -> None:
    client = at_twikey.client()
    client.create("c-1", {"lastname": "Peeters"})

    def no_more() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        client.update("c-1", {"lastname": "Janssens"}, before_send=no_more)
    assert at_twikey.profile("c-1")["lastname"] == "Peeters"
