"""Every request our clients build is one that the providers' OpenAPI documents know."""

import json
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from config.integrations import TwikeyConnection
from workers.clients.messages import Request
from workers.clients.teamleader import protocol as teamleader
from workers.clients.twikey import protocol as twikey

TEAMLEADER = "https://api.focus.teamleader.eu"
TWIKEY = "https://api.beta.twikey.com/creditor"
ID = "178d8326-793a-0374-b871-ac2df29733c1"
FIELDS = {
    "l": "nl",
    "email": "an+billing@example.com",
    "lastname": "O'Brien",
    "firstname": "Zoë",
    "mobile": "+32475123456",
    "address": "Dok Noord 3A 101",
    "city": "Gent",
    "zip": "9000",
    "country": "BE",
    "companyName": "Ascensio & Co",
    "coc": "0537520055",
}
# Proven by Twikey's own clients, but not in its document.
UNDOCUMENTED = ("vatno", "cc")


@pytest.mark.parametrize("action", teamleader.INFO_ACTIONS.values())
def test_reading_a_record_is_a_documented_call(openapi: ModuleType, teamleader_spec: Any, action: str) -> None:
    request = teamleader.request(TEAMLEADER, action, {"id": teamleader.checked_id(ID)}, "token")

    assert_documented(openapi, teamleader_spec, request)


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("users.me", {}),
        ("webhooks.list", {}),
        ("webhooks.register", {"url": "https://hooks.example.com/x", "types": ["contact.updated", "company.updated"]}),
    ],
)
def test_the_other_calls_are_documented(
    openapi: ModuleType, teamleader_spec: Any, action: str, body: dict[str, object]
) -> None:
    request = teamleader.request(TEAMLEADER, action, body, "token")

    assert_documented(openapi, teamleader_spec, request)
    assert request.headers["Content-Type"] == "application/json"


def assert_documented(openapi: ModuleType, spec: Any, request: Request) -> None:
    path = urlsplit(request.url).path
    # A call without arguments sends {} because some of them demand the header of a JSON body.
    openapi.assert_request_matches(spec, request.method, path, json=json.loads(request.body) or None)


def test_an_update_is_a_documented_call(openapi: ModuleType, twikey_spec: Any) -> None:
    request = twikey.update_request(TWIKEY, "session", ID, {**FIELDS, "vatno": "BE0537520055", "cc": "a@example.com"})

    parts = urlsplit(request.url)
    path, query = parts.path.removeprefix("/creditor"), dict(parse_qsl(parts.query, strict_parsing=True))
    openapi.assert_request_matches(twikey_spec, request.method, path, query=query, undocumented=UNDOCUMENTED)
    assert query["mobile"] == FIELDS["mobile"]
    assert request.body == b""


def test_a_login_is_a_documented_call(openapi: ModuleType, twikey_spec: Any) -> None:
    request = twikey.login_request(TwikeyConnection(api_url=TWIKEY, api_token="key"))

    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    openapi.assert_request_matches(twikey_spec, request.method, "/", form=form)
    assert request.url == TWIKEY


def test_creating_sends_the_names_that_updating_documents(openapi: ModuleType, twikey_spec: Any) -> None:
    """PUT and GET of a customer are in Twikey's Node client, but in no document."""
    request = twikey.create_request(TWIKEY, "session", ID, {**FIELDS, "ct": "12"})

    form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
    openapi.assert_request_matches(twikey_spec, "PATCH", f"/customer/{ID}", query=form)
    assert form == {**FIELDS, "ct": "12"}
