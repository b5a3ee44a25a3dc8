"""The strict check is a second opinion: it refuses what our own rules should never have let through."""

import pytest

from mapping.errors import CannotMap
from mapping.table import FIELD_MAP, Field
from mapping.twikey import check

GOOD = {
    "companyName": "N",
    "coc": "0537520055",
    "vatno": "BE0537520055",
    "email": "a@example.com",
    "cc": "b@xn--p1ai.xn--p1ai",
    "country": "BE",
    "mobile": "+32499123445",
    "l": "nl",
    "ct": "2757",
}


def test_a_good_customer_passes() -> None:
    check(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("companyName", "two\nlines"),
        ("companyName", "lone \ud800"),
        ("companyName", ""),
        ("coc", "0537.520.055"),
        ("vatno", "0537520055"),
        ("email", "a@localhost"),
        ("email", ""),
        ("country", "be"),
        ("country", "BE\n"),
        ("mobile", "0499123445"),
        ("l", "nl-BE"),
        ("ct", "x"),
        ("customerNumber", "1"),
    ],
)
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(CannotMap) as caught:
        check(GOOD | {name: value})

    assert [(problem.field, problem.reason) for problem in caught.value.problems] == [(name, "refused")]


@pytest.mark.parametrize("field", FIELD_MAP, ids=lambda field: field.name)
def test_nothing_longer_than_its_limit_passes(field: Field) -> None:
    with pytest.raises(CannotMap):
        check({"companyName": "N", field.name: "1" * (field.limit + 1)})


def test_an_enterprise_number_without_company_name_is_refused() -> None:
    with pytest.raises(CannotMap, match="enterprise number"):
        check({"coc": "0537520055"})


@pytest.mark.parametrize("field", FIELD_MAP, ids=lambda field: field.name)
def test_only_clearable_fields_may_be_empty(field: Field) -> None:
    try:
        check({"companyName": "N", field.name: ""})
        passed = True
    except CannotMap:
        passed = False

    assert passed is field.clearable
