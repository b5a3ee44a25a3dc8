"""Signing in and out in a real browser: with mouse, keyboard alone, and without scripts."""

import re

from playwright.sync_api import expect

from tests.browser.harness import PHONE, sign_in


def test_the_right_password_leads_to_the_overview(visit, console):
    page = visit()

    sign_in(page, "the-operator", console.passwords["the-operator"])

    expect(page).to_have_title("Overview – Teamleader → Twikey")
    expect(page.get_by_role("link", name=re.compile("the-operator"))).to_be_visible()
    expect(page.locator("main")).to_contain_text("default")


def test_a_wrong_password_says_so_and_lets_one_try_again(visit, console):
    page = visit()

    sign_in(page, "the-operator", "wrong")

    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    expect(page.get_by_label("Name")).to_have_value("the-operator")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type(console.passwords["the-operator"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_the_keyboard_alone_signs_in_looks_around_and_signs_out(visit, console):
    page = visit()
    expect(page.get_by_label("Name")).to_be_focused()

    page.keyboard.type("the-operator")
    page.keyboard.press("Tab")
    page.keyboard.type(console.passwords["the-operator"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    # Whatever can be used first: with several integrations that is the filter, with one the card itself.
    assert page.evaluate("document.activeElement.matches('main *')")
    while page.evaluate("document.activeElement.innerText") != "Sign out":
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("You are signed out.")


def test_what_has_the_focus_is_seen(visit):
    page = visit("the-operator")

    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    outline = page.evaluate(
        "getComputedStyle(document.activeElement).outlineStyle + getComputedStyle(document.activeElement).outlineWidth"
    )
    assert outline == "solid3px"


def test_without_scripts_everything_works_and_times_are_in_utc(visit):
    page = visit("the-admin", "/audit", scripts=False)

    assert " UTC" in page.inner_text("td time")
    page.click("text=Sign out")
    expect(page.get_by_role("status")).to_contain_text("You are signed out.")


def test_times_are_in_the_readers_zone_and_language(visit):
    brussels = visit("the-admin", "/audit", language="nl-BE", zone="Europe/Brussels")
    auckland = visit("the-admin", "/audit", language="fr-FR", zone="Pacific/Auckland")

    # Of the same entry: meanwhile something more may have been noted.
    moment = brussels.locator("td time").first.get_attribute("datetime")
    times = [page.locator(f"td time[datetime='{moment}']").first for page in (brussels, auckland)]
    assert times[0].inner_text() != times[1].inner_text()
    assert "UTC" not in times[0].inner_text() + times[1].inner_text()
    assert brussels.evaluate("document.documentElement.lang") == "nl"


def test_after_signing_out_the_back_button_shows_nothing(visit):
    page = visit("the-operator", "/account")

    page.click("text=Sign out")
    page.wait_for_url("**/login")
    page.go_back()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_viewer_is_told_who_may_see_the_operators(visit):
    page = visit("the-viewer")

    answer = page.goto("/operators")

    assert answer.status == 403
    expect(page.get_by_role("heading")).to_have_text("You may not do this")
    assert "the-admin" in page.inner_text("main")
    assert page.get_by_role("link", name="Operators").count() == 0


def test_an_admin_adds_somebody_who_signs_in_on_a_phone(visit):
    admin = visit("the-admin", "/operators")
    admin.get_by_label("Name").fill("new.person")
    admin.get_by_label("viewer").check()
    admin.get_by_role("button", name="Add an operator").click()
    password = admin.locator(".secret code").inner_text()

    phone = visit(size=PHONE)
    sign_in(phone, "new.person", password)

    expect(phone.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_page_may_not_be_framed_and_runs_no_script_that_is_not_ours(visit):
    page = visit("the-viewer")

    ran = page.evaluate(
        """async () => {
             window.ran = false;
             const script = document.createElement("script");
             script.textContent = "window.ran = true";
             document.body.append(script);
             const image = document.createElement("img");
             image.setAttribute("onerror", "window.ran = true");
             image.src = "/static/none.png";
             document.body.append(image);
             await new Promise((done) => setTimeout(done, 300));
             return window.ran;
           }"""
    )

    assert ran is False
    assert len(visit.mistakes) == 2
    visit.mistakes.clear()


def test_the_language_is_the_browsers_until_one_chooses(visit):
    page = visit(language="fr-BE")
    expect(page.get_by_role("heading")).to_have_text("Se connecter")

    page.click("text=Nederlands")

    expect(page.get_by_role("heading")).to_have_text("Aanmelden")
    expect(page.get_by_role("button", name="Nederlands")).to_have_attribute("aria-pressed", "true")
