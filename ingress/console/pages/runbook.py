"""The runbook: what each reason means and what to do, where whoever meets one can read it."""

from pathlib import Path

import ingress
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from ingress.console.runbook import rendered
from workers.operators import Role

# With the source. An installation may come without its documents.
RUNBOOK = Path(str(ingress.__file__)).resolve().parents[1] / "docs" / "runbook.md"

pages = Pages("runbook")


@pages.get("/runbook", needs=Role.VIEWER)
def shown(here: Here) -> Answer:
    try:
        text = RUNBOOK.read_text(encoding="utf-8")
    except OSError:
        return here.page("runbook_missing.html", status=404)
    return here.page("runbook.html", runbook=rendered(text))
