"""contacts.info, contacts.list, companies.info, companies.list."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import Any

from sandbox.teamleader.call import Answer, Call, CallRefused, Operation, moment, page_bounds, strings
from sandbox.teamleader.shapes import customer_in_info, customer_in_list, display_name, timestamp
from sandbox.teamleader.store import SORT_KEYS, Customer
from sandbox.world import Fields, Kind


def info(kind: Kind, call: Call) -> Answer:
    customer = call.account.find(kind, call.text("id"))
    if customer is None:
        raise CallRefused(404, "The requested resource could not be found")
    call.record.notes |= {"customer": customer.id, "version": customer.version}
    shown = customer_in_info(kind, customer.data, call.body.get("includes") or "")
    return 200, {"data": _with_link(kind, call, shown)}


def list_(kind: Kind, call: Call) -> Answer:
    includes = call.body.get("includes") or ""
    with call.account.lock:
        chosen = _choose(kind, call)
    return 200, {"data": [_with_link(kind, call, customer_in_list(kind, one.data, includes)) for one in chosen]}


def _with_link(kind: Kind, call: Call, shown: Fields) -> Fields:
    """The address of its page here (pages.py), unless it was made with another one."""
    page = f"{call.root}ui/customers/{kind}/{shown['id']}?account={call.account.id}"
    return shown | {"web_url": shown["web_url"] or page}


def _choose(kind: Kind, call: Call) -> Sequence[Customer]:
    """The asked page. Unknown filters and sort fields are ignored, as the real service does."""
    filters, bounds = call.mapping("filter"), page_bounds(call)
    sort, descending = _sorting(call)
    since = timestamp(moment(filters["updated_since"], "updated_since")) if filters.get("updated_since") else ""
    if _needs_a_look_at_each(filters):
        matching = [one for one in _candidates(kind, call, filters) if _matches(one.data, filters, since)]
        matching.sort(key=lambda one: (SORT_KEYS[sort](one.data), one.id), reverse=descending)
        return matching[bounds]
    ordered = call.account.customers.ordered(kind, sort, since)
    if not descending:
        return ordered[bounds]
    last = len(ordered) - 1
    return [ordered[last - n] for n in range(bounds.start, min(bounds.stop, last + 1))]


def _sorting(call: Call) -> tuple[str, bool]:
    wanted = call.body.get("sort") or []
    if not isinstance(wanted, list):
        raise CallRefused(400, "sort must be a list", field="sort")
    known = [rule for rule in wanted if isinstance(rule, dict) and rule.get("field") in SORT_KEYS]
    rule = next(islice(known, 1), {"field": "name"})
    return rule["field"], rule.get("order", "asc") == "desc"


def _needs_a_look_at_each(filters: Fields) -> bool:
    return any(filters.get(name) is not None for name in _TESTS) or filters.get("ids") is not None


def _candidates(kind: Kind, call: Call, filters: Fields) -> Iterable[Customer]:
    if filters.get("ids") is None:
        return call.account.customers.all(kind)
    ids = dict.fromkeys(strings(filters["ids"], "filter.ids"))
    return [one for one_id in ids if (one := call.account.customers.get(kind, one_id))]


def _matches(data: Fields, filters: Fields, since: str) -> bool:
    tests = (test(data, filters[name]) for name, test in _TESTS.items() if filters.get(name) is not None)
    return data["updated_at"] >= since and all(tests)


def _has_email(data: Fields, wanted: Fields) -> bool:
    address = str(wanted.get("email", "")).casefold()
    return any(entry["type"] == wanted.get("type") and entry["email"].casefold() == address for entry in data["emails"])


def _has_term(data: Fields, term: str) -> bool:
    """Names, e-mails, VAT number and phone digits, as a search box in a CRM would."""
    words = [display_name(data), data.get("vat_number") or ""]
    words += [entry["email"] for entry in data["emails"]]
    digits = re.sub(r"\D", "", term)
    numbers = [re.sub(r"\D", "", entry["number"]) for entry in data["telephones"]]
    in_words = term.casefold() in " ".join(words).casefold()
    return in_words or (len(digits) > 5 and any(digits in number for number in numbers))


_TESTS: dict[str, Callable[[Fields, Any], bool]] = {
    "email": _has_email,
    "term": _has_term,
    "status": lambda data, wanted: data["status"] == wanted,
    "tags": lambda data, wanted: set(wanted) <= set(data["tags"]),
    "vat_number": lambda data, wanted: data.get("vat_number") == wanted,
    "company_id": lambda data, wanted: any(link["company"]["id"] == wanted for link in data.get("companies", [])),
}

OPERATIONS: dict[str, Operation] = {
    "contacts.info": partial(info, "contact"),
    "contacts.list": partial(list_, "contact"),
    "companies.info": partial(info, "company"),
    "companies.list": partial(list_, "company"),
}
