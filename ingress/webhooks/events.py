"""What an event means: which subject to look at and why. Bodies in, decisions out; no I/O, no data of customers."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from config.parse import EXTRA_EVENT_TYPES
from ingress.webhooks.refusals import Reason, Refused
from workers.ledger import Cause

# Teamleader's ids look like UUIDs but are not always valid ones: seen in the
# answers that its integrations keep as test data (2026-11-22).
IDENTIFIER = re.compile(r"[0-9a-zA-Z-]{1,64}")
CUSTOMER_TYPES = ("contact", "company")
INVOICE_IMPORTED = "invoice.imported"
TRIGGERS = {"automatic": Cause.INVOICE, "manual": Cause.INVOICE_MANUAL}
CAUSES: dict[str, Cause] = {
    "contact.updated": Cause.WEBHOOK,
    "company.updated": Cause.WEBHOOK,
    "contact.deleted": Cause.DELETED,
    "company.deleted": Cause.DELETED,
    "contact.added": Cause.ADDED,
    "company.added": Cause.ADDED,
    "invoice.booked": Cause.INVOICE,
    "invoice.updated": Cause.INVOICE,
}

PAUSING = ("account.deactivated", "account.deleted")


@dataclass(frozen=True, slots=True)
class Look:
    """Look at this subject."""

    subject: str
    cause: Cause


@dataclass(frozen=True, slots=True)
class Pause:
    """The account is going away: hold the integration's work. `reason` is the event's type."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing of ours."""

    reason: str


Decision = Look | Pause | Ignore


@dataclass(frozen=True, slots=True)
class TeamleaderEvent:
    """One webhook of Teamleader; `subject` is None where the type is none that we look at."""

    type: str
    account: str
    subject: str | None


def read_teamleader(body: Mapping[str, Any]) -> TeamleaderEvent:
    """Understands a webhook; raises `Refused` naming the field.

    Teamleader documents no form; this one is what integrations in production read, for example
    github.com/viaacode/skryv2teamleader (looked up 2026-11-22).
    """
    type_ = _text(body, "type")
    account = _identifier(_object(body, "account"), "account.id")
    return TeamleaderEvent(type_, account, _subject(body, type_) if type_ in CAUSES else None)


def decide_teamleader(event: TeamleaderEvent, *, extra_event_types: Collection[str]) -> Decision:
    """What to do about a webhook that is authentic and for this account."""
    if event.type in PAUSING:
        return Pause(event.type)
    if event.subject is None:
        return Ignore("unknown_event_type")
    if event.type in EXTRA_EVENT_TYPES and event.type not in extra_event_types:
        return Ignore("event_type_not_wanted")
    return Look(event.subject, CAUSES[event.type])


def read_invoice_imported(body: Mapping[str, Any]) -> Look | Ignore:
    """Understands an event of the invoice importer; raises `Refused` naming the field."""
    if _text(body, "type") != INVOICE_IMPORTED:
        return Ignore("unknown_event_type")
    trigger = _text(body, "trigger")
    if trigger not in TRIGGERS:
        raise Refused(Reason.WRONG_SHAPE, "trigger")
    invoice = _identifier(_object(body, "invoice"), "invoice.id")
    if "customer" not in body:
        return Look(f"invoice:{invoice}", TRIGGERS[trigger])
    customer = _object(body, "customer")
    if customer.get("type") not in CUSTOMER_TYPES:
        raise Refused(Reason.WRONG_SHAPE, "customer.type")
    return Look(f"{customer['type']}:{_identifier(customer, 'customer.id')}", TRIGGERS[trigger])


def _subject(body: Mapping[str, Any], event_type: str) -> str:
    subject = _object(body, "subject")
    kind = event_type.partition(".")[0]
    if subject.get("type") != kind:
        raise Refused(Reason.WRONG_SHAPE, "subject.type")
    return f"{kind}:{_identifier(subject, 'subject.id')}"


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise Refused(Reason.WRONG_SHAPE, name)
    return value


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(Reason.WRONG_SHAPE, name)
    return value


def _identifier(holder: Mapping[str, Any], name: str) -> str:
    value = holder.get("id")
    if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
        raise Refused(Reason.WRONG_SHAPE, name)
    return value
