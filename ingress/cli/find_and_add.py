"""Commands that find customers in Teamleader and add one to Twikey by hand, as the console's pages do."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import click
from rich.text import Text

from ingress.cli.shared import (
    FAILED,
    SETTINGS,
    answer,
    command,
    console,
    integration_option,
    json_option,
    refuse,
    table_of,
    who,
)
from workers import operations, operations_add, operations_find
from workers.customer import remembered
from workers.operations_add import Proposal
from workers.operations_find import Found
from workers.services import Services

NOT_ADDED = {
    "known": "Twikey has this customer already; nothing was added. Update it: tltw sync {kind} {id}",
    "busy": "Nothing was added: somebody else, or an update, is writing this very customer. Try again in half a minute.",
    "paused": "Nothing was added: Twikey asked for a pause. Try again in a minute.",
    "held": "Nothing was added: the work of this integration is held. See: tltw doctor",
}

# How the ledger left a customer, in the words of `workers.customer.remembered`.
HERE = {
    "unheard": "not yet",
    "on_the_way": "on its way",
    "trying": "on its way, being tried again",
    "stands_still": "waits: work is held",
    "dead": "dead letter",
    "gone": "gone from Teamleader",
    "synced": "brought over",
    "withheld": "brought over, but for CC or the invoicing address",
    "held": "changed while auto-update is off",
    "skipped": "skipped",
}


@click.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--page", type=click.IntRange(1, operations_find.LAST_PAGE), default=1, show_default=True)
@integration_option
@json_option
@command
def find(services: Services, words: tuple[str, ...], page: int, name: str, as_json: bool) -> None:
    """Find people and companies by a part of a name or e-mail, a VAT number, a customer number, an id or a link.

    Two calls to Teamleader, of those that live work leaves.
    """
    found = operations_find.find(services, name, " ".join(words), page=page)
    if as_json:
        # Why Teamleader could not be asked is said below, as of every command.
        answer(replace(found, failure=None), as_json=True)
    else:
        _list(found)
    if found.failure is not None:
        raise found.failure
    if not found.hits:
        refuse("Nobody fits. Try a shorter part of the name; a number must be whole.", FAILED)


@click.command()
@click.argument("kind", type=click.Choice(operations.KINDS))
@click.argument("customer_id", metavar="ID")
@click.option("--set", "changed", metavar="FIELD=VALUE", multiple=True, help="Another value for a field; repeat it.")
@click.option("--yes", is_flag=True, help="Add it; without this nothing is written.")
@integration_option
@json_option
@command
def add(
    services: Services, kind: str, customer_id: str, changed: tuple[str, ...], yes: bool, name: str, as_json: bool
) -> None:
    """Show what would be added to Twikey for one customer of Teamleader, and with --yes add it.

    Only one that Twikey does not know yet. The customer number is the Teamleader id and cannot be set: with another one
    Twikey would have the customer twice.
    """
    subject = operations.subject_of(kind, customer_id)
    proposal = operations_add.propose(services, name, subject)
    typed = {**proposal.fields, **_changes(changed, proposal.fields)}
    added = None
    if yes and not proposal.known:
        added = operations_add.add(services, name, subject, typed, seen=proposal.seen, by=who())
    wrong = added.problems if added else operations_add.problems(services, name, subject, typed)
    outcome = "known" if proposal.known else added.outcome if added else "wrong" if wrong else "preview"
    told = {
        "outcome": outcome,
        "number": proposal.number,
        "fields": typed,
        "warnings": proposal.remarks,
        "problems": wrong,
    }
    answer(told, as_json=as_json)
    if not as_json:
        _show(proposal, typed)
        for problem in wrong:
            console.print(f"✗ {problem.field}: {problem.sentence}", markup=False)
    _end(outcome, kind, customer_id)


def _changes(changed: Iterable[str], fields: Mapping[str, str]) -> dict[str, str]:
    pairs = {field: value for field, _, value in (one.partition("=") for one in changed)}
    if unknown := pairs.keys() - fields.keys():
        refuse(f"There is no field {', '.join(sorted(unknown))}. There are: {', '.join(fields)}.", SETTINGS)
    return pairs


def _end(outcome: str, kind: str, customer_id: str) -> None:
    if outcome == "added":
        click.echo("Added to Twikey.", err=True)
    elif outcome == "preview":
        click.echo("Nothing was written. Add it with --yes.", err=True)
    else:
        sentence = NOT_ADDED.get(outcome, "Nothing was added: mend the above, with --set FIELD=VALUE.")
        refuse(sentence.format(kind=kind, id=customer_id), FAILED)


def _show(proposal: Proposal, fields: Mapping[str, str]) -> None:
    console.print(f"{proposal.subject}  →  Twikey customer {proposal.number}", markup=False, soft_wrap=True)
    table = table_of("field", "value", whole=("field",))
    for field, value in fields.items():
        table.add_row(*map(Text, (field, value)))
    console.print(table)
    for warning in proposal.remarks:
        console.print(f"! {warning.field}: {warning.sentence}", markup=False)
    for field in sorted(proposal.withheld):
        console.print(f"! {field}: Teamleader has one; it is not carried over while auto-update is off.", markup=False)
    for failure in proposal.failures:
        console.print(f"! {failure.sentence}", markup=False)


def _list(found: Found) -> None:
    table = table_of("name", "customer", "e-mail, city, VAT number", "here", whole=("customer",))
    for hit in found.hits:
        # As text: a name may hold [brackets], which would be taken for markup.
        known_by = ", ".join(filter(None, (hit.email, hit.city, hit.vat_number)))
        shown = (hit.name, f"{hit.kind} {hit.id}", known_by, HERE[remembered(hit.state, active=found.active).word])
        table.add_row(*map(Text, shown))
    if found.hits:
        console.print(table)
    if found.more:
        console.print(f"There are more: --page {found.page + 1}")
