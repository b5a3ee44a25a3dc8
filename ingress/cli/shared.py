"""What all commands share: settings, services, answers as text or JSON, and errors as sentences with an exit code."""

import dataclasses
import functools
import getpass
import json
import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Concatenate, NoReturn, ParamSpec

import click
import redis
from rich.console import Console, ConsoleDimensions
from rich.table import Table

from config import log, settings
from config.embedded import NoStore
from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from workers.clients.errors import ApiFailure, NotFound
from workers.ledger.records import Cause
from workers.services import Services, open_services

# What they mean is in the help of `tltw`.
OK, FAILED, SETTINGS, NOT_FOUND, NO_STORE, API = 0, 1, 2, 3, 4, 5

# Wider than any row of ours.
UNFOLDED = 100_000


class Output(Console):
    """Standard output. Only a window has a width: in a pipe and in a file nothing is folded or cut."""

    @property  # type: ignore[misc] # Console's own can be set; nobody sets ours
    def size(self) -> ConsoleDimensions:
        return super().size if self.is_terminal else ConsoleDimensions(UNFOLDED, 25)


console = Output(highlight=False)
P = ParamSpec("P")


class Refusal(SystemExit):
    """The end of a command that could not be done, after its sentence was said."""

    def __init__(self, sentence: str, code: int) -> None:
        super().__init__(code)
        self.sentence = sentence


def refuse(sentence: str, code: int) -> NoReturn:
    """Ends the command with a sentence for a person."""
    click.echo(sentence, err=True)
    raise Refusal(sentence, code)


def load_settings() -> settings.Settings:
    """The settings of the environment; ends with every problem named at once."""
    try:
        return settings.load()
    except settings.SettingsWrong as wrong:
        refuse(f"{wrong}\n\nconfig/example.env explains each of them.", SETTINGS)


@contextmanager
def services() -> Iterator[Services]:
    """The services of one command; whatever goes wrong ends as a sentence and an exit code."""
    loaded = load_settings()
    # What a command did, its answer says: between the lines that a person reads stands only what is not well.
    log_format = "console" if loaded.log_format == "auto" else loaded.log_format
    log.setup(log_format, process="command", stream="stderr", level=logging.WARNING)
    try:
        opened = open_services(loaded)
    except settings.SettingsWrong as wrong:
        refuse(str(wrong), SETTINGS)
    except NoStore as none:
        refuse(str(none), NO_STORE)
    except redis.RedisError as error:
        refuse(f"The store cannot be reached ({type(error).__name__}). Is TLTW_REDIS_URL right?", NO_STORE)
    try:
        yield opened
    except NotFound as missing:
        refuse(missing.sentence, NOT_FOUND)
    except ApiFailure as failure:
        refuse(f"{failure.sentence}", API)
    except (UnknownIntegration, ValueError) as wrong:
        refuse(str(wrong), NOT_FOUND)
    except SecretUnreadable as error:
        refuse(str(error), SETTINGS)
    except redis.RedisError as error:
        refuse(f"The store stopped answering ({type(error).__name__}).", NO_STORE)
    finally:
        opened.close()


def command(function: Callable[Concatenate[Services, P], None]) -> Callable[P, None]:
    """Hands the services to a command and closes them afterwards."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with services() as opened:
            for name, given in kwargs.items():
                if isinstance(given, Asked):
                    kwargs[name] = chosen(opened, given.name)
            function(opened, *args, **kwargs)

    return run


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """The integration that a command line names, or none: which one that is, only the store can tell (`command` asks it)."""

    name: str | None


def asked_for(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Asked:
    """The callback of every parameter that names an integration."""
    return Asked(value)


def integration_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--integration",
        "name",
        callback=asked_for,
        help="Which integration; needed when there are several and TLTW_INTEGRATION names none.",
    )(function)


def chosen(services: Services, name: str | None) -> str:
    """The integration a command is about: the named one, the one of the settings, or the only one there is."""
    known = services.registry.ids()
    if name is None and services.settings.default_integration in known:
        return services.settings.default_integration
    if name is None and len(known) == 1:
        return known[0]
    if name is None:
        refuse(_which(known), NOT_FOUND if not known else SETTINGS)
    if name not in known:
        refuse(str(UnknownIntegration(name, known)), NOT_FOUND)
    return name


def _which(known: list[str]) -> str:
    if not known:
        return "There is no integration yet. Add one: tltw integration add NAME"
    return f"There are several integrations: say --integration and one of {', '.join(known)}."


def who() -> str:
    """Who gives the command, for the audit log."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return f"cli:{os.getuid()}"


json_option = click.option("--json", "as_json", is_flag=True, help="Answer as JSON, for machines.")


def answer(value: object, *, as_json: bool, text: str | None = None) -> None:
    """Prints a result: as JSON, or as the given text."""
    if as_json:
        click.echo(json.dumps(plain(value), ensure_ascii=False, indent=2))
    elif text is not None:
        console.print(text, markup=False, soft_wrap=True)


def table_of(*headings: str, whole: Collection[str] = ()) -> Table:
    """A table to fill. Its cells fold in a narrow window, except in the columns that are `whole`: ids, which one copies."""
    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading in whole)
    return table


def plain(value: object) -> object:
    """Anything of ours as JSON types: times in ISO 8601, durations in seconds, causes by name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Cause):
        return value.name.lower()
    return value.isoformat() if isinstance(value, datetime) else value


def noted(text: str) -> str:
    """What an entry of the audit log says of before or after. How a job was started is kept as JSON: only what was asked for."""
    try:
        asked = json.loads(text)
    except ValueError:
        return text
    if not isinstance(asked, dict):
        return text
    return ", ".join(name if value is True else f"{name}={value}" for name, value in asked.items() if value)


def span(duration: timedelta) -> str:
    """A duration for a person, in the largest unit that tells it roughly."""
    seconds = duration.total_seconds()
    if seconds >= 5400:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 90 else f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def when(moment: datetime | None) -> str:
    """A time for a person, in the zone of this machine."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else "never"
