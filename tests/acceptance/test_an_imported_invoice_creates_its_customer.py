"""When importing an invoice, the new customer is automatically created (support article)."""

import json
import re
import secrets
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from sandbox.deployment import ROOT, Deployment, wait_for

PERSON = {"first_name": "Koen", "last_name": "Dubois", "emails": [{"type": "primary", "email": "koen@example.org"}]}


def import_event(deployment: Deployment, body: dict[str, object]) -> int:
    """Sends a signed invoice-import event; answers the status."""
    payload, message_id, now = json.dumps(body), "msg_" + secrets.token_hex(8), datetime.now(UTC)
    signature = Webhook(deployment.environment["TLTW_EVENTS_SECRET"]).sign(message_id, now, payload)
    answer = deployment.client.post(
        f"{deployment.web_url}/events/invoice-imported/default",
        content=payload,
        headers={
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature,
        },
    )
    return answer.status_code


def booked(deployment: Deployment, kind: str, customer_id: str, **more: object) -> str:
    invoice = deployment.teamleader.post("/invoices", {"customer": {"type": kind, "id": customer_id}, **more})
    invoice_id: str = invoice["id"]
    return invoice_id


def test_booking_an_invoice_creates_its_customer_with_the_default_profile(deployment: Deployment):
    customer_id = deployment.create("contact", **PERSON)

    booked(deployment, "contact", customer_id)
    created = wait_for("the customer", lambda: deployment.in_twikey(customer_id))

    assert created["lastname"] == "Dubois"
    assert created["ct"] in ("123", 123)


def test_an_invoice_over_nothing_creates_nobody(deployment: Deployment):
    customer_id = deployment.create("contact", **PERSON)
    before = deployment.services.ledger("default").counts().get("skipped:invoice_zero", 0)

    booked(deployment, "contact", customer_id, amount=0)
    wait_for("the skip", lambda: deployment.services.ledger("default").counts().get("skipped:invoice_zero", 0) > before)

    assert deployment.in_twikey(customer_id) is None


def test_a_manual_import_creates_an_unknown_customer_while_auto_update_is_off(deployment: Deployment, tltw):
    customer_id = deployment.create("contact", **PERSON)
    tltw("integration", "disable")
    invoice_id = booked(deployment, "contact", customer_id)

    status = import_event(deployment, {"type": "invoice.imported", "trigger": "manual", "invoice": {"id": invoice_id}})

    assert status == 202
    assert wait_for("the customer", lambda: deployment.in_twikey(customer_id))["lastname"] == "Dubois"


def test_a_manual_import_leaves_a_known_customer_alone_while_auto_update_is_off(deployment: Deployment, tltw):
    customer_id = deployment.create("contact", **PERSON)
    deployment.twikey.post("/customers", {"customerNumber": customer_id, "profile": {"lastname": "By Hand"}})
    tltw("integration", "disable")

    status = import_event(
        deployment,
        {
            "type": "invoice.imported",
            "trigger": "manual",
            "invoice": {"id": "5d0f2a7e-0000-0000-0000-000000000001"},
            "customer": {"type": "contact", "id": customer_id},
        },
    )
    look = lambda: deployment.services.ledger("default").look(f"contact:{customer_id}")  # noqa: E731
    wait_for("the skip", lambda: (state := look()) and state.outcome == "skipped")

    assert status == 202
    assert deployment.writes(customer_id) == []
    assert (deployment.in_twikey(customer_id) or {})["lastname"] == "By Hand"


@pytest.mark.parametrize("trigger", ["automatic"])
def test_an_automatic_import_is_held_while_auto_update_is_off(deployment: Deployment, tltw, trigger):
    customer_id = deployment.create("contact", **PERSON)
    tltw("integration", "disable")

    status = import_event(
        deployment,
        {
            "type": "invoice.imported",
            "trigger": trigger,
            "invoice": {"id": "5d0f2a7e-0000-0000-0000-000000000002"},
            "customer": {"type": "contact", "id": customer_id},
        },
    )

    assert status == 200
    assert deployment.in_twikey(customer_id) is None
    tltw("integration", "enable")
    wait_for("the customer, once it is on again", lambda: deployment.in_twikey(customer_id))


def test_a_manual_import_creates_its_customer_even_when_the_option_goes_off_meanwhile(deployment: Deployment, tltw):
    customer_id = deployment.create("contact", **PERSON)
    deployment.teamleader.post("/gates", {"name": "mid-fetch", "prefix": "/contacts.info", "customer": customer_id})
    invoice = {"id": "5d0f2a7e-0000-0000-0000-000000000003"}
    customer = {"type": "contact", "id": customer_id}
    import_event(
        deployment, {"type": "invoice.imported", "trigger": "manual", "invoice": invoice, "customer": customer}
    )
    wait_for("the fetch to be under way", lambda: deployment.teamleader.get("/gates")["gates"][0]["waiting"])

    tltw("integration", "disable")
    deployment.teamleader.delete("/gates/mid-fetch")

    assert wait_for("the customer", lambda: deployment.in_twikey(customer_id))["lastname"] == "Dubois"


def test_the_example_of_the_docs_is_taken_in(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = (ROOT / "docs" / "connect.md").read_text()
    (example,) = re.findall(r"```python\n(.+?)```", page, re.DOTALL)
    monkeypatch.setenv("TLTW_EVENTS_SECRET", deployment.environment["TLTW_EVENTS_SECRET"])
    customer_id = deployment.create("contact", **PERSON)
    invoice_id = booked(deployment, "contact", customer_id)

    example = example.replace("2a39e420-3ba3-4384-8024-fa702ef99c9f", invoice_id)
    exec(example.replace("https://sync.example.com", deployment.web_url).replace("/bakery", "/default"), {})

    assert capsys.readouterr().out.startswith("202 ")
    wait_for("the customer in Twikey", lambda: deployment.in_twikey(customer_id))
