"""Commands about one customer: bring it up to date, or see what that would do."""

from datetime import timedelta

import click
from rich.text import Text

from ingress.cli.shared import (
    FAILED,
    NOT_FOUND,
    answer,
    command,
    console,
    integration_option,
    json_option,
    refuse,
    span,
    table_of,
    when,
    who,
)
from workers import operations, operations_customers
from workers.customer import BROUGHT
from workers.ledger.records import Cause, SubjectState
from workers.operations_customers import OWED, Line
from workers.services import Services
from workers.sync.decide import WITHHELD

WAIT = timedelta(seconds=30)
KIND = click.Choice(operations.KINDS)
CAUSES = {
    Cause.WEBHOOK: "edited in Teamleader",
    Cause.ADDED: "added in Teamleader",
    Cause.INVOICE: "an invoice",
    Cause.INVOICE_MANUAL: "an invoice imported by hand",
    Cause.OPERATOR: "an operator asked for it",
    Cause.REPLAY: "an operator replayed it",
    Cause.SWEEP: "a sweep",
    Cause.DELETED: "deleted in Teamleader",
}
WHATS = {
    OWED: "on its way",
    "synced": "brought to Twikey",
    "unchanged": "Twikey had everything already",
    "skipped": "skipped",
    "gone": "gone from Teamleader",
    "dead": "dead letter",
    "retry": "failed, to be tried again",
    "defer": "had to wait",
    "again": "done, but changed meanwhile: once more",
    "verify": "done, to be looked at once more",
    "lost": "overtaken by another worker: once more",
}


@click.command()
@click.argument("kind", type=KIND)
@click.argument("customer_id", metavar="ID")
@click.option("--wait/--no-wait", default=True, help="Wait up to 30 s for the outcome.", show_default=True)
@integration_option
@json_option
@command
def sync(services: Services, kind: str, customer_id: str, wait: bool, name: str, as_json: bool) -> None:
    """Bring one customer up to date in Twikey now, also with auto-update off.

    With auto-update off, CC and a changed invoicing address are not carried over: change those in Twikey by hand.
    """
    subject = operations.subject_of(kind, customer_id)
    event_id = operations.refresh(services, name, subject, by=who())
    state = (
        operations_customers.wait_for_end(services, name, subject, most=WAIT)
        if wait
        else services.ledger(name).look(subject)
    )
    answer({"event": event_id, "state": state}, as_json=as_json, text=_sentence(state))
    if wait and (state is None or state.owed or state.story):
        raise SystemExit(FAILED)
    if wait and state and state.outcome == "gone":
        raise SystemExit(NOT_FOUND)


@click.command()
@click.argument("kind", type=KIND)
@click.argument("customer_id", metavar="ID")
@integration_option
@json_option
@command
def preview(services: Services, kind: str, customer_id: str, name: str, as_json: bool) -> None:
    """Show what a sync would send to Twikey, and how that differs from what Twikey has. Writes nothing."""
    found = operations.preview(services, name, operations.subject_of(kind, customer_id))
    if as_json:
        answer(found, as_json=True)
    else:
        _show(found)
    if found.problems:
        refuse("This customer cannot be sent to Twikey until the above is mended.", FAILED)


@click.command()
@click.argument("kind", type=KIND)
@click.argument("customer_id", metavar="ID")
@integration_option
@json_option
@command
def story(services: Services, kind: str, customer_id: str, name: str, as_json: bool) -> None:
    """Tell the story of one customer, newest first: what came in, what became of it and why, who pressed what."""
    found = operations_customers.story(services, name, operations.subject_of(kind, customer_id))
    if found.state is None:
        refuse(f"Nothing was ever heard of {found.subject}. Bring it over: tltw sync {kind} {customer_id}", NOT_FOUND)
    text = "\n".join([_sentence(found.state), *map(_line, found.lines)])
    answer(found, as_json=as_json, text=text)


def _line(line: Line) -> str:
    """One line of a story."""
    if line.by:
        said = f"{line.by}: {line.what}" + (f" ({line.after})" if line.after else "")
    else:
        why = ", ".join(CAUSES[cause] for cause in sorted(line.causes))
        times = f" {line.times} times, the last one then" if line.times > 1 and line.what != OWED else ""
        said = f"{WHATS[line.what]}{f' ({line.reason})' if line.reason else ''}{times}{f'; because of: {why}' if why else ''}"
    if line.waited is not None and line.worked is not None:
        said += f"; {span(line.waited)} after the first event, {span(line.worked)} of it at work"
    return f"{when(line.at)}  {said}"


def _sentence(state: SubjectState | None) -> str:
    if state is None:
        return "Nothing is known about this customer."
    if state.owed:
        return "It is owed and will be done; it is not done yet. Is a worker running? See: tltw doctor"
    if state.story:
        return f"It could not be done: {state.story.sentence}\nSee: tltw dead-letters show {state.subject}"
    if state.reason == WITHHELD and state.outcome in BROUGHT:
        return f"Brought over, but for CC or the invoicing address: automatic updates were off. ({WITHHELD})"
    sentences = {
        "": "Nothing was brought over by us yet.",
        "synced": "Twikey has the customer as it is in Teamleader now.",
        "unchanged": "Twikey had everything already.",
        "gone": "This customer no longer exists in Teamleader; Twikey was left as it is.",
    }
    return sentences.get(state.outcome, f"Skipped: {state.reason}.") + (f" ({state.reason})" if state.reason else "")


def _show(found: operations.Preview) -> None:
    console.print(f"{found.subject}  →  Twikey customer {found.number}", markup=False, soft_wrap=True)
    table = table_of("field", "we would send", "Twikey has", "", whole=("field",))
    differing = {difference.field for difference in found.differences}
    for field, value in (found.customer.fields if found.customer else {}).items():
        has = "" if found.in_twikey is None else str(found.in_twikey.get(field) or "")
        # As text: a name may hold [brackets], which would be taken for markup.
        table.add_row(*map(Text, (field, value, has, "differs" if field in differing else "")))
    if found.customer:
        console.print(table)
    if found.in_twikey is None:
        console.print("Twikey does not know this customer; a sync would create it.")
    for problem in found.problems:
        console.print(f"✗ {problem.field}: {problem.sentence}", markup=False)
    for warning in found.warnings:
        console.print(f"! {warning.field}: {warning.sentence}", markup=False)
    if found.customer and found.in_twikey is not None and not differing:
        console.print("Nothing differs.")
