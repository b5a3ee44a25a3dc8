"""Alerts: what is open, what was told, how the channels fare, and a test of them. They concern the whole deployment."""

from datetime import datetime

from flask import Response

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_alerts
from workers.operations_alerts import Tried
from workers.operators import Role

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
        told=[(datetime.fromisoformat(message.at), message) for message in view.told],
        tried=tried or [],
        may_test=here.operator.may(Role.ADMIN, unlimited=True),
    )
