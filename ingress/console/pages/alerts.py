"""Alerts: what is open, what was told, how the channels fare, and a test of them. They concern the whole deployment."""

from datetime import datetime

from flask import Response
from markupsafe import Markup

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_alerts
from workers.alerts.decide import Alert
from workers.alerts.kinds import Kind
from workers.operations_alerts import Tried
from workers.operators import Role

# The page on which one does something about it.
LEADS_TO = {Kind.DEAD_LETTERS: "dead_letters", Kind.RECONNECT_NEEDED: "connection", Kind.PAUSED_ITSELF: "switches"}

pages = Pages("alerts")


@pages.get("/alerts", needs=Role.VIEWER, unlimited=True, menu="alerts")
def shown(here: Here) -> Answer:
    return _show(here)


@pages.post("/alerts/test", needs=Role.ADMIN, unlimited=True)
def test(here: Here) -> Answer:
    """Sends a test over every channel and says which worked. Twice is two tests."""
    return _show(here, tried=operations_alerts.try_channels(here.services))


def _show(here: Here, tried: list[Tried] | None = None) -> Response:
    view = operations_alerts.view(here.services)
    return here.page(
        "alerts.html",
        view=view,
        names={one.id: one.name for one in here.integrations()},
        reasons={alert: _reasons(here, alert) for alert in view.open if alert.kind is Kind.DEAD_LETTERS},
        told=[(datetime.fromisoformat(message.at), message) for message in view.told],
        tried=tried or [],
        leads_to=LEADS_TO,
        may_test=here.operator.may(Role.ADMIN, unlimited=True),
    )


def _reasons(here: Here, alert: Alert) -> list[tuple[str | Markup, str]]:
    """Why the letters are dead, in words, and how many for each reason."""
    pairs = (part.rpartition(" ") for part in alert.detail.split(", "))
    return [(here.words.or_else(f"dead_reason.{reason}.title", reason), number) for reason, _, number in pairs]
