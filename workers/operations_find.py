"""Finding customers by what a person knows of them: a name, an e-mail, a number, a link. In the ledger and live in Teamleader.

The ledger knows ids and no names, so names are asked of Teamleader; nothing that is found is kept. It gives way to live work.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import get_args

from mapping import Kind, entered, name_of
from mapping.csv_rows import as_document, teamleader_id
from mapping.values import tidy
from workers.ask import at_once, briefly, teamleader_says
from workers.clients.errors import ApiFailure
from workers.clients.teamleader.client import TeamleaderClient
from workers.integrations import ACTIVE
from workers.ledger.records import SubjectState
from workers.operations import subject_of
from workers.services import Services

KINDS: tuple[Kind, ...] = get_args(Kind)
LISTS: Mapping[Kind, str] = {"contact": "contacts.list", "company": "companies.list"}
# Of each kind, so a page holds twice as many.
PAGE = 10
LAST_PAGE = 100
# Customers that one call can name, and how long somebody who wants names waits for a free call.
NAMED_AT_ONCE = 100
NAMES_PATIENCE_SECONDS = 1.0
LONGEST = 120
ENDS_OF_A_PREFIX = ("-", ".", "_")
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
OLD_LINK = re.compile(r"[?&]id=([0-9A-Za-z-]{1,64})(?![^&#\s])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One customer. Without a name when Teamleader could not be asked. `state` None: nothing was ever heard of it here."""

    subject: str
    kind: Kind
    id: str
    name: str = ""
    email: str = ""
    city: str = ""
    vat_number: str = ""
    state: SubjectState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of what was found. `failure`: why Teamleader could not be asked, or not of both kinds; the rest is there.

    `active`: the work of the integration runs.
    """

    words: str
    page: int = 1
    hits: tuple[Hit, ...] = ()
    more: bool = False
    failure: ApiFailure | None = None
    active: bool = True


def find(services: Services, integration: str, words: str, *, page: int = 1) -> Found:
    """Contacts and companies that fit, a page of both together. Two calls to Teamleader; without words none."""
    words = tidy(words)[:LONGEST]
    page = min(max(page, 1), LAST_PAGE)
    if not words:
        return Found(words="")
    ids = ids_in(words, services.integration(integration).customer_number_prefix)
    asked = _asked(words, ids, page)
    answers = at_once(*(partial(teamleader_says, services, integration, partial(_list, kind, asked)) for kind in KINDS))
    hits = [
        hit for kind, rows in zip(KINDS, answers, strict=True) if isinstance(rows, list) for hit in _hits(kind, rows)
    ]
    # What Teamleader itself said says more than that the other list was not asked for any more.
    failures = sorted((one for one in answers if isinstance(one, ApiFailure)), key=lambda one: one.status is None)
    return Found(
        words=words,
        page=page,
        hits=_with_states(services, integration, sorted(hits, key=_by_name), ids),
        more=not ids and any(isinstance(rows, list) and len(rows) >= PAGE for rows in answers) and page < LAST_PAGE,
        failure=failures[0] if failures else None,
        active=services.ledger(integration).state() == ACTIVE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of customers by their subjects. `complete` False: Teamleader could not be asked, or not of both kinds."""

    of: Mapping[str, str] = field(default_factory=dict, repr=False)
    complete: bool = True


def names_of(services: Services, integration: str, subjects: Sequence[str], *, most: timedelta | None = None) -> Names:
    """The names that go with the ids of a page, as far as Teamleader tells them soon. A call for each kind, at most.

    Never fails for Teamleader's sake and takes no longer than `most` (None: as long as the calls themselves may), as nobody needs the names to act. Takes no call that live
    work wants, and none while work is held. Of invoices it says nothing.
    """
    assert len(subjects) <= NAMED_AT_ONCE, "one page of a list at a time"
    asked = {kind: ids for kind in KINDS if (ids := _ids_of(kind, subjects))}
    if not asked:
        return Names()
    if services.ledger(integration).state() != ACTIVE:
        return Names(complete=False)
    questions = [partial(_names, services, integration, kind, ids) for kind, ids in asked.items()]
    answers = at_once(*questions) if most is None else briefly(services, most, *questions)
    told = [one for one in answers if not isinstance(one, ApiFailure)]
    return Names(of={subject: name for one in told for subject, name in one.items()}, complete=len(told) == len(asked))


