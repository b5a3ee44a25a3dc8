"""The first page: is everybody in sync, and if not, what to do."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import request

from config.integrations import Integration
from ingress.console import charts
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_overview
from workers.operations_overview import Row
from workers.operators import Role
from workers.standing import Level

# So many fit into a page that loads at once.
PAGE = 12
LONGEST_WORDS = 80
# In so many integrations a customer of that name may be looked for from here.
ELSEWHERE = 10

pages = Pages("overview")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which integrations are to be shown; what makes no sense in an address counts as nothing."""

    words: str = ""
    level: Level | None = None
    page: int = 1

    @classmethod
    def of_address(cls) -> "Asked":
        words, level, page = (request.args.get(name, "") for name in ("q", "level", "page"))
        return cls(
            words=words.strip()[:LONGEST_WORDS],
            level=Level(level) if level in list(Level) else None,
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 5 and int(page) else 1,
        )

    def names(self, integration: Integration) -> bool:
        return self.words.casefold() in f"{integration.id} {integration.label}".casefold()


@pages.get("/", needs=Role.VIEWER, menu="overview")
def shown(here: Here) -> Answer:
    now, asked = datetime.now(UTC), Asked.of_address()
    mine = here.integrations()
    rows = operations_overview.rows(here.services, [one for one in mine if asked.names(one)], now=now)
    chosen = [row for row in rows if asked.level in (None, row.standing.level)]
    begin = (asked.page - 1) * PAGE
    page = chosen[begin : begin + PAGE]
    # Who has one integration only sees it whole, whatever the address chooses.
    one = rows[0] if len(mine) == 1 and rows else None
    closer = [row.view.id for row in ([one] if one else page)]
    details = operations_overview.details(here.services, closer, now=now)
    return here.page(
        "overview.html",
        asked=asked,
        rows=page,
        one=one,
        all=len(mine),
        named=len(rows),
        levels=Counter(row.standing.level for row in rows),
        need_somebody=needing(rows),
        elsewhere=mine[:ELSEWHERE] if asked.words and not rows else [],
        more=len(chosen) > begin + PAGE,
        details=details,
        days={name: charts.day(detail.hours) for name, detail in details.items()},
        service=operations_overview.service(here.services),
        scale=charts.SCALE,
    )


def needing(rows: list[Row]) -> int:
    """How many integrations are not as they should be."""
    return sum(row.standing.level in (Level.TROUBLE, Level.LOOK) for row in rows)
