"""What an import of missed invoices came to, in words: for the command line, and as a message that goes out by e-mail. Pure.

Counts and a link; nothing about a customer, so that a mailbox learns nobody's name.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from workers.alerts.messages import Message
from workers.bulk.jobs import Job, Json

CUSTOMERS = {
    "synced": "brought over",
    "unchanged": "Twikey had them as they are",
    "already_known": "known to Twikey, left alone",
    "gone": "no longer in Teamleader",
    "dead": "could not be sent: tltw dead-letters list",
}
INVOICES = {
    "invoice_paid": "paid",
    "invoice_zero": "of a zero amount",
    "invoice_draft": "drafts",
    "invoice_without_customer": "without a customer",
    "same_customer": "further ones of the same customers",
}
# The message waits for these channels alone: it is news for who asked, and no alert.
CHANNELS = ("email",)
KIND = "missed_invoices"


def lines(job: Job, result: Json) -> Iterator[str]:
    """One line for each figure, indented by what it is a part of."""
    customers = customers_of(result)
    yield f"{result.get('invoices', 0)} booked invoices of the last {job.parameters.get('days')} days"
    yield from (f"  {result[name]} {words}" for name, words in INVOICES.items() if result.get(name))
    yield f"customers: {sum(customers.values())}"
    yield from (f"  {number} {CUSTOMERS.get(name, name)}" for name, number in customers.items())


def customers_of(result: Json) -> Mapping[str, int]:
    """How many customers by what became of them."""
    return cast("dict[str, Any]", result.get("customers", {}))


def message(job: Job, result: Json, *, label: str, deployment: str, console_url: str, now: datetime) -> Message:
    """The summary of a run that has just ended."""
    customers = customers_of(result)
    number = sum(customers.values())
    whose = f"{job.integration} ({label})" if label else job.integration
    dead = customers.get("dead", 0)
    return Message(
        at=now.astimezone(UTC).isoformat(timespec="seconds"),
        deployment=deployment,
        event="summary",
        kind=KIND,
        severity="warning",
        title=f"Missed invoices of {job.integration}",
        sentence="\n".join([f"The import of missed invoices of {whose} is done.", "", *lines(job, result), ""]),
        next=f"See why {dead} could not be sent, mend it and replay, on the page of dead letters." if dead else "",
        link=f"{console_url}/integrations/{job.integration}/jobs/{job.kind}",
        number=number,
        counted="customer" if number == 1 else "customers",
        only=CHANNELS,
    )
