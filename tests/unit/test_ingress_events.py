"""What an event means."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.parse import EXTRA_EVENT_TYPES
from ingress.webhooks.events import (
    Decision,
    Ignore,
    Look,
    Pause,
    decide_teamleader,
    read_invoice_imported,
    read_teamleader,
)
from ingress.webhooks.refusals import Reason, Refused
from workers.ledger import Cause

ODD_ID = "178d8326-793a-0374-b871-ac2df29733c1"  # real ids are not valid UUIDs


def webhook(type_: str = "contact.updated", kind: str = "contact", **changed: Any) -> dict[str, Any]:
    body = {"type": type_, "subject": {"type": kind, "id": ODD_ID}, "account": {"type": "account", "id": "acc-1"}}
    return {name: value for name, value in (body | changed).items() if value is not None}


def imported(**changed: Any) -> dict[str, Any]:
    body = {"type": "invoice.imported", "trigger": "automatic", "invoice": {"id": ODD_ID}}
    return {name: value for name, value in (body | changed).items() if value is not None}


@pytest.mark.parametrize(
    ("type_", "kind", "cause"),
    [
        ("contact.updated", "contact", Cause.WEBHOOK),
        ("company.updated", "company", Cause.WEBHOOK),
        ("contact.deleted", "contact", Cause.DELETED),
        ("company.deleted", "company", Cause.DELETED),
        ("contact.added", "contact", Cause.ADDED),
        ("company.added", "company", Cause.ADDED),
        ("invoice.booked", "invoice", Cause.INVOICE),
        ("invoice.updated", "invoice", Cause.INVOICE),
    ],
)
def test_the_events_we_know_name_a_subject_and_a_cause(type_: str, kind: str, cause: Cause):
    event = read_teamleader(webhook(type_, kind))

    assert decide_teamleader(event, extra_event_types=EXTRA_EVENT_TYPES) == Look(f"{kind}:{ODD_ID}", cause)


@pytest.mark.parametrize("type_", EXTRA_EVENT_TYPES)
def test_some_events_are_ignored_unless_the_integration_asks_for_them(type_: str):
    event = read_teamleader(webhook(type_, type_.partition(".")[0]))

    assert decide_teamleader(event, extra_event_types=()) == Ignore("event_type_not_wanted")


@pytest.mark.parametrize("type_", ["account.deactivated", "account.deleted"])
@pytest.mark.parametrize("subject", [None, {"type": "account", "id": "acc-1"}, {"type": "user"}, "odd"])
def test_an_account_that_goes_away_pauses_whatever_its_subject_looks_like(type_: str, subject: object):
    event = read_teamleader(webhook(type_, subject=subject))

    assert decide_teamleader(event, extra_event_types=()) == Pause(type_)


@pytest.mark.parametrize("type_", ["deal.moved", "contact.linkedToCompany", "CONTACT.UPDATED", "contact", "☃"])
def test_other_events_are_ignored(type_: str):
    event = read_teamleader(webhook(type_, subject={"any": "thing"}))

    assert decide_teamleader(event, extra_event_types=EXTRA_EVENT_TYPES) == Ignore("unknown_event_type")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": None}, "type"),
        ({"type": ""}, "type"),
        ({"type": 7}, "type"),
        ({"subject": None}, "subject"),
        ({"subject": ["contact"]}, "subject"),
        ({"subject": {"type": "company", "id": "a"}}, "subject.type"),
        ({"subject": {"id": "a"}}, "subject.type"),
        ({"subject": {"type": "contact"}}, "subject.id"),
        ({"subject": {"type": "contact", "id": ""}}, "subject.id"),
        ({"subject": {"type": "contact", "id": 12}}, "subject.id"),
        ({"subject": {"type": "contact", "id": "a" * 65}}, "subject.id"),
        ({"subject": {"type": "contact", "id": "a\n"}}, "subject.id"),
        ({"subject": {"type": "contact", "id": "a:b"}}, "subject.id"),
        ({"subject": {"type": "contact", "id": "../x"}}, "subject.id"),
        ({"account": None}, "account"),
        ({"account": "acc-1"}, "account"),
        ({"account": {"type": "account"}}, "account.id"),
        ({"account": {"id": {"$ne": ""}}}, "account.id"),
    ],
)
def test_a_webhook_of_the_wrong_shape_is_refused_naming_the_field(changed: dict[str, Any], field: str):
    with pytest.raises(Refused) as caught:
        read_teamleader(webhook(**changed) if "type" not in changed else webhook() | changed)

    assert (caught.value.reason, caught.value.field) == (Reason.WRONG_SHAPE, field)


@pytest.mark.parametrize(("trigger", "cause"), [("automatic", Cause.INVOICE), ("manual", Cause.INVOICE_MANUAL)])
def test_an_imported_invoice_is_looked_at_because_of_its_trigger(trigger: str, cause: Cause):
    assert read_invoice_imported(imported(trigger=trigger)) == Look(f"invoice:{ODD_ID}", cause)


def test_an_imported_invoice_that_names_its_customer_spares_the_look_at_the_invoice():
    event = imported(customer={"type": "company", "id": "c-1"})

    assert read_invoice_imported(event) == Look("company:c-1", Cause.INVOICE)


def test_another_event_of_the_importer_is_ignored():
    assert read_invoice_imported({"type": "invoice.deleted"}) == Ignore("unknown_event_type")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"type": None}, "type"),
        ({"trigger": None}, "trigger"),
        ({"trigger": "nightly"}, "trigger"),
        ({"trigger": ["manual"]}, "trigger"),
        ({"invoice": None}, "invoice"),
        ({"invoice": {}}, "invoice.id"),
        ({"invoice": {"id": "a b"}}, "invoice.id"),
        ({"customer": []}, "customer"),
        ({"customer": {"type": "deal", "id": "a"}}, "customer.type"),
        ({"customer": {"type": ["contact"], "id": "a"}}, "customer.type"),
        ({"customer": {"type": "contact"}}, "customer.id"),
    ],
)
def test_an_importers_event_of_the_wrong_shape_is_refused_naming_the_field(changed: dict[str, Any], field: str):
    with pytest.raises(Refused) as caught:
        read_invoice_imported(imported(**changed))

    assert (caught.value.reason, caught.value.field) == (Reason.WRONG_SHAPE, field)


def test_a_customer_of_null_is_not_taken_for_no_customer():
    with pytest.raises(Refused):
        read_invoice_imported(imported() | {"customer": None})


def assert_answered(decide: Callable[[], Decision]) -> None:
    outcome: Decision | Refused
    try:
        outcome = decide()
    except Refused as refused:
        outcome = refused
    match outcome:
        case Refused(reason=reason, field=named):
            assert reason is Reason.WRONG_SHAPE
            assert named
        case Look(subject):
            assert subject.isascii()


VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text() | st.sampled_from(["contact", "contact.updated", "manual"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "id", "x"]), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(["type", "subject", "account", "trigger", "invoice", "customer", "other"])


@given(st.dictionaries(NAMES, VALUE) | st.dictionaries(NAMES, VALUE).map(lambda body: webhook() | imported() | body))
def test_every_object_gets_a_decision_or_a_refusal_that_names_a_field(body: dict[str, Any]):
    for decide in (
        lambda: decide_teamleader(read_teamleader(body), extra_event_types=EXTRA_EVENT_TYPES),
        lambda: read_invoice_imported(body),
    ):
        assert_answered(decide)
