"""The way in and out: cookies, forms, addresses, and what a stranger learns."""

from urllib.parse import unquote

import pytest
from structlog.testing import capture_logs

from ingress.console.here import local
from tests.unit.console.conftest import PASSWORD, Browser, text_of
from workers import operators, sign_in
from workers.operators import Role

HTTPS = {"TLTW_CONSOLE_URL": "https://console.example.com"}


def test_a_stranger_is_led_to_the_sign_in_page_and_back_to_where_they_wanted_to_go(house):
    browser = house.browser()

    led = browser.get("/audit?integration=default")
    back = browser.sign_in("the-viewer", next="/audit?integration=default")

    assert led.location == "/login?next=/audit?integration%3Ddefault"
    assert (back.status_code, back.location) == (303, "/audit?integration=default")
    assert browser.get(back.location).status_code == 200


@pytest.mark.parametrize(
    "next_",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil", "", "javascript:x"],
)
def test_signing_in_leads_nowhere_but_to_the_console(house, next_):
    assert house.browser().sign_in("the-viewer", next=next_).location == "/"
    assert local(next_) == "/"


def test_signing_in_gives_a_new_session_id_and_only_that_one_works(house):
    browser = house.browser()
    browser.get("/login")
    before = browser.cookies()["tltw-session"]

    browser.sign_in("the-viewer")
    after = browser.cookies()["tltw-session"]

    planted = house.browser()
    planted.client.set_cookie("tltw-session", before, domain="127.0.0.1")
    assert after != before
    assert browser.get("/").status_code == 200
    assert planted.get("/").status_code == 303


def test_a_wrong_password_says_so_keeps_the_name_and_does_not_repeat_the_password(house):
    answer = house.browser().sign_in("the-viewer", "wrong <password>")

    assert answer.status_code == 422
    assert "do not belong together" in text_of(answer)
    assert 'value="the-viewer"' in answer.text
    assert "wrong &lt;password" not in answer.text


def test_too_many_tries_say_when_to_come_back(house):
    browser = house.browser()
    for _ in range(sign_in.TRIES_OF_STRANGERS["name and address"]):
        browser.sign_in("the-viewer", "wrong")

    answer = browser.sign_in("the-viewer")

    assert answer.status_code == 429
    assert "Try again in 15 minutes" in text_of(answer)
    assert 0 < int(answer.headers["Retry-After"]) <= 900


def test_a_browser_in_which_somebody_signed_in_stays_known(house):
    browser = house.browser("the-viewer")
    browser.post("/logout")

    for _ in range(sign_in.TRIES_OF_STRANGERS["name and address"] + 1):
        answer = browser.sign_in("the-viewer", "wrong")

    assert answer.status_code == 422
    assert browser.sign_in("the-viewer").status_code == 303


def test_signing_out_ends_the_session_also_for_a_copy_of_its_cookie(house):
    browser = house.browser("the-viewer")
    copy = house.browser()
    copy.client.set_cookie("tltw-session", browser.cookies()["tltw-session"], domain="127.0.0.1")
    assert copy.get("/").status_code == 200

    left = browser.post("/logout")

    assert left.location == "/login"
    assert "You are signed out." in text_of(browser.get(left.location))
    assert copy.get("/").status_code == 303


def test_what_was_said_is_said_once(house):
    browser = house.browser("the-viewer")
    browser.post("/logout")

    assert "You are signed out." in text_of(browser.get("/login"))
    assert "You are signed out." not in text_of(browser.get("/login"))


@pytest.mark.parametrize(
    "said", ["", "x", "[]", '["no.key", {}]', '["sign_in.throttled", {}]', '["sign_in.wrong", 3]', "{}"]
)
def test_a_forged_thing_to_say_is_not_said(house, said):
    browser = house.browser()
    browser.client.set_cookie("tltw-said", said, domain="127.0.0.1")

    assert browser.get("/login").status_code == 200


def test_a_post_after_the_session_ended_says_that_nothing_was_changed(house):
    browser = house.browser("the-admin")
    operators.sign_out_everywhere(house.store, "the-admin", by="x")

    led = browser.post("/operators", {"name": "new", "role": "viewer"})

    assert led.location == "/login?next=/operators"
    assert "nothing was changed" in text_of(browser.get(led.location))
    assert operators.find(house.store, "new") is None


@pytest.mark.parametrize(
    ("sent_to", "page"),
    [
        ("/integrations/default/settings", "/login?next=/integrations/default/settings"),
        ("/integrations/default/switches/pause", "/login?next=/integrations/default/switches"),
        ("/integrations/default/dead-letters/replay", "/login?next=/integrations/default/dead-letters"),
        ("/integrations/default/customers/company:7/refresh", "/login?next=/integrations/default/customers/company:7"),
        ("/integrations/default/files/f1/download", "/login?next=/integrations/default/files"),
        ("/logout", "/login"),
    ],
)
def test_a_post_after_the_session_ended_leads_back_to_the_page_of_its_form(house, sent_to, page):
    browser = house.browser()

    led = browser.post(sent_to, {})

    assert unquote(led.location) == page


