"""Adding a customer to Twikey by hand: the fields as the mapping fills them in, to be looked at, changed and sent."""

from functools import partial

from flask import Response, request

from config.integrations import Integration
from ingress.console.apis import away
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from ingress.console.pages.customer import customer_of
from workers import operations_add
from workers.clients.errors import ApiFailure, Unavailable
from workers.operations_add import Proposal
from workers.operators import Role

# Fields with words on what may stand in them.
HELPED = ("country", "l", "mobile")

pages = Pages("add_customer")


@pages.get("/integrations/<integration>/customers/<subject>/add", needs=Role.OPERATOR)
def form(here: Here, integration: Integration, subject: str) -> Answer:
    try:
        proposal = operations_add.propose(here.services, integration.id, customer_of(subject))
    except ApiFailure:
        # Nothing can be filled in; the page of the customer says why.
        return here.go("customer.shown", integration=integration.id, subject=subject)
    return _show(here, proposal)


@pages.post("/integrations/<integration>/customers/<subject>/add", needs=Role.OPERATOR)
def add(here: Here, integration: Integration, subject: str) -> Answer:
    """Whatever is wrong, nothing is added, and what was typed stays. Pressing twice adds once."""
    customer_of(subject)
    typed = request.form.to_dict()
    seen = typed.get("seen", "")
    again = partial(operations_add.again, here.services, integration.id, subject, typed, seen=seen)
    try:
        added = operations_add.add(here.services, integration.id, subject, typed, seen=seen, by=here.by)
    except ApiFailure as failure:
        uncertain = "uncertain" if isinstance(failure, Unavailable) else ""
        return _show(here, again(), status=422, failures=(failure,), refusal=uncertain)
    if added.outcome == "added":
        return here.go("customer.shown", integration=integration.id, subject=subject, said="add.added")
    if added.outcome == "known":
        return here.go("add_customer.form", integration=integration.id, subject=subject)
    return _show(here, again(added), status=422, refusal="" if added.problems else added.outcome)


def _show(
    here: Here, proposal: Proposal, *, status: int = 200, failures: tuple[ApiFailure, ...] = (), refusal: str = ""
) -> Response:
    return here.page(
        "customer_add.html",
        status=status,
        proposal=proposal,
        problems={problem.field: problem for problem in proposal.problems},
        refusal=refusal,
        away=away(failures or proposal.failures),
        helped=HELPED,
    )
