"""One customer: how it stands, what each side has, its story; and bringing it over now. Adding one is `add_customer`."""

from datetime import timedelta

from flask import Response, abort

from config.integrations import Integration
from ingress.console.apis import away
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations, operations_customers
from workers.operators import Role

# For so long after pressing the page waits, and for so long after an event it looks for news before it asks both sides.
WAIT = timedelta(seconds=5)
FRESH = timedelta(seconds=30)
NEWS_EVERY = timedelta(seconds=2)
# What is said after *Refresh now*.
SAID = {
    "done": "customer.refreshed",
    "done_off": "customer.refreshed_off",
    "failed": "customer.refresh_failed",
    "under_way": "customer.refresh_under_way",
    "held": "customer.refresh_held",
}
# Words of words/story.toml.
CAUSES = ("webhook", "added", "invoice", "invoice_manual", "operator", "replay", "sweep", "deleted")
ACTS = ("refresh", "replay", "discard", "add")
# States with a sentence on what to do.
NEXT = ("dead", "on_the_way", "trying", "unknown", "cannot_map", "unusable", "gone", "withheld")

pages = Pages("customer")


@pages.get("/integrations/<integration>/customers/<subject>", needs=Role.VIEWER)
def shown(here: Here, integration: Integration, subject: str) -> Answer:
    return _show(here, integration, customer_of(subject))


@pages.get("/integrations/<integration>/customers/<subject>/news", needs=Role.VIEWER, by_itself=True)
def news(here: Here, integration: Integration, subject: str) -> Answer:
    return _show(here, integration, customer_of(subject))


@pages.post("/integrations/<integration>/customers/<subject>/refresh", needs=Role.OPERATOR)
def refresh(here: Here, integration: Integration, subject: str) -> Answer:
    """Also with auto-update off. It waits a little, so that the next page usually shows how it ended."""
    customer_of(subject)
    ended = operations_customers.refresh_now(here.services, integration.id, subject, most=WAIT, by=here.by)
    done = ended in ("done", "done_off")
    return here.go("customer.shown", integration=integration.id, subject=subject, said=SAID[ended], done=done)


def customer_of(subject: str) -> str:
    """The subject in an address, when it is that of a customer; else there is no such page."""
    kind, _, customer_id = subject.partition(":")
    try:
        return operations.subject_of(kind, customer_id)
    except ValueError:
        abort(404)


def _show(here: Here, integration: Integration, subject: str) -> Response:
    view = operations_customers.look(here.services, integration.id, subject, fresh=FRESH)
    return here.page(
        "customer.html",
        view=view,
        seconds=round(NEWS_EVERY.total_seconds()),
        away=away(view.failures),
        causes=CAUSES,
        acts=ACTS,
        next_steps=NEXT,
        may_act=here.operator.may(Role.OPERATOR),
    )
