"""Connects an integration: consent at Teamleader, then the account, the Twikey key and the webhook, step by step.

The console and the command line both begin with `begin` and end with `finish`. Doing it again (reconnecting) keeps
everything that was there, and what was held runs.
"""

import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal, cast

import structlog

from config.integrations import OptionsWrong
from config.keys import IntegrationKeys, consent
from config.secrets import SecretUnreadable
from workers import audit, integrations
from workers.accounts import account_in, claim_account
from workers.clients.clock import utc_now
from workers.clients.errors import ApiFailure, NotFound, Refused, Unavailable
from workers.clients.teamleader import oauth_protocol, protocol
from workers.clients.teamleader.oauth_protocol import GrantRefused, TokenPair
from workers.clients.twikey.session import forgive_refusal
from workers.integrations import ACTIVE, CLOSED, CONNECTING
from workers.registration import register, unregister
from workers.services import Services
from workers.sync.failure_policy import RECONNECT_NEEDED

# The code that Teamleader gives lives ten minutes; whoever takes longer to agree begins again.
CONSENT_LIVES = timedelta(minutes=15)
CALLBACK = "/connect/teamleader"
CLIENT_REFUSED = "Teamleader does not accept our client id or client secret: check both (docs/connect.md)."
CODE_REFUSED = "Teamleader does not accept the code: it works once and for ten minutes. Begin again."

log = structlog.get_logger()

StepName = Literal["consent", "account", "twikey", "webhook"]


class CannotConnect(Exception):
    """Why a connection cannot be begun or finished; the sentence says what to do. `reason` is a heading of the runbook."""

    def __init__(self, reason: str, sentence: str, *, integration: str = "") -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence
        # Known only to whom it may be told.
        self.integration = integration


@dataclass(frozen=True, slots=True)
class Step:
    """One step of connecting: whether it went well, and a sentence that says what to do when it did not."""

    name: StepName
    ok: bool
    sentence: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Consent:
    """A connection under way: who asked for it, for which integration, and where Teamleader sends the browser back.

    `binding`: digest of what only the browser (or terminal) that began it knows, so that nobody can be made to finish another's.
    """

    integration: str
    by: str
    redirect_uri: str
    binding: str
    spent: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """How each step went when somebody last connected or looked, and when that was."""

    at: datetime
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """An integration that was removed. `trouble`: why its webhook could not be taken off at Teamleader, or empty."""

    trouble: str


def begin(services: Services, name: str, *, by: str, redirect_uri: str, binding: str) -> str:
    """The address of Teamleader's consent page. `redirect_uri` must be on the list of our integration at Teamleader.

    Raises `UnknownIntegration` or `CannotConnect`.
    """
    integration = services.integration(name)
    if not integration.teamleader.client_id or not integration.teamleader.client_secret:
        raise CannotConnect(
            "no_client",
            "There is no Teamleader client id and secret: set TLTW_TEAMLEADER_CLIENT_ID and TLTW_TEAMLEADER_CLIENT_SECRET "
            "(docs/connect.md), or give this integration its own.",
        )
    if services.ledger(name).state() == CLOSED:
        raise CannotConnect("integration_closed", f"{integration.name} was removed.")
    state = secrets.token_urlsafe(32)
    wanted = Consent(name, by, redirect_uri, _digest(binding))
    services.store.set(consent(_digest(state)), json.dumps(asdict(wanted)), ex=CONSENT_LIVES)
    audit.note(services.store, by=by, what="connecting begun", integration=name)
    return oauth_protocol.authorize_url(integration.teamleader, redirect_uri=redirect_uri, state=state)


