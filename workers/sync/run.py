"""One piece of work, from the claim to its end: claim → decide → fetch → map → compare → still mine? → upsert → commit."""

import base64
import hashlib
import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import cast

import redis
import structlog

from config.integrations import Integration, OptionsWrong
from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from mapping import CannotMap, Kind, MappingSettings, TwikeyCustomer, Variant, fingerprint, map_customer
from workers.clients.errors import (
    ApiFailure,
    CredentialsUnreadable,
    NotFound,
    ReconnectNeeded,
    Throttled,
    Unavailable,
    may_land_later,
)
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.twikey.client import TwikeyClient
from workers.ledger import Claim, Ledger, Outcome, Refusal
from workers.ledger.ledger import StillMine
from workers.reconnect import hold_for_reconnect
from workers.sync.decide import AUTO_UPDATE_OFF, WITHHELD, LookOnly, Plan, Skip, decide, decide_invoice
from workers.sync.failure_policy import INTERNAL, SETTINGS_UNREADABLE, judge
from workers.sync.freshness import seen_until
from workers.sync.invoice import customer_of
from workers.sync.upsert import Written, upsert

log = structlog.get_logger()
BOTH = ("teamleader", "twikey")
# Others may be able to read them, and mostly take the customer up first.
UNREADABLE_FOR = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything the work on one integration needs."""

    integration: Integration
    ledger: Ledger
    teamleader: TeamleaderClient
    twikey: TwikeyClient
    mapping: MappingSettings
    wake: Callable[[str], None]
    renewed: Callable[[], "Tools"]
    """The tools as they are after the integration was changed."""


@dataclass(frozen=True, slots=True)
class End:
    """How the work ended well. `answered`: the APIs that served us."""

    outcome: Outcome
    reason: str = ""
    fingerprint: str = ""
    source_updated_at: str = ""
    hold: bool = False
    answered: tuple[str, ...] = ("teamleader",)
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Read:
    """What a run has read from Teamleader so far: known also when it fails later. Empty for what is not fully brought over."""

    seen_until: str = ""


class NotMine(Exception):
    """The ledger no longer lets us go on: `lost`, `off` or `paused`."""

    def __init__(self, why: StillMine) -> None:
        super().__init__(why)
        self.why: StillMine = why


class NotRenewed(Exception):
    """The integration was changed, and this process cannot read it as it is now; the cause says why."""


def work_on(subject: str, tools: Tools) -> bool | None:
    """Does what is owed to a subject, if anything; answers whether the APIs did, None when they were not asked.

    Raises only `redis.RedisError`; then the lease ends by itself.
    """
    claim = tools.ledger.claim(subject)
    if isinstance(claim, Refusal):
        log.debug("Not now.", subject=subject, integration=tools.integration.id, reason=claim.reason)
        return None
    with structlog.contextvars.bound_contextvars(
        integration=tools.integration.id, subject=subject, event_id=claim.event_id
    ):
        read = Read()
        try:
            tools = _as_of(claim, tools)
            end = _invoice(claim, tools) if subject.startswith("invoice:") else _customer(claim, tools, read)
        except NotRenewed as stop:
            _leave_to_others(stop.__cause__, claim, tools)
            return None
        except CredentialsUnreadable as unreadable:
            _leave_to_others(unreadable, claim, tools)
            return None
        except NotMine as stop:
            _walk_away(stop.why, claim, tools)
            return None
        except NotFound:
            _commit(End(Outcome.GONE), claim, tools)
        except redis.RedisError:
            raise
        except Exception as failure:  # noqa: BLE001 # judged, logged and kept: nothing may get stuck silently
            _fail(failure, claim, tools, read)
            return not isinstance(failure, Unavailable)
        else:
            _commit(end, claim, tools)
    return True


def _as_of(claim: Claim, tools: Tools) -> Tools:
    """The tools of the integration as it was at the claim, or as it became since."""
    if claim.revision == tools.integration.revision:
        return tools
    try:
        return tools.renewed()
    except redis.RedisError:
        raise
    except Exception as failure:
        raise NotRenewed from failure


def _customer(claim: Claim, tools: Tools, read: Read) -> End:
    plan = decide(claim.causes, auto_update=claim.auto_update, create_unknown=tools.integration.create_unknown)
    if isinstance(plan, Skip):
        return _skipped(plan, answered=())
    kind, _, customer_id = claim.subject.partition(":")
    document = tools.teamleader.customer(kind, customer_id, reserved=True)
    if isinstance(plan, LookOnly):
        return _skipped(Skip(AUTO_UPDATE_OFF))
    if plan.variant is Variant.FULL:
        # Less than the full customer may leave something for a sweep to find.
        read.seen_until = seen_until(document, claim.at)
    customer = map_customer(cast(Kind, kind), document, variant=plan.variant, settings=tools.mapping)
    if plan.variant is Variant.FULL:
        return _bring(customer, plan, claim, tools, read.seen_until)
    full = map_customer(cast(Kind, kind), document, variant=Variant.FULL, settings=tools.mapping)
    return _bring_a_part(customer, full, plan, claim, tools)


def _bring_a_part(customer: TwikeyCustomer, full: TwikeyCustomer, plan: Plan, claim: Claim, tools: Tools) -> End:
    """Brings over what may be while auto-update is off, and remarks what was left out: nobody is to take it for complete."""
    end = _bring(customer, plan, claim, tools, "", full)
    left_out = any(value and customer.fields.get(name) != value for name, value in full.fields.items())
    complete = end.outcome is Outcome.SKIPPED or end.fingerprint == _what_twikey_has(full, tools.integration)
    return replace(end, reason=WITHHELD) if left_out and not complete else end


def _bring(
    customer: TwikeyCustomer,
    plan: Plan,
    claim: Claim,
    tools: Tools,
    updated_at: str,
    full: TwikeyCustomer | None = None,
) -> End:
    """`full`: all that is to be brought over some day, when this is a part of it."""
    print_ = _what_twikey_has(customer, tools.integration)
    if print_ == claim.fingerprint and not plan.always_write and not claim.must_write:
        return End(Outcome.UNCHANGED, fingerprint=print_, source_updated_at=updated_at)

    def check(writes: bool) -> None:
        answer = tools.ledger.still_mine(claim, "twikey", automatic=plan.gated, writes=writes)
        if answer != "mine":
            raise NotMine(answer)

    done = upsert(customer, plan, tools.twikey, check)
    if isinstance(done, Skip):
        return _skipped(done, answered=BOTH, updated_at=updated_at)
    if (
        full
        and not (done.created or claim.must_write)
        and claim.fingerprint == _what_twikey_has(full, tools.integration)
    ):
        # All of it was there, no late write may have gone over it, and sending a part of it again took nothing away.
        print_ = claim.fingerprint
    warnings = tuple(f"{warning.field}: {warning.reason}" for warning in customer.warnings)
    return replace(_synced(done, print_, updated_at), warnings=warnings)


def _what_twikey_has(customer: TwikeyCustomer, integration: Integration) -> str:
    """A fingerprint of the customer, of its number and of the Twikey account: in another account it is not there yet."""
    where = f"{integration.twikey.api_url}\n{integration.twikey.api_token}\n{customer.number}\n{fingerprint(customer)}"
    return base64.urlsafe_b64encode(hashlib.sha256(where.encode()).digest()[:16]).decode().rstrip("=")


def _synced(done: Written, print_: str, updated_at: str) -> End:
    # When Twikey did not take everything the next sync must try again: no fingerprint then.
    return End(Outcome.SYNCED, done.remark, "" if done.remark else print_, updated_at, answered=BOTH)


def _invoice(claim: Claim, tools: Tools) -> End:
    cause = decide_invoice(claim.causes, auto_update=claim.auto_update)
    if isinstance(cause, Skip):
        return _skipped(cause, answered=())
    invoice = tools.teamleader.invoice(claim.subject.partition(":")[2], reserved=True)
    updated_at = seen_until(invoice, claim.at)
    customer = customer_of(invoice)
    if isinstance(customer, Skip):
        return _skipped(customer, updated_at=updated_at)
    # If we die after this mark and before the commit, the invoice is read again and its customer marked again.
    marked = tools.ledger.mark(customer, frozenset({cause}), event_id=claim.event_id)
    if marked.wake:
        tools.wake(customer)
    return End(Outcome.SYNCED, "customer_marked", source_updated_at=updated_at)


def _skipped(skip: Skip, answered: tuple[str, ...] = ("teamleader",), updated_at: str = "") -> End:
    return End(Outcome.SKIPPED, skip.reason, source_updated_at=updated_at, hold=skip.hold, answered=answered)


def _walk_away(why: StillMine, claim: Claim, tools: Tools) -> None:
    if why == "off":
        # Switched off since the claim. What is automatic is held, like an event that arrives while it is off; what
        # somebody asked for (a manual invoice import) is decided anew, by the rules of "off".
        if all(cause.automatic for cause in claim.causes):
            _commit(End(Outcome.SKIPPED, AUTO_UPDATE_OFF, hold=True), claim, tools)
        else:
            tools.ledger.fail(claim, "defer", reason=AUTO_UPDATE_OFF)
    elif why == "paused":
        tools.ledger.fail(claim, "defer", reason="paused", api="twikey")
    else:
        log.info("Another worker took over; this one stops.", reason=why)


def _leave_to_others(why: BaseException | None, claim: Claim, tools: Tools) -> None:
    """The customer waits, and no API is paused: only this process may be at fault, with an old key or an old release."""
    tools.ledger.fail(claim, "defer", reason=SETTINGS_UNREADABLE, delay=UNREADABLE_FOR, pauses=False)
    if isinstance(why, UnknownIntegration):
        log.info("The integration was removed meanwhile; this worker stops.")
        return
    foreseen = isinstance(why, SecretUnreadable | OptionsWrong | CredentialsUnreadable)
    log.error(
        "The settings or tokens of the integration were changed and cannot be read here; the customer waits. Restart this process with "
        "the TLTW_SECRET_KEY and the release that made the change.",
        reason=SETTINGS_UNREADABLE,
        problem=str(why) if foreseen else None,
        again_in_seconds=UNREADABLE_FOR.total_seconds(),
        error=type(why).__name__,
        # Where, not what: the text of an unforeseen error may quote a secret.
        traceback=None if foreseen or why is None else "".join(traceback.format_tb(why.__traceback__)),
    )


def _commit(end: End, claim: Claim, tools: Tools) -> None:
    answer = tools.ledger.commit(
        claim,
        end.outcome,
        reason=end.reason,
        fingerprint=end.fingerprint,
        source_updated_at=end.source_updated_at,
        hold=end.hold,
        answered=end.answered,
    )
    log.info(
        "Done." if answer == "settled" else "Done; it will be looked at again.",
        outcome=end.outcome.value,
        reason=end.reason,
        warnings=list(end.warnings),
        ledger=answer,
        causes=[cause.name.lower() for cause in sorted(claim.causes)],
        waited_ms=_ms_between(claim.wanted_since, claim.at),
        took_ms=_ms_between(claim.at, datetime.now(UTC)),
    )


def _fail(failure: Exception, claim: Claim, tools: Tools, read: Read) -> None:
    verdict = judge(failure, claim, now=datetime.now(UTC), jitter=random.random())  # noqa: S311 # jitter
    if verdict.reconnect:
        # Every customer that was in work says below what became of it.
        hold_for_reconnect(tools.ledger, verdict.api)
    answer = tools.ledger.fail(
        claim,
        verdict.action,
        reason=verdict.reason,
        api=verdict.api,
        api_failed=verdict.api_failed,
        delay=verdict.delay,
        story=verdict.story,
        answered=_answered(failure),
        may_land_later=may_land_later(failure),
        source_updated_at=read.seen_until,
    )
    log.warning(
        "Dead letter: a person is needed." if answer == "dead" else "Failed; it will be tried again.",
        reason=verdict.reason,
        api=verdict.api,
        status=getattr(failure, "status", None),
        code=getattr(failure, "code", ""),
        ledger=answer,
        again_in_seconds=round(verdict.delay.total_seconds(), 1),
        error=type(failure).__name__,
        # Where, not what: the text of an unforeseen error may quote a customer.
        traceback="".join(traceback.format_tb(failure.__traceback__)) if verdict.reason == INTERNAL else None,
    )


def _answered(failure: Exception) -> tuple[str, ...]:
    """The APIs that were well enough to answer: a refusal is an answer too, and Twikey comes after Teamleader."""
    if isinstance(failure, CannotMap):
        return ("teamleader",)
    if not isinstance(failure, ApiFailure):
        return ()
    before = ("teamleader",) if failure.api == "twikey" else ()
    return before if isinstance(failure, Unavailable | Throttled | ReconnectNeeded) else (*before, failure.api)


def _ms_between(start: datetime | None, end: datetime) -> int | None:
    return round((end - start).total_seconds() * 1000) if start else None
