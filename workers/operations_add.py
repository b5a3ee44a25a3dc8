"""Adding one customer to Twikey by hand: a form that the mapping fills in, and writing what a person made of it.

Only a customer that Twikey does not know is added; one that it knows is updated as always (`operations.refresh`). While it
looks and writes the customer is borrowed from the ledger, so no worker and no import writes it meanwhile. Pressing again is
harmless: it looks first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from mapping import (
    CannotMap,
    Kind,
    Problem,
    Remark,
    TwikeyCustomer,
    Variant,
    customer_number,
    entered,
    form_fields,
    name_of,
    read_typed,
    suggested,
)
from workers import audit
from workers.ask import at_once, teamleader_says, twikey_has
from workers.clients.errors import ApiFailure
from workers.customer import CC, id_of, kind_of, number_of, parameter
from workers.ledger import Cause
from workers.loans import Loans, NotOurs, borrow
from workers.services import Services
from workers.sync.freshness import moment, seen_until
from workers.sync.run import Tools

# `wrong`: what was typed cannot be sent. `known`: Twikey has it already. `busy`: somebody else writes it now.
# `paused`: Twikey wants no calls. `held`: no work of the integration runs.
Outcome = Literal["added", "wrong", "known", "busy", "paused", "held"]


@dataclass(frozen=True, slots=True)
class Added:
    """What became of adding. `problems`: all that is wrong with what was typed."""

    outcome: Outcome
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The form of one customer, before anybody touched it.

    `fields`: every field that can be filled in, by the names of the table. `withheld`: those that Teamleader has and that are
    not carried over while auto-update is off. `known`: whether Twikey has the customer, None when it could not be asked.
    `seen`: up to which `updated_at` of Teamleader the form holds everything; empty when that is not known.
    """

    subject: str
    kind: Kind
    number: str
    name: str = ""
    auto_update: bool
    seen: str = ""
    fields: Mapping[str, str]
    withheld: frozenset[str] = frozenset()
    remarks: tuple[Remark, ...] = ()
    problems: tuple[Problem, ...] = ()
    known: bool | None = None
    failures: tuple[ApiFailure, ...] = ()


def propose(services: Services, integration: str, subject: str) -> Proposal:
    """What would be added, to be looked at and changed; one call to each API, and nothing is written.

    Raises what Teamleader's client raises: without Teamleader there is nothing to propose.
    """
    tools = services.tools(integration)
    kind, number = kind_of(subject), number_of(subject, tools.mapping)
    before = datetime.now(UTC)
    document, in_twikey = at_once(
        lambda: teamleader_says(services, integration, lambda teamleader: teamleader.customer(kind, id_of(subject))),
        lambda: twikey_has(services, integration, number) if number else None,
    )
    if isinstance(document, ApiFailure):
        raise document
    assert document is not None, "Teamleader answers with a record or not at all"
    away = isinstance(in_twikey, ApiFailure)
    return _proposed(
        tools,
        subject,
        number,
        document,
        seen=seen_until(document, before),
        known=None if away else in_twikey is not None,
        failures=(in_twikey,) if isinstance(in_twikey, ApiFailure) else (),
    )


def again(
    services: Services,
    integration: str,
    subject: str,
    typed: Mapping[str, str],
    added: Added | None = None,
    *,
    seen: str = "",
) -> Proposal:
    """The form as somebody filled it in, to be shown once more with what is wrong. Asks nobody."""
    tools, kind = services.tools(integration), kind_of(subject)
    auto_update = tools.ledger.auto_update()
    names = form_fields(kind, tools.mapping, full=auto_update)
    return Proposal(
        subject=subject,
        kind=kind,
        number=number_of(subject, tools.mapping),
        auto_update=auto_update,
        seen=seen if moment(seen) else "",
        fields={name: typed.get(name, "") for name in names},
        problems=added.problems if added else (),
    )


