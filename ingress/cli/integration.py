"""Commands about an integration: how it stands, and its option *Import invoices and update customers automatically*."""

import click

from ingress.cli.shared import answer, command, integration_option, json_option, when
from workers import operations
from workers.services import Services


@click.group()
def integration() -> None:
    """See an integration, and switch its automatic updates on or off."""


@integration.command()
@integration_option
@json_option
@command
def show(services: Services, name: str, as_json: bool) -> None:
    """Show how an integration stands."""
    view = operations.view(services, name)
    books = view.account
    lines = [
        f"{view.id}: {view.state}, auto-update {'on' if view.auto_update else 'off'}",
        f"  owed {books.pending} (oldest due {when(view.oldest_owed)}), dead letters {view.dead}, held {view.held}",
        f"  events {books.accepted} = synced {books.synced} + unchanged {books.unchanged} + coalesced {books.coalesced}"
        f" + skipped {books.skipped} + gone {books.gone} + dead {books.dead} + pending {books.pending}",
    ]
    answer(view, as_json=as_json, text="\n".join(lines))


@integration.command()
@integration_option
@json_option
@command
def enable(services: Services, name: str, as_json: bool) -> None:
    """Switch *Import invoices and update customers automatically* on, and catch up."""
    held = operations.set_auto_update(services, name, on=True)
    text = f"{name}: auto-update is on. {held} customers changed while it was off and are caught up now."
    answer({"auto_update": True, "held": held}, as_json=as_json, text=text)


@integration.command()
@integration_option
@json_option
@command
def disable(services: Services, name: str, as_json: bool) -> None:
    """Switch it off: from now on no automatic event writes to Twikey, not even one that is queued."""
    held = operations.set_auto_update(services, name, on=False)
    text = f"{name}: auto-update is off. Edits are remembered for the day you switch it on."
    answer({"auto_update": False, "held": held}, as_json=as_json, text=text)


@integration.command()
@integration_option
@json_option
@command
def resume(services: Services, name: str, as_json: bool) -> None:
    """Let held work run again, after reconnecting or a pause."""
    operations.resume(services, name)
    answer({"state": "active"}, as_json=as_json, text=f"{name}: active.")


@click.command("webhook-address")
@integration_option
@json_option
@command
def webhook_address(services: Services, name: str, as_json: bool) -> None:
    """Print the signed address for Teamleader's webhooks. Treat it like a password.

    The clock registers it by itself; you need it only to look at or to register by hand.
    """
    address = operations.address(services, name)
    answer({"address": address}, as_json=as_json, text=address)
