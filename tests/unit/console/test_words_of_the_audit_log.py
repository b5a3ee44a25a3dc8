"""Everything that the audit log may hold has words in each language: a walk over all code that notes something."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import workers
from config.integrations import BY_NAME
from ingress.console.language import LANGUAGES, catalogue
from tests.unit.console.conftest import text_of
from workers import audit, connect, integrations, operators
from workers.bulk.registry import by_name
from workers.clients.errors import ApiFailure
from workers.operators import Rights, Role, described, rights_in
from workers.sync.failure_policy import RECONNECT_NEEDED

ROOT = Path(workers.__file__).parents[1]
SOURCES = {path: ast.parse(path.read_text()) for one in ("workers", "ingress") for path in (ROOT / one).rglob("*.py")}
STATES = {integrations.ACTIVE, integrations.CONNECTING, integrations.PAUSED, integrations.CLOSED, RECONNECT_NEEDED}
# What somebody typed, shown as it is; or not shown at all.
TYPED: set[str] = set()


def calls(tree: ast.Module, *names: str) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names)


def given(call: ast.Call, name: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg == name), None)


def texts_in(node: ast.AST) -> set[str]:
    return {one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def whats_of_operators() -> set[str]:
    tree = SOURCES[Path(operators.__file__)]
    told = {text for call in calls(tree, "_change") for text in texts_in(given(call, "what") or ast.Constant(0))}
    assigned = (one for one in ast.walk(tree) if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "what")
    return told | {text for one in assigned for text in texts_in(one.value)}


def outcomes_of_connecting() -> set[str]:
    steps = calls(SOURCES[Path(connect.__file__)], "Step")
    reasons = {text for step in steps for one in step.args[3:] for text in texts_in(one)}
    return {"connected", *reasons, *(failure.reason for failure in ApiFailure.__subclasses__())}


# What a call notes that is not written down there, by how it says it.
WHATS = {
    "one.option": set(BY_NAME),
    "what": whats_of_operators(),
    "f'{kind} started'": {f"{kind} started" for kind in by_name()},
    "f'{kind} {act}'": {f"{kind} {act}" for kind in by_name() for act in ("pause", "resume", "cancel")},
}
# What a change leads from and to. Who notes a new kind of change with values says here which they can be.
VALUES = {
    "auto_update": {"on", "off"},
    "state": STATES,
    "connecting finished": outcomes_of_connecting(),
    "discard": TYPED,
    "operator added": TYPED,
    "operator removed": TYPED,
    **dict.fromkeys(WHATS["what"] | WHATS["f'{kind} started'"], TYPED),
    **{option: {"on", "off", integrations.HIDDEN} for option in BY_NAME},
}


def noted() -> Iterator[tuple[str, bool]]:
    """What is noted anywhere, and whether values go with it."""
    for tree in SOURCES.values():
        for call in calls(tree, "audit.note", "_note"):
            what = given(call, "what")
            if what is None:
                # `_note` of integrations hands on what it was given; that of the webhooks is a log.
                continue
            has_values = any(one.arg in ("before", "after", None) for one in call.keywords)
            said = {what.value} if isinstance(what, ast.Constant) else WHATS[ast.unparse(what)]
            yield from ((one, has_values) for one in said)


def key_of(what: str) -> str:
    kind, _, act = what.partition(" ")
    if act in ("pause", "resume", "cancel"):
        return f"audit_log.act.{act}" if f"jobs.kind.{kind}" in catalogue() else f"jobs.kind.{kind}"
    ours = f"audit_log.of.{what.replace(' ', '_')}"
    return ours if ours in catalogue() else f"option.{what}.name"


def test_the_walk_finds_what_is_noted():
    found = {what for what, _ in noted()}

    assert {"refresh", "operator rights", "operator enabled", "label", "sweep cancel", "connecting finished"} <= found
    assert {"access_denied", "account_taken", "unavailable"} <= outcomes_of_connecting()


def test_everything_that_is_noted_has_words_in_each_language():
    keys = {key_of(what) for what, _ in noted()}

    assert sorted(key for key in keys if catalogue().get(key, {}).keys() != LANGUAGES.keys()) == []


def test_every_value_that_a_change_leads_from_and_to_has_words_in_each_language():
    values = {value for what, has_values in noted() if has_values for value in VALUES[what]}
    keys = {f"audit_log.value.{value.strip('()').replace(' ', '_')}" for value in values}

    assert len(keys) > 10
    assert sorted(key for key in keys if catalogue().get(key, {}).keys() != LANGUAGES.keys()) == []


def test_the_rights_of_an_operator_are_said_in_the_language_of_the_page(house):
    house.operator("an", Role.VIEWER, "default", "disabled")
    operators.set_disabled(house.store, "an", True, by="cli:test")
    audit.note(house.store, by="operator:an", what="connecting finished", integration="default", after="access_denied")

    dutch = text_of(house.browser("the-admin", **{"Accept-Language": "nl"}).get("/audit"))
    french = text_of(house.browser("the-admin", **{"Accept-Language": "fr"}).get("/audit"))

    assert "lezer, alleen default, disabled → lezer, alleen default, disabled, uitgeschakeld" in dutch
    assert "beheerder, alle koppelingen" in dutch
    assert "geen toestemming gegeven" in dutch
    assert "administrateur, toutes les intégrations" in french
    for word in ("all integrations", "only default", "access_denied", "connecting finished"):
        assert word not in dutch + french


@pytest.mark.parametrize("typed", ["no", "closed", "refused"])
def test_what_somebody_typed_stays_as_it_was_typed(house, typed):
    audit.note(house.store, by="operator:an", what="discard", integration="default", after=typed)

    page = house.browser("the-admin").get("/audit").text

    assert f"<ins>{typed}</ins>" in page


@pytest.mark.parametrize("limit", [None, ["one"], ["disabled", "one"], ["one", "disabled"]])
@pytest.mark.parametrize("disabled", [True, False])
def test_rights_that_were_described_are_read_again_as_they_were(house, limit, disabled):
    house.operator("bo", Role.ADMIN, *(limit or ()))
    one = operators.set_disabled(house.store, "bo", disabled, by="cli:test")

    assert rights_in(described(one)) == Rights(Role.ADMIN, tuple(sorted(limit)) if limit else None, disabled)


@pytest.mark.parametrize(
    "text", ["", "viewer", "root, all integrations", "viewer, some", "<b>, only one", "closed shop"]
)
def test_what_are_no_rights_is_left_as_it_is(text):
    assert rights_in(text) is None
