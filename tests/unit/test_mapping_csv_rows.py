"""Rows of the file that Twikey imports: every customer survives the way there and back, and no spreadsheet runs a cell."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mapping import CannotMap, MappingSettings, Variant, map_customer
from mapping.csv_rows import (
    COLUMNS,
    HeaderWrong,
    as_document,
    defuse,
    is_named,
    read_header,
    read_row,
    restore,
    row_of,
    row_of_record,
    settings_for_files,
    teamleader_id,
)
from mapping.customer import TwikeyCustomer
from sandbox.teamleader.shapes import customer_in_list, new_customer
from sandbox.world import CHARACTERS, Character, character

SETTINGS = settings_for_files(MappingSettings(profile="123", default_language="nl"))
OURS = read_header(COLUMNS)
nasty = st.text(st.sampled_from("=+-@＝＋－＠\t\r\n;', \xa0a\"|"), max_size=12)
texts = nasty | st.text(max_size=30)


def listed(one: Character) -> dict[str, Any]:
    record = new_customer(one.kind, one.id, datetime(2026, 11, 25, tzinfo=UTC), one.fields)
    return customer_in_list(one.kind, record, "")


def cells(**values: str) -> list[str]:
    return [values.get(column, "") for column in COLUMNS]


def problems(**values: str) -> dict[str, str]:
    with pytest.raises(CannotMap) as refused:
        read_row(cells(**values), OURS, SETTINGS)
    return {problem.field: problem.reason for problem in refused.value.problems}


def fields(**values: str) -> dict[str, str]:
    return dict(read_row(cells(customerNumber="7", **values), OURS, SETTINGS).fields)


# -- formulas -----------------------------------------------------------------------------------------------------------


@given(texts)
@example("'=1")
@example("''t=")
@example("\t\t=x")
@example(";;'=x;-")
def test_any_text_is_restored_exactly(text: str) -> None:
    assert restore(defuse(text)) == text


@given(texts)
def test_no_cell_begins_like_a_formula_wherever_a_spreadsheet_cuts_it(text: str) -> None:
    for piece in re.split(r"[;\t\r\n]", defuse(text)):
        assert not re.match(r"[ \xa0]*[=+\-@＝＋－＠]", piece)


@pytest.mark.parametrize("harmless", ["Bakkerij Tarwe", "'t Hoekje", "Jan-Piet", "a=b", "Piet; Zonen", "x@example.com"])
def test_what_begins_like_no_formula_stays_as_it_is(harmless: str) -> None:
    assert defuse(harmless) == harmless


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        (" =1+1", "' =1+1"),
        ("'=1", "''=1"),
        ("Jansen;=1+1;x", "Jansen;'=1+1;x"),
    ],
)
def test_a_formula_gets_an_apostrophe(text: str, cell: str) -> None:
    assert defuse(text) == cell


def test_a_phone_number_is_written_as_twikey_needs_it() -> None:
    row = row_of(TwikeyCustomer("7", {"mobile": "+32475123456", "companyName": "+32475123456"}, {}, (), None))

    assert dict(zip(COLUMNS, row.cells, strict=True))["mobile"] == "+32475123456"
    assert dict(zip(COLUMNS, row.cells, strict=True))["companyName"] == "'+32475123456"
    assert [(remark.field, remark.reason) for remark in row.remarks] == [("companyName", "defused")]


# -- there and back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", CHARACTERS, ids=lambda one: one.slug)
def test_every_awkward_customer_comes_back_exactly(one: Character) -> None:
    sent = map_customer(one.kind, as_document(listed(one)), variant=Variant.FULL, settings=SETTINGS)

    read = read_row(row_of(sent).cells, OURS, SETTINGS)

    assert read.number == one.id
    assert dict(read.fields) == {name: value for name, value in sent.fields.items() if name in COLUMNS}
    assert dict(read.creation_fields) == dict(sent.creation_fields)


names = st.text(max_size=160).filter(lambda text: text.strip())


@given(st.uuids().map(str), names | nasty, st.emails() | texts, texts, texts, texts)
def test_any_company_comes_back_exactly(number: str, name: str, email: str, street: str, zip_: str, phone: str) -> None:
    record = {
        "id": number,
        "name": name,
        "emails": [{"type": "primary", "email": email}],
        "primary_address": {"line_1": street, "postal_code": zip_, "city": street, "country": "be"},
        "telephones": [{"type": "phone", "number": phone}],
        "vat_number": zip_,
        "national_identification_number": street,
    }
    try:
        sent = map_customer("company", as_document(record), variant=Variant.FULL, settings=SETTINGS)
    except CannotMap:
        return

    read = read_row(row_of(sent).cells, OURS, SETTINGS)

    assert dict(read.fields) == {column: sent.fields[column] for column in COLUMNS if column in sent.fields}


def test_a_list_tells_the_primary_address_and_info_the_invoicing_one() -> None:
    both = new_customer("company", "1", datetime(2026, 1, 1, tzinfo=UTC), character("two-streets").fields)

    in_list = row_of_record("company", customer_in_list("company", both, ""), SETTINGS)
    in_full = row_of_record("company", both, SETTINGS)

    assert "Dok Noord 3A 101" in in_list.cells
    assert "Postbus 17" in in_full.cells


def test_remarks_are_about_columns_of_the_file_only() -> None:
    row = row_of_record("company", listed(character("odd-vat")), SETTINGS)
    cut = row_of_record("company", listed(character("long-name")), SETTINGS)

    assert row.remarks == ()  # the VAT number has no column, so it cannot be wrong in the file
    assert [(remark.field, remark.reason) for remark in cut.remarks] == [("companyName", "cut")]


def test_who_cannot_be_mapped_has_no_row() -> None:
    with pytest.raises(CannotMap):
        row_of_record("company", {"id": "1", "name": None}, SETTINGS)


# -- the first line -----------------------------------------------------------------------------------------------------


def test_columns_may_stand_anywhere_and_others_are_named() -> None:
    header = read_header(["Zip", "customernumber", " Balance", "companyName", ""])

    customer = read_row(["9000", "7", "12.50", "Tarwe", ""], header, SETTINGS)

    assert header.extra == ("Balance",)
    assert "email" in header.missing
    assert (customer.number, dict(customer.fields)) == ("7", {"zip": "9000", "companyName": "Tarwe"})


@pytest.mark.parametrize(
    "line",
    [
        ["name", "street"],
        [],
        ["customerNumber", "CUSTOMERNUMBER"],
        ["customerNumber", "l", "L"],
        ["customerNumber", "Balance"],
    ],
)
def test_a_first_line_without_our_columns_is_refused(line: list[str]) -> None:
    with pytest.raises(HeaderWrong):
        read_header(line)


def test_a_first_line_of_too_many_columns_is_refused_and_a_long_name_cut() -> None:
    extra = [f"column {number}" for number in range(198)]

    assert len(read_header(["customerNumber", "l", *extra]).extra) == 198
    with pytest.raises(HeaderWrong, match="names 201 columns"):
        read_header(["customerNumber", "l", *extra, ""])
    assert read_header(["customerNumber", "l", "x" * 5_000]).extra == ("x" * 60,)


# -- the other lines ----------------------------------------------------------------------------------------------------


def test_all_problems_of_a_row_are_named_at_once() -> None:
    wrong = problems(email="an(at)example.org", l="tr", mobile="bel mij", coc="geen", city="x" * 51, country="Belgium")

    assert wrong == {
        "customerNumber": "missing",
        "email": "invalid",
        "l": "invalid",
        "mobile": "invalid",
        "coc": "invalid",
        "city": "too_long",
        "country": "invalid",
        "companyName": "missing",
    }


def test_no_sentence_quotes_the_value() -> None:
    with pytest.raises(CannotMap) as refused:
        read_row(cells(customerNumber="a b", email="secret@@x", mobile="secret"), OURS, SETTINGS)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("number", ["a b", "2026/14", "-7", "x" * 51, "é"])
def test_a_number_that_twikeys_api_cannot_find_is_refused(number: str) -> None:
    assert problems(customerNumber=number) == {"customerNumber": "unusable_id"}


def test_an_enterprise_number_needs_a_company_name() -> None:
    assert problems(customerNumber="7", coc="0537520055") == {"companyName": "missing"}


def test_a_row_of_another_width_is_refused_rather_than_guessed() -> None:
    with pytest.raises(CannotMap) as refused:
        read_row(["7", "Jansen", "De Hoek"], OURS, SETTINGS)

    assert "3 cells" in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "country", "read"),
    [
        ("+32475123456", "", "+32475123456"),
        ("0475/12.34.56", "BE", "+32475123456"),
        ("06-12345678", "nl", "+31612345678"),
        ("0032 475 12 34 56", "", "+32475123456"),
        ("32475123456", "", "+32475123456"),  # what a spreadsheet makes of +32475123456
        ("'+32475123456", "", "+32475123456"),
    ],
)
def test_a_telephone_number_is_read_as_people_write_it(typed: str, country: str, read: str) -> None:
    assert fields(mobile=typed, country=country)["mobile"] == read


def test_other_notations_are_brought_into_twikeys_form() -> None:
    typed = fields(l="nl-BE", country="be", companyName="  De\nHoek ", coc="0537.520.055", email="An@BÜCHER.example")

    assert typed == {
        "l": "nl",
        "country": "BE",
        "companyName": "De Hoek",
        "coc": "0537520055",
        "email": "An@xn--bcher-kva.example",
    }


def test_empty_cells_say_nothing() -> None:
    assert fields(companyName="Tarwe") == {"companyName": "Tarwe"}


def test_a_customer_without_any_name_cannot_be_created() -> None:
    assert not is_named(fields(email="a@example.com"))
    assert is_named(fields(lastname="Peeters"))


def test_the_id_behind_a_number() -> None:
    assert teamleader_id("tl-2a39e420-3ba3", "tl-") == "2a39e420-3ba3"
    assert teamleader_id("2a39e420-3ba3", "tl-") == ""
    assert teamleader_id("K.1001", "") == ""
