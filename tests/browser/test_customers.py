"""An operator finds a customer, understands it, brings it over, adds it; what is planted in a name does not run."""

import re

import pytest
from playwright.sync_api import expect

from sandbox.deployment import wait_for
from tests.browser.harness import CUSTOMERS, PHONE, PLANTED, held, sticks_out, troubles
from workers import operations

SCRIPT = "<script>window.planted = 1</script><img src=x onerror='window.planted = 1'>"


@pytest.fixture
def switched_off(console):
    """Automatic updates are off for the time of a test."""
    operations.set_auto_update(console.deployment.services, "default", on=False, by="cli:test")
    yield
    operations.set_auto_update(console.deployment.services, "default", on=True, by="cli:test")


def emails(address):
    return [{"type": "primary", "email": address}]


def in_sync(console, name, address):
    """A company that both sides know."""
    deployment = console.deployment
    company = deployment.create("company", name=name, emails=emails(address))
    deployment.edit("company", company, remarks="x")
    wait_for("the customer", lambda: deployment.in_twikey(company))
    wait_for("the end", deployment.settled)
    return company


def test_found_in_the_crm_edited_and_added(visit, console):
    company = console.deployment.create("company", name="Slagerij Mes", emails=emails("info@mes.example.com"))
    page = visit("the-operator", CUSTOMERS)

    page.get_by_role("searchbox").fill("slagerij mes")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Slagerij Mes").click()
    expect(page.get_by_text("Twikey does not know this customer.")).to_be_visible()
    page.get_by_role("link", name="Add to Twikey").click()
    expect(page.get_by_label("Customer number")).to_have_value(company)
    expect(page.get_by_label("Customer number")).not_to_be_editable()
    page.get_by_label("E-mail", exact=True).fill("not an address")
    page.get_by_role("button", name="Add to Twikey").click()
    expect(page.get_by_role("alert")).to_contain_text("1 field needs you")
    assert console.deployment.in_twikey(company) is None
    assert troubles(page) == []
    page.get_by_label("E-mail", exact=True).fill("boekhouding@mes.example.com")
    page.get_by_role("button", name="Add to Twikey").click()

    expect(page.get_by_role("status")).to_contain_text("Added to Twikey.")
    assert console.deployment.in_twikey(company)["email"] == "boekhouding@mes.example.com"
    expect(page.locator(".story")).to_contain_text("added it to Twikey")


def test_what_was_edited_while_updates_are_off_is_refreshed_by_hand(visit, console, switched_off):
    company = console.deployment.create("company", name="Kapper Kam", emails=emails("old@kam.example.com"))
    console.deployment.twikey.post(
        "/customers",
        {"customerNumber": company, "profile": {"companyName": "Kapper Kam", "email": "old@kam.example.com"}},
    )
    both = [*emails("new@kam.example.com"), {"type": "invoicing", "email": "facturen@kam.example.com"}]
    console.deployment.edit("company", company, emails=both)
    wait_for("the edit", lambda: console.deployment.services.ledger("default").look(f"company:{company}"))
    wait_for("the end", console.deployment.settled)
    page = visit("the-operator", f"{CUSTOMERS}/company:{company}")
    expect(page.get_by_text("Automatic updates are off, so edits")).to_be_visible()
    expect(page.get_by_text("are not carried over")).to_be_visible()

    page.get_by_role("button", name="Refresh now").click()

    expect(page.get_by_role("status")).to_contain_text("Done, but for CC and a changed invoicing address")
    assert console.deployment.in_twikey(company)["email"] == "new@kam.example.com"
    assert "cc" not in console.deployment.in_twikey(company)
    expect(page.locator(".differs")).to_have_count(0)


def test_why_invoices_go_to_the_old_email_is_answered_in_three_clicks(visit, console, switched_off):
    company = in_twikey_only_old(console)
    page = visit("the-operator", "/")

    page.get_by_role("link", name="default").first.click()
    page.get_by_role("searchbox").fill("bloemen roosje")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Bloemen Roosje").click()

    expect(page.get_by_role("row", name=re.compile("^E-mail differs"))).to_contain_text("oud@roos.example.com")
    expect(page.get_by_text("Automatic updates are off, so edits in Teamleader do not reach Twikey")).to_be_visible()
    expect(page).to_have_url(re.compile(f"company:{company}$"))


def in_twikey_only_old(console):
    company = console.deployment.create("company", name="Bloemen Roosje", emails=emails("nieuw@roos.example.com"))
    old = {"companyName": "Bloemen Roosje", "email": "oud@roos.example.com"}
    console.deployment.twikey.post("/customers", {"customerNumber": company, "profile": old})
    return company


def test_an_edit_is_seen_to_arrive_without_a_hand(visit, console):
    company = in_sync(console, "Drukkerij Inkt", "info@inkt.example.com")
    deployment = console.deployment
    with held(deployment):
        deployment.edit("company", company, emails=emails("new@inkt.example.com"))
        wait_for("the edit", lambda: deployment.services.ledger("default").look(f"company:{company}").owed)
        page = visit("the-viewer", f"{CUSTOMERS}/company:{company}")
        expect(page.locator("#customer[data-news]")).to_have_count(1)

    expect(page.get_by_text("Twikey has this customer as it is in Teamleader.")).to_be_visible()
    expect(page.locator("#customer[data-news]")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "without-scripts"])
def test_the_walk_works_on_a_phone(visit, console, scripts):
    company = in_sync(console, f"Garage Wiel {scripts}", "info@wiel.example.com")
    page = visit("the-viewer", CUSTOMERS, size=PHONE, scripts=scripts)

    page.get_by_role("searchbox").fill(f"garage wiel {scripts}")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=f"Garage Wiel {scripts}").click()

    expect(page).to_have_url(re.compile(f"{company}$"))
    assert page.get_by_role("button", name="Refresh now").count() == 0
    if scripts:
        assert sticks_out(page) == []


def test_what_is_planted_in_a_name_does_not_run(visit, console):
    deployment = console.deployment
    company = deployment.create("company", name=SCRIPT, emails=emails("info@evil.example.com"), vat_number=SCRIPT)
    nameless = deployment.create("company", name="", emails=emails(f"{SCRIPT}@evil.example.com"))
    for one in (company, nameless):
        deployment.edit("company", one, remarks=SCRIPT)
    wait_for("the customer", lambda: deployment.in_twikey(company))
    look = deployment.services.ledger("default").look
    wait_for("the dead letter", lambda: (state := look(f"company:{nameless}")) and state.story)
    page = visit("the-operator", CUSTOMERS)
    paths = [
        f"{CUSTOMERS}?q=planted",
        f"{CUSTOMERS}/company:{company}",
        f"{CUSTOMERS}/company:{company}/add",
        f"{CUSTOMERS}/company:{nameless}",
        f"{CUSTOMERS}/company:{nameless}/add",
        f"{CUSTOMERS}/{PLANTED}/add",
        f"/integrations/default/dead-letters?text={nameless}",
        f"/integrations/default/dead-letters/company:{nameless}",
        f"/integrations/default/dead-letters/chosen?subject=company:{nameless}",
    ]

    for path in paths:
        page.goto(path, wait_until="networkidle")
        assert page.evaluate("window.planted") is None, path
        assert page.locator("main img").count() == 0, path

    page.goto(paths[0])
    assert SCRIPT in page.inner_text("main")
