"""On the night the secrets cannot be read, what needs none of them can be looked at, and work can be held."""

import pytest
from cryptography.fernet import Fernet

from config.keys import IntegrationKeys
from config.registry import Registry
from config.secrets import Cipher
from workers.ledger import Cause


@pytest.fixture
def customer(desk):
    """A company that is owed."""
    customer = desk.create("company", name="Bakkerij Tarwe")
    desk.ledger.mark(f"company:{customer}", frozenset({Cause.WEBHOOK}))
    return customer


@pytest.fixture(autouse=True)
def the_key_is_lost(desk, customer):
    desk.services.cipher = Cipher([Fernet.generate_key().decode()])
    desk.services.registry = Registry(desk.services.store, desk.services.cipher, desk.services.settings.teamleader)
    desk.services._known, desk.services._revision = {}, -1


def test_an_integration_is_shown_and_each_secret_is_said_to_be_unreadable(desk, tltw):
    desk.services.store.hset(IntegrationKeys("acme").record, mapping={"label": "The bakery", "profile": "123"})

    text, told = tltw("integration", "show"), tltw("integration", "show", "--json")

    assert (text.code, told.code) == (0, 0)
    assert "acme – The bakery: active" in text.out
    assert "twikey_key = (secret that cannot be read)" in text.out
    assert told.json["options"]["teamleader_refresh_token"] == "(secret that cannot be read)"
    assert told.json["options"]["profile"] == "123"
    assert "put the old key behind the new one" in text.result.stderr


def test_the_story_of_a_customer_is_told(desk, tltw, customer):
    told = tltw("story", "company", customer)

    assert (told.code, "on its way" in told.out) == (0, True)


@pytest.mark.parametrize(
    "words", [("dead-letters", "list"), ("integration", "activity"), ("integration", "history"), ("jobs", "list")]
)
def test_whatever_else_needs_no_secret_is_told_too(tltw, words):
    assert tltw(*words).code == 0


def test_work_can_be_held(desk, tltw):
    assert tltw("integration", "pause").code == 0
    assert desk.ledger.state() == "paused"


def test_what_needs_a_secret_still_says_what_to_do(tltw, customer):
    told = tltw("preview", "company", customer)

    assert told.code == 2
    assert "put the old key behind the new one" in told.result.stderr


def test_an_integration_that_is_not_there_is_still_not_found(tltw, customer):
    assert tltw("integration", "show", "nope").code == 3
    assert tltw("story", "company", customer, "--integration", "nope").code == 3
