"""One integration: how it stands, its last day, how it is connected, and where every event went."""

from datetime import UTC, datetime

from config.integrations import Integration
from ingress.console import charts
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations, operations_overview
from workers.operators import Role
from workers.standing import standing

pages = Pages("integration")


@pages.get("/integrations/<integration>", needs=Role.VIEWER, tab="state")
def shown(here: Here, integration: Integration) -> Answer:
    now = datetime.now(UTC)
    view = operations.view(here.services, integration.id)
    detail = operations_overview.details(here.services, [integration.id], now=now)[integration.id]
    return here.page(
        "integration.html",
        row=operations_overview.Row(view, standing(view, now)),
        detail=detail,
        day=charts.day(detail.hours),
        scale=charts.SCALE,
    )
