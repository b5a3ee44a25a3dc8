"""The part of the pages both sandboxes share: switch faults on and off, and look at the last calls."""

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from sandbox.faults import KINDS

if TYPE_CHECKING:
    from sandbox.simulator import Simulator

SHOWN_CALLS = 20


def fault_routes(pages: Blueprint, simulator: "Simulator") -> None:
    @pages.post("/ui/faults")
    def switch_on() -> Response:
        form = request.form
        simulator.faults.set(
            form["kind"],
            prefix=form.get("prefix") or "/",
            probability=form.get("percent", 100.0, float) / 100,
            status=form.get("status", 500, int),
            seconds=form.get("seconds", 1.0, float),
        )
        return redirect("/")

    @pages.post("/ui/faults/clear")
    def switch_off() -> Response:
        simulator.faults.clear(request.form.get("id") or None)
        return redirect("/")

    @pages.context_processor
    def shown_on_every_page() -> dict[str, object]:
        return {"simulator": simulator, "kinds": KINDS, "calls": simulator.log.last(SHOWN_CALLS)}
