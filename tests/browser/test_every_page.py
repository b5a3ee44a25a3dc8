"""Every page on a desktop and a phone, in the light and in the dark: nothing sticks out, and axe finds no serious problem.

The pages stand in `harness.PAGES`.
"""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.harness import DESKTOP, PAGES, PHONE, SCHEMES, sticks_out, troubles

# 200 % on a desktop is half as wide a window.
ZOOMED = (640, 450)


def test_axe_finds_no_serious_problem(visit):
    found = {}

    for name, page in every_page(visit):
        for size, scheme in ((DESKTOP, "light"), (PHONE, "dark")):
            resize(page, size)
            page.emulate_media(color_scheme=scheme)
            found[name, scheme] = troubles(page)

    assert {name: one for name, one in found.items() if one} == {}


@pytest.mark.parametrize(
    ("language", "sizes"),
    [("nl-BE", [PHONE]), ("fr-BE", [PHONE, ZOOMED, DESKTOP])],
    ids=["nl", "fr"],
)
def test_nothing_sticks_out_in_any_language(visit, language, sizes):
    found = {}

    for name, page in every_page(visit, language=language):
        for size in sizes:
            resize(page, size)
            found[name, size] = sticks_out(page)

    assert {name: one for name, one in found.items() if one} == {}


def every_page(visit, **how):
    """The name of each page, and the page: first what a stranger sees, then what an admin does."""
    yield "sign-in", visit(**how)
    page = visit("the-admin", **how)
    for name, path in PAGES.items():
        page.goto(path)
        yield name, page


def resize(page, size):
    width, height = size
    page.set_viewport_size({"width": width, "height": height})


def test_dark_is_dark_and_light_is_light(visit):
    backgrounds = {
        scheme: visit(scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor") for scheme in SCHEMES
    }

    assert {scheme: sum(map(int, rgb[4:-1].split(","))) > 384 for scheme, rgb in backgrounds.items()} == {
        "light": True,
        "dark": False,
    }


def test_a_page_is_one_request_a_style_sheet_and_a_small_script(visit, console):
    page = visit("the-admin")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.goto("/", wait_until="networkidle")

    kinds = sorted(url.removeprefix(console.url).split("?")[0] for url in asked)
    assert [kind for kind in kinds if kind != "/static/icon.svg"] == ["/", "/static/console.css", "/static/console.js"]


@pytest.mark.parametrize("language", ["nl-BE", "fr-BE", "en-GB"])
def test_on_a_phone_the_content_begins_near_the_top(visit, language):
    page = visit("the-admin", size=PHONE, language=language)

    assert top_of(page, "main > :first-child") < 160
    page.goto(PAGES["integration"])
    assert top_of(page, "main > .tabs + *") < 290


def top_of(page, selector):
    top: float = page.locator(selector).first.evaluate("(one) => one.getBoundingClientRect().top + scrollY")
    return top


@pytest.mark.parametrize("scripts", [True, False])
def test_on_a_phone_the_menu_opens_by_keyboard_and_closes_again_without_scripts_too(visit, scripts):
    page = visit("the-admin", PAGES["integration"], size=PHONE, scripts=scripts)
    for button, links in (("Menu", "Menu"), ("Pages of default: State", "Pages of default")):
        opens, menu = page.get_by_role("button", name=button), page.get_by_role("navigation", name=links)
        assert not menu.is_visible()

        opens.press("Enter")

        expect(menu).to_be_visible()
        assert sticks_out(page) == []
        page.keyboard.press("Tab")
        assert menu.get_by_role("link").first.evaluate("(one) => one === document.activeElement")
        page.keyboard.press("Escape")
        expect(menu).not_to_be_visible()


def test_an_open_menu_leads_on_and_axe_finds_nothing_in_it(visit):
    page = visit("the-admin", PAGES["integration"], size=PHONE, scheme="dark")
    page.get_by_role("button", name="Pages of default").click()
    found = troubles(page)

    page.get_by_role("link", name="Dead letters").click()

    assert found == []
    expect(page).to_have_url(re.compile("/integrations/default/dead-letters$"))


def test_on_a_desktop_the_menu_and_the_tabs_are_rows(visit):
    page = visit("the-admin", PAGES["integration"])

    assert page.get_by_role("button", name="Menu").count() == 0
    assert page.get_by_role("navigation", name="Menu").is_visible()
    assert page.get_by_role("navigation", name="Pages of default").is_visible()
    assert top_of(page, "main > .tabs + *") < 210
