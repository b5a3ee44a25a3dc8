"""Commands about alerts: what is open, what was told, and whether the channels work."""

import click
from rich.text import Text

from ingress.cli.shared import FAILED, answer, command, console, json_option, table_of, when
from workers import operations_alerts
from workers.operations_alerts import AlertsView
from workers.services import Services


@click.group()
def alerts() -> None:
    """See what is wrong now and was told lately, and test the channels. docs/alerts.md explains each kind."""


@alerts.command("list")
@click.option("--newest", type=click.IntRange(1, 500), default=20, show_default=True, help="How many messages.")
@json_option
@command
def list_(services: Services, newest: int, as_json: bool) -> None:
    """List the open alerts of all integrations, how the channels fare, and the last messages."""
    view = operations_alerts.view(services, newest=newest)
    if as_json:
        answer(view, as_json=True)
        return
    _open(view)
    _channels(view)
    _told(view)


@alerts.command()
@json_option
@command
def test(services: Services, as_json: bool) -> None:
    """Send a test over every configured channel, now, and say which worked."""
    tried = operations_alerts.try_channels(services)
    lines = [f"{'✓' if one.sent else '✗'} {one.channel}: {one.why or 'sent'}" for one in tried]
    if len(tried) == 1:
        lines.append("Alerts go to the log only. docs/alerts.md tells how to get them by e-mail or in a chat.")
    answer(tried, as_json=as_json, text="\n".join(lines))
    if not all(one.sent for one in tried):
        raise SystemExit(FAILED)


def _open(view: AlertsView) -> None:
    if not view.open:
        console.print("Nothing is wrong.")
        return
    console.print("Open")
    table = table_of("since", "integration", "alert", "number", "more", "told", whole=("integration", "alert"))
    for alert in view.open:
        meaning = alert.kind.meaning
        number = str(alert.number) if meaning.counted[0] else ""
        told = when(alert.told) if alert.told else "not yet"
        table.add_row(
            *map(Text, (when(alert.since), alert.integration or "–", alert.kind.value, number, alert.detail, told))
        )
    console.print(table)
    for kind in dict.fromkeys(alert.kind for alert in view.open):
        console.print(f"{kind.value}: {kind.meaning.next}", markup=False, soft_wrap=True)


def _channels(view: AlertsView) -> None:
    for channel in view.channels:
        fares = f"last sent {when(channel.sent_at)}"
        if channel.failures:
            fares = f"✗ failed {channel.failures} times in a row, again {when(channel.again_at)}: {channel.why}"
        console.print(f"channel {channel.name}: {fares}", markup=False, soft_wrap=True)


def _told(view: AlertsView) -> None:
    for message in view.told:
        console.print(f"{message.at}  {message.subject}", markup=False, soft_wrap=True)
