"""One customer as a person typed it into a form, after the mapping filled it in: strict, and every mistake is named at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from mapping import company_numbers, phone_numbers, twikey, values
from mapping.csv_rows import READERS
from mapping.customer import MappingSettings, TwikeyCustomer, Variant
from mapping.entered import entered
from mapping.errors import CannotMap, Problem
from mapping.mapper import Kind, map_customer
from mapping.table import FIELDS_BY_NAME

NAMES: Mapping[Kind, tuple[str, ...]] = {"company": ("companyName",), "contact": ("firstname", "lastname")}
# For a moment only: what else can be said of a customer without a name.
_STAND_IN: Mapping[Kind, Mapping[str, str]] = {"company": {"name": "?"}, "contact": {"last_name": "?"}}
_SENTENCES = {
    "nameless": "Twikey needs a name: fill it in.",
    "invalid": "The {label} is not valid; correct it, or leave it empty.",
    "too_long": "The {label} is too long for Twikey (at most {limit} characters); shorten it.",
}


def form_fields(kind: Kind, settings: MappingSettings, *, full: bool) -> tuple[str, ...]:
    """The fields a form has, by the names of the table. Only a full mapping has a CC."""
    has_cc = full and bool(settings.cc_parameter)
    return tuple(name for name in entered(kind, {}) if name != "cc" or has_cc)


def suggested(
    kind: Kind, document: Mapping[str, object], *, variant: Variant, settings: MappingSettings
) -> tuple[TwikeyCustomer, tuple[Problem, ...]]:
    """What the mapping would send, as the start of a form, where a name can still be typed: it is a problem, not an end.

    Raises CannotMap when nothing that is typed could help.
    """
    try:
        return map_customer(kind, document, variant=variant, settings=settings), ()
    except CannotMap as refused:
        if any(problem.reason != "nameless" for problem in refused.problems):
            raise
        mapped = map_customer(kind, {**document, **_STAND_IN[kind]}, variant=variant, settings=settings)
        fields = {name: value for name, value in mapped.fields.items() if name not in NAMES[kind]}
        kept = tuple(one for one in mapped.warnings if one.field not in NAMES[kind])
        nameless = TwikeyCustomer(mapped.number, fields, mapped.creation_fields, kept, mapped.source_updated_at)
        return nameless, refused.problems


def read_typed(
    kind: Kind, number: str, typed: Mapping[str, str], settings: MappingSettings, *, full: bool
) -> TwikeyCustomer:
    """What was typed, by the names of the table, as Twikey takes it. Empty says nothing. Raises CannotMap with every problem."""
    texts = {name: values.tidy(typed.get(name, "")) for name in form_fields(kind, settings, full=full)}
    given = {name: text for name, text in texts.items() if text}
    home = values.country(given.get("country", "")) or settings.default_country.upper()
    read = {name: _read(name, text, home, settings) for name, text in given.items()}
    problems = tuple(value for value in read.values() if isinstance(value, Problem))
    if not any(name in given for name in NAMES[kind]):
        problems += (_problem(NAMES[kind][-1], "nameless"),)
    if problems:
        raise CannotMap(problems)
    fields = {name: text for name, text in read.items() if isinstance(text, str)}
    twikey.check(fields)
    named = {settings.cc_parameter if name == "cc" else name: text for name, text in fields.items()}
    profile = {"ct": settings.profile} if settings.profile else {}
    return TwikeyCustomer(number, MappingProxyType(named), MappingProxyType(profile), (), None)


def _read(name: str, text: str, home: str, settings: MappingSettings) -> str | Problem:
    read = _reader(name, settings)
    value = read(text, home) if read else text
    if not value:
        return _problem(name, "invalid")
    return _problem(name, "too_long") if len(value) > FIELDS_BY_NAME[name].limit else value


def _reader(name: str, settings: MappingSettings) -> Callable[[str, str], str] | None:
    if name == "vatno":
        return lambda text, home: company_numbers.vat_number(text, home).value
    if name == "mobile":
        return lambda text, home: READERS["mobile"](text, phone_numbers.region(home, settings.default_country))
    return READERS.get("email" if name == "cc" else name)


def _problem(name: str, reason: str) -> Problem:
    field = FIELDS_BY_NAME[name]
    return Problem(name, reason, _SENTENCES[reason].format(label=field.label, limit=field.limit))
