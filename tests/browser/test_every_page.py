"""Every page on a desktop and a phone, in the light and in the dark: nothing sticks out, and axe finds no serious problem.

The pages stand in `harness.PAGES`.
"""

import pytest

from tests.browser.harness import DESKTOP, PAGES, PHONE, SCHEMES, sticks_out, troubles

# 200 % on a desktop: half as wide a window, twice the pixels.
ZOOMED = (640, 450)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop-light", "phone-dark"])
def test_axe_finds_no_serious_problem(visit, size, scheme):
    page = visit(size=size, scheme=scheme)
    found = {"sign-in": troubles(page)}

    page = visit("the-admin", size=size, scheme=scheme)
    for name, path in PAGES.items():
        page.goto(path)
        found[name] = troubles(page)

    assert {name: one for name, one in found.items() if one} == {}


@pytest.mark.parametrize(
    ("size", "language"),
    [(PHONE, "nl-BE"), (PHONE, "fr-BE"), (PHONE, "en-GB"), (ZOOMED, "fr-BE"), (DESKTOP, "fr-BE")],
    ids=["phone-nl", "phone-fr", "phone-en", "zoomed-fr", "desktop-fr"],
)
def test_nothing_sticks_out_in_any_language(visit, size, language):
    page = visit(size=size, language=language)
    found = {"sign-in": sticks_out(page)}

    page = visit("the-admin", size=size, language=language)
    for name, path in PAGES.items():
        page.goto(path)
        found[name] = sticks_out(page)

    assert {name: one for name, one in found.items() if one} == {}


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
