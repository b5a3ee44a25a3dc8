"""What holds for every document, also for those no Teamleader should ever send."""

import copy
import operator
import unicodedata
from typing import Any

import email_validator
import phonenumbers
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping import (
    CannotMap,
    MappingSettings,
    TwikeyCustomer,
    Variant,
    csv_rows,
    fingerprint,
    map_customer,
    phone_numbers,
    values,
)
from mapping.csv_rows import defuse
from mapping.mapper import Kind
from mapping.table import FIELDS_BY_NAME
from mapping.twikey import check

# Lone surrogates included: `json.loads` makes them out of "\ud800".
short = st.text(st.characters(exclude_categories=[]), max_size=8)
texts = short | st.builds(operator.mul, short, st.sampled_from([9, 40]))
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(short, inner, max_size=2),
    max_leaves=4,
)
numbers = st.sampled_from(
    ["BE 0537.520.055", "0537520055", "NL4495445B01", "GB980780684", "63326426", "0499/12.34.45", "+1 202 555 0143"]
) | st.text("0123456789 .+-BENLFRDEIT()/", max_size=30)


def objects(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these keys, each as promised or, once in a while, not."""
    return st.fixed_dictionaries({key: seldom(junk, value) for key, value in keys.items()})


def seldom(odd: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 5).flatmap(lambda dice: odd if dice == 5 else usual)


def lists(item: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(seldom(junk, item), max_size=3)


countries = st.sampled_from(["BE", "nl", "GR", "AQ", "ZZ", "US", "Belgium"])
lines = objects(line_1=texts, postal_code=texts, city=texts, country=countries)
names = texts | st.sampled_from(["Bakkerij De Korst", "株式会社"])
named = st.fixed_dictionaries({"id": st.uuids().map(str), "name": names, "first_name": names, "last_name": names})
details = objects(
    vat_number=numbers,
    national_identification_number=numbers | texts,
    emails=lists(objects(type=st.sampled_from(["primary", "invoicing"]), email=st.emails() | texts)),
    telephones=lists(objects(type=st.sampled_from(["phone", "mobile", "fax"]), number=numbers | texts)),
    addresses=lists(objects(type=st.sampled_from(["primary", "invoicing"]), address=lines)),
    language=st.sampled_from(["nl", "fr-BE", "tr"]),
    updated_at=st.datetimes().map(str) | st.datetimes(timezones=st.timezones()).map(str),
)
documents = st.builds(operator.or_, details, named)
kinds: st.SearchStrategy[Kind] = st.sampled_from(["contact", "company"])
settings_ = st.builds(
    MappingSettings,
    profile=st.sampled_from(["", "2757"]),
    default_language=st.sampled_from(["", "nl", "pt-BR"]),
    cc_parameter=st.sampled_from(["", "cc", "ccEmail"]),
    clear_empty=st.booleans(),
    default_country=st.sampled_from(["BE", "nl"]),
)


def mapped(kind: Kind, document: Any, variant: Variant, settings: MappingSettings) -> TwikeyCustomer | None:
    try:
        return map_customer(kind, document, variant=variant, settings=settings)
    except CannotMap as refused:
        if {problem.reason for problem in refused.problems} <= {"unusable_id", "nameless"}:
            return None
        raise  # the strict check refused what our own rules let through


@given(kinds, junk)
def test_no_document_at_all_brings_it_down(kind: Kind, document: Any) -> None:
    mapped(kind, document, Variant.FULL, MappingSettings())


@given(kinds, documents, st.sampled_from(Variant), settings_)
def test_what_is_sent_always_passes_the_strict_check(
    kind: Kind, document: Any, variant: Variant, settings: MappingSettings
) -> None:
    customer = mapped(kind, document, variant, settings)

    if customer is not None:
        named = {"cc" if key == settings.cc_parameter else key: value for key, value in customer.fields.items()}
        check(named | dict(customer.creation_fields))
        assert all(len(value) <= FIELDS_BY_NAME[key].limit for key, value in named.items())
        assert settings.clear_empty or all(named.values())


@given(kinds, documents, st.sampled_from(Variant), settings_)
def test_the_same_document_gives_the_same_customer_and_stays_as_it_was(
    kind: Kind, document: Any, variant: Variant, settings: MappingSettings
) -> None:
    before = copy.deepcopy(document)

    first, second = mapped(kind, document, variant, settings), mapped(kind, document, variant, settings)

    assert repr(document) == repr(before)  # by text, because NaN is not equal to itself
    assert first == second
    if first and second:
        assert fingerprint(first) == fingerprint(second)


@given(kinds, documents, settings_)
def test_a_manual_update_is_a_part_of_the_full_one(kind: Kind, document: Any, settings: MappingSettings) -> None:
    full = mapped(kind, document, Variant.FULL, settings)
    manual = mapped(kind, document, Variant.MANUAL, settings)

    if full and manual:
        assert manual.fields.items() <= full.fields.items()
        assert set(manual.warnings) <= set(full.warnings)


@given(texts)
def test_tidying_twice_is_tidying_once(text: str) -> None:
    tidied = values.tidy(text)

    assert values.tidy(tidied) == tidied
    assert unicodedata.is_normalized("NFC", tidied)
    assert tidied.encode().decode() == tidied  # no lone surrogates: it can travel


@given(texts, st.integers(1, 60))
def test_a_cut_text_is_a_beginning_within_its_limit(text: str, limit: int) -> None:
    assert len(values.cut(text, limit)) <= limit
    assert text.startswith(values.cut(text, limit))


plain_emails = st.from_regex(values._PLAIN_EMAIL) | st.from_regex(
    r"\A[a-zA-Z0-9._+-]{1,70}@[a-z0-9.-]{1,70}\.(?:be|com|test|local|example|1)\Z"
)


@settings(max_examples=40)  # these take a quarter of a second to make
@given(plain_emails | st.emails())
def test_the_short_way_for_e_mail_addresses_answers_what_the_library_does(text: str) -> None:
    try:
        found = email_validator.validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
        expected = f"{text.rpartition('@')[0]}@{found.ascii_domain}"
    except email_validator.EmailNotValidError:
        expected = ""

    assert values.email(text) == expected


@given(numbers, st.sampled_from(["BE", "NL", "FR", "DE", "US", "AR", "IT"]))
def test_a_number_has_a_kind_exactly_when_the_library_calls_it_valid(text: str, region: str) -> None:
    try:
        valid = phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except phonenumbers.NumberParseException:
        valid = False

    if valid:
        assert phone_numbers.e164(text, region)
    if found := phone_numbers.e164(text, region):
        assert phonenumbers.is_valid_number(phonenumbers.parse(found, None))


@given(st.text(st.characters(codec="ascii")))
def test_the_short_way_for_plain_texts_is_the_long_one(text: str) -> None:
    long_way = values.tidy("\u0430" + text).removeprefix("\u0430").strip()  # one letter that is not ASCII

    assert values.tidy(text) == long_way


@given(texts)
def test_the_short_way_of_defusing_changes_nothing(text: str) -> None:
    assert defuse(text) == csv_rows._TO_DEFUSE.sub(r"\1'", text)
