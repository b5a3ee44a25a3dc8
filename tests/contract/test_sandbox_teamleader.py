"""The simulated Teamleader answers as the OpenAPI document of Teamleader says."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest

from sandbox.serve import serve
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.shapes import errors
from sandbox.teamleader.world import TeamleaderSettings
from sandbox.world import CHARACTERS, Character, character

URL = "https://hooks.example.com/webhooks/teamleader/x"
KINDS = ("contact", "company")
RESOURCES = {"contact": "contacts", "company": "companies"}


class Caller:
    """Calls one operation and checks both what is sent and what comes back."""

    def __init__(self, app: Teamleader, url: str, client: httpx.Client, openapi: ModuleType, spec: Any) -> None:
        self.app, self.url, self.client, self.openapi, self.spec = app, url, client, openapi, spec
        token = app.world.issue_tokens(app.world.default).access_token
        client.headers["Authorization"] = f"Bearer {token}"

    def __call__(self, operation: str, body: dict[str, Any] | None = None) -> Any:
        self.openapi.assert_request_matches(self.spec, "POST", f"/{operation}", json=body)
        answer = self.client.post(f"{self.url}/{operation}", json=body or {})
        decoded = answer.json() if answer.content else None
        self.openapi.assert_response_matches(self.spec, "POST", f"/{operation}", answer.status_code, decoded)
        return decoded["data"] if decoded else None


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Teamleader, str, httpx.Client]]:
    app = create_teamleader(TeamleaderSettings(rate_limit=10_000), generated=GeneratedWorld(50, seed=4))
    with serve(app) as url, httpx.Client() as client:
        yield app, url, client


@pytest.fixture
def call(running: tuple[Teamleader, str, httpx.Client], openapi: ModuleType, teamleader_spec: Any) -> Caller:
    return Caller(*running, openapi, teamleader_spec)


@pytest.mark.parametrize("one", CHARACTERS, ids=lambda one: one.slug)
def test_every_character_is_served_as_documented(call: Caller, one: Character) -> None:
    data = call(f"{RESOURCES[one.kind]}.info", {"id": one.id})

    assert data["id"] == one.id


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_shows_every_customer_as_documented(call: Caller, kind: str) -> None:
    body = {"page": {"size": 100, "number": 1}, "sort": [{"field": "updated_at", "order": "asc"}]}

    data = call(f"{RESOURCES[kind]}.list", body)

    assert len(data) == 25 + sum(one.kind == kind for one in CHARACTERS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_hides_what_only_info_shows(call: Caller, kind: str) -> None:
    row = call(f"{RESOURCES[kind]}.list", {"page": {"size": 1}})[0]

    assert not {"addresses", "remarks", "custom_fields"} & set(row)
    assert row["primary_address"]["country"]


def test_a_company_shows_its_relations_only_when_asked(call: Caller) -> None:
    company = character("dotted-vat").id

    plain = call("companies.info", {"id": company})
    full = call("companies.info", {"id": company, "includes": "related_companies,related_contacts"})

    assert "related_contacts" not in plain
    assert full["related_contacts"] == []


@pytest.mark.parametrize("state", ["draft", "booked", "paid", "zero"])
def test_an_invoice_is_served_as_documented_in_every_state(call: Caller, state: str) -> None:
    account = call.app.world.default
    amount = 0.0 if state == "zero" else 121.0
    invoice = account.add_invoice("company", character("two-emails").id, amount=amount, book=state != "draft")
    if state == "paid":
        account.change_invoice(invoice["id"], {"paid": True})

    shown = call("invoices.info", {"id": invoice["id"]})
    listed = call("invoices.list", {"filter": {"ids": [invoice["id"]]}})

    assert shown["status"] == {"draft": "draft", "paid": "matched"}.get(state, "outstanding")
    assert listed[0]["id"] == invoice["id"]


def test_registering_listing_and_unregistering_webhooks_is_as_documented(call: Caller) -> None:
    call("webhooks.register", {"url": URL, "types": ["contact.updated", "invoice.booked"]})
    listed = call("webhooks.list")
    call("webhooks.unregister", {"url": URL, "types": ["contact.updated", "invoice.booked"]})

    assert listed == [{"url": URL, "types": ["contact.updated", "invoice.booked"]}]
    assert call("webhooks.list") == []


def test_every_documented_webhook_type_can_be_registered(call: Caller) -> None:
    schema = call.spec["paths"]["/webhooks.register"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    types = schema["properties"]["types"]["items"]["enum"]

    call("webhooks.register", {"url": URL, "types": types})

    call("webhooks.unregister", {"url": URL, "types": types})


def test_the_user_names_the_account(call: Caller) -> None:
    data = call("users.me")

    assert data["account"] == {"type": "account", "id": call.app.world.default.id}


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("contacts.info", {"id": "nobody"}, 404),
        ("contacts.info", {}, 400),
        ("contacts.list", {"page": {"size": 101}}, 400),
        ("contacts.list", {"filter": {"updated_since": "2026-01-01T00:00:00.5+00:00"}}, 400),
        ("webhooks.register", {"url": URL, "types": ["contact.deactivated"]}, 400),
        ("contacts.explode", {}, 404),
    ],
)
def test_every_refusal_has_a_title(
    running: tuple[Teamleader, str, httpx.Client], operation: str, body: dict[str, Any], status: int
) -> None:
    app, url, client = running
    token = app.world.issue_tokens(app.world.default).access_token

    answer = client.post(f"{url}/{operation}", json=body, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == status
    assert answer.json()["errors"][0]["title"]
    assert answer.json().keys() == errors(status, "any").keys()
