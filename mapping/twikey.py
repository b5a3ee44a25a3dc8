"""The strict check of what is sent to Twikey; it changes nothing and repairs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from marshmallow import RAISE, Schema, fields, validate

from mapping.errors import CannotMap, Problem
from mapping.table import FIELD_MAP, FIELDS_BY_NAME, Field


def _pattern(field: Field) -> re.Pattern[str]:
    emptiable = rf"(?:{field.format})?" if field.clearable else rf"(?:{field.format})"
    return re.compile(rf"(?=[^\x00-\x1f\x7f\ud800-\udfff]{{0,{field.limit}}}\Z){emptiable}\Z")


_PATTERNS = {field.name: _pattern(field) for field in FIELD_MAP}
_SCHEMA = Schema.from_dict(
    {name: fields.String(validate=validate.Regexp(pattern)) for name, pattern in _PATTERNS.items()}, name="TwikeySchema"
)(unknown=RAISE)


def check(values: Mapping[str, str]) -> None:
    """Raise CannotMap unless Twikey's documented limits hold for every value (keys are the names of the table).

    Nothing our own rules let through should ever be refused here; if it is, the customer waits for a person rather
    than Twikey receiving something odd.
    """
    refused = [*_lonely(values)] if _is_fine(values) else [*_SCHEMA.validate(dict(values)), *_lonely(values)]
    if refused:
        raise CannotMap(tuple(_problem(str(name)) for name in refused))


def _is_fine(values: Mapping[str, str]) -> bool:
    """What nearly always holds, in a tenth of the time that the schema takes to say what does not."""
    return all(name in _PATTERNS and _PATTERNS[name].match(value) for name, value in values.items())


def _lonely(values: Mapping[str, str]) -> tuple[str, ...]:
    return ("coc",) if "coc" in values and "companyName" not in values else ()


def _problem(name: str) -> Problem:
    label = FIELDS_BY_NAME[name].label if name in FIELDS_BY_NAME else name
    return Problem(name, "refused", f"The {label} would not be accepted by Twikey; correct it in Teamleader.")
