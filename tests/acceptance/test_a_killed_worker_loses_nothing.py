"""kill -9 of the worker at the worst moments: Twikey is right once the lease is over, and no webhook is lost."""

import os
import signal

import pytest

from sandbox.deployment import Deployment, wait_for

COMPANY = {"name": "Tuinen Groen", "emails": [{"type": "primary", "email": "info@groen.example.com"}]}
MOMENTS = {
    "in the middle of the fetch": ("teamleader", "/companies.info", "before"),
    "in the middle of the upsert": ("twikey", "/creditor/customer", "before"),
    "after the upsert, before the commit": ("twikey", "/creditor/customer", "after"),
}


@pytest.mark.processes
def test_every_customer_is_right_after_the_worker_was_killed_with_it_in_hand(deployment: Deployment):
    """One death, three customers: each at a worst moment of its own."""
    companies = {moment: known(deployment) for moment in MOMENTS}
    for moment, (side, prefix, when) in MOMENTS.items():
        gate = {"name": moment, "prefix": prefix, "when": when, "customer": companies[moment]}
        getattr(deployment, side).post("/gates", gate)
        deployment.edit("company", companies[moment], name="Tuinen Groen & Co")
    wait_for("the moments", lambda: set(held(deployment)) == set(MOMENTS))

    worker = deployment.supervisor.pid("worker")
    assert worker
    os.kill(worker, signal.SIGKILL)
    for company in companies.values():
        deployment.edit("company", company, name="Tuinen Groen NV")
    for simulated in (deployment.teamleader, deployment.twikey):
        simulated.delete("/gates")

    for moment, company in companies.items():
        wait_for(f"the newest name of who was {moment}", lambda: newest(deployment, company), seconds=90)  # noqa: B023
    assert deployment.twikey.get("/overlaps")["count"] == 0


def known(deployment: Deployment) -> str:
    """A company that Twikey has, so that the first call of an upsert is the one that counts."""
    company = deployment.create("company", **COMPANY)
    deployment.twikey.post("/customers", {"customerNumber": company, "profile": {"companyName": COMPANY["name"]}})
    return company


def held(deployment: Deployment) -> list[str]:
    gates = [*deployment.teamleader.get("/gates")["gates"], *deployment.twikey.get("/gates")["gates"]]
    return [gate["name"] for gate in gates if gate["waiting"]]


def newest(deployment: Deployment, company: str) -> bool:
    return (deployment.in_twikey(company) or {}).get("companyName") == "Tuinen Groen NV"
