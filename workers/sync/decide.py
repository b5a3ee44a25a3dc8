"""Decides what may be done for a subject, from why it is owed and what the integration allows. Pure.

| why it is owed                        | auto-update on                                | auto-update off                               |
|---------------------------------------|-----------------------------------------------|-----------------------------------------------|
| an operator: refresh, add, replay     | full update, also when nothing seems changed  | the same, without CC and invoicing address    |
| edited or added in Teamleader, sweep  | full update; creates, unless *update only*    | skipped; held for the day it is switched on   |
| deleted in Teamleader                 | as edited: what is gone there ends as `gone`  | looked at whether it is gone; writes nothing  |
| invoice booked, or imported by itself | full update; creates always                   | skipped and held                              |
| invoice imported by hand              | full update; creates always                   | creates; leaves alone whom Twikey knows       |

The option is looked at when the event arrives and once more immediately before the write. In Twikey nobody is ever deleted.
An `account.deactivated` or `account.deleted` is not decided here: it pauses the integration when it arrives.
"""

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
    """Find out whether the customer still exists at Teamleader; write nothing."""


def decide(causes: Causes, *, auto_update: bool, create_unknown: bool) -> Plan | Skip | LookOnly:
    """What the table above says of a customer. Operators come first: what they ask for runs whatever the option says."""
    if causes & {Cause.OPERATOR, Cause.REPLAY}:
        # As in Twikey's own integration: without automatic updates neither CC nor a changed invoicing address is carried over.
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
