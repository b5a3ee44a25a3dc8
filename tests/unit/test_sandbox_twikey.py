"""The simulated Twikey keeps the oddities of the real one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from sandbox.deployment import wait_for
from sandbox.gates import Gate
from sandbox.serve import serve
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY
from sandbox.twikey.validation import Refused, check

ONE = "/creditor/customer/one"


@pytest.fixture
def twikey() -> Iterator[tuple[Twikey, httpx.Client]]:
    app = create_twikey()
    app.office.default.add("one", {"city": "Gent", "coc": "1", "companyName": "Een"})
    with serve(app) as url, httpx.Client(base_url=url) as client:
        client.headers["Authorization"] = app.office.open_session(app.office.default)
        yield app, client


def profile(app: Twikey, number: str = "one") -> dict[str, Any]:
    return app.office.default.customers[number].profile


def settings(client: httpx.Client, **wanted: Any) -> None:
    client.patch("/_sandbox/settings", json={"settings": wanted}).raise_for_status()


def test_an_update_reads_the_query_and_not_the_body(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey

    answer = client.patch(ONE, params={"zip": "9000"}, data={"city": "Brugge"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert profile(app) == {"city": "Gent", "coc": "1", "companyName": "Een", "zip": "9000"}


def test_the_enterprise_number_changes_only_together_with_the_name(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey

    client.patch(ONE, params={"coc": "2"})
    alone = profile(app)["coc"]
    client.patch(ONE, params={"coc": "2", "companyName": "Een"})

    assert (alone, profile(app)["coc"]) == ("1", "2")


def test_an_unknown_parameter_is_ignored_but_put_on_record(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey

    answer = client.patch(ONE, params={"zipcode": "9000"})

    assert answer.status_code == 204
    assert "zipcode" not in profile(app)
    assert client.get("/_sandbox/writes").json()["writes"][0]["ignored"] == {"zipcode": "9000"}


@pytest.mark.parametrize(("parameter", "stored"), [("cc", True), ("ccEmail", False), ("", False)])
def test_the_cc_is_stored_only_under_the_name_that_is_set(
    twikey: tuple[Twikey, httpx.Client], parameter: str, stored: bool
) -> None:
    app, client = twikey
    settings(client, cc_parameter=parameter)

    client.patch(ONE, params={"cc": "two@example.com"})

    assert ("cc" in profile(app)) == stored
    assert (client.get(ONE).json().get("cc") == "two@example.com") == stored


def test_putting_an_unknown_customer_creates_it(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey

    answer = client.put("/creditor/customer/two", data={"companyName": "Twee", "ct": "7"})

    assert answer.status_code == 204
    assert profile(app, "two") == {"companyName": "Twee", "ct": "7"}


@pytest.mark.parametrize(("clears", "city"), [(True, None), (False, "Gent")])
def test_putting_a_known_customer_clears_what_is_left_out(
    twikey: tuple[Twikey, httpx.Client], clears: bool, city: str | None
) -> None:
    app, client = twikey
    settings(client, put_clears_omitted=clears)

    client.put(ONE, data={"companyName": "Een"})

    assert profile(app).get("city") == city


def test_putting_can_be_switched_off(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    settings(client, put_available=False)

    assert client.put("/creditor/customer/two", data={}).status_code == 405


def test_a_signed_customer_keeps_its_name(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    client.patch("/_sandbox/customers/one", json={"name_locked": True})

    renamed = client.patch(ONE, params={"companyName": "Anders", "city": "Brugge"})
    moved = client.patch(ONE, params={"city": "Brugge"})

    assert (renamed.status_code, renamed.json()["code"]) == (400, "err_contact_support")
    assert moved.status_code == 204
    assert client.delete(ONE).headers["ApiErrorCode"] == "err_remove_stale"


def test_renumbering_moves_a_customer(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey

    client.patch(ONE, params={"customerNumber": "uno"})

    assert client.get(ONE).json()["code"] == "err_not_found"
    assert client.get("/creditor/customer/uno").json()["customerNumber"] == "uno"


@pytest.mark.parametrize(
    ("parameters", "code", "extra"),
    [
        ({"email": "fien(at)example.org"}, "err_invalid_email", "fien(at)example.org"),
        ({"email": "a@example.org;b@example.org"}, "err_invalid_email", "a@example.org;b@example.org"),
        ({"email": "x" * 60 + "@example.org"}, "err_invalid_params", "email"),
        ({"country": "be"}, "err_invalid_country", "be"),
        ({"l": "nl_BE"}, "err_invalid_lang", "nl_BE"),
        ({"coc": "0537.520.055"}, "err_invalid_params", "coc"),
        ({"mobile": " 32475123456"}, "err_invalid_params", "mobile"),
        ({"ct": "10000"}, "err_invalid_params", "ct"),
        ({"companyName": "x" * 141}, "err_invalid_params", "companyName"),
    ],
)
def test_what_twikey_would_not_take_is_refused(parameters: dict[str, str], code: str, extra: str) -> None:
    with pytest.raises(Refused) as refusal:
        check(parameters)

    assert (refusal.value.code, refusal.value.extra) == (code, extra)


def test_an_unknown_or_ended_session_is_told_without_a_code(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    client.post("/_sandbox/sessions/expire")

    answer = client.get(ONE)

    assert (answer.status_code, answer.json()) == (401, {"message": "Not logged in"})
    assert "ApiErrorCode" not in answer.headers


def test_a_logout_ends_every_session_of_the_key(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    other = app.office.open_session(app.office.default)

    client.get("/creditor")

    assert client.get(ONE, headers={"Authorization": other}).status_code == 401


def test_too_many_logins_are_throttled_with_an_empty_answer(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    settings(client, logins_allowed=2, login_window=1000)

    answers = [client.post("/creditor", data={"apiToken": DEFAULT_API_KEY}) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].content == b""
    assert 990 < int(answers[2].headers["X-Rate-Limit-Retry-After-Seconds"]) <= 1001


def test_a_bad_login_can_also_be_a_200_with_an_error_header(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    settings(client, bad_login="status_200")

    answer = client.post("/creditor", data={"apiToken": "wrong"})

    assert (answer.status_code, answer.headers["ApiErrorCode"]) == (200, "err_no_login")
    assert "Authorization" not in answer.headers


def test_each_key_sees_its_own_customers(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    client.post("/_sandbox/creditors", json={"id": "second", "api_key": "second-key"})

    token = client.post("/creditor", data={"apiToken": "second-key"}).headers["Authorization"]

    assert client.get(ONE, headers={"Authorization": token}).json()["code"] == "err_not_found"


def test_two_writes_of_one_customer_at_the_same_time_are_found(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.office.default.add("two", {})
    client.patch(ONE, params={"city": "Een"})
    client.patch(ONE, params={"city": "Twee"})
    one_by_one = client.get("/_sandbox/overlaps").json()["count"]

    gate = app.gates.set(Gate("all of them", "/creditor/customer", method="PATCH"))
    with ThreadPoolExecutor(3) as pool:
        for number in ("one", "one", "two"):
            pool.submit(client.patch, f"/creditor/customer/{number}", params={"city": "Drie"})
        wait_for("all of them to be under way", lambda: gate.waiting == 3, seconds=60)
        app.gates.release()
    found = client.get("/_sandbox/overlaps").json()

    assert one_by_one == 0
    assert found["count"] == 1
    assert {write["customer"] for write in found["pairs"][0]} == {"one"}
