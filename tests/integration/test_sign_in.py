"""Passwords are checked, guessing is slowed down, and nobody can be locked out for ever."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from workers import operators, passwords, sign_in
from workers.operators import Operator, Role
from workers.sign_in import NotSignedIn

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=4, r=8, p=1))


@pytest.fixture
def an(store):
    return operators.add(store, "an", password=PASSWORD, role=Role.OPERATOR, by="cli:test")


def prove(store, password=PASSWORD, *, name="an", address="192.0.2.1", token=""):
    return sign_in.prove(store, name=name, password=password, address=address, browser_token=token)


def guess(store, times, **how):
    return [prove(store, "wrong password", **how) for _ in range(times)]


def test_the_right_password_proves_who_it_is_however_the_name_is_written(store, an):
    assert prove(store) == an
    assert prove(store, name=" AN ") == an


@pytest.mark.parametrize(("name", "password"), [("an", "wrong"), ("nobody", PASSWORD), ("", ""), ("an", "")])
def test_what_was_wrong_is_not_told(store, an, name, password):
    assert prove(store, password, name=name) == NotSignedIn("wrong")


def test_an_unknown_name_is_hashed_for_all_the_same(store, an, monkeypatch):
    hashed = []
    real = passwords._scrypt
    monkeypatch.setattr(passwords, "_scrypt", lambda *given: hashed.append(given) or real(*given))

    prove(store, name="nobody")

    assert len(hashed) == 1


def test_only_who_knows_the_password_learns_that_a_name_is_disabled(store, an):
    operators.set_disabled(store, "an", True, by="x")

    assert prove(store) == NotSignedIn("disabled")
    assert prove(store, "wrong") == NotSignedIn("wrong")


def test_after_some_wrong_tries_from_one_place_the_right_one_must_wait_too(store, an):
    guess(store, sign_in.TRIES_OF_STRANGERS["name and address"])

    refused = prove(store)

    assert refused.why == "throttled"
    assert timedelta(minutes=14) < refused.again_in <= sign_in.WINDOW


def test_the_wait_slides_and_knocking_meanwhile_does_not_prolong_it(store, an, monkeypatch):
    monkeypatch.setattr(sign_in, "WINDOW", timedelta(milliseconds=300))
    guess(store, sign_in.TRIES_OF_STRANGERS["name and address"])

    began = time.monotonic()
    while isinstance(found := prove(store), NotSignedIn) and time.monotonic() - began < 60:
        time.sleep(0.02)

    assert isinstance(found, Operator)


def test_tries_that_succeed_are_not_counted(store, an):
    found = [prove(store) for _ in range(sign_in.TRIES_OF_STRANGERS["name and address"] * 2)]

    assert [one for one in found if isinstance(one, NotSignedIn)] == []


def test_many_addresses_cannot_guess_one_name(store, an):
    takes = sign_in.TRIES_OF_STRANGERS["name"]

    answers = [prove(store, "wrong", address=f"192.0.2.{number}").why for number in range(takes + 3)]

    assert answers == ["wrong"] * takes + ["throttled"] * 3


def test_one_address_cannot_guess_many_names_and_others_are_not_disturbed(store, an):
    takes = sign_in.TRIES_OF_STRANGERS["address"]

    answers = [prove(store, name=f"name{number}").why for number in range(takes + 1)]

    assert answers == ["wrong"] * takes + ["throttled"]
    assert prove(store, address="198.51.100.7") == an


def test_a_network_of_ipv6_counts_as_one_address(store, an):
    takes = sign_in.TRIES_OF_STRANGERS["name and address"]

    answers = [prove(store, "wrong", address=f"2001:db8::{number:x}").why for number in range(takes + 1)]

    assert answers[-1] == "throttled"
    assert prove(store, address="2001:db8:0:1::1") == an


def test_whoever_is_guessed_at_by_the_whole_world_still_gets_in_with_their_own_browser(store, an):
    token = sign_in.remember_browser(store, an)
    for number in range(sign_in.TRIES_OF_STRANGERS["name"] + 5):
        prove(store, "wrong", address=f"192.0.2.{number}")

    assert prove(store, address="192.0.2.1").why == "throttled"
    assert prove(store, address="192.0.2.1", token=token) == an


def test_a_browser_that_knows_one_name_is_a_stranger_for_another_and_has_its_own_limit(store, an):
    operators.add(store, "bo", password=PASSWORD, role=Role.ADMIN, by="cli:test")
    token = sign_in.remember_browser(store, an)

    guess(store, sign_in.TRIES_IN_A_KNOWN_BROWSER, token=token)
    guess(store, sign_in.TRIES_OF_STRANGERS["name and address"], name="bo", token=token)

    assert prove(store, token=token).why == "throttled"
    assert prove(store, name="bo", token=token).why == "throttled"
    assert not sign_in.knows_browser(store, "bo", token)
    assert not sign_in.knows_browser(store, "an", "")


def test_a_thousand_at_once_are_no_more_than_in_a_row(store, an):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: prove(store, "wrong").why, range(40)))

    assert answers.count("wrong") == sign_in.TRIES_OF_STRANGERS["name and address"]


def test_no_name_that_was_typed_and_no_token_is_in_the_store(store, an):
    token = sign_in.remember_browser(store, an)
    prove(store, name="my secret password")

    everything = b" ".join([key + (store.dump(key) or b"") for key in store.keys()])  # noqa: SIM118
    assert b"my secret" not in everything
    assert token.encode() not in everything


def test_a_hash_that_became_too_cheap_is_renewed_when_its_owner_signs_in(store, an, monkeypatch):
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=5, r=8, p=1))

    prove(store, "wrong")
    untouched = operators.find(store, "an")
    prove(store)

    renewed = operators.find(store, "an")
    assert untouched == an
    assert renewed.password.startswith("$scrypt$ln=5,")
    assert (renewed.epoch, renewed.changed_by) == (an.epoch, an.changed_by)
    assert prove(store) == renewed
