"""kill -9 of the worker at the worst moments: Twikey is right within 30 s, and no webhook is lost."""

import os
import signal

import pytest

from sandbox.deployment import Deployment, wait_for

COMPANY = {"name": "Tuinen Groen", "emails": [{"type": "primary", "email": "info@groen.example.com"}]}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("side", "prefix", "when"),
    [
        ("teamleader", "/companies.info", "before"),  # in the middle of the fetch
        ("twikey", "/creditor/customer", "before"),  # in the middle of the upsert
        ("twikey", "/creditor/customer", "after"),  # after the upsert, before the commit
    ],
)
def test_the_customer_is_right_within_thirty_seconds(deployment: Deployment, side, prefix, when):
    company = deployment.create("company", **COMPANY)
    simulated = getattr(deployment, side)
    simulated.post("/gates", {"name": "moment", "prefix": prefix, "when": when, "customer": company})
    deployment.edit("company", company, name="Tuinen Groen & Co")
    wait_for("the moment", lambda: simulated.get("/gates")["gates"][0]["waiting"])

    worker = deployment.supervisor.pid("worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    deployment.edit("company", company, name="Tuinen Groen NV")
    simulated.delete("/gates/moment")

    wait_for(
        "the newest name",
        lambda: (deployment.in_twikey(company) or {}).get("companyName") == "Tuinen Groen NV",
        seconds=30,
    )
    assert deployment.twikey.get("/overlaps")["count"] == 0
