"""The sentences a bookkeeper reads about one field; they say what to do and never quote the value."""

from __future__ import annotations

from mapping.customer import Remark
from mapping.table import Field

# reason -> sentence. The reasons are also what a machine filters on: keep them short and stable.
SENTENCES = {
    "cut": "The {label} is too long for Twikey (at most {limit} characters), so only its beginning is sent.",
    "too_long": "The {label} is too long for Twikey (at most {limit} characters) and is not sent.",
    "invalid": "The {label} in Teamleader is not valid and cannot be used; correct it there.",
    "missing": "Teamleader has no primary {label}; none is sent, and Twikey keeps the one it has, if any.",
    "only_invoicing": (
        "The company has an invoicing e-mail address but no primary one in Teamleader. The invoicing one only "
        "receives copies; enter a primary one there."
    ),
}


def remark(field: Field, reason: str) -> Remark:
    return Remark(field.name, reason, SENTENCES[reason].format(label=field.label, limit=field.limit))
