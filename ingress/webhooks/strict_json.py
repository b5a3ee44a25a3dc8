"""JSON that can be read in one way only. What two parsers could understand differently is refused.

No I/O, and nothing about events: bytes in, an object out.
"""

import json
import math
from typing import Any, NoReturn

from ingress.webhooks.refusals import Reason, Refused

MAX_DEPTH = 20
LONGEST_FIELD_NAME = 64
# The name for the body as a whole, where no field is to blame.
BODY = "body"


def parse_object(raw: bytes) -> dict[str, Any]:
    """The object in the bytes; raises `Refused`.

    Refused are: not UTF-8, lone surrogates, duplicate keys, NaN and infinities, more than 20 levels, anything but an object.
    """
    value = _load(_decode(raw))
    _check_depth_and_text(value)
    if not isinstance(value, dict):
        raise Refused(Reason.WRONG_SHAPE, BODY)
    return value


def _decode(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refused(Reason.NOT_UTF8, BODY) from None


def _load(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_constant=_not_a_number, parse_float=_finite, parse_int=_finite
        )
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, BODY) from None
    except ValueError:
        raise Refused(Reason.NOT_JSON, BODY) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise Refused(Reason.DUPLICATE_KEY, printable(key))
        seen[key] = value
    return seen


def _not_a_number(_name: str) -> NoReturn:
    raise Refused(Reason.NOT_JSON, BODY)


def _finite(text: str) -> float:
    # Also integers: no field of ours is a number, and int() takes its time over 64 KiB of digits.
    number = float(text)
    if not math.isfinite(number):
        raise Refused(Reason.NOT_JSON, BODY)
    return number


def _check_depth_and_text(value: Any) -> None:
    level, depth = [value], 0
    while level:
        for text in level:
            if isinstance(text, str):
                _check_text(text)
        holders = [item for item in level if isinstance(item, dict | list)]
        depth += 1
        if holders and depth > MAX_DEPTH:
            raise Refused(Reason.TOO_DEEP, BODY)
        level = [inner for holder in holders for inner in _inside(holder)]


def _inside(holder: dict[str, Any] | list[Any]) -> list[Any]:
    return [*holder.keys(), *holder.values()] if isinstance(holder, dict) else holder


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        raise Refused(Reason.NOT_UTF8, BODY) from None


def printable(key: str) -> str:
    """A sender's key in a form that is safe to show: short, and neither control characters nor lone surrogates."""
    return key[:LONGEST_FIELD_NAME].encode("unicode_escape").decode("ascii")
