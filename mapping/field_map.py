"""Prints the mapping's table as a page for bookkeepers: `python -m mapping.field_map > docs/field-map.md`."""

from __future__ import annotations

import sys

from mapping.remarks import SENTENCES
from mapping.table import FIELD_MAP, Field, Manual

INTRODUCTION = """\
# Which Teamleader data goes where in Twikey

<!-- Generated: python -m mapping.field_map > docs/field-map.md -->

Data flows one way, from Teamleader to Twikey. A customer is known in Twikey by its **customer number**: the
Teamleader id, with the integration's fixed prefix if it has one (letters, digits, `.`, `_` and `-`, a letter or digit
first, at most 50 together). It is never changed; changing it in Twikey makes a duplicate.

Texts become one line: line breaks, control characters and repeated spaces turn into single spaces.

## Automatic and manual

*Automatic* is what happens with the option *Import invoices and update customers automatically*: all of the
fields below are sent. *Manual* is an import from the CRM search or a refresh of one customer: the invoicing
e-mail address is not sent, and if Teamleader has an invoicing address with a street, no address is sent at all;
edit it in Twikey by hand.
"""

EMPTY = """\
## Empty fields

What is empty in Teamleader is not sent, so Twikey keeps what it has. With the setting *clear empty* these are
emptied in Twikey too: {clearable}. A value that was there but refused never empties anything.
"""

REFUSED = """\
## When a customer is not sent at all

- The Teamleader id with the prefix cannot be a customer number.
- A company has no name, or a person has neither a first nor a last name.

## Warnings

The rest is sent all the same when a field has one of these:

"""


def page() -> str:
    """The whole page, ending in one newline."""
    parts = [INTRODUCTION, *_tables(), EMPTY.format(clearable=_clearable()), REFUSED + _warnings()]
    return "\n".join(parts)


def _tables() -> list[str]:
    companies = [(field, field.company) for field in FIELD_MAP if field.company]
    people = [(field, field.person) for field in FIELD_MAP if field.person]
    return [
        "## Companies\n\n" + _table([_row(field, source.words) for field, source in companies]),
        "## Persons\n\n" + _table([_row(field, source.words) for field, source in people]),
    ]


def _table(rows: list[str]) -> str:
    head = "| Field | Twikey | Teamleader | Rule | Longest | Longer is | Automatic | Manual |\n"
    return head + "|---|---|---|---|---|---|---|---|\n" + "".join(rows)


def _row(field: Field, words: str) -> str:
    cells = (
        field.label,
        f"`{field.name}`",
        words,
        field.rule,
        str(field.limit),
        str(field.too_long),
        _automatic(field),
        _manual(field),
    )
    return f"| {' | '.join(cells)} |\n"


def _automatic(field: Field) -> str:
    return "on creation" if field.only_on_creation else "sent"


def _manual(field: Field) -> str:
    return _automatic(field) if field.manual is Manual.SENT else str(field.manual)


def _clearable() -> str:
    return ", ".join(field.label for field in FIELD_MAP if field.clearable)


def _warnings() -> str:
    return "".join(
        f"- `{reason}`: {sentence.format(label='field', limit='n')}\n" for reason, sentence in SENTENCES.items()
    )


if __name__ == "__main__":
    sys.stdout.write(page())
