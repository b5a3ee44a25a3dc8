"""A newcomer connects a merchant through the pages: over Teamleader's consent page and back, in a real browser."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from sandbox.deployment import Deployment, SecondMerchant, second_merchant, wait_for
from tests.browser.conftest import Console, Visit
from tests.browser.harness import new_context, sign_in
from workers import connect, operations

NAME = "garage"


@pytest.fixture
def merchant(console: Console) -> Iterator[SecondMerchant]:
    """Somebody to connect; everything of theirs is removed from us afterwards."""
    creditor = f"garage-{len(console.deployment.twikey.get('/creditors')['creditors'])}"
    yield second_merchant(console.deployment, name=f"Account of {creditor}", creditor=creditor)
    services = console.deployment.services
    for name in set(services.registry.ids()) & {NAME, "copy"}:
        connect.remove(services, name, by="cli:test")


@pytest.fixture
def newcomer(browser: Browser, console: Console) -> Iterator[Page]:
    """An admin who signs in with name and password."""
    context = new_context(browser, console.url)
    page = context.new_page()
    page.set_default_timeout(60_000)
    sign_in(page, "the-admin", console.passwords["the-admin"])
    yield page
    context.close()


def fill_in(page: Page, deployment: Deployment, merchant: SecondMerchant, *, name: str = NAME, key: str = "") -> None:
    """From the menu to the page with the one button that is left."""
    page.get_by_role("link", name="Connect a merchant").click()
    page.get_by_label("Short name").fill(name)
    page.get_by_label("Name for people").fill("Garage Vandamme")
    page.get_by_label("Twikey base URL").fill(f"{deployment.twikey.url}/creditor")
    page.get_by_label("Twikey API key").fill(key or merchant.api_key)
    page.get_by_label("Language of customers without one").select_option("nl")
    page.get_by_role("button", name="Add, then connect Teamleader").click()


def consent(page: Page, account: str, *, decision: str = "Allow") -> None:
    """Presses the button, and then a person's decision at Teamleader."""
    page.get_by_role("button", name=re.compile("onnect to Teamleader")).click()
    expect(page.get_by_role("heading", name="Allow access?")).to_be_visible()
    page.get_by_label("Account").select_option(account)
    page.get_by_role("button", name=decision).click()


def steps(page: Page) -> list[str]:
    """The level of each step on the page of the connection, once all of it is there."""
    expect(page.locator(".step > .mark")).to_have_count(3)
    return [mark.get_attribute("class").split()[-1] for mark in page.locator(".step > .mark").all()]


def whole(page: Page) -> str:
    """What a page holds, once all of it is there."""
    page.wait_for_load_state()
    return page.content()


def in_their_twikey(deployment: Deployment, merchant: SecondMerchant) -> str | None:
    customers = deployment.twikey.get("/customers", creditor=merchant.creditor)["customers"]
    found = (one["profile"].get("companyName") for one in customers if one["customerNumber"] == merchant.company)
    return next(found, None)


def test_a_newcomer_connects_a_merchant_switches_on_and_an_edit_arrives(newcomer, console, merchant):
    deployment, page = console.deployment, newcomer

    fill_in(page, deployment, merchant)
    expect(page.get_by_role("status")).to_contain_text("Garage Vandamme was added")
    consent(page, merchant.account)

    expect(page.get_by_role("status")).to_contain_text("Connected: every step went well.")
    assert steps(page) == ["well", "well", "well"]

    page.get_by_role("link", name="Switches", exact=True).click()
    expect(page.locator("main")).to_contain_text("Nobody is held, so at first nothing happens.")
    page.get_by_role("button", name="Switch on").click()
    expect(page.get_by_role("status")).to_contain_text("Automatic updates are on.")

    edit = {"name": "Taxi Goossens en Dochter"}
    deployment.teamleader.patch(f"/customers/company/{merchant.company}", edit, account=merchant.account)
    wait_for("the edit to be in their own Twikey", lambda: in_their_twikey(deployment, merchant) == edit["name"])
    assert deployment.in_twikey(merchant.company) is None
    wait_for("the ledger to know it too", lambda: not deployment.services.ledger(NAME).books().pending)
    page.get_by_role("link", name="State").click()
    expect(page.locator("main")).to_contain_text("The one customer is in sync")


