"""Commands about integrations: add, connect, change, switch and look. `tltw integration options` explains what can be set."""

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
from rich.text import Text

from config.integrations import BY_NAME, OPTIONS, Option
from ingress.cli.shared import (
    FAILED,
    SETTINGS,
    answer,
    asked_for,
    command,
    console,
    json_option,
    noted,
    refuse,
    span,
    table_of,
    when,
    who,
)
from workers import connect as connecting
from workers import integrations, operations
from workers.figures import COUNTED, LATER, Hour
from workers.ledger import glances
from workers.ledger.records import Activity, from_letters
from workers.services import Services


@click.group()
def integration() -> None:
    """Add, connect, change and switch integrations: a Teamleader account joined to a Twikey account each."""


def _named(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("name", required=False, callback=asked_for)(function)


_settings = click.argument("options", nargs=-1, metavar="[OPTION=VALUE]...")


@integration.command()
@click.argument("new_name", metavar="NAME")
@_settings
@json_option
@command
def add(services: Services, new_name: str, options: tuple[str, ...], as_json: bool) -> None:
    """Add an integration, for example: tltw integration add bakery label="Bakery" twikey_url=https://api.twikey.com/creditor

    What is needed and not given is asked for; secrets are best asked for, so that no shell keeps them. Then connect it:
    tltw integration connect NAME
    """
    given = _given(options)
    for option in OPTIONS:
        if option.default is None and not given.get(option.name):
            given[option.name] = _asked(option)
    try:
        made = integrations.add(services, new_name, given, by=who())
    except ValueError as wrong:
        refuse(str(wrong), SETTINGS)
    answer(
        {"id": made.id, "state": "connecting"},
        as_json=as_json,
        text=f"{made.id} was added. Connect it: tltw integration connect {made.id}",
    )


@integration.command("list")
@json_option
@command
def list_(services: Services, as_json: bool) -> None:
    """List all integrations with how they stand."""
    views = operations.views(services, services.integrations())
    if as_json:
        answer(views, as_json=True)
        return
    if not views:
        console.print("There is no integration yet. Add one: tltw integration add NAME", markup=False)
        return
    counted = ("customers", "owed", "waiting since", "dead", "held")
    table = table_of("name", "label", "state", "auto", *counted, whole=("name", "state"))
    for view in views:
        waiting = when(view.owed_since) if view.owed_since else ""
        numbers = (str(view.customers), str(view.books.pending), waiting, str(view.dead), str(view.held))
        cells = (view.id, view.label, view.state, "on" if view.auto_update else "off", *numbers)
        table.add_row(*map(Text, cells))
    console.print(table)


@integration.command()
@_named
@json_option
@command
def show(services: Services, name: str, as_json: bool) -> None:
    """Show how an integration stands, and its options. Secrets are not shown."""
    view = operations.view(services, name)
    options = operations.options_shown(services, name)
    if as_json:
        answer({**_plain(view), "options": options}, as_json=True)
        return
    books = view.books
    why = f" ({view.state_reason})" if view.state_reason else ""
    since = f" since {when(view.state_since)}" if view.state_since else ""
    lines = [
        f"{view.id}{f' – {view.label}' if view.label else ''}: {view.state}{why}{since},"
        f" auto-update {'on' if view.auto_update else 'off'}",
        f"  customers {view.customers} (last change {when(view.changed)})",
        f"  owed {books.pending}{f' (since {when(view.owed_since)})' if view.owed_since else ''},"
        f" dead letters {view.dead}, held {view.held}",
        f"  events {books.accepted} = synced {books.synced} + unchanged {books.unchanged} + coalesced {books.coalesced}"
        f" + skipped {books.skipped} + gone {books.gone} + dead {books.dead} + pending {books.pending}",
        *(f"  {option} = {text}" for option, text in options.items()),
    ]
    answer(view, as_json=False, text="\n".join(lines))


@integration.command()
@_named
@json_option
@command
def day(services: Services, name: str, as_json: bool) -> None:
    """Show the last 24 hours, hour by hour: what came in, how it ended, how soon edits were in Twikey.

    How soon is told as the smallest of some fixed times that so many edits kept: half of them, and 95 of 100.
    """
    hours = operations.last_day(services, name)
    if as_json:
        answer([_hour_plain(hour) for hour in hours], as_json=True)
        return
    table = table_of("hour from", *COUNTED, "half within", "95 % within", whole=("hour from",))
    for column in table.columns[1:]:
        column.justify = "right"
    for hour in hours:
        numbers = [str(getattr(hour, counted) or "") for counted in COUNTED]
        began = hour.began.astimezone().strftime("%m-%d %H:%M")
        table.add_row(*map(Text, (began, *numbers, _within(hour.p50), _within(hour.p95))))
    console.print(table)


@integration.command()
@_named
@click.option("--number", default=50, show_default=True, type=click.IntRange(1, 10_000), help="How many, at most.")
@json_option
@command
def activity(services: Services, name: str, number: int, as_json: bool) -> None:
    """Show what happened lately, of all customers, the newest last. With the event id the log tells the rest.

    Kept are about the last 10,000 happenings. What one customer went through is kept longer: tltw story.
    """
    happened = [_with_causes(one) for one in operations.activity(services, name, number=number)]
    if as_json:
        answer(happened, as_json=True)
        return
    table = table_of("when", "customer", "what", "why", "took", "event", whole=("customer", "event"))
    for one in happened:
        took = "" if one.worked is None else span(one.worked)
        table.add_row(*map(Text, (when(one.at), one.subject, one.what, one.detail, took, one.event_id)))
    console.print(table if happened else "Nothing happened yet.")


def _with_causes(one: Activity) -> Activity:
    """The ledger keeps why something was marked as letters."""
    if one.what != "marked":
        return one
    return replace(one, detail=", ".join(sorted(cause.name.lower() for cause in from_letters(one.detail))))


def _hour_plain(hour: Hour) -> dict[str, object]:
    """`within_seconds` null: longer than the longest time that is told apart."""
    arrived = [
        {"within_seconds": None if bound == LATER else bound.total_seconds(), "edits": number}
        for bound, number in sorted(hour.arrived.items())
    ]
    return {"began": hour.began.isoformat(), **{name: getattr(hour, name) for name in COUNTED}, "arrived": arrived}


def _within(bound: timedelta | None) -> str:
    if bound is None:
        return ""
    return "longer" if bound == LATER else span(bound)


@integration.command("options")
@json_option
def explain(as_json: bool) -> None:
    """Explain the options of an integration."""
    if as_json:
        click.echo(json.dumps([{"name": one.name, "default": one.default, "meaning": one.meaning} for one in OPTIONS]))
        return
    table = table_of("option", "default", "meaning", whole=("option",))
    for one in OPTIONS:
        default = "required" if one.default is None else one.default
        table.add_row(*map(Text, (one.name, default, one.meaning)))
    console.print(table)


@integration.command("set")
@click.argument("name", callback=asked_for)
@_settings
@json_option
@command
def set_(services: Services, name: str, options: tuple[str, ...], as_json: bool) -> None:
    """Change options, for example: tltw integration set bakery profile=123 twikey_key

    A secret named without a value is asked for. An empty value (profile=) means the default. Workers take a change over at
    the next customer, the web process within seconds.
    """
    given = _given(options)
    if not given:
        raise click.UsageError("say OPTION=VALUE; tltw integration options explains them")
    try:
        changes = integrations.change(services, name, given, by=who())
    except ValueError as wrong:
        refuse(str(wrong), SETTINGS)
    said = [f"{one.option}: {one.before or '(default)'} → {one.after or '(default)'}" for one in changes]
    answer({"changed": changes}, as_json=as_json, text="\n".join(said) or "Nothing changed: that is how it was.")


@integration.command()
@_named
@json_option
@command
def history(services: Services, name: str, as_json: bool) -> None:
    """Show who changed what of an integration, newest first."""
    entries = list(operations.audit_log(services, name))
    lines = [
        f"{when(one.at)}  {one.by}  {f'{one.what} {one.subject}'.rstrip()}  {noted(one.before)} → {noted(one.after)}".rstrip(
            " →"
        )
        for one in entries
    ]
    answer(entries, as_json=as_json, text="\n".join(lines) or "Nothing was changed yet.")


@integration.command()
@_named
@json_option
@command
def enable(services: Services, name: str, as_json: bool) -> None:
    """Switch *Import invoices and update customers automatically* on, and catch up."""
    held = operations.set_auto_update(services, name, on=True, by=who())
    text = f"{name}: auto-update is on. {held} customers changed while it was off and are caught up now."
    answer({"auto_update": True, "held": held}, as_json=as_json, text=text)


@integration.command()
@_named
@json_option
@command
def disable(services: Services, name: str, as_json: bool) -> None:
    """Switch it off: from now on no automatic event writes to Twikey, not even one that is queued."""
    held = operations.set_auto_update(services, name, on=False, by=who())
    text = f"{name}: auto-update is off. Edits are remembered for the day you switch it on."
    answer({"auto_update": False, "held": held}, as_json=as_json, text=text)


@integration.command()
@_named
@json_option
@command
def pause(services: Services, name: str, as_json: bool) -> None:
    """Hold all work of an integration. Webhooks are still taken in; nothing is lost."""
    operations.pause(services, name, by=who())
    answer({"state": "paused"}, as_json=as_json, text=f"{name}: paused. Go on with: tltw integration resume {name}")


@integration.command()
@_named
@json_option
@command
def resume(services: Services, name: str, as_json: bool) -> None:
    """Let held work run again, after a pause or when the cause was mended."""
    resumed = operations.resume(services, name, by=who())
    text = f"{name}: active." if resumed else f"{name} is active already."
    answer({"state": "active", "resumed": resumed}, as_json=as_json, text=text)


@integration.command()
@_named
@click.option(
    "--redirect-uri",
    default="",
    help="Where Teamleader sends the browser back; must be on the list of our integration at Teamleader. "
    "[default: TLTW_PUBLIC_URL/connect/teamleader]",
)
@json_option
@command
def connect(services: Services, name: str, redirect_uri: str, as_json: bool) -> None:
    """Connect (or reconnect) an integration to Teamleader, from a machine without a browser.

    Prints an address: open it anywhere, signed in to the right Teamleader account as an administrator, and agree. The browser
    then lands on the redirect address, where nothing has to answer: copy that whole address and paste it here.
    """
    back = redirect_uri or f"{services.settings.public_url}{connecting.CALLBACK}"
    binding = secrets.token_urlsafe(16)
    try:
        address = connecting.begin(services, name, by=who(), redirect_uri=back, binding=binding)
        click.echo(f"Open this address and agree:\n\n{address}\n", err=True)
        landed = click.prompt("The address the browser landed on (or Ctrl-C)", err=True)
        steps = _finish(services, landed, binding)
    except connecting.CannotConnect as cannot:
        refuse(cannot.sentence, FAILED)
    _tell(steps, as_json=as_json)


@integration.command()
@_named
@json_option
@command
def check(services: Services, name: str, as_json: bool) -> None:
    """Look at each step of a connection again, mend the webhook registration, and activate what is ready."""
    _tell(connecting.complete(services, name, by=who()), as_json=as_json)


@integration.command("rotate-webhook")
@_named
@json_option
@command
def rotate_webhook(services: Services, name: str, as_json: bool) -> None:
    """Give the integration another webhook address: the new one is registered, then the old one taken off at Teamleader.

    The old address stays valid for a day, for what is under way. When it leaked, change TLTW_WEBHOOK_KEY instead: that ends all
    old addresses at once.
    """
    _tell(connecting.rotate_address(services, name, by=who()), as_json=as_json)


@integration.command()
@click.argument("name", callback=asked_for)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@command
def remove(services: Services, name: str, yes: bool, as_json: bool) -> None:
    """Remove an integration: its secrets, its ledger and its webhook registration. Customers stay where they are."""
    try:
        integrations.refuse_if_described(services, name)
    except integrations.DescribedByEnvironment as described:
        refuse(str(described), SETTINGS)
    (glance,) = glances(services.scripts, [name])  # whose secrets cannot be read can be removed as well
    if not yes:
        click.confirm(
            f"{glance.books.pending} owed, {glance.survey.dead} dead letters and {glance.held} held customers will be "
            "forgotten. "
            f"Remove {name}?",
            abort=True,
            err=True,
        )
    trouble = connecting.remove(services, name, by=who()).trouble
    told = (
        f"Its webhook could not be taken off at Teamleader ({trouble}); what still arrives is answered 404."
        if trouble
        else "Its webhook was taken off at Teamleader."
    )
    answer({"removed": name}, as_json=as_json, text=f"{name} was removed. {told}")


@click.command("webhook-address")
@_named
@json_option
@command
def webhook_address(services: Services, name: str, as_json: bool) -> None:
    """Print the signed address for Teamleader's webhooks. Treat it like a password.

    The clock registers it by itself; you need it only to look at or to register by hand.
    """
    address = operations.address(services, name)
    answer({"address": address}, as_json=as_json, text=address)


def _given(options: Iterable[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for one in options:
        option, sign, text = one.partition("=")
        if option not in BY_NAME:
            refuse(f"{option}: there is no such option. tltw integration options explains them.", SETTINGS)
        given[option] = text if sign else _asked(BY_NAME[option])
    return given


def _asked(option: Option) -> str:
    """What a person types; on standard error, so that --json answers with JSON alone."""
    typed: str = click.prompt(option.meaning.rstrip("."), hide_input=option.secret, err=True)
    return typed


def _finish(services: Services, landed: str, binding: str) -> list[connecting.Step]:
    query = parse_qs(urlsplit(landed.strip()).query)
    wanted = connecting.take(services, query.get("state", [""])[0], binding=binding)
    if "code" not in query:
        return [connecting.refused(services, wanted, query.get("error", [""])[0])]
    return connecting.finish(services, wanted, code=query["code"][0])


def _tell(steps: list[connecting.Step], *, as_json: bool) -> None:
    text = "\n".join(f"{'✓' if step.ok else '✗'} {step.name}: {step.sentence}" for step in steps)
    answer(steps, as_json=as_json, text=text)
    if not all(step.ok for step in steps):
        raise SystemExit(FAILED)


def _plain(view: operations.IntegrationView) -> dict[str, object]:
    return {name: getattr(view, name) for name in view.__slots__}
