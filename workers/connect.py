"""Connects an integration: consent at Teamleader, then the account, the Twikey key and the webhook, step by step.

The console and the command line both begin with `begin` and end with `finish`. Doing it again (reconnecting) keeps
everything that was there, and what was held runs.
"""

import json
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Literal, cast

import structlog

from config.keys import IntegrationKeys, consent
from workers import audit
from workers.accounts import account_in, claim_account
from workers.clients.clock import utc_now
from workers.clients.errors import ApiFailure, NotFound, Refused, Unavailable
from workers.clients.teamleader import oauth_protocol, protocol
from workers.clients.teamleader.oauth_protocol import GrantRefused, TokenPair
from workers.integrations import ACTIVE, CLOSED, CONNECTING
from workers.registration import register
from workers.services import Services
from workers.sync.failure_policy import RECONNECT_NEEDED

# The code that Teamleader gives lives ten minutes; whoever takes longer to agree begins again.
CONSENT_LIVES = timedelta(minutes=15)
CALLBACK = "/connect/teamleader"

log = structlog.get_logger()

StepName = Literal["consent", "account", "twikey", "webhook"]


class CannotConnect(Exception):
    """Why a connection cannot be begun or finished; the sentence says what to do. `reason` is a heading of the runbook."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


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
    """The connection that this state belongs to; it works once, and only where it was begun. Raises `CannotConnect`."""
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
    if not services.store.delete(key):
        raise CannotConnect("consent_unknown", "This connection was finished already: begin again.")
    return wanted


def finish(services: Services, wanted: Consent, *, code: str) -> list[Step]:
    """Does every step and tells how each went; stops at the first that others build on. Raises `redis.RedisError` only."""
    steps = [_consent_and_account(services, wanted, code)]
    if steps[0].ok:
        steps.append(_twikey(services, wanted.integration))
        # Active before the webhook is registered: what arrives from then on is worked on.
        if all(step.ok for step in steps):
            services.ledger(wanted.integration).set_state(ACTIVE)
        steps.append(_webhook(services, wanted.integration))
    outcome = "connected" if all(step.ok for step in steps) else next(step.reason for step in steps if not step.ok)
    audit.note(services.store, by=wanted.by, what="connecting finished", integration=wanted.integration, after=outcome)
    log.info("Connecting finished.", integration=wanted.integration, outcome=outcome)
    return steps


def refused(error: str) -> Step:
    """The step when Teamleader sent the browser back without a code."""
    if error == "access_denied":
        return Step(
            "consent", False, "Consent was not given at Teamleader: begin again and press Allow.", "access_denied"
        )
    return Step("consent", False, "Teamleader sent you back with an error: begin again.", "consent_refused")


def complete(services: Services, name: str, *, by: str) -> list[Step]:
    """The same steps for an integration that has its consent, after something was mended; it becomes active when all is well."""
    steps = _look(services, name)
    if all(step.ok for step in steps):
        ledger = services.ledger(name)
        for before in (CONNECTING, RECONNECT_NEEDED):
            if ledger.change_state(before=before, after=ACTIVE):
                audit.note(services.store, by=by, what="state", integration=name, before=before, after=ACTIVE)
    return steps


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
        return Step("consent", False, _grant_sentence(no.code), no.code or "consent_refused")
    except ApiFailure as failure:
        return Step("consent", False, failure.sentence, failure.reason)
    known = (cast(bytes | None, services.store.get(IntegrationKeys(name).account)) or b"").decode()
    if known and known != account:
        sentence = (
            "You agreed for another Teamleader account than this integration is connected to. Sign in to the right account "
            "at Teamleader and begin again, or add an integration for the other account."
        )
        return Step("account", False, sentence, "wrong_account")
    if not claim_account(services, name, account):
        sentence = (
            "This Teamleader account is connected to another integration already; one account serves one integration."
        )
        return Step("account", False, sentence, "account_taken")
    tokens.store(pair)
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


def _grant_sentence(code: str) -> str:
    if code in ("invalid_client", "unauthorized_client"):
        return "Teamleader does not accept our client id or client secret: check both (docs/connect.md)."
    return "Teamleader does not accept the code: it works once and for ten minutes. Begin again."


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
