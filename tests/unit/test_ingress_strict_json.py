"""JSON that can be read in one way only."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.webhooks.refusals import Reason, Refused
from ingress.webhooks.strict_json import MAX_DEPTH, parse_object


def refusal(raw: bytes) -> tuple[Reason, str]:
    with pytest.raises(Refused) as caught:
        parse_object(raw)
    return caught.value.reason, caught.value.field


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1} x',
        b"\xef\xbb\xbf{}",
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(raw: bytes):
    assert refusal(raw) == (Reason.NOT_JSON, "body")


@pytest.mark.parametrize("raw", [b"[]", b"null", b"1", b'"text"', b"[{}]"])
def test_anything_but_an_object_has_the_wrong_shape(raw: bytes):
    assert refusal(raw) == (Reason.WRONG_SHAPE, "body")


@pytest.mark.parametrize("raw", [b'{"a": "\xff"}', rb'{"a": "\ud800"}', rb'{"\udfff": 1}', rb'{"a": ["\ud800x"]}'])
def test_text_that_is_no_unicode_is_refused(raw: bytes):
    assert refusal(raw) == (Reason.NOT_UTF8, "body")


def test_a_duplicate_key_is_named():
    assert refusal(b'{"a": {"id": "1", "id": "2"}}') == (Reason.DUPLICATE_KEY, "id")


def test_a_duplicate_key_that_is_written_differently_is_found():
    assert refusal(rb'{"id": "1", "\u0069d": "2"}') == (Reason.DUPLICATE_KEY, "id")


def test_a_duplicate_key_is_shown_without_control_characters_and_cut():
    reason, field = refusal(json.dumps({"\n" + "k" * 999: 1})[:-1].encode() + rb', "\n' + b"k" * 999 + b'": 2}')

    assert reason is Reason.DUPLICATE_KEY
    assert field == "\\n" + "k" * 63


def test_twenty_levels_are_read_and_one_more_is_refused():
    assert parse_object(nested(MAX_DEPTH))
    assert refusal(nested(MAX_DEPTH + 1)) == (Reason.TOO_DEEP, "body")


@pytest.mark.parametrize("raw", [b"[" * 60_000, nested(10_000)])
def test_depth_that_would_exhaust_the_parser_is_refused(raw: bytes):
    assert refusal(raw)[0] in (Reason.TOO_DEEP, Reason.NOT_JSON)


PLAIN = st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3), max_leaves=9)))
def test_every_ordinary_object_is_read_as_it_was_written(value: dict[str, Any]):
    assert parse_object(json.dumps(value).encode()) == value


@given(st.binary())
def test_bytes_are_read_or_refused_and_nothing_else_happens(raw: bytes):
    with contextlib.suppress(Refused):
        parse_object(raw)
