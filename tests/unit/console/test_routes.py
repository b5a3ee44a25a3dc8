"""Every page of the console, also those that are added later: who may use it, and what it may change."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

import ingress.console.pages
from config.keys import IntegrationKeys, console_session
from ingress.console.gate import OPEN
from ingress.console.page import Need, need_of
from workers import operations_bulk
from workers.operators import Role

# One example for each <part> of an address. A page with a part that is not here fails below: add what it needs.
EXAMPLES = {
    "integration": "default",
    "name": "somebody",
    "subject": "company:2a39e420",
    "kind": "drift",
    "desk": "import_nobody",
    "file_id": "file_nothing",
}
# What anybody may see or do without signing in. Everything else needs a login.
FOR_EVERYBODY = {"sign_in.form", "sign_in.enter", "sign_in.language"}


@dataclass(frozen=True)
class Route:
    endpoint: str
    method: str
    path: str
    need: Need | None


def routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        if rule.endpoint in OPEN:
            continue
        missing = rule.arguments - EXAMPLES.keys()
        assert not missing, f"{rule.rule}: put an example of {missing} into EXAMPLES of this file"
        path = app.url_map.bind("").build(rule.endpoint, {name: EXAMPLES[name] for name in rule.arguments})
        for method in rule.methods - {"HEAD"}:
            yield Route(rule.endpoint, method, path, need_of(app, rule.endpoint))


@pytest.fixture
def all_routes(house) -> list[Route]:
    house.operator("somebody", Role.VIEWER)
    house.bury(EXAMPLES["subject"])
    operations_bulk.start_drift(house.services, "default", repair=False, create=False, total=10, by="cli:test")
    found = list(routes(house.app))
    assert len(found) > 10
    return found


def changes(house) -> dict[bytes, bytes | None]:
    """Everything in the store, but that the sessions in use were used, and that an API was asked: that a call was counted."""
    keys = IntegrationKeys(EXAMPLES["integration"])
    asked = {keys.token, keys.session, keys.calls("teamleader"), keys.bulk_calls("teamleader")}
    left_out = (console_session("").encode(), *(key.encode() for key in asked))
    return {key: house.store.dump(key) for key in house.store.keys() if not key.startswith(left_out)}  # noqa: SIM118


def test_every_route_says_who_may_use_it_and_takes_get_or_post_alone(all_routes):
    assert [route for route in all_routes if route.need is None] == []
    assert {route.method for route in all_routes} == {"GET", "POST"}


def test_what_asks_for_nothing_is_the_static_files_and_the_health_check(house):
    assert {rule.endpoint for rule in house.app.url_map.iter_rules() if rule.endpoint in OPEN} == {"static", "livez"}


def test_every_route_needs_a_login_but_those_of_signing_in(house, all_routes):
    stranger = house.browser()
    before = changes(house)

    for route in all_routes:
        if route.endpoint in FOR_EVERYBODY:
            assert route.need.role is None
            continue
        answer = stranger.get(route.path) if route.method == "GET" else stranger.post(route.path)
        assert answer.status_code == 303, route
        assert answer.location.startswith("/login"), route
    assert changes(house) == before


def test_every_post_needs_the_token_of_its_form_and_one_of_this_browser(house, all_routes):
    admin = house.browser("the-admin")
    other = house.browser("the-admin")
    before = changes(house)

    for route in (route for route in all_routes if route.method == "POST"):
        for token in ("", "wrong", other.token()):
            answer = admin.post(route.path, {"name": "new"}, token=token)
            assert answer.status_code == 400, (route, token)
    assert changes(house) == before
    assert admin.get("/account").status_code == 200


def test_a_post_from_another_site_is_refused_even_with_the_right_token(house, all_routes):
    admin = house.browser("the-admin")
    token = admin.token()
    admin.headers |= {"Sec-Fetch-Site": "cross-site"}
    before = changes(house)

    for route in (route for route in all_routes if route.method == "POST"):
        assert admin.post(route.path, token=token).status_code == 400, route
    assert changes(house) == before


@pytest.mark.parametrize("role", list(Role))
def test_every_route_refuses_whoever_has_too_little_of_a_role(house, all_routes, role):
    browser = house.browser(f"the-{role}")
    beyond = [route for route in all_routes if route.need.role and not role.includes(route.need.role)]
    before = changes(house)

    for route in beyond:
        answer = browser.get(route.path) if route.method == "GET" else browser.post(route.path)
        assert answer.status_code == 403, route
    assert changes(house) == before
    assert beyond or role is Role.ADMIN


def test_what_concerns_the_whole_deployment_refuses_an_admin_with_a_limit(house, all_routes):
    house.operator("limited", Role.ADMIN, "default")
    browser = house.browser("limited")
    whole = [route for route in all_routes if route.need.unlimited]

    for route in whole:
        answer = browser.get(route.path) if route.method == "GET" else browser.post(route.path)
        assert answer.status_code == 403, route
    assert whole


def test_every_route_of_an_integration_refuses_whoever_is_limited_to_others(house, all_routes):
    house.operator("limited", Role.ADMIN, "another")
    browser = house.browser("limited")
    before = changes(house)
    of_one = [route for route in all_routes if EXAMPLES["integration"] in route.path.split("/")]

    for route in of_one:
        answer = browser.get(route.path) if route.method == "GET" else browser.post(route.path)
        assert answer.status_code == 403, route
    assert changes(house) == before
    assert of_one


def test_looking_changes_nothing(house, all_routes):
    admin = house.browser("the-admin")
    before = changes(house)

    for route in (route for route in all_routes if route.method == "GET"):
        assert admin.get(route.path).status_code in (200, 303), route
        assert changes(house) == before, route


def test_every_page_stands_in_the_frame_and_holds_nothing_inline(house, all_routes):
    admin = house.browser("the-admin")

    for route in (route for route in all_routes if route.method == "GET" and route.endpoint != "sign_in.form"):
        page = admin.get(route.path)
        if page.status_code == 303:
            page = admin.get(page.location)
        assert page.mimetype == "text/html", route
        assert 'href="#main"' in page.text, route
        assert [word for word in (" style=", "<style", " onclick=", "javascript:") if word in page.text] == [], route
        assert page.text.count("<script") == 1, route
        assert len(page.data) < 50_000, route


def test_no_page_takes_an_integration_but_through_its_limits():
    """`here.integrations()` and `here.integration(id)` ask for the limits; the services do not."""
    around = {"integrations", "integration", "ledger", "tools"}

    def reached(path: Path) -> list[str]:
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        named = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in around]
        return [ast.unparse(call) for call in named if ast.unparse(call.value) != "here"]

    folder = Path(ingress.console.pages.__file__).parent
    assert {path.name: found for path in folder.glob("*.py") if (found := reached(path))} == {}


def test_a_page_that_does_not_say_who_may_use_it_is_for_nobody(house):
    house.app.add_url_rule("/forgotten", "forgotten", lambda: "secret")

    answer = house.browser("the-admin").get("/forgotten")

    assert answer.status_code == 500
    assert "secret" not in answer.text
