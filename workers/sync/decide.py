"""Decides what may be done for a subject, from why it is owed and what the integration allows. Pure."""

from dataclasses import dataclass

from mapping import Variant
from workers.ledger.records import Cause, Causes

AUTO_UPDATE_OFF = "auto_update_off"
# Brought over, but for what only a full update brings: while auto-update is off, CC and a changed invoicing address.
WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Plan:
    """How to sync a customer.

    `gated`: auto-update must still be on at the write. `unknown_only`: a customer that Twikey knows is left alone.
    `may_create`: a customer that Twikey does not know is created. `always_write`: also when nothing seems to have changed.
    """

    variant: Variant
    gated: bool
    may_create: bool = True
    unknown_only: bool = False
    always_write: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing is to be done, which is a normal outcome. `hold`: catch up when auto-update is switched on."""

    reason: str
    hold: bool = False


@dataclass(frozen=True, slots=True)
class LookOnly:
    """Find out whether the customer still exists at Teamleader; write nothing (design §5, `*.deleted` while off)."""


def decide(causes: Causes, *, auto_update: bool, create_unknown: bool) -> Plan | Skip | LookOnly:
    """What the table in design §5 says. Operators come first: what they ask for runs whatever the option says."""
    if causes & {Cause.OPERATOR, Cause.REPLAY}:
        # The article: without automatic updates neither CC nor a changed invoicing address is carried over.
        return Plan(Variant.FULL if auto_update else Variant.MANUAL, gated=False, always_write=True)
    if auto_update:
        invoiced = bool(causes & {Cause.INVOICE, Cause.INVOICE_MANUAL})
        return Plan(Variant.FULL, gated=True, may_create=create_unknown or invoiced)
    if Cause.INVOICE_MANUAL in causes:
        return Plan(Variant.MANUAL, gated=False, unknown_only=True)
    if causes == {Cause.DELETED}:
        return LookOnly()
    return Skip(AUTO_UPDATE_OFF, hold=True)


def decide_invoice(causes: Causes, *, auto_update: bool) -> Cause | Skip:
    """Why the customer of a booked invoice is to be looked at, or why the invoice is left alone."""
    if causes & {Cause.OPERATOR, Cause.REPLAY}:
        return Cause.OPERATOR
    if Cause.INVOICE_MANUAL in causes:
        # Also while on, where it does the same: it must not be held if the option goes off before the customer's turn.
        return Cause.INVOICE_MANUAL
    if auto_update:
        return Cause.INVOICE
    return Skip(AUTO_UPDATE_OFF, hold=True)
