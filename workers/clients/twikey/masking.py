"""Takes the values we sent, and what looks like one, out of an API's own words, so that those may be logged and shown."""

import html
import re
from collections.abc import Mapping
from urllib.parse import unquote

SHORTEST_VALUE = 3
LONGEST_WORDS = 200
EMAIL = re.compile(r"\S+@\S+")
# A phone or enterprise number that Twikey wrote in another way than we did.
DIGITS = re.compile(r"\+?\d(?:[\s./-]?\d){4,}")


def mask(words: str, sent: Mapping[str, str]) -> str:
    """The words on one line, each value of at least three characters replaced by ‹its field›."""
    parts = {part: field for field, value in sent.items() for part in _parts(_plain(value))}
    text = _plain(words)
    if parts:
        fields = {part.casefold(): field for part, field in parts.items()}
        longest_first = sorted(parts, key=len, reverse=True)
        any_part = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        text = any_part.sub(lambda found: f"‹{fields.get(found[0].casefold(), 'value')}›", text)
    text = DIGITS.sub("‹number›", EMAIL.sub("‹email›", text))
    return text[:LONGEST_WORDS]


def _plain(text: str) -> str:
    """On one line and without the escapes of HTML and URLs, in which a value may come back."""
    return " ".join(unquote(html.unescape(text)).split())


def _parts(value: str) -> set[str]:
    """The value, and both sides of an e-mail address."""
    return {part for part in (value, *value.split("@")) if len(part) >= SHORTEST_VALUE}
