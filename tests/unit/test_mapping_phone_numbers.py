"""Free-text telephone numbers to E.164."""

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
