"""What an operator can do with an integration and a single customer: one function per act, for command line and console alike.

What is left out here has a module of its own: `operations_bulk`, `operations_files`, `operations_find` and so on, and for
adding, changing, connecting and removing integrations and people `integrations`, `connect` and `operators`.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from config.integrations import BY_NAME, Integration, OptionsWrong
from config.keys import IntegrationKeys
from config.secrets import SecretUnreadable
from mapping import CannotMap, Kind, Problem, Remark, TwikeyCustomer, Variant, customer_number, map_customer
from workers import audit
from workers.clients.twikey.session import forgive_refusal
from workers.figures import Hour, last_hours
from workers.integrations import ACTIVE, CONNECTING, HIDDEN, PAUSED, UNREADABLE
from workers.ledger import Cause, Ledger, glances
from workers.ledger.records import Activity, Books, DeadLetter, Glance, SubjectState
from workers.registration import address_of
from workers.services import Services
from workers.sync.compare import Difference, differences

KINDS = ("contact", "company")
REPLAY_BATCH = 100
BY_OPERATOR = "paused_by_operator"


@dataclass(frozen=True, slots=True)
class Preview:
    """What a sync would do, without doing it. `customer` is None when it cannot be mapped; then `problems` says why."""

    subject: str
    number: str
    source: Mapping[str, object]
    customer: TwikeyCustomer | None
    problems: tuple[Problem, ...]
    warnings: tuple[Remark, ...]
    in_twikey: Mapping[str, object] | None
    differences: tuple[Difference, ...]
    state: SubjectState | None


@dataclass(frozen=True, slots=True)
class IntegrationView:
    """One integration at a glance.

    `customers`: how many were brought to Twikey and are not gone; `changed`: when the last one was. `owed_since`: since when the
    customer waits that waits longest. `in_trouble`: the APIs that fail or ask us to stay away.
    """

    id: str
    label: str
    auto_update: bool
    state: str
    state_reason: str
    state_since: datetime | None
    books: Books
    dead: int
    held: int
    customers: int
    owed_since: datetime | None
    changed: datetime | None
    in_trouble: tuple[str, ...] = ()


def new_event_id() -> str:
    """An id that follows an event through ledger and logs."""
    return "ev_" + secrets.token_urlsafe(9)


def subject_of(kind: str, customer_id: str) -> str:
    """The subject of a customer. Raises ValueError for anything that is not a customer of Teamleader."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of customer: say contact or company")
    if not customer_id or len(customer_id) > 64 or not customer_id.replace("-", "").isalnum():
        raise ValueError("that is not a Teamleader id: it looks like 2a39e420-3ba3-4384-8024-fa702ef99c9f")
    return f"{kind}:{customer_id}"


def refresh(services: Services, integration: str, subject: str, *, by: str) -> str:
    """Asks for one customer to be brought up to date, also with auto-update off; answers the event id."""
    entry = audit.note(services.store, by=by, what="refresh", integration=integration, subject=subject)
    return _mark(services, integration, subject, Cause.OPERATOR, entry)


def replay(services: Services, integration: str, subject: str, *, by: str) -> str | None:
    """Asks for a dead letter to be tried again; None when it is not dead (any more), which is harmless."""
    state = services.ledger(integration).look(subject)
    if state is None or state.story is None:
        return None
    entry = audit.note(services.store, by=by, what="replay", integration=integration, subject=subject)
    return _mark(services, integration, subject, Cause.REPLAY, entry)


def dead_letters(services: Services, integration: str, *, reason: str = "") -> Iterator[DeadLetter]:
    """The dead letters, oldest first, optionally of one reason only."""
    ledger, offset = services.ledger(integration), 0
    while page := ledger.dead_letters(offset=offset, limit=REPLAY_BATCH):
        offset += len(page)
        yield from (letter for letter in page if not reason or letter.story.reason == reason)


def discard(services: Services, integration: str, subject: str, why: str, *, by: str) -> bool:
    """Gives a dead letter up, for a reason that is kept; False when it is not dead."""
    ledger = services.ledger(integration)
    if not ledger.discard(subject, why):
        return False
    entry = audit.note(services.store, by=by, what="discard", integration=integration, subject=subject, after=why)
    ledger.noted(subject, entry)
    return True


def set_auto_update(services: Services, integration: str, *, on: bool, by: str) -> int:
    """Turns the option *Import invoices and update customers automatically*; answers how many customers are held."""
    ledger = services.ledger(integration)
    words = {True: "on", False: "off"}
    audit.note(
        services.store,
        by=by,
        what="auto_update",
        integration=integration,
        before=words[ledger.auto_update()],
        after=words[on],
    )
    ledger.set_auto_update(on)
    return ledger.held_count()


def pause(services: Services, integration: str, *, by: str) -> None:
    """Holds all work of an integration until it is resumed. What arrives meanwhile is kept. Raises ValueError before it is connected."""
    if services.ledger(integration).state() == CONNECTING:
        # Its work is held already; and resuming it would make it active without a connection.
        raise ValueError(f"{integration} is not connected yet, so nothing runs that could be paused")
    _set_state(services, integration, PAUSED, by=by, reason=BY_OPERATOR)


