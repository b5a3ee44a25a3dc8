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
    text = " ".join(unquote(html.unescape(words)).split())
    if fields := _fields_by_value(sent):
        longest_first = sorted(fields, key=len, reverse=True)
        any_value = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)
        text = any_value.sub(lambda found: f"‹{fields.get(found[0].casefold(), 'value')}›", text)
    text = DIGITS.sub("‹number›", EMAIL.sub("‹email›", text))
    return text[:LONGEST_WORDS]


def _fields_by_value(sent: Mapping[str, str]) -> dict[str, str]:
    """The name of the field by each value, and by both sides of an e-mail address."""
    return {
        part.casefold(): field
        for field, value in sent.items()
        for whole in (" ".join(value.split()),)
        for part in (*whole.split("@"), whole)
        if len(part) >= SHORTEST_VALUE
    }
