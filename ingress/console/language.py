"""What the console says, in the reader's language: words from `words/*.toml`, numbers and times as the language writes them.

A file is an area (`sign_in.toml` holds `sign_in.…`); under each key stand all languages side by side, so that a missing one is seen.
A value is a text with {placeholders}, or a table `one`, `other` and, where it helps, `none`, of which `count` chooses. Nothing here is HTML: what a text
and its values hold is escaped, unless a value is markup already.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

LANGUAGES: Mapping[str, str] = {"en": "English", "nl": "Nederlands", "fr": "Français"}
# Between thousands. French: a narrow space that does not break.
THOUSANDS = {"en": ",", "nl": ".", "fr": "\u202f"}
DECIMAL = {"en": ".", "nl": ",", "fr": ","}
SEPARATORS = {language: str.maketrans({",": THOUSANDS[language], ".": DECIMAL[language]}) for language in LANGUAGES}
UNITS = (("days", timedelta(days=1)), ("hours", timedelta(hours=1)), ("minutes", timedelta(minutes=1)))

# French has a space before these signs, and no line may begin with them.
FRENCH_SIGNS = re.compile(r" (?=[:;?!])")

Entry = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """Says things in one language: `words("sign_in.title")`."""

    language: str

    def __call__(self, key: str, /, **values: object) -> Markup:
        """What stands under a key. Raises KeyError for one that does not exist."""
        text = self._text(catalogue()[key][self.language], values.get("count"))
        return escape(text).format(**{name: self._shown(value) for name, value in values.items()})

    def or_else(self, key: str, otherwise: str) -> Markup:
        """What stands under a key that need not exist, for words that others invent."""
        return self(key) if key in catalogue() else escape(otherwise)

    def number(self, value: int) -> str:
        return f"{value:,}".replace(",", THOUSANDS[self.language])

    def when(self, at: datetime) -> Markup:
        """A moment. The reader's browser writes it anew in its own zone and manner (static/console.js)."""
        at = at.astimezone(UTC)
        return Markup('<time datetime="{}">{}</time>').format(
            at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M UTC")
        )

    def ago(self, at: datetime, now: datetime | None = None) -> Markup:
        """How long ago a moment was, in the largest unit that fits; the moment itself when it is hovered over."""
        at = at.astimezone(UTC)
        return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
            at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%Y-%m-%d %H:%M UTC"), self.span_ago((now or _now()) - at)
        )

    def span(self, duration: timedelta) -> Markup:
        """How long something took, roughly: `0.25 s`, `12 s`, `5 min`, `3 h`, `2 days`."""
        seconds = duration.total_seconds()
        for unit, longest, length in (("seconds", 60, 1), ("minutes", 3600, 60), ("hours", 172800, 3600)):
            if seconds < longest:
                return self(f"time.{unit}", number=f"{seconds / length:.2g}".replace(".", DECIMAL[self.language]))
        return self("time.days", count=round(seconds / 86400))

    def size(self, count: int) -> Markup:
        """How large a file is: `812 bytes`, `12.4 KB`, `3.1 MB`, of a thousand each as disks and mail programs count."""
        if count < 1000:
            return self("size.bytes", count=count)
        unit, length = ("kilo", 1000) if count < 1_000_000 else ("mega", 1_000_000)
        return self(f"size.{unit}", number=f"{count / length:,.1f}".translate(SEPARATORS[self.language]))

    def span_ago(self, span: timedelta) -> Markup:
        for name, unit in UNITS:
            if span >= unit:
                return self(f"time.{name}_ago", count=span // unit)
        return self("time.just_now")

    def _text(self, entry: Entry, count: object) -> str:
        if isinstance(entry, str):
            return entry
        if not isinstance(count, int):
            raise TypeError("words with one and other need a count")
        if count == 0 and "none" in entry:
            return entry["none"]
        return entry["one" if count == 1 or (self.language == "fr" and count == 0) else "other"]

    def _shown(self, value: object) -> object:
        if isinstance(value, datetime):
            return self.when(value)
        return self.number(value) if isinstance(value, int) and not isinstance(value, bool) else value


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, Entry]]:
    """Every key with what it says in each language."""
    files = resources.files("ingress.console").joinpath("words").iterdir()
    areas = {file.name.removesuffix(".toml"): tomllib.loads(file.read_text("utf-8")) for file in files}
    return {key: said for area, tree in areas.items() for key, said in _flat(area, tree)}


def best(accepted: Iterable[str]) -> str:
    """The first of the reader's languages that we speak, else English. `nl-BE` is Dutch."""
    spoken = (tag.lower().split("-")[0] for tag in accepted)
    return next((language for language in spoken if language in LANGUAGES), "en")


def _flat(prefix: str, tree: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Entry]]]:
    for name, value in tree.items():
        key = f"{prefix}.{name}"
        if value.keys() & LANGUAGES.keys():
            yield key, {language: _set(language, entry) for language, entry in value.items()}
        else:
            yield from _flat(key, value)


def _set(language: str, entry: Entry) -> Entry:
    """As a typesetter would set it."""
    if language != "fr":
        return entry
    if isinstance(entry, str):
        return FRENCH_SIGNS.sub("\u00a0", entry)
    return {form: FRENCH_SIGNS.sub("\u00a0", text) for form, text in entry.items()}


def _now() -> datetime:
    return datetime.now(UTC)
