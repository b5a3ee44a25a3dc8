"""Brings one customer into Twikey: update it, else create it. Asks before every call whether it still may.

The update (PATCH) goes first, as creating (PUT) replaces a customer whole: one that exists is never created.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from mapping import TwikeyCustomer
from workers.clients.errors import Refused, UnknownCustomer
from workers.clients.twikey.client import TwikeyClient
from workers.sync.decide import Plan, Skip

UNKNOWN_IN_TWIKEY = "unknown_in_twikey"
ALREADY_KNOWN = "already_known"
WITHOUT_COMPANY_NAME = "without_company_name"
# What Twikey refuses to change once a customer has signed: seen in its own Business Central connector, which then sends
# everything else (github.com/twikey/msbusinesscentral, SCA.TWI.TwikeyMgt.al, looked up 2026-11-22).
NAME_FIELDS = frozenset({"companyName", "coc"})


@dataclass(frozen=True, slots=True)
class Written:
    """Twikey took it. `remark`: a short reason when not everything was taken. `created`: it did not know the customer."""

    remark: str = ""
    created: bool = False


def upsert(customer: TwikeyCustomer, plan: Plan, twikey: TwikeyClient, check: Callable[[bool], None]) -> Written | Skip:
    """Writes the customer. `check(writes)` is called right before each call and raises when the work is no longer ours."""
    if plan.unknown_only:
        return _create_if_unknown(customer, twikey, check)
    try:
        return _update(customer, twikey, check)
    except UnknownCustomer:
        if not plan.may_create:
            return Skip(UNKNOWN_IN_TWIKEY)
    return _create(customer, twikey, check)


def _create_if_unknown(customer: TwikeyCustomer, twikey: TwikeyClient, check: Callable[[bool], None]) -> Written | Skip:
    if twikey.get(customer.number, before_send=partial(check, False)) is not None:
        return Skip(ALREADY_KNOWN)
    return _create(customer, twikey, check)


def _create(customer: TwikeyCustomer, twikey: TwikeyClient, check: Callable[[bool], None]) -> Written:
    fields = {**customer.fields, **customer.creation_fields}
    twikey.create(customer.number, fields, before_send=partial(check, True))
    return Written(created=True)


def _update(customer: TwikeyCustomer, twikey: TwikeyClient, check: Callable[[bool], None]) -> Written:
    try:
        twikey.update(customer.number, customer.fields, before_send=partial(check, True))
        return Written()
    except Refused as refused:
        if not may_be_the_name(refused, customer.fields):
            raise
    rest = {name: value for name, value in customer.fields.items() if name not in NAME_FIELDS}
    twikey.update(customer.number, rest, before_send=partial(check, True))
    return Written(WITHOUT_COMPANY_NAME)


def may_be_the_name(refused: Refused, sent: Mapping[str, str]) -> bool:
    """Whether an update may have been refused because of the company's name or enterprise number alone."""
    names_another_field = refused.field not in ("", *NAME_FIELDS) or refused.code.startswith("err_invalid_e")
    return refused.status == 400 and "companyName" in sent and not names_another_field
