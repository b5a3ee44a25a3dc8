"""`tltw doctor`: is everything as it should be? Each check is a sentence; a failed one says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
import redis

from config.integrations import OptionsWrong
from config.keys import CLOCK_TICKED
from config.secrets import SecretUnreadable
from config.store import durability_problems
from ingress.cli.shared import FAILED, answer, chosen, command, console, json_option, when
from workers import operations
from workers.accounts import learn_account
from workers.clients.errors import ApiFailure
from workers.services import Services

CLOCK_SILENT_SECONDS = 10
OVERDUE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    sentence: str


@click.command()
@click.option("--integration", "only", default=None, help="Only this one; otherwise all of them are looked at.")
@json_option
@command
def doctor(services: Services, only: str | None, as_json: bool) -> None:
    """Check the settings, the store, both APIs, and that every accepted event is accounted for."""
    checks = [Check("settings", True, "All settings are there and well-formed."), _store(services), _clock(services)]
    names = [chosen(services, only)] if only else services.registry.ids()
    if not names:
        checks.append(Check("integrations", False, "There is no integration yet. Add one: tltw integration add NAME"))
    for name in names:
        found = list(_of_integration(services, name))
        checks += found if len(names) == 1 else _in_short(name, found)
    if as_json:
        answer(checks, as_json=True)
    else:
        for check in checks:
            console.print(f"{'✓' if check.ok else '✗'} {check.name}: {check.sentence}", markup=False)
    if not all(check.ok for check in checks):
        raise SystemExit(FAILED)


def _in_short(name: str, found: list[Check]) -> Iterator[Check]:
    """Of one among many: what is wrong, or that all is well."""
    wrong = [check for check in found if not check.ok]
    yield from (Check(f"{name}: {check.name}", False, check.sentence) for check in wrong)
    if not wrong:
        yield Check(name, True, "All is well.")


def _of_integration(services: Services, name: str) -> Iterator[Check]:
    try:
        services.integration(name)
    except (SecretUnreadable, OptionsWrong) as wrong:
        yield Check("integration", False, str(wrong))
        return
    yield _try("teamleader", lambda: _teamleader(services, name))
    yield _try("twikey", lambda: _twikey(services, name))
    yield _books(services, name)
    yield _state(services, name)
    yield _backlog(services, name)
    yield _dead(services, name)


def _store(services: Services) -> Check:
    problems = durability_problems(services.store)
    return Check("store", not problems, " ".join(problems) or "The store answers and keeps what it promises.")


def _clock(services: Services) -> Check:
    seconds, _ = services.store.time()
    ticked = int(services.store.get(CLOCK_TICKED) or 0) / 1000
    if seconds - ticked <= CLOCK_SILENT_SECONDS:
        return Check("clock", True, "The clock ticks.")
    return Check(
        "clock", False, "The clock does not tick: nothing is tried again. Is `tltw run` (or `tltw clock`) running?"
    )


def _backlog(services: Services, name: str) -> Check:
    oldest = services.ledger(name).oldest_owed()
    if oldest is None or datetime.now(UTC) - oldest < OVERDUE or services.ledger(name).state() != "active":
        return Check("backlog", True, "Nothing waits longer than it should.")
    return Check(
        "backlog",
        False,
        f"Work has been overdue since {when(oldest)}. Is a worker running? See the log of `tltw worker`.",
    )


def _teamleader(services: Services, name: str) -> str:
    learn_account(services, name)
    services.tools(name).teamleader.me()
    return "Teamleader answers and our token works."


def _twikey(services: Services, name: str) -> str:
    services.tools(name).twikey.check()
    return "Twikey answers and our key works."


def _try(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except ApiFailure as failure:
        return Check(name, False, failure.sentence)
    except redis.RedisError as error:
        return Check(name, False, f"the store stopped answering ({type(error).__name__})")


def _books(services: Services, name: str) -> Check:
    books = services.ledger(name).account()
    if books.adds_up:
        return Check(
            "books", True, f"All {books.accepted} accepted events are accounted for; {books.pending} are pending."
        )
    return Check(
        "books", False, f"The books do not add up, please report this with: tltw integration show --json ({books})"
    )


def _state(services: Services, name: str) -> Check:
    state = services.ledger(name).state()
    if state == "active":
        return Check("integration", True, "The integration is active.")
    return Check(
        "integration", False, f"The integration is held: {state}. Mend the cause, then: tltw integration resume"
    )


def _dead(services: Services, name: str) -> Check:
    dead = operations.view(services, name).dead
    if not dead:
        return Check("dead letters", True, "None.")
    return Check("dead letters", False, f"{dead} need a person. See: tltw dead-letters list")
