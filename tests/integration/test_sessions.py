"""Sessions end when they should, and the store alone opens none."""

import time
from datetime import timedelta

import pytest

from config.keys import console_session
from workers import operators, passwords, sessions
from workers.operators import Role

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=4, r=8, p=1))


@pytest.fixture
def an(store):
    return operators.add(store, "an", password=PASSWORD, role=Role.OPERATOR, by="cli:test")


def pass_by(store, session_id, time):
    """As if so much time had passed for this session, which nobody used."""
    key = console_session(sessions.key_of(session_id))
    if (left := store.pttl(key) - round(time.total_seconds() * 1000)) > 0:
        store.pexpire(key, left)
    else:
        store.delete(key)


def test_a_session_is_found_by_its_id_and_carries_the_operator_as_it_is_now(store, an):
    session_id = sessions.begin(store, an, browser="Firefox, Linux")

    operators.set_role(store, "an", Role.ADMIN, by="cli:test")

    found = sessions.look(store, session_id)
    assert (found.operator.name, found.operator.role, found.browser) == ("an", Role.ADMIN, "Firefox, Linux")


@pytest.mark.parametrize("wrong", ["", "x", "a" * 43, "a" * 44, "../" * 14 + "a", "a" * 42 + "\n"])
def test_any_other_id_finds_nothing(store, an, wrong):
    sessions.begin(store, an)

    assert sessions.look(store, wrong) is None


def test_the_store_knows_only_the_hash_of_an_id(store, an):
    session_id = sessions.begin(store, an)

    everything = b" ".join([key + (store.dump(key) or b"") for key in store.keys()])  # noqa: SIM118
    assert session_id.encode() not in everything
    assert sessions.key_of(session_id).encode() in everything


def test_an_unused_session_ends_and_a_used_one_goes_on(store, an):
    used, unused = sessions.begin(store, an), sessions.begin(store, an)

    for _ in range(4):
        for one in (used, unused):
            pass_by(store, one, sessions.IDLE * 0.4)
        assert sessions.look(store, used) is not None

    assert sessions.look(store, unused) is None


def test_a_session_that_nobody_uses_is_forgotten_by_the_store_itself(store, an, monkeypatch):
    monkeypatch.setattr(sessions, "IDLE", timedelta(milliseconds=20))
    session_id = sessions.begin(store, an)

    time.sleep(0.05)

    assert sessions.look(store, session_id) is None


def test_a_page_that_asks_by_itself_does_not_keep_a_session_alive(store, an):
    session_id = sessions.begin(store, an)

    for _ in range(4):
        pass_by(store, session_id, sessions.IDLE * 0.4)
        found = sessions.look(store, session_id, active=False)

    assert found is None


def test_no_session_lasts_longer_than_the_longest_however_much_it_is_used(store, an, monkeypatch):
    monkeypatch.setattr(sessions, "LONGEST", timedelta(milliseconds=250))
    session_id, began = sessions.begin(store, an), time.monotonic()

    while time.monotonic() - began < 0.3:
        time.sleep(0.03)
        sessions.look(store, session_id)

    assert sessions.look(store, session_id) is None


def test_a_session_that_nobody_used_ends_after_the_longest_too(store, an, monkeypatch):
    monkeypatch.setattr(sessions, "LONGEST", timedelta(milliseconds=50))
    session_id = sessions.begin(store, an)

    time.sleep(0.1)

    assert sessions.look(store, session_id) is None


def test_a_session_that_was_ended_is_gone_and_others_stay(store, an):
    one, other = sessions.begin(store, an), sessions.begin(store, an)

    sessions.end(store, sessions.look(store, one))

    assert sessions.look(store, one) is None
    assert [session.key for session in sessions.of(store, "an")] == [sessions.key_of(other)]


@pytest.mark.parametrize(
    "act",
    [
        lambda store: operators.set_password(store, "an", "another one entirely", by="x"),
        lambda store: operators.set_disabled(store, "an", True, by="x"),
        lambda store: operators.sign_out_everywhere(store, "an", by="x"),
        lambda store: operators.remove(store, "an", by="x"),
    ],
)
def test_all_sessions_end_with_a_new_password_disabling_signing_out_everywhere_or_removal(store, an, act):
    ids = [sessions.begin(store, an) for _ in range(3)]

    act(store)

    assert [sessions.look(store, one) for one in ids] == [None, None, None]
    assert sessions.of(store, "an") == []


def test_a_disabled_operator_that_is_enabled_again_must_sign_in_again(store, an):
    session_id = sessions.begin(store, an)

    operators.set_disabled(store, "an", True, by="x")
    operators.set_disabled(store, "an", False, by="x")

    assert sessions.look(store, session_id) is None


def test_a_session_that_begins_while_the_password_changes_is_worth_nothing(store, an):
    operators.set_password(store, "an", "another one entirely", by="x")

    session_id = sessions.begin(store, an)

    assert sessions.look(store, session_id) is None


def test_everything_about_a_session_disappears_from_the_store_by_itself(store, an, monkeypatch):
    monkeypatch.setattr(sessions, "IDLE", timedelta(milliseconds=50))
    monkeypatch.setattr(sessions, "LONGEST", timedelta(milliseconds=50))
    before = set(store.keys())
    sessions.begin(store, an)

    time.sleep(0.15)

    assert {key.decode() for key in set(store.keys()) - before} == {"tltw:operators:signed-in"}
