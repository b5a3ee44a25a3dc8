"""How an integration is connected: each step green or red with what to do, connecting again, and its webhook address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Response, request
from markupsafe import Markup

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.language import Words
from ingress.console.page import Answer, Pages
from workers import connect, operations
from workers.connect import Look, Step
from workers.operations import IntegrationView
from workers.operators import Role
from workers.standing import Level

# The steps as a person sees them: the first of ours are one.
STEPS: Mapping[str, str] = {"consent": "teamleader", "account": "teamleader", "twikey": "twikey", "webhook": "webhook"}
# What is wrong and what to do next, by step and reason; what is said of any step stands under "". Keys of words/connection.toml.
WRONG: Mapping[tuple[str, str], str] = {
    ("teamleader", "access_denied"): "denied",
    ("teamleader", "consent_refused"): "code_refused",
    ("teamleader", "client_refused"): "client_refused",
    ("teamleader", "wrong_account"): "wrong_account",
    ("teamleader", "account_taken"): "account_taken",
    ("teamleader", "reconnect_needed"): "withdrawn",
    ("teamleader", "refused"): "scope",
    ("twikey", "reconnect_needed"): "twikey_key",
    ("twikey", "refused"): "twikey_refused",
    ("webhook", "refused"): "address_refused",
    ("webhook", "not_found"): "address_refused",
    ("webhook", "event_type_refused"): "event_type",
    ("webhook", "reconnect_needed"): "withdrawn",
    ("", "unavailable"): "unavailable",
    ("", "throttled"): "throttled",
}
# Where the other side's own words say more than ours can.
IN_THEIR_WORDS = frozenset({"refused", "not_found", "unavailable", "throttled", "event_type_refused"})
# What `?refused=` may say: why somebody came back from Teamleader without a code. Nothing is stored for it.
WITHOUT_A_CODE = frozenset({"access_denied", "consent_refused"})

pages = Pages("connection")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """One step for a person. `detail`: the other side's own words; `mend`: where it is mended, `settings` or `connect`."""

    name: str
    level: Level
    sentence: Markup
    next: str = ""
    detail: str = ""
    mend: str = ""


@pages.get("/integrations/<integration>/connection", needs=Role.VIEWER, tab="connection")
def shown(here: Here, integration: Integration) -> Answer:
    return show(here, integration)


@pages.post("/integrations/<integration>/connection/look", needs=Role.OPERATOR)
def look(here: Here, integration: Integration) -> Answer:
    """Looks at each step again, mends the registration, and activates what is ready."""
    steps = connect.complete(here.services, integration.id, by=here.by)
    well = all(step.ok for step in steps)
    return here.go("connection.shown", integration=integration.id, said="connection.all_well" if well else "")


@pages.post("/integrations/<integration>/connection/rotate", needs=Role.ADMIN)
def rotate(here: Here, integration: Integration) -> Answer:
    """Another webhook address: the new one is registered before the old one is taken off."""
    connect.rotate_address(here.services, integration.id, by=here.by)
    return here.go("connection.shown", integration=integration.id, said="connection.rotated")


def show(here: Here, integration: Integration) -> Response:
    view = operations.view(here.services, integration.id)
    found = connect.last_look(here.services, integration.id)
    refused = request.args.get("refused", "")
    steps = steps_shown(found, view, here.words, refused=refused if refused in WITHOUT_A_CODE else "")
    held = view.state in ("connecting", "reconnect_needed")
    agreed = steps[0].level is Level.WELL
    return here.page(
        "connection.html",
        view=view,
        level=level_of(view.state, steps),
        steps=steps,
        looked=found.at if found else None,
        needs_consent=held and not agreed,
        needs_mending=held and agreed,
    )


def level_of(state: str, steps: list[StepShown]) -> Level:
    """How it stands as a whole."""
    if state == "active":
        return Level.LOOK if any(step.level is Level.TROUBLE for step in steps) else Level.WELL
    return {"reconnect_needed": Level.TROUBLE, "paused": Level.LOOK}.get(state, Level.OFF)


def steps_shown(found: Look | None, view: IntegrationView, words: Words, *, refused: str = "") -> list[StepShown]:
    """The three steps, also those that nobody came to, or that were looked at before the connection was refused. Pure."""
    steps = {STEPS[step.name]: step for step in (found.steps if found and not outdated(found.at, view) else ())}
    if refused:
        steps["teamleader"] = Step("consent", False, "", refused)
    return [step_shown(name, steps.get(name), words) for name in dict.fromkeys(STEPS.values())]


def outdated(looked: datetime, view: IntegrationView) -> bool:
    """Whether the connection was refused after somebody looked: then what was seen says nothing any more."""
    return view.state == "reconnect_needed" and view.state_since is not None and looked < view.state_since


def step_shown(name: str, step: Step | None, words: Words) -> StepShown:
    if step is None:
        return StepShown(name=name, level=Level.OFF, sentence=words(f"connection.not_yet.{name}"))
    if step.ok:
        return StepShown(name=name, level=Level.WELL, sentence=words(f"connection.well.{name}"))
    key = WRONG.get((name, step.reason)) or WRONG.get(("", step.reason), "")
    return StepShown(
        name=name,
        level=Level.TROUBLE,
        sentence=words.or_else(f"connection.wrong.{key}", step.sentence),
        next=words.or_else(f"connection.next.{key}", ""),
        detail=step.sentence if step.reason in IN_THEIR_WORDS else "",
        mend=MENDED_IN.get(key, ""),
    )


# Where a person goes to mend it.
MENDED_IN: Mapping[str, str] = {
    "denied": "connect",
    "code_refused": "connect",
    "wrong_account": "connect",
    "account_taken": "connect",
    "withdrawn": "connect",
    "scope": "connect",
    "twikey_key": "settings",
    "twikey_refused": "settings",
    "event_type": "settings",
}
