"""The public web process knows no page of the console, and the console takes no webhook in."""

import httpx
import pytest

from sandbox.deployment import Deployment
from sandbox.teamleader.world import DEFAULT_ACCOUNT

PAGES = ("/", "/login", "/operators", "/audit", "/account", "/integrations/default", "/static/console.css")


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_web_process_has_no_page_of_the_console(deployment: Deployment, path, method):
    answer = httpx.request(method, deployment.web_url + path, timeout=60)

    assert answer.status_code == 404
    assert answer.json()["reason"] == "not_found"
    assert "set-cookie" not in answer.headers


def test_the_console_answers_on_its_own_port_and_leads_strangers_to_the_sign_in_page(deployment: Deployment):
    answer = httpx.get(deployment.console_url, follow_redirects=True, timeout=60)

    assert answer.status_code == 200
    assert answer.url.path == "/login"


def test_the_console_takes_no_webhook_in(deployment: Deployment, tltw):
    address = tltw("webhook-address").out.strip().replace(deployment.web_url, deployment.console_url)

    company, account = deployment.create("company", name="Niet Hier BV"), {"type": "account", "id": DEFAULT_ACCOUNT}
    event = {"type": "company.updated", "subject": {"type": "company", "id": company}, "account": account}
    answer = httpx.post(address, json=event, timeout=60)

    assert answer.status_code == 404
    assert deployment.services.ledger("default").look(f"company:{company}") is None


def test_an_operator_who_is_added_on_the_command_line_can_sign_in(deployment: Deployment, tltw):
    made = tltw("operator", "add", "an", "--role", "viewer", "--generate", "--json").json

    with httpx.Client(base_url=deployment.console_url, follow_redirects=True, timeout=60) as browser:
        token = browser.get("/login").text.split('name="form_token" value="')[1].split('"')[0]
        form = {"name": "an", "password": made["password"], "form_token": token}
        first = browser.post("/login", data=form)

    assert first.status_code == 200
    assert first.url.path == "/"
    assert "an" in first.text
    assert tltw("operator", "remove", "an").code == 0


def test_bytes_that_are_no_http_leave_no_address_in_the_log(deployment: Deployment):
    answer = httpx.get(f"{deployment.console_url}/customers?q={'Janssens' * 1000}", timeout=60)

    assert answer.status_code in (400, 414)
    assert "Janssens" not in (deployment.folder / "logs" / "console.log").read_text()
