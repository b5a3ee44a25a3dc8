"""Commands about dead letters: what failed for good, why, and how to go on."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import NoReturn

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
    table_of,
    when,
    who,
)
from workers import operations, operations_find
from workers.dead_letters import KINDS, by_reason, kind_of
from workers.ledger.records import DeadLetter
from workers.operations_find import NAMED_AT_ONCE
from workers.services import Services


@click.group("dead-letters")
def dead_letters() -> None:
    """See, replay or give up what failed for good. docs/runbook.md explains each reason."""


@dead_letters.command("list")
@click.option("--reason", default="", help="Only those that died of this.")
@click.option("--names", "with_names", is_flag=True, help="Ask Teamleader for the names: a call for 100 of a kind.")
@integration_option
@json_option
@command
def list_(services: Services, reason: str, with_names: bool, name: str, as_json: bool) -> None:
    """List the dead letters, oldest first."""
    letters = list(operations.dead_letters(services, name, reason=reason))
    names = _names(services, name, [letter.subject for letter in letters]) if with_names else None
    if as_json:
        answer(letters if names is None else _with_names(letters, names), as_json=True)
    elif not letters:
        console.print(_none(services, name, reason))
    else:
        _table(letters, names)


def _none(services: Services, integration: str, reason: str) -> str:
    """That there is none; of a reason that nobody died of, which there are: it may be misspelt."""
    others = by_reason(operations.dead_letters(services, integration)) if reason else {}
    if not others:
        return "No dead letters. Nothing needs you."
    there_are = ", ".join(f"{number} {other}" for other, number in others.items())
    return f"No dead letter died of {reason}. There are: {there_are}."


def _refuse_not_dead(subject: str) -> NoReturn:
    if kind_of(subject) not in KINDS or ":" not in subject:
        refuse(f"{subject} is no subject: write it as tltw dead-letters list does, for example company:ID.", NOT_FOUND)
    refuse(f"{subject} is not a dead letter (any more).", NOT_FOUND)


def _names(services: Services, integration: str, subjects: list[str]) -> dict[str, str]:
    """As far as Teamleader tells them: an API that fails for some fails for the next."""
    names: dict[str, str] = {}
    for first in range(0, len(subjects), NAMED_AT_ONCE):
        some = subjects[first : first + NAMED_AT_ONCE]
        told = operations_find.names_of(services, integration, some)
        names.update(told.of)
        if not told.complete:
            click.echo("Teamleader does not tell all the names just now.", err=True)
            break
    return names


def _with_names(letters: list[DeadLetter], names: Mapping[str, str]) -> list[object]:
    return [{**asdict(letter), "name": names.get(letter.subject, "")} for letter in letters]


@dead_letters.command()
@click.argument("subject")
@integration_option
@json_option
@command
def show(services: Services, subject: str, name: str, as_json: bool) -> None:
    """Show one dead letter in full, for example: tltw dead-letters show company:2a39…"""
    state = services.ledger(name).look(subject)
    if state is None or state.story is None:
        _refuse_not_dead(subject)
    story = state.story
    lines = [f"{subject} died {when(state.ended)}: {story.reason}", story.sentence]
    lines += [f"  - {field}: {sentence}" for field, sentence, _ in story.problems]
    if story.api:
        lines.append(f"  {story.api} answered {story.status or 'nothing'} {story.code} {story.field}".rstrip())
    lines += [
        f"  attempts: {story.attempts}   event: {state.event_id}   last good sync: {when(state.synced)}",
        f"When it is mended: tltw dead-letters replay {subject}",
    ]
    # The record counts what failed since the death: nothing. Here one number says it, as above.
    state = replace(state, attempts=story.attempts)
    answer({"subject": subject, "state": state}, as_json=as_json, text="\n".join(lines))


@dead_letters.command()
@click.argument("subjects", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
@click.option("--reason", default="", help="Every dead letter that died of this.")
@click.option("--dry-run", is_flag=True, help="Only say how many.")
@integration_option
@json_option
@command
def replay(
    services: Services,
    subjects: tuple[str, ...],
    everything: bool,
    reason: str,
    dry_run: bool,
    name: str,
    as_json: bool,
) -> None:
    """Try dead letters again. Harmless to repeat: the customer is read as it is now."""
    if not (subjects or everything or reason):
        raise click.UsageError("name subjects, or say --all or --reason WHY")
    if not subjects:
        subjects = tuple(letter.subject for letter in operations.dead_letters(services, name, reason=reason))
    if not subjects:
        answer({"would_replay" if dry_run else "replayed": []}, as_json=as_json, text=_none(services, name, reason))
        return
    if dry_run:
        answer({"would_replay": list(subjects)}, as_json=as_json, text=f"{len(subjects)} would be replayed.")
        return
    replayed = [subject for subject in subjects if operations.replay(services, name, subject, by=who())]
    missing = sorted(set(subjects) - set(replayed))
    text = f"{len(replayed)} replayed." + (f" Not dead (any more): {', '.join(missing)}" if missing else "")
    answer({"replayed": replayed, "not_dead": missing}, as_json=as_json, text=text)
    if missing and not replayed:
        raise SystemExit(FAILED)


@dead_letters.command()
@click.argument("subject")
@click.option("--why", required=True, help="Kept in the story.")
@integration_option
@json_option
@command
def discard(services: Services, subject: str, why: str, name: str, as_json: bool) -> None:
    """Give one dead letter up. The next edit in Teamleader syncs the customer all the same."""
    if not operations.discard(services, name, subject, why, by=who()):
        _refuse_not_dead(subject)
    answer({"discarded": subject}, as_json=as_json, text=f"{subject} was given up.")


def _table(letters: list[DeadLetter], names: Mapping[str, str] | None) -> None:
    named = ("name",) if names is not None else ()
    table = table_of("died", "subject", *named, "reason", "what happened", whole=("subject",))
    for letter in letters:
        called = (names.get(letter.subject, ""),) if names is not None else ()
        cells = (when(letter.died), letter.subject, *called, letter.story.reason, letter.story.sentence)
        table.add_row(*map(Text, cells))
    console.print(table)
    console.print("In full: tltw dead-letters show SUBJECT    Again: tltw dead-letters replay SUBJECT", markup=False)