def add(
    services: Services, integration: str, subject: str, typed: Mapping[str, str], *, seen: str = "", by: str
) -> Added:
    """Adds what was typed to Twikey, or says why not. Raises an `ApiFailure`; then nothing was added.

    `seen`: that of the proposal. When the ledger has seen a newer edit since, that edit is owed and brought over afterwards.
    After an `Unavailable` it may have been added all the same; adding again tells.
    """
    tools = services.tools(integration)
    try:
        customer = check(services, integration, subject, typed)
    except CannotMap as cannot:
        return Added("wrong", cannot.problems)
    try:
        with borrow(tools.ledger, [subject]) as loans:
            return Added(_add(services, tools, loans, subject, customer, seen=seen, by=by))
    except NotOurs as stop:
        return Added(stop.why if stop.why in ("paused", "held") else "busy")


def check(services: Services, integration: str, subject: str, typed: Mapping[str, str]) -> TwikeyCustomer:
    """What was typed, as Twikey would take it. Raises `CannotMap` with every mistake. Asks nobody."""
    tools = services.tools(integration)
    number = customer_number(id_of(subject), tools.mapping.customer_number_prefix)
    return read_typed(kind_of(subject), number, typed, tools.mapping, full=tools.ledger.auto_update())


def problems(services: Services, integration: str, subject: str, typed: Mapping[str, str]) -> tuple[Problem, ...]:
    """All that is wrong with what was typed. Asks nobody."""
    try:
        check(services, integration, subject, typed)
    except CannotMap as cannot:
        return cannot.problems
    return ()


def _add(
    services: Services, tools: Tools, loans: Loans, subject: str, customer: TwikeyCustomer, *, seen: str, by: str
) -> Outcome:
    """Raises `NotOurs`."""
    if tools.twikey.get(customer.number, before_send=partial(loans.check, writes=False)) is not None:
        return "known"
    # Before it is done: whatever happens then, the log says who wanted it.
    entry = audit.note(services.store, by=by, what="add", integration=tools.integration.id, subject=subject)
    if _edited_since(tools, subject, moment(seen)):
        # That edit is settled, and what we write is older: Teamleader has the last word. Marked before the write, so
        # that it is owed also when we die right after it; nobody works on it before the loan is over.
        tools.ledger.mark(subject, frozenset({Cause.SWEEP}))
    fields = {**customer.fields, **customer.creation_fields}
    tools.twikey.create(customer.number, fields, before_send=partial(loans.check, writes=True))
    loans.brought = True
    if tools.ledger.auto_update() and moment(seen):
        # Less than the full customer may leave something for a sweep to find.
        loans.source_updated_at = seen
    # While it is on loan the ledger has a record of it, and so its story has a place, even of one never heard of.
    tools.ledger.noted(subject, entry)
    return "added"


def _edited_since(tools: Tools, subject: str, seen: datetime | None) -> bool:
    """Whether the ledger is done with a newer state of the customer than the form was made from."""
    state = tools.ledger.look(subject)
    newest = moment(state.source_updated_at) if state else None
    return newest is not None and (seen is None or newest > seen)


def _proposed(
    tools: Tools,
    subject: str,
    number: str,
    document: Mapping[str, object],
    *,
    seen: str,
    known: bool | None,
    failures: tuple[ApiFailure, ...],
) -> Proposal:
    kind, auto_update = kind_of(subject), tools.ledger.auto_update()
    names = form_fields(kind, tools.mapping, full=auto_update)
    customer, problems = _suggested(kind, document, tools, auto_update=auto_update)
    sent = {name: customer.fields.get(parameter(name, tools.mapping), "") if customer else "" for name in names}
    told = entered(kind, document)
    full, _ = _suggested(kind, document, tools, auto_update=True)
    of_full = full.fields if full else {}
    return Proposal(
        subject=subject,
        kind=kind,
        number=number,
        name=name_of(kind, document),
        auto_update=auto_update,
        seen=seen,
        fields=sent,
        withheld=frozenset(name for name in told if of_full.get(parameter(name, tools.mapping)) and not sent.get(name)),
        remarks=tuple(one for one in (customer.warnings if customer else ()) if one.field in names or one.field == CC),
        problems=problems,
        known=known,
        failures=failures,
    )


def _suggested(
    kind: Kind, document: Mapping[str, object], tools: Tools, *, auto_update: bool
) -> tuple[TwikeyCustomer | None, tuple[Problem, ...]]:
    variant = Variant.FULL if auto_update else Variant.MANUAL
    try:
        return suggested(kind, document, variant=variant, settings=tools.mapping)
    except CannotMap as refused:
        return None, refused.problems
