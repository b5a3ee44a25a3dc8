"""What the web process answers is what its own OpenAPI document says, for whatever schemathesis makes of that document."""

import os
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.webhook_address import webhook_token
from sandbox.deployment import Deployment

pytestmark = pytest.mark.processes

CASES = int(os.environ.get("TLTW_FUZZ_CASES", "60"))
KEPT = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_every_answer_is_documented_and_nothing_made_up_is_accepted(running: Deployment, nothing_else: None):
    schema = schemathesis.openapi.from_url(f"{running.web_url}/openapi.yaml", timeout=60)
    right = webhook_token(running.environment["TLTW_WEBHOOK_KEY"], "default")
    ledger, seen = running.services.ledger("default"), Counter()

    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def answers_as_documented(case):
            if "token" in case.path_parameters:
                # Past the first door; the account in the body is still not ours.
                case.path_parameters.update({"integration": "default", "token": right})
            before = ledger.books().accepted

            response = case.call(base_url=running.web_url, timeout=60)

            case.validate_response(response, checks=KEPT)
            assert ledger.books().accepted == before
            seen[f"{case.method} {case.path}", response.status_code] += 1

        answers_as_documented()
    for (operation, status), count in sorted(seen.items()):
        print(f"{operation:<50} {status}  {count} cases")
    assert len({operation for operation, _ in seen}) >= 4
