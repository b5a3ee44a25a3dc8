"""`tltw doctor`: is everything as it should be? Each check is a sentence; a failed one says what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click
import redis

from config.integrations import OptionsWrong
from config.keys import CLOCK_TICKED
from config.secrets import SecretUnreadable
from config.store import CLOCK_SILENT_AFTER, clock_problem_here, durability_problems
from ingress.cli.shared import (
    FAILED,
    NO_STORE,
    NOT_FOUND,
    SETTINGS,
    Refusal,
    answer,
    chosen,
    console,
    json_option,
    services,
    when,
)
from workers import operations, operations_alerts, operations_bulk, secrets_at_rest
from workers.accounts import learn_account
from workers.clients.errors import ApiFailure
from workers.integrations import ACTIVE, CONNECTING
from workers.operations import IntegrationView
from workers.services import Services
from workers.standing import Level, Standing, late

# A job that a bulk process looks after is looked at more often than this.
SOMEBODY_IS_THERE = timedelta(minutes=1)
# How something waits longer than it should, in the words of `workers.standing`.
WAITS = {
    "overdue": "{waits}. Is a worker running? See the log of `tltw worker`.",
    "away": "{api} not serve us at the moment; {waits}. Nothing is lost, it is tried again by itself.",
    "busy": "{waits}: they are brought over as fast as Teamleader allows.",
}
# What a command is refused for before anything could be looked at, as a check.
REFUSED = {SETTINGS: "settings", NOT_FOUND: "integration", NO_STORE: "store"}
DOES = {"teamleader": "Teamleader does", "twikey": "Twikey does", "both": "Teamleader and Twikey do"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    sentence: str


@click.command()
@click.option("--integration", "only", default=None, help="Only this one; otherwise all of them are looked at.")
@json_option
def doctor(only: str | None, as_json: bool) -> None:
    """Check the settings, the store, both APIs, and that every accepted event is accounted for."""
    try:
        with services() as opened:
            checks = _look(opened, only)
    except Refusal as refusal:
        # A monitor reads standard output alone: it must find there what is wrong on the worst night as well.
        if as_json and refusal.code in REFUSED:
            answer([Check(REFUSED[refusal.code], False, refusal.sentence)], as_json=True)
        raise
    if as_json:
        answer(checks, as_json=True)
    else:
        for check in checks:
            console.print(f"{'✓' if check.ok else '✗'} {check.name}: {check.sentence}", markup=False)
    if not all(check.ok for check in checks):
        raise SystemExit(FAILED)


def _look(services: Services, only: str | None) -> list[Check]:
    checks = [Check("settings", True, "All settings are there and well-formed.")]
    checks += [_store(services), _clock(services), machine_clock(services), secret_key(services), _alerts(services)]
    names = [chosen(services, only)] if only else services.registry.ids()
    if not names:
        checks.append(Check("integrations", False, "There is no integration yet. Add one: tltw integration add NAME"))
    for name in names:
        found = list(_of_integration(services, name))
        checks += found if len(names) == 1 else _in_short(name, found)
    return checks


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
    view = operations.view(services, name)
    yield _backlog(services, view)
    yield _sweep(services, name)
    yield _dead(view)


def _store(services: Services) -> Check:
    problems = durability_problems(services.store)
    return Check("store", not problems, " ".join(problems) or "The store answers and keeps what it promises.")


def _clock(services: Services) -> Check:
    seconds, _ = services.store.time()
    ticked = int(services.store.get(CLOCK_TICKED) or 0) / 1000
    if seconds - ticked <= CLOCK_SILENT_AFTER.total_seconds():
        return Check("clock", True, "The clock ticks.")
    return Check(
        "clock", False, "The clock does not tick: nothing is tried again. Is `tltw run` (or `tltw clock`) running?"
    )


def machine_clock(services: Services) -> Check:
    problem = clock_problem_here(services.store)
    return Check("machine clock", not problem, problem or "This machine and the store agree on the time.")


def secret_key(services: Services) -> Check:
    """Whether every secret is kept under the newest key, so that older ones may be taken out."""
    kept = secrets_at_rest.look(services)
    if kept.unreadable:
        return Check(
            "secret key",
            False,
            f"{kept.unreadable} stored secrets cannot be decrypted with any key of TLTW_SECRET_KEY. Put the key that was "
            "taken out back behind the new one; if it is lost, see docs/runbook.md, reconnect_needed.",
        )
    if kept.older:
        return Check(
            "secret key",
            False,
            f"{kept.older} secrets are still encrypted with an older key: do not take it out of TLTW_SECRET_KEY yet. "
            "The clock encrypts them anew within minutes of its start.",
        )
    if services.cipher.has_old_keys:
        return Check("secret key", True, "Every secret is encrypted with the newest key; the older ones may go.")
    return Check("secret key", True, "Every secret can be read.")


def _alerts(services: Services) -> Check:
    """Whether anybody can be told. What an open alert is about, the other checks judge as it is now."""
    view = operations_alerts.view(services, newest=1)
    failing = [f"{one.name} failed {one.failures} times: {one.why}" for one in view.channels if one.failures]
    if failing:
        return Check("alerts", False, f"{'; '.join(failing)} Try it: tltw alerts test")
    told = f"{len(view.open)} open: tltw alerts list" if view.open else "none is open"
    if view.reaches_nobody:
        sentence = f"Alerts only stand in the log, so nobody is woken (docs/alerts.md); {told}."
        return Check("alerts", True, sentence)
    return Check("alerts", True, f"Every channel works; {told}.")


def _backlog(services: Services, view: IntegrationView) -> Check:
    # The ledger's times are the store's, which may differ from this machine's.
    now = datetime.fromtimestamp(services.store.time()[0], UTC)
    found = late(view, now) if view.state == ACTIVE else None
    if found is None:
        return Check("backlog", True, "Nothing waits longer than it should.")
    said = WAITS[found.what].format(waits=_waits(found), api=DOES.get(found.api, ""))
    return Check("backlog", found.level is Level.WELL, said)


def _waits(found: Standing) -> str:
    since = when(found.since)
    return (
        f"1 update waits, since {since}"
        if found.count == 1
        else f"{found.count} updates wait, the oldest since {since}"
    )


def _sweep(services: Services, name: str) -> Check:
    ledger = services.ledger(name)
    if not ledger.auto_update() or ledger.state() != "active":
        return Check("sweep", True, "Nothing is swept while auto-update is off or the integration is held.")
    now, until = datetime.now(UTC), operations_bulk.swept_until(services, name)
    if now - until < operations_bulk.LATE:
        return Check("sweep", True, "Edits whose webhook was lost are found within minutes.")
    job = operations_bulk.job(services, name, "sweep")
    if job and not job.is_over and job.next_turn and now - job.next_turn < SOMEBODY_IS_THERE:
        return Check("sweep", True, "A long sweep is under way: tltw jobs show sweep")
    return Check(
        "sweep",
        False,
        f"The last complete sweep began {when(until)}, so edits whose webhook was lost since are not found. "
        "Is `tltw run` (or `tltw bulk`) running? See: tltw jobs show sweep",
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
    books = services.ledger(name).books()
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
    next_ = f"Connect it: tltw integration connect {name}; when only one step was red: tltw integration check {name}"
    if state != CONNECTING:
        next_ = f"Mend the cause, then: tltw integration resume {name}"
    return Check("integration", False, f"The integration is held: {state}. {next_}")


def _dead(view: IntegrationView) -> Check:
    if not view.dead:
        return Check("dead letters", True, "None.")
    return Check("dead letters", False, f"{view.dead} need a person. See: tltw dead-letters list")
