"""The pages of both sandboxes: hostile names stay text, and a person can edit, book and break things."""

import html
import re

import httpx
import pytest

from sandbox.serve import serve
from sandbox.teamleader.app import create_teamleader
from sandbox.twikey.app import create_twikey
from sandbox.world import CHARACTERS, Character, character

SCRIPT = "<script>alert"


@pytest.mark.parametrize("one", CHARACTERS, ids=lambda one: one.slug)
def test_saving_a_customer_unchanged_changes_nothing_a_person_would_notice(one: Character) -> None:
    app = create_teamleader()
    before = app.world.default.customers.get(one.kind, one.id)
    assert before is not None
    with serve(app) as url, httpx.Client(base_url=url) as client:
        page = client.get(f"/ui/customers/{one.kind}/{one.id}")
        form = {name: value or "" for name, value in _fields(page.text)}
        answer = client.post(f"/ui/customers/{one.kind}/{one.id}", data=form)

    after = app.world.default.customers.get(one.kind, one.id)
    assert after is not None
    assert answer.status_code == 302
    kept = ("name", "first_name", "last_name", "emails", "vat_number", "language", "status")
    assert {name: after.data.get(name) for name in kept} == {name: before.data.get(name) for name in kept}
    assert SCRIPT not in page.text


def _fields(page: str) -> list[tuple[str, str]]:
    """The text areas of a page, as a browser reads them."""
    found = re.findall(r'<textarea name="([^"]+)" rows="1">(.*?)</textarea>', page, re.DOTALL)
    return [(name, html.unescape(value)) for name, value in found]


def test_the_overview_finds_by_name_and_shows_markup_as_text() -> None:
    with serve(create_teamleader()) as url:
        page = httpx.get(url, params={"term": "script"})

    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
    assert "Ascensio" not in page.text


def test_an_invoice_can_be_booked_and_a_fault_switched_by_hand() -> None:
    app = create_teamleader()
    with serve(app) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        client.post(f"/ui/customers/company/{character('two-emails').id}/invoice").raise_for_status()
        switched = client.post("/ui/faults", data={"kind": "status", "prefix": "/contacts", "percent": "40"})
        listed = app.faults.listed()
        client.post("/ui/faults/clear", data={"id": listed[0].id}).raise_for_status()

    assert len(app.world.default.invoices) == 1
    assert switched.status_code == 200
    assert (listed[0].prefix, listed[0].probability) == ("/contacts", 0.4)
    assert app.faults.listed() == []


def test_the_pages_of_twikey_show_and_change_a_customer() -> None:
    app = create_twikey()
    app.office.default.add("one", {"companyName": "<script>alert(1)</script>"})
    with serve(app) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        overview = client.get("/")
        saved = client.post("/ui/customers/one", data={"companyName": "Een", "city": "", "name_locked": "on"})
        missing = client.get("/ui/customers/nobody")

    customer = app.office.default.customers["one"]
    assert SCRIPT not in overview.text
    assert saved.status_code == 200
    assert (customer.profile, customer.name_locked) == ({"companyName": "Een"}, True)
    assert missing.status_code == 404


def test_a_second_account_and_a_second_creditor_have_pages_of_their_own() -> None:
    teamleader, twikey = create_teamleader(), create_twikey()
    account = teamleader.world.add_account(characters=(), name="Garage <b>")
    made = account.create("company", {"name": "Fietsen Van Hove"})
    twikey.office.add_creditor("garage", "garage-key").add("c-1", {"companyName": "Fietsen Van Hove"})

    with serve(teamleader) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        theirs = client.get("/", params={"account": account.id}).text
        link = html.unescape(re.findall(r'href="(/ui/customers/[^"]+)"', theirs)[0])
        saved = client.post(link, data={"name": "Fietsen Van Hove bv", "addresses.primary.country": "BE"})
        unknown = client.get("/", params={"account": "none"})
    with serve(twikey) as url, httpx.Client(base_url=url, follow_redirects=True) as client:
        first, second = client.get("/").text, client.get("/", params={"creditor": "garage"}).text
        customer = client.get(html.unescape(re.findall(r'href="(/ui/customers/[^"]+)"', second)[0]))

    after = account.find("company", made.id)
    assert after is not None
    assert after.data["name"] == "Fietsen Van Hove bv"
    assert "Garage &lt;b&gt;" in theirs
    assert "Fietsen Van Hove bv" in saved.text
    assert unknown.status_code == 404
    assert "Fietsen Van Hove" not in first
    assert "Fietsen Van Hove" in customer.text


def test_the_addresses_that_lead_to_a_customer_are_pages_of_the_simulated_systems_themselves() -> None:
    teamleader, twikey = create_teamleader(), create_twikey()
    account = teamleader.world.add_account(characters=(), name="Garage")
    made = account.create("company", {"name": "Fietsen Van Hove"})
    teamleader.world.issue_tokens(account, access="theirs")
    twikey.office.add_creditor("garage", "garage-key").add(made.id, {"companyName": "Fietsen Van Hove"})

    with serve(teamleader) as url, httpx.Client(base_url=url, headers={"Authorization": "Bearer theirs"}) as client:
        told = client.post("/companies.info", json={"id": made.id}).json()["data"]["web_url"]
        listed = client.post("/companies.list", json={}).json()["data"][0]["web_url"]
        there = client.get(told)
    with serve(twikey) as twikey_url, httpx.Client(base_url=twikey_url, follow_redirects=True) as client:
        in_twikey = client.get(f"/ui/customers/{made.id}")

    assert told == listed == f"{url}/ui/customers/company/{made.id}?account={account.id}"
    assert "Fietsen Van Hove" in there.text
    assert "Fietsen Van Hove" in in_twikey.text