def resume(services: Services, integration: str, *, by: str) -> bool:
    """Lets held work run again, after the cause (paused, reconnect needed) was mended; False when it was active already.

    Raises ValueError before it is connected.
    """
    state = services.ledger(integration).state()
    if state == CONNECTING and not services.store.exists(IntegrationKeys(integration).token):
        raise ValueError(f"{integration} is not connected to Teamleader yet: tltw integration connect {integration}")
    forgive_refusal(services.store, IntegrationKeys(integration))
    if state == ACTIVE:
        return False
    _set_state(services, integration, ACTIVE, by=by)
    return True


def view(services: Services, integration: str) -> IntegrationView:
    """One integration at a glance, its books read at one instant. Also of one whose secrets cannot be read."""
    label = _label(services, integration)
    (glance,) = glances(services.scripts, [integration], at_one_instant=True)
    return _view(integration, label, glance)


def views(services: Services, integrations: Sequence[Integration]) -> list[IntegrationView]:
    """Each integration at a glance, however many: one round trip. Their books may move while they are read."""
    found = glances(services.scripts, [one.id for one in integrations])
    return [_view(known.id, known.label, glance) for known, glance in zip(integrations, found, strict=True)]


def _label(services: Services, integration: str) -> str:
    try:
        return services.integration(integration).label
    except (SecretUnreadable, OptionsWrong):
        return services.registry.readable_options_of(integration)[0].get("label", "")


def _view(integration: str, label: str, glance: Glance) -> IntegrationView:
    survey = glance.survey
    return IntegrationView(
        id=integration,
        label=label,
        auto_update=survey.auto_update,
        state=survey.standing.state,
        state_reason=survey.standing.reason,
        state_since=survey.standing.since,
        books=glance.books,
        dead=survey.dead,
        held=glance.held,
        customers=glance.customers,
        owed_since=survey.owed_since,
        changed=glance.changed,
        in_trouble=survey.in_trouble,
    )


def last_day(services: Services, integration: str) -> list[Hour]:
    """What happened in each of the last 24 hours, oldest first; the last one is under way."""
    return last_hours(services.store, [integration], now=datetime.now(UTC))[integration]


def activity(services: Services, integration: str, *, number: int) -> list[Activity]:
    """What happened lately, of all subjects, oldest first; of the last ten thousand or so."""
    return services.ledger(integration).activity(newest=number)


def options_shown(services: Services, integration: str) -> dict[str, str]:
    """The options of an integration that are not at their default, secrets hidden; of those that cannot be read it says so."""
    texts, unreadable = services.registry.readable_options_of(integration)
    shown = {
        name: HIDDEN if BY_NAME[name].secret else text
        for name, text in texts.items()
        if text and text != BY_NAME[name].default
    }
    return shown | dict.fromkeys(sorted(unreadable), UNREADABLE)


def audit_log(services: Services, integration: str = "") -> Iterator[audit.Entry]:
    """Who changed what, newest first; of one integration only when it is named."""
    return audit.entries(services.store, integration=integration)


def address(services: Services, integration: str) -> str:
    """The signed webhook address of an integration. It is a secret."""
    return address_of(services, services.integration(integration))


def preview(services: Services, integration: str, subject: str) -> Preview:
    """Fetches a customer from both sides and compares; writes nothing. Raises what the clients raise."""
    tools = services.tools(integration)
    kind, _, customer_id = subject.partition(":")
    source = tools.teamleader.customer(kind, customer_id)
    number = customer_number(customer_id, tools.mapping.customer_number_prefix)
    in_twikey = tools.twikey.get(number)
    variant = Variant.FULL if tools.ledger.auto_update() else Variant.MANUAL
    customer: TwikeyCustomer | None = None
    problems: tuple[Problem, ...] = ()
    try:
        customer = map_customer(cast(Kind, kind), source, variant=variant, settings=tools.mapping)
    except CannotMap as refused:
        problems = refused.problems
    return Preview(
        subject=subject,
        number=number,
        source=source,
        customer=customer,
        problems=problems,
        warnings=customer.warnings if customer else (),
        in_twikey=in_twikey,
        differences=differences(customer, in_twikey) if customer else (),
        state=tools.ledger.look(subject),
    )


def _set_state(services: Services, integration: str, state: str, *, by: str, reason: str = "") -> None:
    ledger = services.ledger(integration)
    audit.note(services.store, by=by, what="state", integration=integration, before=ledger.state(), after=state)
    ledger.set_state(state, reason)


def _mark(services: Services, integration: str, subject: str, cause: Cause, entry: str) -> str:
    event_id = new_event_id()
    ledger: Ledger = services.ledger(integration)
    wake = ledger.mark(subject, frozenset({cause}), event_id=event_id).wake
    # If we die before this, the story does not tell who it was; the audit log does.
    ledger.noted(subject, entry)
    if wake:
        services.wake(integration, subject)
    return event_id
