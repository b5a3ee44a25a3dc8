"""Credentials that no longer work hold the work of the integration; nothing dies, and it goes on after reconnecting."""

from sandbox.deployment import Deployment, wait_for

COMPANY = {"name": "Advocaten Wet", "emails": [{"type": "primary", "email": "info@wet.example.com"}]}


def test_a_refused_twikey_key_holds_the_work_until_the_operator_resumes_it(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY)
    creditor = deployment.twikey.get("/creditors")["creditors"][0]
    deployment.twikey.patch(f"/creditors/{creditor['id']}", {"api_key": "another"})

    deployment.edit("company", company, name="Advocaten Recht")
    ledger = deployment.services.ledger("default")
    wait_for("the integration to be held", lambda: ledger.state() == "reconnect_needed")

    # Whoever finds it out first may have been at somebody else's.
    state = wait_for("the edit to be kept", lambda: ledger.look(f"company:{company}"))
    assert (state.owed, state.story) == (True, None)
    assert tltw("doctor").code == 1
    deployment.twikey.patch(f"/creditors/{creditor['id']}", {"api_key": creditor["api_key"]})
    assert tltw("integration", "resume").code == 0
    wait_for("the name", lambda: (deployment.in_twikey(company) or {}).get("companyName") == "Advocaten Recht")


def test_an_expired_twikey_session_is_renewed_without_anybody_noticing(deployment: Deployment):
    company = deployment.create("company", **COMPANY)
    deployment.twikey.post("/sessions/expire")

    deployment.edit("company", company, remarks="x")

    wait_for("the customer", lambda: deployment.in_twikey(company))


def test_an_expired_teamleader_token_is_refreshed_without_anybody_noticing(deployment: Deployment):
    company = deployment.create("company", **COMPANY)
    deployment.teamleader.post("/tokens/expire")

    deployment.edit("company", company, remarks="x")

    wait_for("the customer", lambda: deployment.in_twikey(company))
