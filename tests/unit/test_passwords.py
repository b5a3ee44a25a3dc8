"""How passwords are hashed and compared."""

import pytest

from workers import passwords

CHEAP = passwords.Cost(log2_n=4, r=8, p=1)


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)


def test_the_real_cost_is_that_of_owasp_and_a_hash_names_it():
    stored = passwords.hashed("correct horse battery")

    assert stored.startswith("$scrypt$ln=15,r=8,p=3$")
    assert passwords.matches("correct horse battery", stored)
    assert not passwords.outdated(stored)


def test_only_the_same_password_matches(cheap):
    stored = passwords.hashed("correct horse battery")

    assert passwords.matches("correct horse battery", stored)
    assert not passwords.matches("correct horse batterz", stored)
    assert not passwords.matches("", stored)


def test_two_hashes_of_one_password_differ_and_neither_holds_it(cheap):
    first, second = passwords.hashed("correct horse battery"), passwords.hashed("correct horse battery")

    assert first != second
    assert "correct" not in first


def test_letters_that_are_typed_in_another_way_are_the_same_letters(cheap):
    stored = passwords.hashed("caf\u00e9 cr\u00e8me et th\u00e9")

    assert passwords.matches("cafe\u0301 cre\u0300me et the\u0301", stored)


def test_a_hash_with_other_parameters_still_matches_and_is_outdated(cheap, monkeypatch):
    stored = passwords.hashed("correct horse battery")

    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=5, r=8, p=1))

    assert passwords.matches("correct horse battery", stored)
    assert passwords.outdated(stored)


def test_an_unknown_name_costs_as_much_as_a_known_one(cheap, monkeypatch):
    asked = []
    real = passwords._scrypt
    monkeypatch.setattr(passwords, "_scrypt", lambda *given: asked.append(given[2]) or real(*given))

    assert passwords.matches_nobody("correct horse battery") is False
    assert asked == [CHEAP]


def test_what_is_no_hash_of_ours_is_a_mistake_and_not_a_match():
    with pytest.raises(ValueError, match="not a hash"):
        passwords.matches("x", "plain text")


def test_a_generated_password_is_long_enough_readable_and_never_the_same():
    made = {passwords.generated() for _ in range(50)}

    assert len(made) == 50
    assert all(len(one) >= passwords.SHORTEST and set(one) <= set(passwords.ALPHABET + "-") for one in made)
    assert len(passwords.ALPHABET) == 32
