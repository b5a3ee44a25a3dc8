"""Checks requests and answers against the providers' OpenAPI documents, which are not part of this repository.

Requests are held to the letter, unknown names included, because both services ignore those silently. Answers are
read leniently, because real ones carry nulls and extra keys that the documents do not know.
"""

import re
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parents[2].parent / "shared" / "facts" / "openapi"
FILES = {"teamleader": "teamleader-1.112-subset.yaml", "twikey": "twikey-1.0.3.yaml"}

Schema = dict[str, Any]


@cache
def spec(name: str) -> Schema:
    """The document of `teamleader` or `twikey`; skips the test when it is not at hand."""
    path = FOLDER / FILES[name]
    if not path.exists():
        pytest.skip(f"{FILES[name]} is not in {FOLDER.parent.name}/{FOLDER.name} beside the project")
    document: Schema = yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
    if name == "teamleader":
        _mend_teamleader(document)
    return document


def assert_request_matches(
    spec: Schema,
    method: str,
    path: str,
    *,
    json: Any = None,
    query: Mapping[str, Any] | None = None,
    form: Mapping[str, Any] | None = None,
    undocumented: Collection[str] = (),
) -> None:
    """Fails on anything the document does not know; `undocumented` names are let through on purpose."""
    operation = _operation(spec, method, path)
    if json is not None:
        _check(json, _body_schema(spec, operation, "application/json"), f"body of {method} {path}")
    elif "requestBody" in operation and form is None:
        required = operation["requestBody"].get("required", False)
        assert not required, f"{method} {path} needs a body"
    if form is not None:
        known = {name: value for name, value in form.items() if name not in undocumented}
        _check(
            known,
            _body_schema(spec, operation, "application/x-www-form-urlencoded"),
            f"form of {method} {path}",
        )
    _check_query(spec, operation, query or {}, undocumented, f"{method} {path}")


def assert_response_matches(spec: Schema, method: str, path: str, status: int, body: Any = None) -> None:
    """`body` is the decoded JSON, or None or "" when there was none."""
    responses = _operation(spec, method, path)["responses"]
    assert str(status) in responses, f"{method} {path} never answers {status}, only {sorted(responses)}"
    content = responses[str(status)].get("content", {}).get("application/json")
    if content is None:
        assert not body, f"{method} {path} answers {status} without a body"
        return
    _check(body, _simplified(spec, content["schema"], lenient=True), f"answer {status} of {method} {path}")


def _loader() -> type[yaml.SafeLoader]:
    """The C loader where there is one: the documents are large."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _mend_teamleader(document: Schema) -> None:
    """contacts.info lists only `active`, although its description and real answers know `deactivated`."""
    answer = document["paths"]["/contacts.info"]["post"]["responses"]["200"]["content"]["application/json"]
    data = answer["schema"]["allOf"][0]["properties"]["data"]
    data["properties"]["status"]["enum"] = ["active", "deactivated"]


def _operation(spec: Schema, method: str, path: str) -> Schema:
    for template, operations in spec["paths"].items():
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method.lower() in operations:
            operation: Schema = operations[method.lower()]
            return operation
    raise AssertionError(f"{method} {path} is not documented")


def _body_schema(spec: Schema, operation: Schema, content_type: str) -> Schema:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return {"type": "object", "additionalProperties": False}
    assert content_type in content, f"the body must be {' or '.join(content)}, not {content_type}"
    return _simplified(spec, content[content_type]["schema"], lenient=False)


def _check_query(
    spec: Schema, operation: Schema, query: Mapping[str, Any], undocumented: Collection[str], where: str
) -> None:
    known = {one["name"]: one for one in operation.get("parameters", []) if one["in"] == "query"}
    for name, value in query.items():
        if name in undocumented:
            continue
        assert name in known, f"query parameter {name} of {where} is not documented"
        schema = _simplified(spec, known[name]["schema"], lenient=False)
        is_number = schema.get("type") == "integer" and str(value).lstrip("-").isdecimal()
        _check(int(value) if is_number else value, schema, f"query parameter {name} of {where}")
    for name, one in known.items():
        assert name in query or not one.get("required"), f"query parameter {name} of {where} is missing"


def _check(value: Any, schema: Schema, what: str) -> None:
    problems = sorted(Draft202012Validator(schema).iter_errors(value), key=str)
    told = [f"{'.'.join(map(str, problem.absolute_path)) or '(top)'}: {problem.message}" for problem in problems]
    assert not told, f"{what} does not match: " + "; ".join(told)


def _simplified(spec: Schema, schema: Schema, *, lenient: bool) -> Schema:
    """OpenAPI 3.0 to JSON Schema: `allOf` merged, `nullable` spelt out; closed objects unless lenient."""
    whole = _merged(spec, schema)
    result: Schema = {
        key: whole[key] for key in ("type", "enum", "required", "maxLength", "maximum", "minimum") if key in whole
    }
    if "properties" in whole:
        parts = whole["properties"]
        result["properties"] = {name: _simplified(spec, part, lenient=lenient) for name, part in parts.items()}
        if not lenient:
            result["additionalProperties"] = False
    if "items" in whole:
        result["items"] = _simplified(spec, whole["items"], lenient=lenient)
    choices = whole.get("oneOf") or whole.get("anyOf")
    if choices:
        result["anyOf"] = [_simplified(spec, choice, lenient=lenient) for choice in choices]
    if lenient or whole.get("nullable"):
        return {"anyOf": [{"type": "null"}, result]}
    return result


def _merged(spec: Schema, schema: Schema) -> Schema:
    if "$ref" in schema:
        target: Any = spec
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return _merged(spec, target)
    result = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", []):
        result = _joined(_merged(spec, part), result)
    return result


def _joined(one: Schema, two: Schema) -> Schema:
    """Two schemas that both hold, as one."""
    result = one | two
    if "properties" in one and "properties" in two:
        names = one["properties"].keys() | two["properties"].keys()
        result["properties"] = {name: _both(one["properties"], two["properties"], name) for name in names}
    if "required" in one and "required" in two:
        result["required"] = [*one["required"], *two["required"]]
    return result


def _both(one: Schema, two: Schema, name: str) -> Schema:
    parts = [properties[name] for properties in (one, two) if name in properties]
    return parts[0] if len(parts) == 1 else {"allOf": parts}