def _ids_of(kind: Kind, subjects: Sequence[str]) -> list[str]:
    return [subject.partition(":")[2] for subject in subjects if subject.startswith(f"{kind}:")]


def _names(services: Services, integration: str, kind: Kind, ids: Sequence[str]) -> dict[str, str]:
    body = {"filter": {"ids": list(ids)}, "page": {"size": len(ids), "number": 1}}
    rows = teamleader_says(services, integration, partial(_list, kind, body), patience_seconds=NAMES_PATIENCE_SECONDS)
    return {hit.subject: hit.name for hit in _hits(kind, rows) if hit.name}


def ids_in(words: str, prefix: str = "") -> tuple[str, ...]:
    """The Teamleader ids that somebody typed or pasted: alone, as a customer number, as a subject or within a link."""
    if found := ID.findall(words):
        return tuple(dict.fromkeys(one.lower() for one in found))
    if "://" in words:
        return tuple(OLD_LINK.findall(words)[:1])
    kind, _, rest = words.partition(":")
    if kind in KINDS and _is_one(teamleader_id(rest, ""), ""):
        return (rest,)
    numbered = teamleader_id(words, prefix) if prefix else ""
    return (numbered,) if _is_one(numbered, prefix) else ()


def _is_one(rest: str, prefix: str) -> bool:
    """Whether what follows a prefix is an id: with the prefix `BE` a VAT number begins like a customer number, and names do."""
    return "-" in rest or (bool(rest) and prefix.endswith(ENDS_OF_A_PREFIX))


def _list(kind: Kind, asked: Mapping[str, object], teamleader: TeamleaderClient) -> list[dict[str, object]]:
    return teamleader.rows(LISTS[kind], asked)


def _asked(words: str, ids: Sequence[str], page: int) -> dict[str, object]:
    return {
        "filter": {"ids": list(ids)} if ids else {"term": words},
        "page": {"size": PAGE, "number": 1 if ids else page},
        "sort": [{"field": "name", "order": "asc"}],
    }


def _hits(kind: Kind, rows: Sequence[Mapping[str, object]]) -> list[Hit]:
    return [hit for row in rows if (hit := _hit(kind, row)) is not None]


def _hit(kind: Kind, row: Mapping[str, object]) -> Hit | None:
    customer_id = str(row.get("id") or "")
    try:
        subject = subject_of(kind, customer_id)
    except ValueError:
        return None
    told = entered(kind, as_document(row))
    return Hit(
        subject=subject,
        kind=kind,
        id=customer_id,
        name=name_of(kind, row),
        email=told["email"],
        city=told["city"],
        vat_number=told.get("vatno", ""),
    )


def _by_name(hit: Hit) -> tuple[str, str]:
    return hit.name.casefold(), hit.subject


def _with_states(services: Services, integration: str, hits: Sequence[Hit], ids: Sequence[str]) -> tuple[Hit, ...]:
    """Each with what the ledger knows; and of those asked for by id also who is in the ledger alone. One round trip."""
    found = {hit.subject: hit for hit in hits}
    asked = {f"{kind}:{one}": Hit(subject=f"{kind}:{one}", kind=kind, id=one) for one in ids for kind in KINDS}
    everybody = {**asked, **found}
    states = services.ledger(integration).look_at(list(everybody)) if everybody else []
    known = [replace(hit, state=state) for hit, state in zip(everybody.values(), states, strict=True)]
    return tuple(hit for hit in known if hit.state is not None or hit.subject in found)
