"""One customer as one row of the file that Twikey imports, and back again. Pure: it opens no file and knows no encoding.

Twikey wants these columns under these names in this order (support.twikey.com, import_customers, looked up 2026-11-22).
VAT number, CC and profile have no column there, so a file does not carry them.

A cell that a spreadsheet would run as a formula is *defused* with an apostrophe, which reading takes off again exactly
(docs/decisions/0020).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from mapping import phone_numbers, twikey, values
from mapping.customer import USABLE_NUMBER, MappingSettings, Remark, TwikeyCustomer, Variant
from mapping.errors import CannotMap, MappingError, Problem
from mapping.mapper import Kind, map_customer
from mapping.table import FIELDS_BY_NAME

COLUMNS = (
    "customerNumber",
    "email",
    "l",
    "lastname",
    "firstname",
    "mobile",
    "companyName",
    "coc",
    "address",
    "city",
    "zip",
    "country",
)
NUMBER = COLUMNS[0]
_MOBILE = COLUMNS.index("mobile")

# What a spreadsheet takes for a formula (OWASP, CSV injection, looked up 2026-11-25), also in its full-width forms. It
# counts at the start of a cell, and after what another spreadsheet takes for the end of one: where the list separator is
# a semicolon, as in Belgium and the Netherlands, Excel cuts our cells there, quoted or not.
_FORMULA = r"(?:[\t\r\n]|[ \xa0]*[=+\-@＝＋－＠])"
_CELL_STARTS = r"(^|[;\t\r\n])"
_TO_DEFUSE = re.compile(rf"{_CELL_STARTS}(?='*{_FORMULA})")
_DEFUSED = re.compile(rf"{_CELL_STARTS}'(?='*{_FORMULA})")
# Digits after a plus can do no harm, and Twikey needs a number as it is.
_PHONE_NUMBER = re.compile(FIELDS_BY_NAME["mobile"].format)
_DEFUSED_REMARK = (
    "It begins like a formula, so an apostrophe was put in front for spreadsheets. `tltw import` takes it off again; "
    "Twikey's own import would keep it."
)
# More names than any file of customers has; each is shown, and not more of it than this.
MOST_COLUMNS = 200
_NAME_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Row:
    """What stands in the file for one customer: cells in the order of `COLUMNS`, and what to tell about them."""

    number: str
    cells: tuple[str, ...]
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class Header:
    """Where each of our columns stands in a file (None = not there), what else it has, and its width."""

    positions: tuple[int | None, ...]
    extra: tuple[str, ...]
    missing: tuple[str, ...]
    width: int


class HeaderWrong(MappingError):
    """The first line does not name our columns, so nothing of the file can be understood. The message is a sentence."""


def defuse(text: str) -> str:
    """The text as no spreadsheet runs it: an apostrophe before whatever begins like a formula."""
    if not text or (text[:1].isalnum() and text.isprintable() and ";" not in text):
        return text  # what nearly every text is; the pattern is slow
    return _TO_DEFUSE.sub(r"\1'", text)


def restore(cell: str) -> str:
    """The inverse of `defuse`, for any text; other apostrophes (`'t Hoekje`) are left alone."""
    return _DEFUSED.sub(r"\1", cell)


# -- from Teamleader to the file ----------------------------------------------------------------------------------------


def settings_for_files(settings: MappingSettings) -> MappingSettings:
    """The integration's choices as far as a file has room for them: it carries no CC, and no order to empty a field."""
    return dataclasses.replace(settings, cc_parameter="", clear_empty=False)


def as_document(record: Mapping[str, object]) -> Mapping[str, object]:
    """A record of `contacts.list` or `companies.list` as the mapping reads one of `.info`.

    A list tells the primary address only, as `primary_address`; a record that has `addresses` is one of `.info` already.
    """
    if "addresses" in record:
        return record
    return {**record, "addresses": [{"type": "primary", "address": record.get("primary_address")}]}


def row_of_record(kind: Kind, record: Mapping[str, object], settings: MappingSettings) -> Row:
    """The row of one record of Teamleader. Take `settings_for_files`. Raises CannotMap with every reason."""
    return row_of(map_customer(kind, as_document(record), variant=Variant.FULL, settings=settings))


def row_of(customer: TwikeyCustomer) -> Row:
    """The row of one mapped customer."""
    plain = [customer.number, *(customer.fields.get(column, "") for column in COLUMNS[1:])]
    cells = [defuse(text) for text in plain]
    if _PHONE_NUMBER.fullmatch(plain[_MOBILE]):
        cells[_MOBILE] = plain[_MOBILE]
    remarks = tuple(warning for warning in customer.warnings if warning.field in COLUMNS)
    if cells != plain:
        defused = [column for column, text, cell in zip(COLUMNS, plain, cells, strict=True) if text != cell]
        remarks += tuple(Remark(column, "defused", _DEFUSED_REMARK) for column in defused)
    return Row(customer.number, tuple(cells), remarks)


# -- from the file to Twikey --------------------------------------------------------------------------------------------


