"""Single values: one free text in, one value Twikey accepts or nothing out."""

import pytest

from mapping import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Jan \t Peeters \n", "Jan Peeters"),
        ("Bakkerij\r\nDe Korst", "Bakkerij De Korst"),
        ("a\x00b\x1fc\x7fd\x85e\u2028f", "a b c d e f"),
        ("Ame\u0301lie", "Am\u00e9lie"),
        ("Jan\ud83d Peeters\udc00", "Jan Peeters"),
        ("e\ud800\u0301", "\u00e9"),
        ("\ufeffzero\u200bwidth\u2060", "zerowidth"),
        ("\u00a0no-break\u00a0space", "no-break space"),
        ("Ελληνικά 株式会社 Ђорђе", "Ελληνικά 株式会社 Ђорђе"),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\n\t ", ""),
    ],
)
def test_a_text_becomes_one_tidy_line(text: str, expected: str) -> None:
    assert values.tidy(text) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 5, "short"),
        ("longer", 5, "longe"),
        ("ab cd", 3, "ab"),
        ("abn\u0303", 3, "ab"),
        ("ab👩\u200d🚀", 3, "ab"),
        ("ab👩\u200d🚀", 4, "ab"),
        ("𝒜𝒷𝒸", 2, "𝒜𝒷"),
        ("n" + "\u0303" * 9, 4, "n" + "\u0303" * 3),
    ],
)
def test_a_cut_text_keeps_its_last_character_whole(text: str, limit: int, expected: str) -> None:
    assert values.cut(text, limit) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jan.Peeters@Example.COM", "Jan.Peeters@example.com"),
        ("Info@EXAMPLE.com", "Info@example.com"),
        ("o'brien+twikey@example.co.uk", "o'brien+twikey@example.co.uk"),
        ("jan@Müller.example.de", "jan@xn--mller-kva.example.de"),
        ("jan", ""),
        ("jan@", ""),
        ("jan@localhost", ""),
        ("jan@example.test", ""),
        ("jän@example.com", ""),
        ("Jan <jan@example.com>", ""),
        ("a@example.com; b@example.com", ""),
        ("x" * 65 + "@example.com", ""),
        ("", ""),
    ],
)
def test_an_email_address_is_kept_as_typed_or_not_at_all(text: str, expected: str) -> None:
    assert values.email(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("BE", "BE"), ("nl", "NL"), ("Belgium", ""), ("ZZ", ""), ("UK", ""), ("", "")],
)
def test_a_country_is_an_iso_code_in_capitals(text: str, expected: str) -> None:
    assert values.country(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((code, code) for code in ("en", "nl", "fr", "de", "es", "it", "pt")),
        ("nl-BE", "nl"),
        ("fr_BE", "fr"),
        ("NL", "nl"),
        ("uk", ""),
        ("jp", ""),
        ("nld", ""),
        ("nl-BE-x", ""),
        ("", ""),
    ],
)
def test_a_language_is_one_of_twikeys_seven(text: str, expected: str) -> None:
    assert values.language(text) == expected
