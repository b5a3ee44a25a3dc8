"""The checks against the OpenAPI documents find what they must, and let real life pass."""

from types import ModuleType
from typing import Any

import pytest


@pytest.mark.parametrize(
    "body",
    [
        {"filter": {"updated_sinc": "2026-01-01T00:00:00+00:00"}},
        {"filters": {}},
        {"page": {"sise": 20}},
        {"sort": [{"field": "name", "order": "upwards"}]},
        {"sort": [{"field": "shoe_size"}]},
        {"filter": {"ids": "one"}},
    ],
)
def test_a_request_with_a_name_or_value_the_document_does_not_know_fails(
    openapi: ModuleType, teamleader_spec: Any, body: Any
) -> None:
    with pytest.raises(AssertionError):
        openapi.assert_request_matches(teamleader_spec, "POST", "/contacts.list", json=body)


def test_a_request_without_a_required_name_fails(openapi: ModuleType, teamleader_spec: Any) -> None:
    with pytest.raises(AssertionError, match="'id' is a required property"):
        openapi.assert_request_matches(teamleader_spec, "POST", "/contacts.info", json={})


def test_a_misspelt_query_parameter_fails_unless_it_is_let_through(openapi: ModuleType, twikey_spec: Any) -> None:
    query = {"cc": "second@example.com"}

    openapi.assert_request_matches(twikey_spec, "PATCH", "/customer/x", query=query, undocumented={"cc"})
    with pytest.raises(AssertionError, match="cc"):
        openapi.assert_request_matches(twikey_spec, "PATCH", "/customer/x", query=query)


def test_an_over_long_query_parameter_fails(openapi: ModuleType, twikey_spec: Any) -> None:
    with pytest.raises(AssertionError, match="too long"):
        openapi.assert_request_matches(twikey_spec, "PATCH", "/customer/x", query={"city": "x" * 51})


def test_an_undocumented_operation_fails(openapi: ModuleType, twikey_spec: Any) -> None:
    with pytest.raises(AssertionError, match="not documented"):
        openapi.assert_request_matches(twikey_spec, "POST", "/customer/x")


def test_an_answer_may_hold_nulls_and_extra_keys(openapi: ModuleType, teamleader_spec: Any) -> None:
    body = {"data": {"id": "x", "first_name": None, "emails": None, "shoe_size": 43}}

    openapi.assert_response_matches(teamleader_spec, "POST", "/contacts.info", 200, body)


@pytest.mark.parametrize("data", [{"emails": "a@example.com"}, {"status": "asleep"}, {"tags": [1]}])
def test_an_answer_of_another_type_fails(openapi: ModuleType, teamleader_spec: Any, data: Any) -> None:
    with pytest.raises(AssertionError):
        openapi.assert_response_matches(teamleader_spec, "POST", "/contacts.info", 200, {"data": data})


def test_an_answer_with_an_undocumented_status_fails(openapi: ModuleType, teamleader_spec: Any) -> None:
    with pytest.raises(AssertionError, match="never answers 418"):
        openapi.assert_response_matches(teamleader_spec, "POST", "/contacts.info", 418, {})
