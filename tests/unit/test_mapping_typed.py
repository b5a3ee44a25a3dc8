"""A customer typed into a form: filled in by the mapping, read strictly, every mistake named at once."""

import pytest

from mapping import CannotMap, MappingSettings, Variant, form_fields, read_typed, suggested

SETTINGS = MappingSettings(profile="123", default_language="nl")
NUMBER = "2a39e420-3ba3-4384-8024-fa702ef99c9f"
COMPANY = {
    "id": NUMBER,
    "name": "Bakkerij Tarwe",
    "vat_number": "BE 0537.520.055",
    "emails": [{"type": "primary", "email": "info@example.com"}, {"type": "invoicing", "email": "bill@example.com"}],
    "addresses": [
        {"type": "invoicing", "address": {"line_1": "Kade 1", "postal_code": "9000", "city": "Gent", "country": "BE"}}
    ],
}


def read(kind="company", full=True, **typed):
    return read_typed(kind, NUMBER, typed, SETTINGS, full=full)


def wrong(kind="company", **typed):
    with pytest.raises(CannotMap) as refused:
        read(kind, **typed)
    return {problem.field: problem.reason for problem in refused.value.problems}


def test_what_the_mapping_fills_in_is_taken_as_it_is():
    customer, problems = suggested("company", COMPANY, variant=Variant.FULL, settings=SETTINGS)

    again = read(**customer.fields)

    assert problems == ()
    assert (again.number, again.fields, again.creation_fields) == (
        customer.number,
        customer.fields,
        customer.creation_fields,
    )


def test_what_people_type_is_put_into_the_form_that_twikey_takes():
    typed = {"companyName": "  Bakkerij \t Tarwe ", "vatno": "be 0537.520.055", "mobile": "0475 12 34 56", "l": "nl-BE"}

    fields = read(**typed, country="be", email="").fields

    assert fields == {
        "companyName": "Bakkerij Tarwe",
        "vatno": "BE0537520055",
        "country": "BE",
        "mobile": "+32475123456",
        "l": "nl",
    }


def test_every_mistake_is_named_at_once():
    found = wrong(email="no", vatno="BE1", mobile="x", country="Belgium", l="xx", cc="@", address="a" * 300)

    assert found.pop("address") == "too_long"
    assert found.pop("companyName") == "nameless"
    assert found == dict.fromkeys(("email", "vatno", "mobile", "country", "l", "cc"), "invalid")


def test_a_person_needs_one_of_two_names():
    assert wrong("contact", email="a@example.com") == {"lastname": "nameless"}
    assert read("contact", firstname="An").fields == {"firstname": "An"}


def test_a_form_without_automatic_updates_has_no_cc_and_ignores_one_that_is_sent_all_the_same():
    assert "cc" not in form_fields("company", SETTINGS, full=False)
    assert "cc" not in read(full=False, companyName="Tarwe", cc="a@example.com").fields


def test_what_is_no_field_is_ignored():
    fields = read(companyName="Tarwe", customerNumber="other", ct="999", firstname="An", form_token="x").fields

    assert fields == {"companyName": "Tarwe"}


def test_a_customer_without_a_name_can_still_get_one():
    customer, problems = suggested("company", COMPANY | {"name": ""}, variant=Variant.FULL, settings=SETTINGS)

    assert [problem.reason for problem in problems] == ["nameless"]
    assert "companyName" not in customer.fields
    assert customer.fields["email"] == "info@example.com"


def test_an_id_that_can_be_no_number_is_the_end():
    with pytest.raises(CannotMap):
        suggested("company", COMPANY | {"id": "a b"}, variant=Variant.FULL, settings=SETTINGS)


def test_a_manual_form_leaves_the_invoicing_address_to_the_person():
    customer, _ = suggested("company", COMPANY, variant=Variant.MANUAL, settings=SETTINGS)

    assert not customer.fields.keys() & {"address", "zip", "city", "country", "cc"}
