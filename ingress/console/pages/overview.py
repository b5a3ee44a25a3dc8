"""The first page: is everybody in sync, and if not, what to do."""

from dataclasses import dataclass
from datetime import UTC, datetime

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations
from workers.operations import IntegrationView
from workers.operators import Role
from workers.standing import Level, Standing, standing

pages = Pages("overview")


@dataclass(frozen=True, slots=True)
class Row:
    """One integration of the list."""

    view: IntegrationView
    standing: Standing


@pages.get("/", needs=Role.VIEWER, menu="overview")
def shown(here: Here) -> Answer:
    now = datetime.now(UTC)
    views = [operations.view(here.services, integration.id) for integration in here.integrations()]
    rows = worst_first([Row(view, standing(view, now)) for view in views])
    return here.page("overview.html", rows=rows, need_somebody=needing(rows))


def worst_first(rows: list[Row]) -> list[Row]:
    order = list(Level)
    return sorted(rows, key=lambda row: (order.index(row.standing.level), row.view.id))


def needing(rows: list[Row]) -> int:
    """How many integrations are not as they should be."""
    return sum(row.standing.level in (Level.TROUBLE, Level.LOOK) for row in rows)
