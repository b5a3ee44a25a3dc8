"""Who changed what, newest first, page by page."""

import re
from collections.abc import Iterator
from itertools import islice

from flask import request

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import audit
from workers.operators import Role

PAGE = 50
LONGEST_NAME = 64
ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")

pages = Pages("audit_log")


@pages.get("/audit", needs=Role.VIEWER, menu="audit")
def shown(here: Here) -> Answer:
    chosen = request.args.get("integration", "")
    if chosen:
        here.integration(chosen)
    before = request.args.get("before", "")
    who = request.args.get("who", "").strip()[:LONGEST_NAME]
    seen = seen_by(here, chosen, before if ENTRY_ID.fullmatch(before) else "")
    entries = list(islice((entry for entry in seen if who.casefold() in entry.by.casefold()), PAGE + 1))
    return here.page(
        "audit_log.html",
        entries=entries[:PAGE],
        older=entries[PAGE - 1].id if len(entries) > PAGE else "",
        first=not before,
        chosen=chosen,
        who=who,
        names={integration.id: integration.name for integration in here.integrations()},
    )


def seen_by(here: Here, integration: str, before: str) -> Iterator[audit.Entry]:
    """What this operator may see: one limited to some integrations sees the changes of those, and nothing about operators."""
    entries = audit.entries(here.services.store, integration=integration, before=before)
    limited = here.operator.limit is not None
    return (entry for entry in entries if not limited or here.operator.may_see(entry.integration))
