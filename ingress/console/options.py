"""The options of an integration as fields of a form: drawn from the table of options, read back, and told in words.

A secret goes in and never comes out: a field knows whether there is one, and no more.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from markupsafe import Markup
from werkzeug.datastructures import MultiDict

from config import parse
from config.integrations import BY_NAME, OPTIONS, Option
from ingress.console.language import Words
from workers.integrations import HIDDEN, Change

Kind = Literal["text", "number", "secret", "switch", "language", "events"]
KINDS: Mapping[object, Kind] = {
    parse.switch: "switch",
    parse.positive: "number",
    parse.language: "language",
    parse.extra_event_types: "events",
}
# In their own language, as whoever speaks it looks for it.
LANGUAGES: Mapping[str, str] = {
    "nl": "Nederlands",
    "fr": "Français",
    "en": "English",
    "de": "Deutsch",
    "es": "Español",
    "it": "Italiano",
    "pt": "Português",
}
# The groups of the settings page, by their words.
GROUPS: Mapping[str, Sequence[str]] = {
    "merchant": ("label",),
    "twikey": ("twikey_url", "twikey_key", "profile", "cc_parameter", "customer_number_prefix"),
    "customers": ("update_only", "clear_empty", "default_language", "default_country"),
    "teamleader": (
        "extra_event_types",
        "teamleader_calls_per_minute",
        "teamleader_client_id",
        "teamleader_client_secret",
    ),
}
# What nearly everybody who connects a merchant fills in; the rest is folded in.
FIRST = ("label", "twikey_url", "twikey_key", "profile", "default_language", "update_only")
# A refresh token is for those who connect without a browser. Here a button does it.
NOT_HERE = frozenset({"teamleader_refresh_token"})
REST = tuple(one.name for one in OPTIONS if one.name not in NOT_HERE and one.name not in FIRST)
CHANGEABLE = tuple(option for option in OPTIONS if not option.fixed)
# Offered to whoever connects a merchant; a test account or an older one has another.
USUAL_TWIKEY_URL = "https://api.twikey.com/creditor"
# After a change of these one should look whether both sides still take us.
OF_THE_CONNECTION = frozenset(
    {"twikey_url", "twikey_key", "extra_event_types", "teamleader_client_id", "teamleader_client_secret"}
)
# What did not change is told shorter than this.
LONGEST_TOLD = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One option in a form. `value` is empty for a secret; `is_set`: there is one; `again`: one was typed and must be typed anew.

    `now`: what is stored, where that differs from what somebody typed while somebody else was faster.
    """

    name: str
    kind: Kind
    value: str
    problem: str = ""
    is_set: bool = False
    again: bool = False
    now: str = ""
    required: bool = False
    optional: bool = False
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The words of a value that is a list."""
        return parse.words(self.value)

    @property
    def on(self) -> bool:
        """Of a switch; what was typed and cannot be read counts as off."""
        return self.value.lower() in ("on", "true", "1", "yes")

    @property
    def can_be_forgotten(self) -> bool:
        return self.kind == "secret" and self.is_set and not self.required


def kind_of(option: Option) -> Kind:
    return "secret" if option.secret else KINDS.get(option.parse, "text")


def fields(
    names: Iterable[str],
    texts: Mapping[str, str],
    *,
    words: Words,
    problems: Mapping[str, str] | None = None,
    typed: Mapping[str, str] | None = None,
    compare: bool = False,
) -> list[Field]:
    """The fields of these options. `texts`: what is stored, secrets hidden; `typed`: what a person just sent, which wins.

    `compare`: beside what was typed say what is stored, where that differs.
    """
    drawn = [_field(BY_NAME[name], texts, words, problems or {}, typed or {}) for name in names]
    return [_compared(one, texts, words) for one in drawn] if compare else drawn


def given(form: "MultiDict[str, str]", options: Iterable[Option]) -> dict[str, str]:
    """What a form says about these options; about one that it did not show it says nothing.

    A browser sends nothing for a box that is not ticked, so the form names the boxes that it showed.
    """
    ticked = set(form.getlist("shown"))
    texts: dict[str, str] = {}
    for option in options:
        match kind_of(option):
            case "secret":
                texts |= _secret(form, option)
            case "switch" if option.name in ticked:
                texts[option.name] = "on" if form.get(option.name) == "on" else "off"
            case "events" if option.name in ticked:
                texts[option.name] = ",".join(form.getlist(option.name))
            case "text" | "number" | "language" if option.name in form:
                texts[option.name] = form[option.name].strip()
    return texts


def name_of(name: str, words: Words) -> Markup:
    return words.or_else(f"option.{name}.name", name)


def told(changes: Iterable[Change], words: Words) -> Markup:
    """What was changed, from what to what."""
    return Markup("; ").join(_told(one, words) for one in changes)


def value_told(name: str, text: str, words: Words) -> Markup:
    """A stored value as a person reads it; an empty one is what holds without it."""
    option, text = BY_NAME[name], text or BY_NAME[name].default or ""
    if option.secret:
        return words("option.set" if text else "option.not_set")
    if not text:
        return words("option.none")
    if kind_of(option) == "switch":
        return words("option.on" if parse.switch(text) else "option.off")
    return Markup("{}").format(_short(LANGUAGES.get(text, text) if kind_of(option) == "language" else text))


def _told(change: Change, words: Words) -> Markup:
    name = name_of(change.option, words)
    if HIDDEN in (change.before, change.after):
        how = "replaced" if change.before and change.after else "entered" if change.after else "removed"
        return words(f"option.{how}", name=name)
    before, after = (value_told(change.option, text, words) for text in (change.before, change.after))
    return words("option.from_to", name=name, before=before, after=after)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TOLD else text[: LONGEST_TOLD - 1] + "…"


def _field(
    option: Option, texts: Mapping[str, str], words: Words, problems: Mapping[str, str], typed: Mapping[str, str]
) -> Field:
    name, kind = option.name, kind_of(option)
    value = typed.get(name, texts.get(name) or option.default or "")
    return Field(
        name=name,
        kind=kind,
        value="" if kind == "secret" else value,
        problem=_problem(option, problems, words),
        is_set=kind == "secret" and bool(texts.get(name)),
        again=kind == "secret" and bool(typed.get(name)),
        required=option.default is None,
        # One with a default of its own is never empty.
        optional=option.default == "" and kind not in ("switch", "events"),
        choices=_choices(kind, words),
    )


def _compared(one: Field, texts: Mapping[str, str], words: Words) -> Field:
    stored = texts.get(one.name) or BY_NAME[one.name].default or ""
    if one.kind == "secret" or one.value == stored:
        return one
    return replace(one, now=words("option.now", value=value_told(one.name, stored, words)))


def _choices(kind: Kind, words: Words) -> Mapping[str, str]:
    if kind == "events":
        return {one: words.or_else(f"option.event.{one.replace('.', '_')}", one) for one in parse.EXTRA_EVENT_TYPES}
    return LANGUAGES if kind == "language" else {}


def _problem(option: Option, problems: Mapping[str, str], words: Words) -> str:
    if option.name not in problems:
        return ""
    if problems[option.name] == "missing":
        return words("option.missing")
    return words.or_else(f"option.{option.name}.wrong", problems[option.name])


def _secret(form: "MultiDict[str, str]", option: Option) -> dict[str, str]:
    if new := form.get(option.name, "").strip():
        return {option.name: new}
    forgotten = form.get(f"forget-{option.name}") == "yes" and option.default is not None
    return {option.name: ""} if forgotten else {}
