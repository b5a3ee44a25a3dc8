"""Whatever goes wrong is a page that says what to do, with an id that the log knows; never a traceback."""

import re

import pytest
import redis
from structlog.testing import capture_logs

from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from ingress.console.page import Pages
from tests.unit.console.conftest import text_of
from workers.clients.errors import Unavailable
from workers.operators import Role


def failing(house, error):
    """The house with one more page, which fails."""
    pages = Pages("failing")

    @pages.get("/failing", needs=Role.VIEWER)
    def fail(_here):
        raise error

    house.app.register_blueprint(pages.blueprint)
    return house


def event_of(answer):
    return re.search(r"ev_[\w-]+", text_of(answer))[0]


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (RuntimeError("secret detail"), 500, "nobody expected"),
        (redis.ConnectionError("secret detail"), 503, "cannot read or change anything now"),
        (SecretUnreadable("secret detail"), 500, "a key that this service no longer has"),
        (Unavailable(api="twikey", sentence="Twikey does not answer."), 502, "Twikey does not answer."),
        (UnknownIntegration("secret detail"), 404, "does not exist"),
    ],
)
def test_a_failure_is_a_page_with_a_sentence_and_an_event_that_the_log_has(house, error, status, sentence):
    browser = failing(house, error).browser("the-viewer")

    with capture_logs() as logs:
        answer = browser.get("/failing")

    assert answer.status_code == status
    assert sentence in text_of(answer)
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert [entry["event_id"] for entry in logs] == [event_of(answer)]
    assert "the-viewer" in text_of(answer)


def test_the_traceback_of_a_mistake_of_ours_is_in_the_log(house):
    browser = failing(house, ZeroDivisionError()).browser("the-viewer")

    with capture_logs() as logs:
        browser.get("/failing")

    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
    assert logs[0]["page"] == "failing.fail"


def test_a_store_that_is_away_before_anybody_is_known_is_a_page_too(house, monkeypatch):
    browser = house.browser("the-viewer")

    def away(*_given, **_more):
        raise redis.TimeoutError

    monkeypatch.setattr(type(house.store), "execute_command", away)
    answer = browser.get("/")

    assert answer.status_code == 503
    assert "tltw doctor" in text_of(answer)


def test_what_is_not_allowed_says_who_could(house):
    house.operator("the-other-admin", Role.ADMIN)
    house.operator("limited", Role.ADMIN, "default")

    answer = house.browser("the-viewer").get("/operators")

    assert answer.status_code == 403
    assert "the role admin" in text_of(answer)
    assert "the-admin, the-other-admin." in text_of(answer)
    assert "limited" not in text_of(answer)


def test_whoever_has_a_limit_is_told_that_this_is_why_and_who_has_none(house):
    house.operator("limited", Role.ADMIN, "another")
    browser = house.browser("limited")

    one, whole = browser.get("/integrations/default"), browser.get("/operators")

    assert "limited to other integrations than default" in text_of(one)
    assert "the-viewer" in text_of(one)
    assert "concerns all integrations, and you are limited to some" in text_of(whole)
    assert "Who can: the-admin." in text_of(whole)


@pytest.mark.parametrize("path", ["/nowhere", "/operators/", "/integrations/none", "/static/nothing.css", "/livez/"])
def test_what_does_not_exist_is_a_page(house, path):
    answer = house.browser("the-admin").get(path)

    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


def test_a_method_that_does_not_fit_is_a_page(house):
    browser = house.browser("the-admin")

    assert browser.client.put("/audit", base_url=house.base).status_code == 405
    assert browser.client.options("/audit", base_url=house.base).status_code == 405


def test_too_much_at_once_is_a_page(house):
    answer = house.browser("the-admin").post("/operators", {"name": "x" * 100_000})

    assert answer.status_code == 413
    assert "larger than this page takes" in text_of(answer)


def test_no_address_is_logged_because_it_holds_what_was_searched_for(house):
    browser = house.browser("the-admin")

    with capture_logs() as logs:
        browser.get("/nowhere?q=Jan+Janssens")

    assert "Janssens" not in str(logs)