def take(services: Services, state: str, *, binding: str) -> Consent:
    """The connection that this state belongs to; it works once, and only where it was begun. Raises `CannotConnect`.

    Whoever began it and comes a second time, having pressed twice, is told for which integration it was.
    """
    key = consent(_digest(state))
    stored = cast(bytes | None, services.store.get(key))
    if stored is None:
        raise CannotConnect(
            "consent_unknown", "This connection was finished already, or was begun too long ago: begin again."
        )
    wanted = Consent(**json.loads(stored))
    if not secrets.compare_digest(wanted.binding, _digest(binding)):
        raise CannotConnect(
            "consent_elsewhere",
            "This connection was begun in another browser or on the command line: finish it there, or begin again here.",
        )
    spent = json.dumps(asdict(replace(wanted, spent=True)))
    # One command, so that of two who come at once only one finds it unspent.
    before = cast(bytes | None, services.store.set(key, spent, xx=True, keepttl=True, get=True))
    if before is None or Consent(**json.loads(before)).spent:
        raise CannotConnect(
            "consent_unknown", "This connection was finished already: begin again.", integration=wanted.integration
        )
    return wanted


def finish(services: Services, wanted: Consent, *, code: str) -> list[Step]:
    """Does every step and tells how each went; stops at the first that others build on.

    Raises `redis.RedisError`, or why there is no such integration (any more), as `Services.integration` does.
    """
    steps = [_consent_and_account(services, wanted, code)]
    if steps[0].ok:
        steps.append(_twikey(services, wanted.integration))
        # Active before the webhook is registered: what arrives from then on is worked on.
        if all(step.ok for step in steps):
            services.ledger(wanted.integration).set_state(ACTIVE)
        steps.append(_webhook(services, wanted.integration))
    _remember(services, wanted.integration, steps)
    outcome = "connected" if all(step.ok for step in steps) else next(step.reason for step in steps if not step.ok)
    audit.note(services.store, by=wanted.by, what="connecting finished", integration=wanted.integration, after=outcome)
    log.info("Connecting finished.", integration=wanted.integration, outcome=outcome)
    return steps


def refused(services: Services, wanted: Consent, error: str) -> Step:
    """The step when Teamleader sent the browser back without a code, which is noted. What was connected stays as it was."""
    step = Step("consent", False, "Teamleader sent you back with an error: begin again.", "consent_refused")
    if error == "access_denied":
        sentence = "Consent was not given at Teamleader: begin again and press Allow."
        step = Step("consent", False, sentence, "access_denied")
    audit.note(
        services.store, by=wanted.by, what="connecting finished", integration=wanted.integration, after=step.reason
    )
    log.info("Connecting finished.", integration=wanted.integration, outcome=step.reason)
    return step


def complete(services: Services, name: str, *, by: str) -> list[Step]:
    """The same steps for an integration that has its consent, after something was mended; it becomes active when all is well."""
    forgive_refusal(services.store, IntegrationKeys(name))
    steps = _look(services, name)
    _remember(services, name, steps)
    if all(step.ok for step in steps):
        ledger = services.ledger(name)
        for before in (CONNECTING, RECONNECT_NEEDED):
            if ledger.change_state(before=before, after=ACTIVE):
                audit.note(services.store, by=by, what="state", integration=name, before=before, after=ACTIVE)
    return steps


def last_look(services: Services, name: str) -> Look | None:
    """What `finish` or `complete` found last; None when nobody looked yet."""
    stored = cast(bytes | None, services.store.get(IntegrationKeys(name).connection))
    if stored is None:
        return None
    kept = json.loads(stored)
    return Look(datetime.fromisoformat(kept["at"]), tuple(Step(**step) for step in kept["steps"]))


def rotate_address(services: Services, name: str, *, by: str) -> list[Step]:
    """Gives the integration another webhook address, registers it, and takes the old one off; it stays valid for a day."""
    integrations.rotate_address(services, name, by=by)
    return complete(services, name, by=by)


