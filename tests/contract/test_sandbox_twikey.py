"""The simulated Twikey understands and answers what its OpenAPI document says; the rest follows the fact sheet."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from sandbox.serve import serve
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY

EVERYTHING = {
    "ct": "12",
    "l": "nl",
    "email": "info@example.com",
    "lastname": "Peeters",
    "firstname": "An",
    "mobile": "+32475123456",
    "address": "Dok Noord 3A 101",
    "city": "Gent",
    "zip": "9000",
    "country": "BE",
    "companyName": "Ascensio BV",
    "coc": "0537520055",
}
BROKEN = {
    "err_invalid_email": {"email": "nobody"},
    "err_invalid_country": {"country": "UK"},
    "err_invalid_lang": {"l": "pl"},
    "err_invalid_params": {"city": "x" * 51},
    "err_duplicate_ref": {"customerNumber": "other"},
}


@pytest.fixture
def running() -> Iterator[tuple[Twikey, str, httpx.Client]]:
    app = create_twikey()
    app.office.default.add("known", {})
    app.office.default.add("other", {})
    with serve(app) as url, httpx.Client(base_url=f"{url}/creditor") as client:
        client.headers["Authorization"] = app.office.open_session(app.office.default)
        yield app, url, client


def test_login_and_logout_are_as_documented(
    running: tuple[Twikey, str, httpx.Client], openapi: ModuleType, twikey_spec: Any
) -> None:
    _, _, client = running
    form = {"apiToken": DEFAULT_API_KEY}

    login = client.post("", data=form)
    logout = client.get("", headers={"Authorization": login.headers["Authorization"]})

    openapi.assert_request_matches(twikey_spec, "POST", "/", form=form)
    openapi.assert_response_matches(twikey_spec, "POST", "/", login.status_code, login.json())
    openapi.assert_response_matches(twikey_spec, "GET", "/", logout.status_code, logout.text)
    assert login.json()["Authorization"] == login.headers["Authorization"]
    assert login.headers["X-MERCHANT-ID"]


def test_a_wrong_key_is_refused_as_documented(
    running: tuple[Twikey, str, httpx.Client], openapi: ModuleType, twikey_spec: Any
) -> None:
    _, _, client = running

    answer = client.post("", data={"apiToken": "wrong"})

    openapi.assert_response_matches(twikey_spec, "POST", "/", answer.status_code)
    assert answer.headers["ApiErrorCode"] == "err_no_login"


def test_an_update_with_every_documented_parameter_is_taken_over(
    running: tuple[Twikey, str, httpx.Client], openapi: ModuleType, twikey_spec: Any
) -> None:
    app, _, client = running

    answer = client.patch("/customer/known", params=EVERYTHING)

    openapi.assert_request_matches(twikey_spec, "PATCH", "/customer/known", query=EVERYTHING)
    openapi.assert_response_matches(twikey_spec, "PATCH", "/customer/known", answer.status_code, answer.text)
    assert app.office.default.customers["known"].profile == EVERYTHING


@pytest.mark.parametrize(("code", "query"), BROKEN.items(), ids=BROKEN)
def test_each_documented_error_is_answered(
    running: tuple[Twikey, str, httpx.Client], openapi: ModuleType, twikey_spec: Any, code: str, query: dict[str, str]
) -> None:
    _, _, client = running

    answer = client.patch("/customer/known", params=query)

    documented = twikey_spec["paths"]["/customer/{customerNumber}"]["patch"]["responses"]["400"]["headers"]
    assert code in documented["ApiErrorCode"]["schema"]["enum"]
    openapi.assert_response_matches(twikey_spec, "PATCH", "/customer/known", answer.status_code)
    assert answer.headers["ApiErrorCode"] == answer.json()["code"] == code


def test_an_unknown_customer_cannot_be_updated(running: tuple[Twikey, str, httpx.Client]) -> None:
    _, _, client = running

    answer = client.patch("/customer/unknown", params={"city": "Gent"})

    assert answer.status_code == 400
    assert answer.json() == {"code": "err_debtor_not_found", "message": "Customer not found", "extra": "unknown"}
