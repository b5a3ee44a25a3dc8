"""What the console says: in every language, with the same gaps to fill, and nothing that is not said anywhere."""

import re
import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from markupsafe import Markup

import ingress.console
from ingress.console.language import LANGUAGES, Words, best, catalogue
from workers.operators import Role
from workers.standing import COMMANDS, Level

FOLDER = Path(ingress.console.__file__).parent
SOURCES = {path: path.read_text() for path in [*FOLDER.rglob("[a-z]*.py"), *FOLDER.rglob("*.html")]}
# What the audit log calls people and things is for others to invent; the units of time and the options are tables (test_settings.py).
OF_OTHERS = ("audit_log.of.", "audit_log.value.", "overview.because.", "by.", "option.", "time.")


def forms(entry):
    return [entry] if isinstance(entry, str) else list(entry.values())


def gaps(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("file", sorted({key.partition(".")[0] for key in catalogue()}))
def test_every_key_is_said_in_every_language_with_the_same_gaps(file):
    for key, said in catalogue().items():
        if key.partition(".")[0] == file:
            assert said.keys() == LANGUAGES.keys(), key
            assert all(isinstance(one, str) or one.keys() - {"none"} == {"one", "other"} for one in said.values()), key
            assert (
                len({frozenset(gaps(one if isinstance(one, str) else one["other"])) for one in said.values()}) == 1
            ), key
            assert len({frozenset({"text"} if isinstance(one, str) else one) for one in said.values()}) == 1, key
            assert all(form.strip() == form and form for one in said.values() for form in forms(one)), key


def test_french_signs_do_not_begin_a_line():
    french = [form for said in catalogue().values() for form in forms(said["fr"])]

    assert [form for form in french if re.search(r" [:;?!]", form)] == []
    assert any("\u00a0?" in form for form in french)


def test_every_key_that_the_code_names_exists():
    named = {
        key
        for text in SOURCES.values()
        for key in re.findall(r"""(?:\bt|words|said=)\(?["']([a-z_]+\.[a-z_.]+)["']""", text)
    }

    assert len(named) > 60
    assert sorted(key for key in named if not key.endswith(".") and key not in catalogue()) == []


def test_every_key_is_said_somewhere():
    """Either it is named, or its last part stands somewhere as a word that is put behind a prefix."""
    root = Path(ingress.console.__file__).parents[2]
    ours = (path for folder in ("workers", "mapping") for path in (root / folder).rglob("*.py"))
    everything = "\n".join([*SOURCES.values(), *(path.read_text() for path in ours)])
    silent = [key for key in catalogue() if key not in everything and f'"{key.rsplit(".", 1)[1]}"' not in everything]

    assert [key for key in silent if not key.startswith((*OF_OTHERS, "error."))] == []


@pytest.mark.parametrize(
    "word",
    [f"role.{role}" for role in Role] + [f"role.may.{role}" for role in Role] + [f"level.{level}" for level in Level],
)
def test_roles_and_levels_have_words(word):
    assert word in catalogue()


def test_what_a_command_helps_with_names_it_in_every_language():
    for what in COMMANDS:
        said = catalogue()[f"standing.next.{what}"]
        assert all("{command}" in form for entry in said.values() for form in forms(entry)), what


def test_values_are_escaped_and_markup_stays():
    words = Words("en")

    assert words("operators.removed", name="<b>x</b>") == "&lt;b&gt;x&lt;/b&gt; was removed."
    assert words("operators.removed", name=Markup("<b>x</b>")) == "<b>x</b> was removed."


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 0, "0 minutes ago"),
        ("en", 1, "1 minute ago"),
        ("fr", 0, "il y a 0 minute"),
        ("fr", 2, "il y a 2 minutes"),
        ("nl", 1234, "1.234 minuten geleden"),
    ],
)
def test_one_and_many_are_said_as_the_language_does(language, count, said):
    assert Words(language)("time.minutes_ago", count=count) == said


def test_nothing_may_have_a_sentence_of_its_own():
    said = [Words("en")("standing.paused", count=count) for count in (0, 1, 2)]

    assert said == ["Paused. Nothing waits.", "Paused. 1 update waits.", "Paused. 2 updates wait."]


def test_numbers_are_written_as_the_language_does():
    assert [Words(language).number(1234567) for language in ("en", "nl", "fr")] == [
        "1,234,567",
        "1.234.567",
        "1\u202f234\u202f567",
    ]


@pytest.mark.parametrize(
    ("span", "said"),
    [(0, "just now"), (59, "just now"), (60, "1 minute ago"), (7199, "1 hour ago"), (172800, "2 days ago")],
)
def test_how_long_ago_is_said_in_the_largest_unit_that_fits(span, said):
    assert Words("en").span_ago(timedelta(seconds=span)) == said


def test_a_time_is_written_in_utc_and_for_the_browser_to_write_anew():
    at = datetime(2026, 11, 25, 23, 5, 7, tzinfo=UTC)

    assert Words("nl").when(at) == '<time datetime="2026-11-25T23:05:07Z">2026-11-25 23:05 UTC</time>'
    assert "2 minuten geleden</time>" in Words("nl").ago(at, at + timedelta(minutes=2))


@pytest.mark.parametrize(
    ("accepted", "language"),
    [(["nl-BE", "en"], "nl"), (["de", "fr"], "fr"), (["de"], "en"), ([], "en"), (["FR-fr"], "fr")],
)
def test_the_best_language_is_the_first_that_we_speak(accepted, language):
    assert best(accepted) == language


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (1, "1 byte", "1 octet"),
        (999, "999 bytes", "999 octets"),
        (1_000, "1 KB", "1 ko"),
        (12_345, "12.3 KB", "12,3 ko"),
        (16_000_000, "16 MB", "16 Mo"),
        (1_234_500_000, "1,234.5 MB", "1 234,5 Mo"),
    ],
)
def test_sizes_are_told_in_the_units_of_the_language(count, english, french):
    told = [" ".join(Words(language).size(count).split()) for language in ("en", "fr")]

    assert told == [english, french]
