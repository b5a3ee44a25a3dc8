"""An operator adds and connects one more merchant on a machine without a browser; its edits then reach its own Twikey account."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.deployment import ROOT, Deployment, wait_for

COMPANY = {"name": "Garage Vandamme", "emails": [{"type": "primary", "email": "info@vandamme.example.com"}]}


@pytest.fixture
def merchant(running: Deployment, tltw) -> Iterator[dict[str, str]]:
    """A second Teamleader account and a second Twikey account, as yet unknown to us; removed from us afterwards."""
    back = f"{running.environment['TLTW_PUBLIC_URL']}/connect/teamleader"
    running.teamleader.patch("/settings", {"settings": {"redirect_uris": [back]}})
    account = running.teamleader.post("/accounts", {"empty": True})
    running.twikey.post("/creditors", {"id": "garage", "api_key": "garage-key"})
    yield {"account": account["id"], "back": back}
    tltw("integration", "remove", "garage", "--yes")


def consent(address: str, account: str) -> str:
    """A person at the consent page of Teamleader; answers where the browser landed."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert httpx.get(address, timeout=60).status_code == 200
    answer = httpx.post(address.partition("?")[0], data={**asked, "account": account, "decision": "allow"}, timeout=60)
    return answer.headers["location"]


def connect(deployment: Deployment, person: Callable[[str], str]) -> tuple[int, str, str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "ingress.cli", "integration", "connect", "garage"],
        env={**os.environ, **deployment.environment},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    address = next(line.strip() for line in process.stderr if line.startswith("http"))
    out, err = process.communicate(person(address) + "\n", timeout=240)
    return process.returncode, out, err


def test_a_merchant_is_added_connected_and_synced_to_its_own_twikey(deployment: Deployment, tltw, merchant):
    twikey = deployment.environment["TLTW_TWIKEY_API_URL"]
    added = tltw("integration", "add", "garage", f"twikey_url={twikey}", "twikey_key=garage-key", "label=Garage")

    code, out, err = connect(deployment, lambda address: consent(address, merchant["account"]))
    tltw("integration", "enable", "garage")
    made = deployment.teamleader.post("/customers", {"type": "company", **COMPANY}, account=merchant["account"])

    assert added.code == 0
    assert (code, out.count("✓"), out.count("✗")) == (0, 3, 0), err
    edit = {"name": "Garage Vandamme en Zoon"}
    deployment.teamleader.patch(f"/customers/company/{made['id']}", edit, account=merchant["account"])
    wait_for(
        "the edit to be in the garage's own Twikey",
        lambda: name_in_twikey(deployment, made["id"], "garage") == edit["name"],
    )
    assert deployment.in_twikey(made["id"]) is None
    listed = {one["id"]: one["state"] for one in tltw("integration", "list", "--json").json}
    assert listed == {"default": "active", "garage": "active"}


def test_an_account_that_serves_another_integration_is_refused_in_a_sentence(deployment: Deployment, tltw, merchant):
    twikey = deployment.environment["TLTW_TWIKEY_API_URL"]
    tltw("integration", "add", "garage", f"twikey_url={twikey}", "twikey_key=garage-key")
    taken = deployment.teamleader.get("/accounts")["accounts"][0]["id"]

    code, out, _ = connect(deployment, lambda address: consent(address, taken))

    assert code == 1
    assert "connected to another integration already" in out


def test_a_person_who_says_no_is_told_what_to_do(deployment: Deployment, tltw, merchant):
    twikey = deployment.environment["TLTW_TWIKEY_API_URL"]
    tltw("integration", "add", "garage", f"twikey_url={twikey}", "twikey_key=garage-key")

    def says_no(address: str) -> str:
        state = parse_qs(urlsplit(address).query)["state"][0]
        return f"{merchant['back']}?error=access_denied&state={state}"

    code, out, _ = connect(deployment, says_no)

    assert (code, "press Allow" in out) == (1, True)


def test_a_secret_that_is_named_without_a_value_is_asked_for_and_never_shown(deployment: Deployment, tltw, merchant):
    twikey = deployment.environment["TLTW_TWIKEY_API_URL"]
    tltw("integration", "add", "garage", f"twikey_url={twikey}", "twikey_key=garage-key")

    done = subprocess.run(
        [sys.executable, "-m", "ingress.cli", "integration", "set", "garage", "twikey_key"],
        env={**os.environ, **deployment.environment},
        cwd=ROOT,
        input="another-key\n",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    shown = tltw("integration", "show", "garage").out + tltw("integration", "history", "garage").out
    assert done.returncode == 0, done.stderr
    assert "twikey_key" in shown
    assert "another-key" not in done.stdout + shown
    assert "garage-key" not in shown


def name_in_twikey(deployment: Deployment, number: str, creditor: str) -> str | None:
    customers = deployment.twikey.get("/customers", creditor=creditor)["customers"]
    return next((one["profile"].get("companyName") for one in customers if one["customerNumber"] == number), None)
