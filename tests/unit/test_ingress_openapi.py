"""The description of the HTTP interface agrees with the code."""

import re
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import yaml
from flask import Flask
from jsonschema import Draft202012Validator

from ingress.webhooks import events
from ingress.webhooks.app import create_app, openapi
from ingress.webhooks.body import MAX_BYTES
from ingress.webhooks.door import Door
from ingress.webhooks.refusals import STATUS, Reason
from ingress.webhooks.signature import EVENT_ID
from workers.ledger import Scripts

ROOT = Path(__file__).parents[2]
DOCUMENT = yaml.safe_load(openapi())


@pytest.fixture
def app() -> Flask:
    return create_app(Door(scripts=Scripts(fakeredis.FakeRedis()), webhook_keys=(), wake=lambda *_: None))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", **DOCUMENT})


def at(*names: str) -> Any:
    value: Any = DOCUMENT
    for name in names:
        value = value[name]
    return value


def test_the_copy_in_docs_is_fresh():
    assert (ROOT / "docs/openapi.yaml").read_text() == openapi(), "run: cp ingress/webhooks/openapi.yaml docs/"


def test_the_process_serves_it(app: Flask):
    response = app.test_client().get("/openapi.yaml")

    assert response.text == openapi()
    assert response.mimetype == "application/yaml"


def test_every_route_is_described_and_every_description_has_a_route(app: Flask):
    routes = {re.sub(r"<(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}

    assert routes == set(at("paths"))


def test_every_reason_of_a_refusal_is_described_with_its_status():
    described = at("components", "schemas", "Refusal", "properties", "reason", "enum")
    ways_in = [path["post"] for path in at("paths").values() if "post" in path]

    assert described == [reason.value for reason in Reason]
    assert set(STATUS) == set(Reason)
    for way_in in ways_in:
        assert set(way_in["responses"]) == {"200", "202"} | {str(status) for status in STATUS.values()}


def test_every_event_type_we_act_on_is_described():
    described = at("components", "schemas", "TeamleaderEvent", "properties", "type", "examples")

    assert described == [*events.CAUSES, *events.PAUSING]


def test_patterns_and_limits_are_those_of_the_code():
    headers = at("paths", "/events/invoice-imported/{integration}", "post", "parameters")

    assert at("components", "schemas", "Id", "pattern") == f"^{events.IDENTIFIER.pattern}$"
    assert f"^{EVENT_ID.pattern}$" in [parameter.get("schema", {}).get("pattern") for parameter in headers]
    assert MAX_BYTES == 65536


@pytest.mark.parametrize(
    ("path", "schema", "read"),
    [
        ("/webhooks/teamleader/{integration}/{token}", "TeamleaderEvent", events.read_teamleader),
        ("/events/invoice-imported/{integration}", "InvoiceImported", events.read_invoice_imported),
    ],
)
def test_the_examples_follow_their_schema_and_are_understood(path: str, schema: str, read):
    example = at("paths", path, "post", "requestBody", "content", "application/json", "example")

    validator(schema).validate(example)
    assert read(example)