def test_when_nobody_can_sign_in_yet_the_page_says_how_to_add_somebody(build):
    house = build()

    assert "tltw operator add NAME --role admin" in text_of(house.browser().get("/login"))


def test_the_page_does_not_say_who_exists(house):
    browser = house.browser()

    unknown = text_of(browser.sign_in("nobody")).replace("nobody", "")
    known = text_of(browser.sign_in("the-viewer", "wrong")).replace("the-viewer", "")

    assert unknown == known


def test_neither_name_nor_password_that_was_typed_is_logged(house):
    with capture_logs() as logs:
        house.browser().sign_in("my password", "and another")
        house.browser("the-viewer")

    assert [entry["event"] for entry in logs] == ["A sign-in was refused.", "An operator signed in."]
    assert "my password" not in str(logs)
    assert "and another" not in str(logs)
    assert PASSWORD not in str(logs)


def test_over_https_the_cookies_are_the_hosts_own(build):
    house = build("https://console.example.com", **HTTPS)
    house.operator("an", Role.ADMIN)
    browser = house.browser()

    answer = browser.sign_in("an")

    cookies = answer.headers.getlist("Set-Cookie")
    assert {cookie.split("=")[0] for cookie in cookies} == {"__Host-tltw-session", "__Host-tltw-browser"}
    for cookie in cookies:
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


def test_on_this_machine_the_cookies_do_without_the_prefix_and_nothing_else(house):
    for cookie in house.browser().sign_in("the-viewer").headers.getlist("Set-Cookie"):
        assert cookie.startswith("tltw-")
        assert {"HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize("host", ["console.example.com", "attacker.example:8001", "192.0.2.1", "localhost.example"])
def test_without_an_https_address_the_console_is_for_this_machine_only(house, host):
    """So its cookies, which a browser would send in the clear, are never used elsewhere."""
    stranger = Browser(house.app.test_client(), f"http://{host}")

    answer = stranger.get("/login")

    assert answer.status_code == 421
    assert "http://127.0.0.1:8001" in text_of(answer)
    assert "name=password" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:9999", "[::1]:8001"])
def test_every_name_of_this_machine_is_its_own(house, host):
    assert Browser(house.app.test_client(), f"http://{host}").get("/login").status_code == 200


def test_with_an_https_address_it_is_used_there_and_nowhere_else(build):
    house = build("https://console.example.com", **HTTPS)

    assert house.browser().get("/login").status_code == 200
    assert Browser(house.app.test_client(), "http://127.0.0.1:8001").get("/login").status_code == 421
    assert house.browser().get("/login").headers["Strict-Transport-Security"]


def tries_until_throttled(house, headers) -> int:
    for number in range(1, 60):
        browser = house.browser("", **headers(number))
        if browser.sign_in(f"name{number}", "wrong").status_code == 429:
            return number
    return 0


def test_forwarded_addresses_are_believed_only_from_as_many_proxies_as_there_are(build):
    def headers(number):
        return {"X-Forwarded-For": f"198.51.100.{number}", "X-Forwarded-Host": "console.example.com"}

    takes = sign_in.TRIES_OF_STRANGERS["address"]

    assert tries_until_throttled(build("https://console.example.com", **HTTPS), headers) == takes + 1
    behind = build("http://127.0.0.1:8001", **HTTPS, TLTW_CONSOLE_PROXIES="1")
    assert tries_until_throttled(behind, headers) == 0
    behind = build("http://127.0.0.1:8001", **HTTPS, TLTW_CONSOLE_PROXIES="1")
    assert (
        tries_until_throttled(
            behind,
            lambda number: {
                "X-Forwarded-For": f"203.0.113.{number}, 198.51.100.7",
                "X-Forwarded-Host": "evil.example, console.example.com",
            },
        )
        == takes + 1
    )


def test_the_language_is_the_browsers_until_one_is_chosen(house):
    browser = house.browser(**{"Accept-Language": "de, fr-BE;q=0.8, nl;q=0.5"})

    french = browser.get("/login")
    browser.post("/language", {"language": "nl", "back": "/login"})
    dutch = browser.get("/login")
    browser.post("/language", {"language": "xx"})

    assert '<html lang="fr">' in french.text
    assert "Mot de passe" in text_of(french)
    assert '<html lang="nl">' in dutch.text
    assert "Wachtwoord" in text_of(dutch)
    assert '<html lang="nl">' in browser.get("/login").text
