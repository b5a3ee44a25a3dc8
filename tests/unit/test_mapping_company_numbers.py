"""VAT and enterprise numbers as people type them."""

import random
import re
from typing import Any

import pytest

from mapping import company_numbers
from mapping.company_numbers import enterprise_number, vat_number
from mapping.values import Reading


@pytest.mark.parametrize(
    ("text", "home", "expected"),
    [
        ("BE 0537.520.055", "BE", "BE0537520055"),
        ("be0537520055", "NL", "BE0537520055"),
        ("BE 537.520.055", "BE", "BE0537520055"),
        ("0537.520.055", "BE", "BE0537520055"),
        ("NL4495445B01", "BE", "NL004495445B01"),
        ("FR 40 303 265 045", "BE", "FR40303265045"),
        ("EL 094259216", "BE", "EL094259216"),
        ("GR 094259216", "BE", "EL094259216"),
        ("094259216", "GR", "EL094259216"),
        ("GB 980 7806 84", "BE", "GB980780684"),
        ("980 7806 84", "GB", "GB980780684"),
        ("CHE-107.787.577 IVA", "BE", "CHE107787577IVA"),
    ],
)
def test_a_valid_vat_number_gets_its_country_and_loses_its_dots(text: str, home: str, expected: str) -> None:
    assert vat_number(text, home) == Reading(expected)


@pytest.mark.parametrize(
    "text", ["BE 0537.520.056", "0537.520.055.1", "geen", "n/a", "-", "ZZ123456789", "US123456789", "BE"]
)
def test_an_invalid_vat_number_is_dropped_with_a_reason(text: str) -> None:
    assert vat_number(text, "BE") == Reading("", "invalid")


@pytest.mark.parametrize("home", ["BE", "NL", "GB"])
@pytest.mark.parametrize("country", ["", "BE", "FR", "GB"])
def test_thousands_of_digits_are_no_vat_number_and_no_error(country: str, home: str) -> None:
    digits = country + "1" * 5000

    assert vat_number(digits, home) == Reading("", "invalid")
    assert enterprise_number(digits, Reading(), home).value == digits


def test_belgian_numbers_are_judged_as_the_library_judges_them(monkeypatch: Any) -> None:
    chance = random.Random(1)
    roots = [0, 1, 97, 19_999_999, *(chance.randrange(30_000_000) for _ in range(300))]
    numbers = [f"BE{root:08}{97 - root % 97 + wrong:02}" for root in roots for wrong in (0, 1)] + ["BE0000000000"]
    ours = [vat_number.__wrapped__(number, "BE") for number in numbers]

    monkeypatch.setattr(company_numbers, "_BELGIAN", re.compile("(?!)"))
    of_the_library = [vat_number.__wrapped__(number, "BE") for number in numbers]

    assert ours == of_the_library
    assert 100 < sum(bool(reading.value) for reading in ours) < 400


def test_no_vat_number_is_nothing_to_remark_on() -> None:
    assert vat_number("", "BE") == Reading()


@pytest.mark.parametrize(
    ("text", "vat", "home", "expected"),
    [
        ("63326426", "NL004495445B01", "NL", "63326426"),
        ("86792345-L", "", "BE", "86792345L"),
        ("HRB 12345 b", "", "DE", "HRB12345B"),
        ("BE 0537.520.055", "", "NL", "0537520055"),
        ("537.520.055", "", "BE", "0537520055"),
        ("537.520.055", "", "FR", "537520055"),
        ("", "BE0537520055", "BE", "0537520055"),
        ("in oprichting", "BE0537520055", "BE", "0537520055"),
        ("", "FR40303265045", "FR", ""),
        ("", "", "BE", ""),
    ],
)
def test_an_enterprise_number_is_letters_and_digits(text: str, vat: str, home: str, expected: str) -> None:
    assert enterprise_number(text, Reading(vat), home) == Reading(expected)


def test_a_register_number_without_digits_is_dropped_with_a_reason() -> None:
    assert enterprise_number("in oprichting", Reading(), "BE") == Reading("", "invalid")
