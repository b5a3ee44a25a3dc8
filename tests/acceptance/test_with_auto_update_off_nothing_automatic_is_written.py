"""Automated updates are only possible with the option *Import invoices and update customers automatically* on."""

from sandbox.deployment import Deployment, wait_for

COMPANY = {"name": "Garage Motor", "emails": [{"type": "primary", "email": "info@motor.example.com"}]}


def test_an_edit_while_off_is_recorded_and_caught_up_when_switched_on(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY)
    tltw("integration", "disable")

    deployment.edit("company", company, name="Garage Motor & Zoon")
    ledger = deployment.services.ledger("default")
    state = wait_for(
        "the record of it", lambda: (state := ledger.look(f"company:{company}")) and state.outcome and state
    )

    assert (state.outcome, state.reason, state.held) == ("skipped", "auto_update_off", True)
    assert deployment.writes(company) == []
    tltw("integration", "enable")
    wait_for(
        "the catching up", lambda: (deployment.in_twikey(company) or {}).get("companyName") == "Garage Motor & Zoon"
    )


def test_an_event_that_was_queued_before_the_switch_is_not_written_either(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY)
    deployment.teamleader.post("/gates", {"name": "mid-fetch", "prefix": "/companies.info", "customer": company})
    deployment.edit("company", company, name="Too Late BV")
    wait_for("the fetch to be under way", lambda: deployment.teamleader.get("/gates")["gates"][0]["waiting"])

    tltw("integration", "disable")
    deployment.teamleader.delete("/gates/mid-fetch")
    ledger = deployment.services.ledger("default")
    wait_for("the skip", lambda: (state := ledger.look(f"company:{company}")) and state.reason == "auto_update_off")

    assert deployment.writes(company) == []
    tltw("integration", "enable")
    wait_for("the catching up", lambda: (deployment.in_twikey(company) or {}).get("companyName") == "Too Late BV")