def read_header(cells: Sequence[str]) -> Header:
    """Understands the first line of a file. Other columns are tolerated, capitals do not matter. Raises HeaderWrong."""
    if len(cells) > MOST_COLUMNS:
        raise HeaderWrong(
            f"The first line names {len(cells):,} columns; take out what is not of ours ({MOST_COLUMNS} at most)."
        )
    names = [values.tidy(cell).casefold() for cell in cells]
    known = [column.casefold() for column in COLUMNS]
    if known[0] not in names:
        raise HeaderWrong(f"The first line must name the columns, {', '.join(COLUMNS)}; it has no {NUMBER}.")
    if doubled := [column for column, name in zip(COLUMNS, known, strict=True) if names.count(name) > 1]:
        raise HeaderWrong(f"The first line names {doubled[0]} more than once.")
    positions = tuple(names.index(name) if name in names else None for name in known)
    if not any(at is not None for at in positions[1:]):
        raise HeaderWrong(f"The first line names {NUMBER}, but nothing of a customer: {', '.join(COLUMNS[1:])}.")
    return Header(
        positions=positions,
        extra=tuple(
            values.tidy(cell)[:_NAME_SHOWN]
            for cell, name in zip(cells, names, strict=True)
            if name and name not in known
        ),
        missing=tuple(column for column, at in zip(COLUMNS, positions, strict=True) if at is None),
        width=len(cells),
    )


def read_row(cells: Sequence[str], header: Header, settings: MappingSettings) -> TwikeyCustomer:
    """What one row says. Empty cells say nothing: they never empty a field. Raises CannotMap with every problem."""
    if len(cells) != header.width:
        raise CannotMap((_wrong_width(len(cells), header.width),))
    texts = {
        column: values.tidy(restore(cells[at]))
        for column, at in zip(COLUMNS, header.positions, strict=True)
        if at is not None
    }
    given = {column: text for column, text in texts.items() if text}
    number = given.pop(NUMBER, "")
    region = phone_numbers.region(values.country(given.get("country", "")), settings.default_country)
    read = {column: _read(column, text, region) for column, text in given.items()}
    problems = (*_number_problems(number), *_problems(read), *_lonely_coc(read))
    if problems:
        raise CannotMap(problems)
    fields = {column: text for column, text in read.items() if isinstance(text, str)}
    twikey.check(fields)
    profile = {"ct": settings.profile} if settings.profile else {}
    return TwikeyCustomer(number, MappingProxyType(fields), MappingProxyType(profile), (), None)


def number_in(cells: Sequence[str], header: Header) -> str:
    """What stands in the place of the customer number, usable or not; to name a row that is refused."""
    at = header.positions[0]
    return values.tidy(restore(cells[at]))[:50] if at is not None and at < len(cells) else ""


def is_named(fields: Mapping[str, str]) -> bool:
    """Whether Twikey could be asked to create a customer of these fields."""
    return bool(fields.keys() & {"companyName", "firstname", "lastname"})


def teamleader_id(number: str, prefix: str) -> str:
    """The id in Teamleader that a customer number was made from, or "" when it cannot be one of ours."""
    rest = number.removeprefix(prefix)
    ours = number.startswith(prefix) and re.fullmatch(r"[0-9A-Za-z-]{1,64}", rest)
    return rest if ours else ""


def _read(column: str, text: str, region: str) -> str | Problem:
    """The value of one cell in the form Twikey takes, or what is wrong with it."""
    field = FIELDS_BY_NAME[column]
    value = READERS[column](text, region) if column in READERS else text
    if not value:
        return Problem(column, "invalid", _INVALID[column])
    if len(value) > field.limit:
        sentence = f"The {field.label} is too long for Twikey (at most {field.limit} characters); shorten it."
        return Problem(column, "too_long", sentence)
    return value


def _mobile(text: str, region: str) -> str:
    if _PHONE_NUMBER.fullmatch(text):
        return text
    # A spreadsheet takes +32475123456 for a sum and keeps the digits only.
    return phone_numbers.e164(text, region) or phone_numbers.e164(f"+{text}" if text.isdecimal() else "", region)


def _enterprise_number(text: str, _: str) -> str:
    found = values.letters_and_digits(text)
    return found if any(character.isdigit() for character in found) else ""


# Each leaves a value alone that already has Twikey's form, so that a round trip is exact.
READERS: Mapping[str, Callable[[str, str], str]] = {
    "email": lambda text, _: values.email(text),
    "l": lambda text, _: values.language(text),
    "mobile": _mobile,
    "coc": _enterprise_number,
    "country": lambda text, _: values.country(text),
}
_INVALID = {
    "email": "This is not an e-mail address that can be used; correct it, or leave the cell empty.",
    "l": "Twikey speaks en, nl, fr, de, es, it and pt; write one of these, or leave the cell empty.",
    "mobile": (
        "This is not a telephone number; write it like +32475123456, or leave the cell empty. A spreadsheet may have "
        "eaten some of it."
    ),
    "coc": "An enterprise number holds digits; correct it, or leave the cell empty.",
    "country": "A country is a code of two letters, like BE; correct it, or leave the cell empty.",
}


def _number_problems(number: str) -> tuple[Problem, ...]:
    if not number:
        sentence = "There is no customer number, so nobody can tell whose row this is."
        return (Problem(NUMBER, "missing", sentence),)
    if not USABLE_NUMBER.fullmatch(number):
        sentence = (
            "Twikey's API cannot find this customer number: letters, digits, dots, hyphens and underscores only, "
            "at most 50, and a letter or digit first."
        )
        return (Problem(NUMBER, "unusable_id", sentence),)
    return ()


def _problems(read: Mapping[str, str | Problem]) -> tuple[Problem, ...]:
    return tuple(value for value in read.values() if isinstance(value, Problem))


def _lonely_coc(read: Mapping[str, str | Problem]) -> tuple[Problem, ...]:
    if "coc" in read and "companyName" not in read:
        sentence = "Twikey takes an enterprise number only together with a company name."
        return (Problem("companyName", "missing", sentence),)
    return ()


def _wrong_width(found: int, wanted: int) -> Problem:
    sentence = (
        f"The row has {found} cells and the first line {wanted}: is a comma, quote or line end in a cell without quotes "
        "around the cell?"
    )
    return Problem("", "wrong_width", sentence)