def test_without_scripts_every_step_has_its_button(visit: Visit, console, merchant):
    page = visit("the-admin", scripts=False)

    fill_in(page, console.deployment, merchant)
    consent(page, merchant.account)
    expect(page.get_by_role("heading", name="Finish connecting")).to_be_visible()
    assert console.deployment.services.ledger(NAME).state() == "connecting"
    page.get_by_role("button", name="Finish connecting").click()

    expect(page.get_by_role("status")).to_contain_text("Connected: every step went well.")
    assert steps(page) == ["well", "well", "well"]


def test_the_browser_never_comes_back_to_the_address_with_the_code(newcomer, console, merchant):
    page, addresses = newcomer, []
    fill_in(page, console.deployment, merchant)
    referers: list[str] = []
    page.on("request", lambda asked: referers.append(asked.headers.get("referer", "")))

    consent(page, merchant.account)
    expect(page.get_by_role("status")).to_contain_text("Connected")
    for _ in range(3):
        page.go_back()
        addresses.append(page.url)

    assert [one for one in addresses if "code=" in one] == []
    assert [one for one in referers if "code=" in one] == []


def test_saying_no_at_teamleader_leads_to_what_to_do_next(newcomer, console, merchant):
    page = newcomer
    fill_in(page, console.deployment, merchant)

    consent(page, merchant.account, decision="Deny")

    expect(page.locator(".step").first).to_contain_text("Begin again and press Allow")
    assert steps(page) == ["trouble", "off", "off"]
    consent(page, merchant.account)
    expect(page.get_by_role("status")).to_contain_text("Connected: every step went well.")


def test_an_account_that_serves_another_integration_is_refused(newcomer, console, merchant):
    page = newcomer
    taken = console.deployment.teamleader.get("/accounts")["accounts"][0]["id"]
    fill_in(page, console.deployment, merchant)

    consent(page, taken)

    expect(page.locator(".step").first).to_contain_text("is connected to another integration already")
    assert steps(page) == ["trouble", "off", "off"]


def test_a_wrong_twikey_key_is_mended_and_looked_at_again(newcomer, console, merchant):
    page = newcomer
    fill_in(page, console.deployment, merchant, key="a-wrong-key")
    consent(page, merchant.account)
    expect(page.locator(".step").nth(1)).to_contain_text("Twikey does not accept the API key")
    assert steps(page) == ["well", "trouble", "well"]

    page.locator(".step").get_by_role("link", name="To the settings").click()
    page.get_by_label("Twikey API key").fill(merchant.api_key)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Twikey API key: replaced. Now look again")
    page.get_by_role("button", name="Look again").click()

    expect(page.get_by_role("status")).to_contain_text("everything is in order")
    assert steps(page) == ["well", "well", "well"]
    page.get_by_role("link", name="Settings").click()
    expect(page.locator("main")).to_contain_text("the-admin Twikey API key (secret) → (secret)", use_inner_text=True)


def test_another_browser_cannot_finish_what_this_one_began(visit: Visit, console, merchant):
    page = visit("the-admin", scripts=False)  # so that it stops before the last step
    fill_in(page, console.deployment, merchant)
    consent(page, merchant.account)
    expect(page.get_by_role("heading", name="Finish connecting")).to_be_visible()

    other = visit("the-admin", page.url)

    expect(other.locator("main")).to_contain_text("begun in another browser")
    assert console.deployment.services.ledger(NAME).state() == "connecting"
    page.get_by_role("button", name="Finish connecting").click()
    expect(page.get_by_role("status")).to_contain_text("Connected: every step went well.")


