"""Customers of an integration: one box that finds them, in the ledger and live in Teamleader."""

from flask import request

from config.integrations import Integration
from ingress.console.apis import away
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_find
from workers.customer import remembered
from workers.operations_find import LONGEST
from workers.operators import Role

pages = Pages("customers")


@pages.get("/integrations/<integration>/customers", needs=Role.VIEWER, tab="customers")
def shown(here: Here, integration: Integration) -> Answer:
    words, page = request.args.get("q", ""), request.args.get("page", 1, type=int)
    found = operations_find.find(here.services, integration.id, words, page=page)
    return here.page(
        "customers.html",
        found=found,
        stands={hit.subject: remembered(hit.state, active=found.active) for hit in found.hits},
        longest=LONGEST,
        may_add=here.operator.may(Role.OPERATOR),
        away=away([found.failure] if found.failure else []),
    )