def remove(services: Services, name: str, *, by: str) -> Removed:
    """Takes the webhook off at Teamleader, if that can be done, and closes the integration for good.

    Raises `UnknownIntegration` or `DescribedByEnvironment`.
    """
    integrations.refuse_if_described(services, name)
    try:
        unregister(services, name)
        trouble = ""
    except ApiFailure as failure:
        trouble = failure.sentence
    except (SecretUnreadable, OptionsWrong) as unreadable:
        trouble = str(unreadable)
    integrations.remove(services, name, by=by)
    return Removed(trouble)


def _remember(services: Services, name: str, steps: list[Step]) -> None:
    kept = {"at": utc_now().isoformat(), "steps": [asdict(step) for step in steps]}
    services.store.set(IntegrationKeys(name).connection, json.dumps(kept))


def _look(services: Services, name: str) -> list[Step]:
    try:
        services.tools(name).teamleader.me()
        first = Step("account", True, "Teamleader answers and our token works.")
    except ApiFailure as failure:
        return [Step("account", False, failure.sentence, failure.reason)]
    return [first, _twikey(services, name), _webhook(services, name)]


def _consent_and_account(services: Services, wanted: Consent, code: str) -> Step:
    name = wanted.integration
    tokens = services.tokens(services.integration(name))
    try:
        pair = tokens.exchange(code, wanted.redirect_uri)
        # Before it is stored: whose it is decides whether we may keep it. Losing it here only means to begin again.
        account = _account_of(services, name, pair)
    except GrantRefused as no:
        if no.code in oauth_protocol.CLIENT_REFUSED:
            return Step("consent", False, CLIENT_REFUSED, "client_refused")
        return Step("consent", False, CODE_REFUSED, "consent_refused")
    except ApiFailure as failure:
        return Step("consent", False, failure.sentence, failure.reason)
    known = (cast(bytes | None, services.store.get(IntegrationKeys(name).account)) or b"").decode()
    if known and known != account:
        sentence = (
            "You agreed for another Teamleader account than this integration is connected to. Sign in to the right account "
            "at Teamleader and begin again, or add an integration for the other account."
        )
        return Step("account", False, sentence, "wrong_account")
    try:
        if not claim_account(services, name, account):
            sentence = "This Teamleader account is connected to another integration already; one account serves one integration."
            return Step("account", False, sentence, "account_taken")
        tokens.store(pair)
    except Unavailable as busy:
        # The code is spent, and looking again would find nothing.
        return Step("consent", False, f"{busy.sentence}: begin again.", busy.reason)
    except ApiFailure as failure:
        return Step("consent", False, failure.sentence, failure.reason)
    return Step("account", True, "Connected to Teamleader.")


def _account_of(services: Services, name: str, pair: TokenPair) -> str:
    teamleader = services.integration(name).teamleader
    answer = services.http.send(protocol.request(teamleader.api_url, "users.me", {}, pair.access))
    try:
        me = protocol.data("users.me", protocol.read("users.me", answer, now=utc_now()))
    except protocol.Unauthorized:
        raise Unavailable("teamleader", "Teamleader refuses the token it has just given us", status=401) from None
    account = account_in(me)
    if not account:
        raise Unavailable("teamleader", "Teamleader does not say which account this is")
    return account


def _twikey(services: Services, name: str) -> Step:
    try:
        services.tools(name).twikey.check()
    except ApiFailure as failure:
        return Step("twikey", False, failure.sentence, failure.reason)
    return Step("twikey", True, "Twikey accepts the API key.")


def _webhook(services: Services, name: str) -> Step:
    try:
        kept = register(services, name)
    except (Refused, NotFound) as no:
        return Step("webhook", False, f"{no.sentence}. Is TLTW_PUBLIC_URL an https address?", no.reason)
    except ApiFailure as failure:
        return Step("webhook", False, f"{failure.sentence}; the clock tries again.", failure.reason)
    if kept.refused:
        sentence = f"Teamleader does not take these event types: {', '.join(kept.refused)}."
        return Step("webhook", False, sentence, "event_type_refused")
    return Step("webhook", True, "The webhook is registered at Teamleader.")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
