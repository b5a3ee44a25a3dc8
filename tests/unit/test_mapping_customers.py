"""Whole customers, as real Teamleader accounts hold them."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from mapping import CannotMap, MappingSettings, TwikeyCustomer, Variant, customer_number, fingerprint, map_customer
from mapping.customer import RESERVED_PARAMETERS
from mapping.mapper import Kind
from mapping.table import FIELD_MAP

COMPANY: dict[str, Any] = {
    "id": "2a39e420-3ba3-0384-8024-fa702ef99c9f",
    "name": "Bakkerij De Korst",
    "status": "active",
    "vat_number": "BE 0537.520.055",
    "national_identification_number": None,
    "activity_code": None,
    "emails": [
        {"type": "primary", "email": "Info@Example.com"},
        {"type": "invoicing", "email": "facturen@example.com"},
    ],
    "telephones": [{"type": "phone", "number": "03 456 79 78"}, {"type": "phone", "number": "0499 12 34 45"}],
    "addresses": [
        {
            "type": "primary",
            "address": {"line_1": "Dok Noord 3A 101", "postal_code": "9000", "city": "Gent", "country": "BE"},
        },
        {
            "type": "invoicing",
            "address": {"line_1": "Kaai 1", "postal_code": "2000", "city": "Antwerpen", "country": "be"},
        },
    ],
    "language": "nl-BE",
    "updated_at": "2026-11-20T10:11:12+01:00",
}
CONTACT: dict[str, Any] = {
    "id": "0fc55513-7f68-4865-aba0-de5da9e4e43d",
    "first_name": "Amélie",
    "last_name": "Peeters",
    "vat_number": "BE 0537.520.055",
    "national_identification_number": "85.07.30-033.28",
    "emails": [{"type": "primary", "email": "amelie@example.com"}],
    "telephones": [
        {"type": "phone", "number": "0498 66 59 95"},
        {"type": "mobile", "number": "0499/12.34.45"},
        {"type": "fax", "number": "0470 12 34 56"},
    ],
    "addresses": [{"type": "primary", "address": {"line_1": None, "postal_code": None, "city": None, "country": "BE"}}],
    "language": "fr",
}


def company(
    *, variant: Variant = Variant.FULL, settings: MappingSettings | None = None, **changes: Any
) -> TwikeyCustomer:
    return mapped("company", COMPANY | changes, variant, settings)


def contact(
    *, variant: Variant = Variant.FULL, settings: MappingSettings | None = None, **changes: Any
) -> TwikeyCustomer:
    return mapped("contact", CONTACT | changes, variant, settings)


def mapped(kind: Kind, document: dict[str, Any], variant: Variant, settings: MappingSettings | None) -> TwikeyCustomer:
    return map_customer(kind, document, variant=variant, settings=settings or MappingSettings())


def address(kind: str, **lines: Any) -> dict[str, Any]:
    return {"type": kind, "address": {"country": "BE"} | lines}


def reasons(customer: TwikeyCustomer) -> list[tuple[str, str]]:
    return [(remark.field, remark.reason) for remark in customer.warnings]


def test_a_company_is_sent_in_the_order_of_the_table() -> None:
    customer = company(settings=MappingSettings(profile="2757"))

    assert list(customer.fields.items()) == [
        ("companyName", "Bakkerij De Korst"),
        ("coc", "0537520055"),
        ("vatno", "BE0537520055"),
        ("email", "Info@example.com"),
        ("cc", "facturen@example.com"),
        ("address", "Kaai 1"),
        ("zip", "2000"),
        ("city", "Antwerpen"),
        ("country", "BE"),
        ("mobile", "+32499123445"),
        ("l", "nl"),
    ]
    assert customer.creation_fields == {"ct": "2757"}
    assert customer.number == "2a39e420-3ba3-0384-8024-fa702ef99c9f"
    assert customer.source_updated_at == datetime(2026, 11, 20, 9, 11, 12, tzinfo=UTC)
    assert customer.warnings == ()


def test_a_person_is_sent_without_anything_of_a_company_or_of_the_citizen() -> None:
    customer = contact()

    assert dict(customer.fields) == {
        "firstname": "Amélie",
        "lastname": "Peeters",
        "email": "amelie@example.com",
        "mobile": "+32499123445",
        "l": "fr",
    }
    assert customer.creation_fields == {}
    assert customer.warnings == ()


def test_a_manual_update_leaves_the_cc_and_the_address_alone() -> None:
    customer = company(variant=Variant.MANUAL)

    assert list(customer.fields) == ["companyName", "coc", "vatno", "email", "mobile", "l"]


def test_a_manual_update_sends_the_primary_address_if_there_is_no_invoicing_street() -> None:
    primary = address("primary", line_1="Dok Noord 3A 101", postal_code="9000", city="Gent")

    customer = company(variant=Variant.MANUAL, addresses=[primary, address("invoicing", city="Antwerpen")])

    assert [customer.fields[name] for name in ("address", "zip", "city", "country")] == [
        "Dok Noord 3A 101",
        "9000",
        "Gent",
        "BE",
    ]


def test_clearing_never_empties_what_a_manual_update_leaves_alone() -> None:
    customer = company(variant=Variant.MANUAL, settings=MappingSettings(clear_empty=True))

    assert not {"cc", "address", "zip", "city", "country"} & set(customer.fields)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([address("primary", line_1="A 1"), address("invoicing", line_1="B 2")], {"address": "B 2", "country": "BE"}),
        ([address("invoicing", city="X"), address("primary", line_1="A 1")], {"address": "A 1", "country": "BE"}),
        ([address("primary", city="Gent"), address("invoicing", city="X")], {"city": "Gent", "country": "BE"}),
        ([address("primary"), address("invoicing", city="X")], {"city": "X", "country": "BE"}),
        ([address("primary")], {}),
        ([address("visiting", line_1="A 1")], {}),
        ([], {}),
        (None, {}),
        ("Gent", {}),
        ([None, 1, {"type": "primary", "address": "Gent"}, {"type": None, "address": {"line_1": "A 1"}}], {}),
    ],
)
def test_the_invoicing_address_goes_first_if_it_has_a_street(addresses: Any, expected: dict[str, str]) -> None:
    customer = company(addresses=addresses)

    sent = {key: value for key, value in customer.fields.items() if key in {"address", "zip", "city", "country"}}
    assert sent == expected


def test_an_unknown_country_is_dropped_with_a_warning_and_numbers_are_read_as_at_home() -> None:
    customer = company(addresses=[address("primary", line_1="Kaai 1", country="Belgium")])

    assert "country" not in customer.fields
    assert customer.fields["mobile"] == "+32499123445"
    assert reasons(customer) == [("country", "invalid")]


def test_numbers_are_read_as_those_of_the_country_of_the_address() -> None:
    dutch = [address("primary", line_1="Gracht 1", country="NL")]

    customer = company(
        addresses=dutch, vat_number="4495445B01", telephones=[{"type": "phone", "number": "06-12345678"}]
    )

    assert customer.fields["mobile"] == "+31612345678"
    assert customer.fields["vatno"] == "NL004495445B01"
    assert "coc" not in customer.fields


@pytest.mark.parametrize(
    ("telephones", "expected", "remarks"),
    [
        ([("mobile", "n/a"), ("phone", "0498 66 59 95")], "+32498665995", [("mobile", "invalid")]),
        ([("mobile", "n/a"), ("mobile", "0499 12 34 45")], "+32499123445", []),
        ([("mobile", "03 456 79 78")], "+3234567978", []),
        ([("phone", "031234567")], "", []),
        ([("phone", "03 456 79 78")], "", []),
        ([("fax", "0499 12 34 45")], "", []),
        ([("mobile", "031234567")], "", [("mobile", "invalid")]),
        ([("mobile", None)], "", []),
    ],
)
def test_the_mobile_number_of_a_person(
    telephones: list[tuple[str, str]], expected: str, remarks: list[tuple[str, str]]
) -> None:
    customer = contact(telephones=[{"type": kind, "number": number} for kind, number in telephones])

    assert customer.fields.get("mobile", "") == expected
    assert reasons(customer) == remarks


@pytest.mark.parametrize(
    ("emails", "email", "cc", "remarks"),
    [
        ([("primary", "a@example.com"), ("invoicing", "A@EXAMPLE.com")], "a@example.com", "", []),
        ([("primary", "nope"), ("invoicing", "b@example.com")], "", "b@example.com", [("email", "invalid")]),
        ([("invoicing", "b@example.com")], "", "b@example.com", [("email", "only_invoicing")]),
        ([("primary", "a@example.com"), ("invoicing", "nope")], "a@example.com", "", [("cc", "invalid")]),
        ([("invoicing", "nope")], "", "", [("email", "missing"), ("cc", "invalid")]),
        ([("primary", "nope"), ("primary", "a@example.com")], "a@example.com", "", []),
        ([("primary", "x@" + "long." * 14 + "example.com")], "", "", [("email", "too_long")]),
        ([("primary", None)], "", "", [("email", "missing")]),
        ([], "", "", [("email", "missing")]),
    ],
)
def test_the_email_addresses_of_a_company(
    emails: list[tuple[str, str]], email: str, cc: str, remarks: list[tuple[str, str]]
) -> None:
    customer = company(emails=[{"type": kind, "email": value} for kind, value in emails])

    assert (customer.fields.get("email", ""), customer.fields.get("cc", "")) == (email, cc)
    assert reasons(customer) == remarks


def test_the_cc_travels_under_the_name_of_the_settings_in_its_own_place() -> None:
    customer = company(settings=MappingSettings(cc_parameter="ccEmail"))

    assert list(customer.fields)[3:5] == ["email", "ccEmail"]
    assert customer.fields["ccEmail"] == "facturen@example.com"


def test_an_empty_cc_parameter_sends_no_cc_and_clears_none() -> None:
    customer = company(settings=MappingSettings(cc_parameter="", clear_empty=True))

    assert "cc" not in customer.fields
    assert "" not in customer.fields


def test_a_contact_has_no_cc() -> None:
    emails = [{"type": "primary", "email": "a@example.com"}, {"type": "invoicing", "email": "b@example.com"}]

    assert "cc" not in contact(emails=emails, settings=MappingSettings(clear_empty=True)).fields


def test_long_names_and_streets_are_cut_and_long_numbers_dropped() -> None:
    customer = company(
        name="N" * 200,
        national_identification_number="1" * 51,
        addresses=[address("primary", line_1="S" * 71, postal_code="9" * 51, city="C" * 51)],
    )

    assert {key: len(customer.fields[key]) for key in ("companyName", "address", "city")} == {
        "companyName": 140,
        "address": 70,
        "city": 50,
    }
    assert not {"coc", "zip"} & set(customer.fields)
    assert reasons(customer) == [
        ("companyName", "cut"),
        ("coc", "too_long"),
        ("address", "cut"),
        ("zip", "too_long"),
        ("city", "cut"),
    ]


@pytest.mark.parametrize(
    ("language", "default", "expected"),
    [("tr", "nl", "nl"), (None, "fr", "fr"), ("de", "nl", "de"), ("tr", "", None), (7, "", None)],
)
def test_an_unknown_language_becomes_the_integrations_default(
    language: Any, default: str, expected: str | None
) -> None:
    customer = company(language=language, settings=MappingSettings(default_language=default))

    assert customer.fields.get("l") == expected


def test_empty_values_are_not_sent() -> None:
    customer = map_customer("company", {"id": "1", "name": "N"}, variant=Variant.FULL, settings=MappingSettings())

    assert customer.fields == {"companyName": "N"}


def test_clear_empty_empties_what_teamleader_no_longer_has_but_never_names_or_email() -> None:
    bare = {"id": "1", "name": "N"}

    customer = map_customer("company", bare, variant=Variant.FULL, settings=MappingSettings(clear_empty=True))

    emptied = {key for key, value in customer.fields.items() if value == ""}
    assert emptied == {"coc", "vatno", "cc", "address", "zip", "city", "mobile"}


def test_clear_empty_never_empties_because_of_a_typing_error() -> None:
    customer = company(
        vat_number="BE 0537.520.056",
        emails=[{"type": "invoicing", "email": "nope"}],
        telephones=[{"type": "phone", "number": "0499 12 34"}],
        settings=MappingSettings(clear_empty=True),
    )

    assert not {"vatno", "coc", "cc", "mobile"} & set(customer.fields)


def test_clear_empty_empties_the_mobile_number_of_a_company_with_a_landline_only() -> None:
    landline = [{"type": "phone", "number": "03 456 79 78"}]

    customer = company(telephones=landline, settings=MappingSettings(clear_empty=True))

    assert customer.fields["mobile"] == ""


def test_everything_wrong_is_told_at_once_and_without_the_data() -> None:
    with pytest.raises(CannotMap) as caught:
        company(id="a b/c", name=" \n ")

    assert [(problem.field, problem.reason) for problem in caught.value.problems] == [
        ("customerNumber", "unusable_id"),
        ("companyName", "nameless"),
    ]
    assert "a b/c" not in str(caught.value)


def test_a_person_needs_one_name_only() -> None:
    assert contact(first_name=None).fields["lastname"] == "Peeters"
    assert contact(last_name="").fields["firstname"] == "Amélie"
    with pytest.raises(CannotMap, match="neither a first nor a last name"):
        contact(first_name=None, last_name="\u200b")


@pytest.mark.parametrize("name", ["株式会社ツイキー", "Ђорђе & Синови", "شركة", "Café «Été» <b>", "O'Neil; DROP"])
def test_names_travel_as_they_are(name: str) -> None:
    assert company(name=name).fields["companyName"] == name


def test_warnings_never_quote_the_value() -> None:
    customer = company(
        emails=[{"type": "primary", "email": "secret-nope"}, {"type": "invoicing", "email": "secret-too"}],
        vat_number="secret 1",
        addresses=[address("primary", line_1="secret " * 20, country="secret")],
    )

    assert len(customer.warnings) == 5
    assert not any("secret" in remark.sentence for remark in customer.warnings)


@pytest.mark.parametrize("moment", [None, "", "yesterday", "2026-11-20T10:11:12", 1763629872, ["2026"]])
def test_a_time_without_zone_or_sense_is_no_time(moment: Any) -> None:
    assert company(updated_at=moment).source_updated_at is None


@pytest.mark.parametrize(
    ("kind_id", "prefix", "expected"),
    [
        ("2a39e420-3ba3-0384-8024-fa702ef99c9f", "", "2a39e420-3ba3-0384-8024-fa702ef99c9f"),
        ("2A39E420", "tl_", "tl_2A39E420"),
        ("1" * 50, "", "1" * 50),
    ],
)
def test_the_customer_number_is_the_id_unchanged(kind_id: str, prefix: str, expected: str) -> None:
    assert customer_number(kind_id, prefix) == expected


@pytest.mark.parametrize(
    ("kind_id", "prefix"),
    [
        ("", ""),
        ("", "tl-"),
        ("a b", ""),
        ("a/b", ""),
        ("a\n", ""),
        ("..", ""),
        ("é", ""),
        ("1" * 51, ""),
        ("1", "#"),
        ("1", "-x"),
        (".1", ""),
        ("_1", ""),
    ],
)
def test_an_id_that_cannot_stand_in_an_address_is_refused(kind_id: str, prefix: str) -> None:
    with pytest.raises(CannotMap):
        customer_number(kind_id, prefix)


def test_the_fingerprint_follows_what_an_update_sends() -> None:
    before = company()

    assert len(fingerprint(before)) == 22
    assert fingerprint(company(updated_at="2027-01-01T00:00:00Z", web_url="x")) == fingerprint(before)
    assert fingerprint(company(settings=MappingSettings(profile="1"))) == fingerprint(before)
    assert fingerprint(company(name="Bakkerij De Korst NV")) != fingerprint(before)
    assert fingerprint(company(variant=Variant.MANUAL)) != fingerprint(before)


def test_the_document_is_left_as_it_was() -> None:
    document = copy.deepcopy(COMPANY)

    map_customer("company", document, variant=Variant.FULL, settings=MappingSettings())

    assert document == COMPANY


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("profile", "default"),
        ("default_language", "tr"),
        ("cc_parameter", "email"),
        ("default_country", "Belgium"),
    ],
)
def test_settings_that_could_never_work_are_refused(setting: str, value: str) -> None:
    words: dict[str, Any] = {setting: value}

    with pytest.raises(ValueError, match=r"the .* (must|may not|takes)"):
        MappingSettings(**words)


def test_an_empty_primary_address_still_tells_the_country_of_a_telephone() -> None:
    dutch = [address("primary", line_1=None, country="NL")]

    customer = contact(addresses=dutch, telephones=[{"type": "mobile", "number": "06-12345678"}])

    assert customer.fields["mobile"] == "+31612345678"
    assert "country" not in customer.fields


def test_the_reserved_parameters_are_those_of_the_table() -> None:
    assert {field.name for field in FIELD_MAP} - {"cc"} | {"customerNumber"} == RESERVED_PARAMETERS
