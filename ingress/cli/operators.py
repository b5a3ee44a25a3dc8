"""Commands about the people who may use the console. The first admin is made here; later ones also in the console."""

import sys
from typing import NoReturn

import click
from rich.text import Text

from ingress.cli.shared import FAILED, NOT_FOUND, answer, command, console, json_option, refuse, table_of, when, who
from workers import operators, passwords
from workers.operators import Operator, Refused, Role
from workers.services import Services

# Why somebody is refused who names what is not there.
UNKNOWN = ("unknown_operator", "unknown_integration")
ROLE = click.Choice([role.value for role in Role])
limit_option = click.option(
    "--integration", "limit", multiple=True, metavar="NAME", help="Only this integration; may be repeated. None: all."
)
password_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
generate = click.option("--generate", is_flag=True, help="Make a password and print it, once.")


@click.group()
def operator() -> None:
    """Who may use the console, and what for: viewers see, operators also act, admins also configure."""


@operator.command()
@click.argument("person", metavar="NAME")
@click.option("--role", type=ROLE, default=Role.OPERATOR.value, show_default=True)
@limit_option
@password_stdin
@generate
@json_option
@command
def add(
    services: Services,
    person: str,
    role: str,
    limit: tuple[str, ...],
    password_stdin: bool,
    generate: bool,
    as_json: bool,
) -> None:
    """Add somebody. Asks for the password twice."""
    try:
        chosen = operators.usable_limit(limit, services.registry.ids())
        password = choose_password(from_stdin=password_stdin, generate=generate)
        added = operators.add(services.store, person, password=password, role=Role(role), limit=chosen, by=who())
    except Refused as refused:
        _refuse(refused)
    text = f"{added.name} was added: {operators.described(added)}."
    _answer(added, text, password if generate else "", services, as_json)


@operator.command("list")
@json_option
@command
def list_(services: Services, as_json: bool) -> None:
    """List who may sign in."""
    everybody = operators.everybody(services.store)
    signed_in = operators.last_signed_in(services.store)
    if as_json:
        answer([shown(one) | {"signed_in": signed_in.get(one.name)} for one in everybody], as_json=True)
        return
    if not everybody:
        console.print("Nobody can sign in yet. Add the first: tltw operator add NAME --role admin")
        return
    table = table_of("name", "may", "signed in", "last changed", "by", whole=("name",))
    for one in everybody:
        cells = (one.name, operators.described(one), when(signed_in.get(one.name)), when(one.changed), one.changed_by)
        table.add_row(*map(Text, cells))
    console.print(table)


@operator.command("set-role")
@click.argument("person", metavar="NAME")
@click.argument("role", type=ROLE)
@json_option
@command
def set_role(services: Services, person: str, role: str, as_json: bool) -> None:
    """Give somebody another role. It holds from their next click on."""
    try:
        changed = operators.set_role(services.store, person, Role(role), by=who())
    except Refused as refused:
        _refuse(refused)
    answer(shown(changed), as_json=as_json, text=f"{person}: {operators.described(changed)}.")


@operator.command()
@click.argument("person", metavar="NAME")
@limit_option
@json_option
@command
def limit(services: Services, person: str, limit: tuple[str, ...], as_json: bool) -> None:
    """Limit somebody to some integrations; naming none lifts the limit."""
    try:
        chosen = operators.usable_limit(limit, services.registry.ids())
        changed = operators.set_limit(services.store, person, chosen, by=who())
    except Refused as refused:
        _refuse(refused)
    answer(shown(changed), as_json=as_json, text=f"{person}: {operators.described(changed)}.")


@operator.command("set-password")
@click.argument("person", metavar="NAME")
@password_stdin
@generate
@json_option
@command
def set_password(services: Services, person: str, password_stdin: bool, generate: bool, as_json: bool) -> None:
    """Give somebody another password. Ends their sessions."""
    try:
        password = choose_password(from_stdin=password_stdin, generate=generate)
        changed = operators.set_password(services.store, person, password, by=who())
    except Refused as refused:
        _refuse(refused)
    text = f"{person} has a new password and is signed out everywhere."
    _answer(changed, text, password if generate else "", services, as_json)


@operator.command()
@click.argument("person", metavar="NAME")
@click.option("--undo", is_flag=True, help="Enable again.")
@json_option
@command
def disable(services: Services, person: str, undo: bool, as_json: bool) -> None:
    """Keep somebody out, at once, without removing them."""
    try:
        changed = operators.set_disabled(services.store, person, not undo, by=who())
    except Refused as refused:
        _refuse(refused)
    text = f"{person} can sign in again." if undo else f"{person} is signed out and cannot sign in."
    answer(shown(changed), as_json=as_json, text=text)


@operator.command()
@click.argument("person", metavar="NAME")
@json_option
@command
def remove(services: Services, person: str, as_json: bool) -> None:
    """Remove somebody. What they did stays in the audit log."""
    try:
        operators.remove(services.store, person, by=who())
    except Refused as refused:
        _refuse(refused)
    answer({"removed": person}, as_json=as_json, text=f"{person} was removed.")


def shown(operator: Operator) -> dict[str, object]:
    """An operator without what is secret."""
    return {
        "name": operator.name,
        "role": operator.role.value,
        "limit": None if operator.limit is None else sorted(operator.limit),
        "disabled": operator.disabled,
        "created": operator.created,
        "created_by": operator.created_by,
        "changed": operator.changed,
        "changed_by": operator.changed_by,
    }


def choose_password(*, from_stdin: bool, generate: bool) -> str:
    """The password: from standard input, made by us, or asked for twice."""
    if from_stdin and generate:
        raise click.UsageError("say --password-stdin or --generate, not both")
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if generate:
        return passwords.generated()
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask for the password: say --password-stdin or --generate")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same once more")
    return password


def _answer(operator: Operator, text: str, password: str, services: Services, as_json: bool) -> None:
    given = {"password": password} if password else {}
    lines = [text, f"Password, shown only now: {password}"] if password else [text]
    lines.append(f"Sign in at {services.settings.console_url}")
    answer(shown(operator) | given, as_json=as_json, text="\n".join(lines))


def _refuse(refused: Refused) -> NoReturn:
    refuse(str(refused), NOT_FOUND if refused.why in UNKNOWN else FAILED)
