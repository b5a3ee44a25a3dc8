"""What fails is tried again; what cannot succeed waits for a person, who mends it and replays it."""

from sandbox.deployment import Deployment, wait_for

COMPANY = {"name": "Bouw Steen", "emails": [{"type": "primary", "email": "info@steen.example.com"}]}


def test_a_twikey_outage_heals_by_itself(deployment: Deployment):
    company = deployment.create("company", **COMPANY)
    outage = {"kind": "status", "status": 503, "prefix": "/creditor/customer", "customer": company, "count": 3}
    deployment.twikey.post("/faults", outage)

    deployment.edit("company", company, name="Bouw Steen NV")

    wait_for(
        "the name", lambda: (deployment.in_twikey(company) or {}).get("companyName") == "Bouw Steen NV", seconds=60
    )
    assert [fault["hits"] for fault in deployment.twikey.get("/faults")["faults"]] == [3]


def test_a_customer_that_cannot_be_mapped_is_a_dead_letter_until_it_is_repaired_and_replayed(
    deployment: Deployment, sweeps_rest, tltw
):
    company = deployment.create("company", **COMPANY | {"name": ""})
    subject = f"company:{company}"
    deployment.edit("company", company, remarks="x")
    ledger = deployment.services.ledger("default")
    # A sweep in between would try it again by itself, and for that moment it would be no dead letter.
    wait_for("the dead letter", lambda: subject in {letter.subject for letter in ledger.dead_letters()})

    listed = tltw("dead-letters", "list", "--json").json
    assert [(letter["subject"], letter["story"]["reason"]) for letter in listed if letter["subject"] == subject] == [
        (subject, "cannot_map")
    ]
    assert "name" in tltw("dead-letters", "show", subject).out
    deployment.teamleader.patch(f"/customers/company/{company}", {"name": "Bouw Steen"}, silent="1")
    assert tltw("dead-letters", "replay", subject).code == 0
    wait_for("the customer", lambda: deployment.in_twikey(company))
    wait_for("the end of the dead letter", lambda: (state := ledger.look(subject)) and state.story is None)
    assert tltw("dead-letters", "replay", subject).code == 1


def test_a_customer_deleted_in_teamleader_is_left_as_it_is_in_twikey(deployment: Deployment):
    company = deployment.create("company", **COMPANY)
    deployment.edit("company", company, remarks="x")
    wait_for("the customer", lambda: deployment.in_twikey(company))

    deployment.teamleader.delete(f"/customers/company/{company}")
    ledger = deployment.services.ledger("default")
    wait_for("the outcome", lambda: (state := ledger.look(f"company:{company}")) and state.outcome == "gone")

    assert (deployment.in_twikey(company) or {})["companyName"] == "Bouw Steen"


def test_an_upsert_whose_name_twikey_refuses_still_brings_the_rest(deployment: Deployment):
    company = deployment.create("company", **COMPANY)
    deployment.twikey.post(
        "/customers", {"customerNumber": company, "profile": {"companyName": "Signed BV"}, "name_locked": True}
    )

    deployment.edit("company", company, name="Renamed BV")
    wait_for("the e-mail", lambda: (deployment.in_twikey(company) or {}).get("email") == "info@steen.example.com")

    assert (deployment.in_twikey(company) or {})["companyName"] == "Signed BV"
