"""One integration: how it stands, and where every event went."""

from datetime import UTC, datetime

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations
from workers.operators import Role
from workers.standing import standing

pages = Pages("integration")


@pages.get("/integrations/<integration>", needs=Role.VIEWER, tab="state")
def shown(here: Here, integration: Integration) -> Answer:
    view = operations.view(here.services, integration.id)
    return here.page("integration.html", view=view, standing=standing(view, datetime.now(UTC)))
