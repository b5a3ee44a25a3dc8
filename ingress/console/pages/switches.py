"""The switches of an integration: automatic updates on or off, and pausing all of its work. Each says what it will do."""

from flask import Response, request

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations
from workers.operators import Role

# Reasons of a pause that have words of their own.
PAUSED_BY = ("paused_by_operator", "wrong_account", "account_taken")

pages = Pages("switches")


@pages.get("/integrations/<integration>/switches", needs=Role.VIEWER, tab="switches")
def shown(here: Here, integration: Integration) -> Answer:
    return show(here, integration)


@pages.post("/integrations/<integration>/switches/auto-update", needs=Role.OPERATOR)
def auto_update(here: Here, integration: Integration) -> Answer:
    """The form names the wanted position, so that pressing twice, or two people at once, is harmless."""
    on = request.form.get("auto_update") == "on"
    held = operations.set_auto_update(here.services, integration.id, on=on, by=here.by)
    said = ("switches.is_on" if held else "switches.is_on_quiet") if on else "switches.is_off"
    return here.go("switches.shown", integration=integration.id, said=said, said_with={"count": held})


@pages.post("/integrations/<integration>/switches/pause", needs=Role.OPERATOR)
def pause(here: Here, integration: Integration) -> Answer:
    try:
        operations.pause(here.services, integration.id, by=here.by)
    except ValueError:
        return show(here, integration, problem=here.words("switches.not_connected"))
    return here.go("switches.shown", integration=integration.id, said="switches.is_paused")


@pages.post("/integrations/<integration>/switches/resume", needs=Role.OPERATOR)
def resume(here: Here, integration: Integration) -> Answer:
    try:
        resumed = operations.resume(here.services, integration.id, by=here.by)
    except ValueError:
        return show(here, integration, problem=here.words("switches.not_connected"))
    said = "switches.is_resumed" if resumed else "switches.is_active"
    return here.go("switches.shown", integration=integration.id, said=said)


def show(here: Here, integration: Integration, *, problem: str = "") -> Response:
    view = operations.view(here.services, integration.id)
    return here.page(
        "switches.html",
        status=422 if problem else 200,
        view=view,
        problem=problem,
        paused_by=view.state_reason if view.state_reason in PAUSED_BY else "somebody_else",
    )
