"""Operators in the store: added, changed, removed, and every change in the audit log."""

import threading

import pytest

from config.keys import OPERATORS
from workers import audit, operators, passwords, sessions
from workers.operators import Refused, Role

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=4, r=8, p=1))


def add(store, name="an", role=Role.OPERATOR, **more):
    return operators.add(store, name, password=PASSWORD, role=role, by="cli:test", **more)


def noted(store):
    return [(entry.by, entry.what, entry.subject, entry.before, entry.after) for entry in audit.entries(store)]


def test_an_operator_is_found_as_it_was_added_and_that_is_noted(store):
    added = add(store, limit=frozenset({"one"}))

    assert operators.find(store, "an") == added
    assert added.limit == {"one"}
    assert noted(store) == [("cli:test", "operator added", "an", "", "operator, only one")]


def test_no_password_is_in_the_store_or_in_what_is_printed(store):
    added = add(store)

    assert PASSWORD.encode() not in store.hget(OPERATORS, "an")
    assert added.password not in repr(added)


@pytest.mark.parametrize("name", ["", " ", "an peeters", "-an", "a" * 65, "án", "a\nn", "<b>"])
def test_a_name_that_cannot_be_used_is_refused(store, name):
    with pytest.raises(Refused) as refused:
        add(store, name)

    assert refused.value.why == "name_unusable"
    assert operators.everybody(store) == []


def test_names_are_small_letters_without_spaces_around(store):
    assert add(store, "  An.Peeters@Firma.BE ").name == "an.peeters@firma.be"


def test_a_name_can_be_taken_once(store):
    add(store)

    with pytest.raises(Refused) as refused:
        add(store, "AN", role=Role.ADMIN)

    assert refused.value.why == "name_taken"
    assert operators.find(store, "an").role is Role.OPERATOR


@pytest.mark.parametrize(("password", "why"), [("eleven char", "password_short"), ("x" * 1025, "password_long")])
def test_a_password_has_at_least_twelve_characters_and_no_other_rule(store, password, why):
    with pytest.raises(Refused) as refused:
        operators.add(store, "an", password=password, role=Role.ADMIN, by="cli:test")

    assert refused.value.why == why
    assert operators.add(store, "an", password="aaaaaaaaaaaa", role=Role.ADMIN, by="cli:test")


def test_changes_are_kept_and_noted_with_what_was_before(store):
    add(store)

    operators.set_role(store, "an", Role.ADMIN, by="operator:bo")
    operators.set_limit(store, "an", frozenset({"two", "one"}), by="operator:bo")
    operators.set_disabled(store, "an", True, by="operator:bo")

    an = operators.find(store, "an")
    assert (an.role, an.limit, an.disabled, an.changed_by) == (Role.ADMIN, {"one", "two"}, True, "operator:bo")
    assert noted(store)[:3] == [
        ("operator:bo", "operator disabled", "an", "admin, only one + two", "admin, only one + two, disabled"),
        ("operator:bo", "operator limit", "an", "admin, all integrations", "admin, only one + two"),
        ("operator:bo", "operator role", "an", "operator, all integrations", "admin, all integrations"),
    ]


def test_a_new_password_is_noted_without_it(store):
    before = add(store)

    after = operators.set_password(store, "an", "another one entirely", by="cli:test")

    assert passwords.matches("another one entirely", after.password)
    assert after.epoch != before.epoch
    assert noted(store)[0] == ("cli:test", "operator password", "an", "", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda store: operators.set_role(store, "nobody", Role.ADMIN, by="x"),
        lambda store: operators.set_password(store, "nobody", PASSWORD, by="x"),
        lambda store: operators.remove(store, "nobody", by="x"),
        lambda store: operators.renew_hash(store, "nobody", PASSWORD, ""),
    ],
)
def test_nobody_can_be_changed_who_is_not_there_and_nothing_is_noted(store, change):
    with pytest.raises(Refused) as refused:
        change(store)

    assert refused.value.why == "unknown_operator"
    assert noted(store) == []
    assert operators.everybody(store) == []


def test_whoever_is_removed_and_added_again_finds_no_old_session(store):
    session = sessions.begin(store, add(store))

    operators.remove(store, "an", by="cli:test")
    gone = sessions.look(store, session)
    add(store)

    assert gone is None
    assert sessions.look(store, session) is None


def test_two_changes_at_once_are_both_kept(store):
    add(store)
    started = threading.Barrier(2)

    def change(what):
        started.wait(60)
        what()

    threads = [
        threading.Thread(target=change, args=(lambda: operators.set_role(store, "an", Role.ADMIN, by="x"),)),
        threading.Thread(target=change, args=(lambda: operators.set_limit(store, "an", frozenset({"one"}), by="y"),)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    an = operators.find(store, "an")
    assert (an.role, an.limit) == (Role.ADMIN, {"one"})
    assert len(noted(store)) == 3


def test_roles_include_the_lesser_ones():
    assert Role.ADMIN.includes(Role.VIEWER)
    assert Role.OPERATOR.includes(Role.OPERATOR)
    assert not Role.VIEWER.includes(Role.OPERATOR)


def test_who_may_leaves_out_the_limited_and_the_disabled(store):
    add(store, "all", Role.ADMIN)
    add(store, "some", Role.ADMIN, limit=frozenset({"one"}))
    add(store, "off", Role.ADMIN)
    add(store, "viewer", Role.VIEWER)
    operators.set_disabled(store, "off", True, by="x")

    assert operators.who_may(store, Role.ADMIN) == ["all", "some"]
    assert operators.who_may(store, Role.ADMIN, unlimited=True) == ["all"]
    assert operators.who_may(store, Role.VIEWER, integration="two") == ["all", "viewer"]


def test_a_limit_names_integrations_that_exist():
    assert operators.usable_limit([], ["one"]) is None
    assert operators.usable_limit(["one"], ["one", "two"]) == {"one"}
    with pytest.raises(Refused, match="three"):
        operators.usable_limit(["one", "three"], ["one", "two"])
