"""What every answer tells the browser."""

import pytest

from ingress.console.page import Pages
from workers.operators import Role

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
}


@pytest.mark.parametrize("path", ["/login", "/", "/nowhere", "/livez", "/operators"])
def test_every_answer_is_kept_by_nobody_and_runs_nothing_but_our_files(house, path):
    answer = house.browser("the-viewer").get(path)

    assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "Strict-Transport-Security" not in answer.headers


def test_a_page_may_name_another_place_that_its_forms_lead_to(house):
    pages = Pages("leading")

    @pages.get("/leading", needs=Role.VIEWER)
    def lead(here):
        return here.page("account.html", problems={}, sessions=[], form_targets=["https://focus.teamleader.eu"])

    house.app.register_blueprint(pages.blueprint)
    browser = house.browser("the-viewer")

    assert (
        "form-action 'self' https://focus.teamleader.eu" in browser.get("/leading").headers["Content-Security-Policy"]
    )
    assert "teamleader" not in browser.get("/account").headers["Content-Security-Policy"]


def test_static_files_are_kept_for_ever_under_an_address_that_names_their_contents(house):
    browser = house.browser()
    page = browser.get("/login").text

    for name in ("console.css", "console.js", "icon.svg"):
        address = page.split(f"/static/{name}?v=")[1].split('"')[0]
        answer = browser.get(f"/static/{name}?v={address}")
        assert len(address) == 12
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in answer.headers


def test_the_first_page_is_one_request_and_a_style_sheet_under_fifty_kilobytes(house):
    browser = house.browser("the-admin")

    page = browser.get("/")
    style = browser.get("/static/console.css")
    script = browser.get("/static/console.js")

    assert page.text.count('rel="stylesheet"') == 1
    assert "//" not in page.text.replace("http://www.w3.org", "").split("<body>")[0].replace("<!doctype", "")
    assert len(page.data) + len(style.data) + len(script.data) < 50_000


def test_the_health_check_says_that_the_process_lives_and_asks_for_nothing(house, monkeypatch):
    monkeypatch.setattr(type(house.store), "execute_command", None)

    answer = house.app.test_client().get("/livez", base_url="http://192.0.2.1")

    assert (answer.status_code, answer.json) == (200, {"status": "alive"})
