"""What may be done for a subject: the table of the design, line by line."""

import pytest

from mapping import Variant
from workers.ledger.records import Cause
from workers.sync.decide import LookOnly, Plan, Skip, decide, decide_invoice


def causes(*some: Cause) -> frozenset[Cause]:
    return frozenset(some)


@pytest.mark.parametrize("cause", [Cause.WEBHOOK, Cause.ADDED, Cause.SWEEP, Cause.INVOICE])
def test_an_automatic_event_updates_the_full_customer_while_auto_update_is_on(cause):
    plan = decide(causes(cause), auto_update=True, create_unknown=True)

    assert plan == Plan(Variant.FULL, gated=True)


@pytest.mark.parametrize("cause", [Cause.WEBHOOK, Cause.ADDED, Cause.SWEEP, Cause.INVOICE])
def test_an_automatic_event_is_skipped_and_held_while_auto_update_is_off(cause):
    plan = decide(causes(cause), auto_update=False, create_unknown=True)

    assert plan == Skip("auto_update_off", hold=True)


def test_an_operator_is_served_while_auto_update_is_off_without_cc_and_invoicing_address():
    plan = decide(causes(Cause.OPERATOR, Cause.WEBHOOK), auto_update=False, create_unknown=True)

    assert plan == Plan(Variant.MANUAL, gated=False, always_write=True)


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.REPLAY])
def test_an_operator_gets_a_write_even_when_nothing_seems_to_have_changed(cause):
    plan = decide(causes(cause), auto_update=True, create_unknown=False)

    assert plan == Plan(Variant.FULL, gated=False, always_write=True)


def test_an_edit_of_an_unknown_customer_creates_nothing_when_the_integration_only_updates():
    plan = decide(causes(Cause.WEBHOOK), auto_update=True, create_unknown=False)

    assert isinstance(plan, Plan)
    assert not plan.may_create


@pytest.mark.parametrize("cause", [Cause.INVOICE, Cause.INVOICE_MANUAL])
def test_an_invoice_creates_its_customer_even_when_the_integration_only_updates(cause):
    plan = decide(causes(cause), auto_update=True, create_unknown=False)

    assert isinstance(plan, Plan)
    assert plan.may_create


def test_a_manual_invoice_import_leaves_a_known_customer_alone_while_auto_update_is_off():
    plan = decide(causes(Cause.INVOICE_MANUAL), auto_update=False, create_unknown=True)

    assert plan == Plan(Variant.MANUAL, gated=False, unknown_only=True)


def test_a_deletion_is_looked_into_but_nothing_is_written_while_auto_update_is_off():
    assert isinstance(decide(causes(Cause.DELETED), auto_update=False, create_unknown=True), LookOnly)


@pytest.mark.parametrize(
    ("why", "auto_update", "expected"),
    [
        (causes(Cause.INVOICE), True, Cause.INVOICE),
        (causes(Cause.INVOICE), False, Skip("auto_update_off", hold=True)),
        (causes(Cause.INVOICE_MANUAL), True, Cause.INVOICE_MANUAL),
        (causes(Cause.INVOICE_MANUAL), False, Cause.INVOICE_MANUAL),
        (causes(Cause.REPLAY), False, Cause.OPERATOR),
    ],
)
def test_the_customer_of_an_invoice_is_marked_for_the_reason_the_option_allows(why, auto_update, expected):
    assert decide_invoice(why, auto_update=auto_update) == expected