def test_reconnecting_keeps_everything_and_what_was_held_runs(newcomer, console, merchant):
    deployment, page = console.deployment, newcomer
    fill_in(page, deployment, merchant)
    consent(page, merchant.account)
    expect(page.get_by_role("status")).to_contain_text("Connected")
    deployment.services.ledger(NAME).set_auto_update(True)
    deployment.teamleader.post("/tokens/revoke", account=merchant.account)
    edit = {"name": "Taxi Goossens verhuisd"}
    deployment.teamleader.patch(f"/customers/company/{merchant.company}", edit, account=merchant.account)
    ledger = deployment.services.ledger(NAME)
    wait_for("it to need a person", lambda: ledger.state() == "reconnect_needed" and ledger.books().pending)

    page.goto("/")
    page.locator("li", has_text="Garage Vandamme").get_by_role("link", name="To the connection").click()
    expect(page.locator("main")).to_contain_text("1 update waits; nothing is lost")
    consent(page, merchant.account)

    expect(page.get_by_role("status")).to_contain_text("Connected: every step went well.")
    wait_for("what was held to arrive", lambda: in_their_twikey(deployment, merchant) == edit["name"])


def test_removing_needs_the_name_and_then_it_is_gone(newcomer, console, merchant):
    page = newcomer
    fill_in(page, console.deployment, merchant)
    page.get_by_role("link", name="Settings").click()

    page.locator("summary", has_text="Remove").click()
    page.get_by_role("button", name="Remove Garage Vandamme for good").click()
    expect(page.locator("main")).to_contain_text("Nothing was removed. Type exactly garage.")
    page.get_by_label("Type garage to confirm").fill("garage")
    page.get_by_role("button", name="Remove Garage Vandamme for good").click()

    expect(page.get_by_role("status")).to_contain_text("Garage Vandamme was removed.")
    assert NAME not in console.deployment.services.registry.ids()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_is_no_admin_sees_no_way_to_connect_and_is_refused_one(visit: Visit, role):
    page = visit(f"the-{role}")
    assert page.get_by_role("link", name="Connect a merchant").count() == 0
    page.goto("/integrations/bakery/connection")
    assert page.get_by_role("button", name=re.compile("onnect to Teamleader")).count() == 0

    answer = page.goto("/connect")

    assert answer.status == 403
    expect(page.get_by_role("heading")).to_have_text("You may not do this")


def test_pressing_twice_while_it_is_slow_adds_one_merchant(newcomer, console, merchant):
    page = newcomer
    page.goto("/connect")
    page.get_by_label("Short name").fill(NAME)
    page.get_by_label("Twikey base URL").fill(f"{console.deployment.twikey.url}/creditor")
    page.get_by_label("Twikey API key").fill(merchant.api_key)

    page.get_by_role("button", name="Add, then connect Teamleader").dblclick()

    expect(page.get_by_role("status")).to_contain_text("garage was added")


def test_no_page_on_the_way_holds_a_secret(newcomer, console, merchant):
    page, services, shown = newcomer, console.deployment.services, []
    fill_in(page, console.deployment, merchant)
    expect(page.get_by_role("status")).to_contain_text("Garage Vandamme was added")
    shown.append(whole(page))
    consent(page, merchant.account)
    expect(page.get_by_role("status")).to_contain_text("Connected")
    shown.append(whole(page))

    for tab in ("State", "Connection", "Switches", "Settings", "Audit log"):
        page.get_by_role("link", name=tab, exact=True).click()
        expect(page.locator("nav [aria-current=page]", has_text=tab)).to_be_visible()
        shown.append(whole(page))

    secrets = [
        merchant.api_key,
        services.tokens(services.integration(NAME)).access_token(),
        operations.address(services, NAME),
        console.deployment.environment["TLTW_TEAMLEADER_CLIENT_SECRET"],
    ]
    assert len(set(shown)) == 7
    assert [secret for secret in secrets for content in shown if secret in content] == []
