"""For companies you can define a different invoicing e-mail address; it is added as CC, with auto-update on only."""

from sandbox.deployment import Deployment, wait_for

PRIMARY = {"type": "primary", "email": "info@inkt.example.com"}
INVOICING = {"type": "invoicing", "email": "boekhouding@inkt.example.com"}


def test_an_invoicing_email_that_changes_becomes_the_new_cc(deployment: Deployment):
    company = deployment.create("company", name="Drukkerij Inkt", emails=[PRIMARY, INVOICING])
    deployment.edit("company", company, remarks="x")
    wait_for("the CC", lambda: (deployment.in_twikey(company) or {}).get("cc") == INVOICING["email"])

    deployment.edit("company", company, emails=[PRIMARY, {"type": "invoicing", "email": "ap@inkt.example.com"}])

    wait_for("the new CC", lambda: (deployment.in_twikey(company) or {}).get("cc") == "ap@inkt.example.com")
    assert deployment.writes(company)[-1]["parameters"]["email"] == PRIMARY["email"]


def test_an_invoicing_email_equal_to_the_primary_one_is_no_cc(deployment: Deployment):
    same = {"type": "invoicing", "email": "INFO@inkt.example.com"}
    company = deployment.create("company", name="Drukkerij Inkt", emails=[PRIMARY, same])

    deployment.edit("company", company, remarks="x")
    wait_for("the customer", lambda: deployment.in_twikey(company))

    assert "cc" not in deployment.writes(company)[-1]["parameters"]


def test_a_refresh_by_hand_with_auto_update_off_does_not_carry_cc_or_invoicing_address_over(
    deployment: Deployment, tltw
):
    invoicing = {"line_1": "Kaai 1", "postal_code": "2000", "city": "Antwerpen", "country": "BE"}
    company = deployment.create(
        "company",
        name="Drukkerij Inkt",
        emails=[PRIMARY, INVOICING],
        addresses=[{"type": "invoicing", "address": invoicing}],
    )
    assert tltw("integration", "disable").code == 0

    result = tltw("sync", "company", company)

    assert result.code == 0, result
    sent = deployment.writes(company)[-1]["parameters"]
    assert sent["companyName"] == "Drukkerij Inkt"
    assert not {"cc", "address", "city", "zip"} & set(sent)
