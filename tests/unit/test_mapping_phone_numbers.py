"""Free-text telephone numbers to E.164."""

import random
from typing import Any

import pytest

from mapping import phone_numbers


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("0499/12.34.45", "BE", "+32499123445"),
        ("+32 (0)499 12 34 45", "BE", "+32499123445"),
        ("0032499123445", "BE", "+32499123445"),
        ("32498665995", "BE", "+32498665995"),
        ("06 12345678", "NL", "+31612345678"),
        ("+31 6 12345678", "BE", "+31612345678"),
        ("gsm: 0499 12 34 45", "BE", "+32499123445"),
        ("0499 12 34 45 (Jan)", "BE", "+32499123445"),
        ("0499123445 / 0498665995", "BE", "+32499123445"),
        ("03 456 79 78", "BE", "+3234567978"),
        ("031234567", "BE", ""),
        ("n.v.t.", "BE", ""),
        ("0499", "BE", ""),
        ("9" * 400, "BE", ""),
        ("", "BE", ""),
    ],
)
def test_a_number_is_read_in_the_notation_of_its_country(text: str, region: str, expected: str) -> None:
    assert phone_numbers.e164(text, region) == expected


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("0499 12 34 45", "BE", "+32499123445"),
        ("03 456 79 78", "BE", ""),
        ("+1 202 555 0143", "BE", "+12025550143"),
    ],
)
def test_a_number_that_may_be_mobile_counts_as_mobile(text: str, region: str, expected: str) -> None:
    assert phone_numbers.mobile_e164(text, region) == expected


@pytest.mark.parametrize(
    ("country", "default", "expected"),
    [("NL", "BE", "NL"), ("AQ", "be", "BE"), ("", "BE", "BE")],
)
def test_a_country_without_numbering_plan_gives_way_to_the_default(country: str, default: str, expected: str) -> None:
    assert phone_numbers.region(country, default) == expected


@pytest.mark.parametrize("region", ["BE", "NL", "FR", "DE", "LU", "US", "IT"])
def test_numbers_in_plain_notation_are_read_as_the_library_reads_them(region: str, monkeypatch: Any) -> None:
    chance = random.Random(region)
    texts = [_typed(chance) for _ in range(600)]
    ours = [phone_numbers._found.__wrapped__(text, region) for text in texts]

    monkeypatch.setattr(phone_numbers, "_plain", lambda *_: None)
    of_the_library = [phone_numbers._found.__wrapped__(text, region) for text in texts]

    assert ours == of_the_library
    assert sum(bool(number) for number, _ in ours) > 50


def _typed(chance: random.Random) -> str:
    """A number, right or wrong, as people type it."""
    start = chance.choice(["0", "0", "+32", "+32", "+31", "+33", "+49", "+352", "+1", "0032", ""])
    digits = chance.choice(["4", "47", "6", "1", "17", "2", "9", ""]) + "".join(
        chance.choices("0123456789", k=chance.choice([5, 6, 7, 7, 8, 8, 9, 12]))
    )
    between = chance.choice(["", " ", ".", "/", "-", " / "])
    at = sorted(chance.sample(range(1, len(digits)), k=2))
    return start + chance.choice(["", " "]) + between.join((digits[: at[0]], digits[at[0] : at[1]], digits[at[1] :]))
