"""The first page: how everything stands, found in a fixed number of round trips, whatever an address asks for."""

import re
import time

import pytest

from config.keys import CLOCK_TICKED
from tests.unit.console.conftest import text_of
from workers import integrations
from workers.ledger import Cause, Ledger, Outcome, Story
from workers.operators import Role

WEBHOOK = frozenset({Cause.WEBHOOK})


def now_ms() -> int:
    return round(time.time() * 1000)


OPTIONS = {"twikey_url": "https://acme.twikey.com/api/creditor", "twikey_key": "token", "auto_update": "on"}


@pytest.fixture
def add(house):
    """Adds an active integration."""

    def add(name: str, label: str = "") -> Ledger:
        integrations.add(house.services, name, OPTIONS | {"label": label}, by="cli:test")
        ledger = house.services.ledger(name)
        ledger.set_state("active")
        return ledger

    return add


@pytest.fixture
def ledger(house) -> Ledger:
    ledger = house.services.ledger("default")
    ledger.set_auto_update(True)
    return ledger


def sync(ledger: Ledger, subject: str) -> None:
    ledger.mark(subject, WEBHOOK)
    ledger.commit(ledger.claim(subject), Outcome.SYNCED)


def bury(ledger: Ledger, subject: str) -> None:
    ledger.mark(subject, WEBHOOK)
    ledger.fail(ledger.claim(subject), "dead", reason="refused", story=Story("refused"))


@pytest.fixture
def look(house):
    browser = house.browser("the-viewer")
    return lambda path="/": browser.get(path)


# -- one integration -----------------------------------------------------------------------------------


def test_in_sync_says_how_many_customers_and_when_the_last_changed(ledger, look):
    for number in range(3):
        sync(ledger, f"company:{number}")

    text = text_of(look())

    assert "All 3 customers are in sync; last change just now." in text
    assert "In order" in text
    both = r"Half of the edits were in Twikey within [0-9.]+ s, 95 of 100 within [0-9.]+ s\."
    assert re.search(both + r"|95 of 100 edits were in Twikey within [0-9.]+ s\.", text)


def test_a_dead_letter_makes_it_red_and_says_what_to_do(ledger, look):
    bury(ledger, "company:1")

    page = look()

    assert "1 customer needs you." in text_of(page)
    assert "Needs you" in text_of(page)
    assert re.search(r'<a class="button" href="/integrations/\w+/dead-letters">See which and why</a>', page.text)


def test_that_automatic_updates_are_off_is_said_beside_what_needs_somebody(ledger, look):
    bury(ledger, "company:1")
    with_it_on = text_of(look())
    ledger.set_auto_update(False)
    with_it_off = text_of(look())

    assert "Automatic updates are off." not in with_it_on
    assert "1 customer needs you. Automatic updates are off." in with_it_off


def test_that_automatic_updates_are_off_is_said_once(house, look):
    assert text_of(look()).count("Automatic updates are off.") == 1


def test_what_failed_once_does_not_look_as_if_it_waited_still(ledger, look):
    bury(ledger, "company:1")
    bury(ledger, "company:2")
    ledger.discard("company:1", "by hand")

    page = look("/integrations/default")

    assert "failed for good since the beginning; 1 still waits for a person" in text_of(page)
    assert "need you" not in text_of(page)
    ledger.discard("company:2", "by hand")
    assert "none waits for a person any more" in text_of(look("/integrations/default"))


def test_what_waits_too_long_says_since_when_and_who_is_away(house, ledger, look):
    ledger.mark("company:1", WEBHOOK)
    house.store.hset(ledger.keys.subject("company:1"), "f", now_ms() - 12 * 60_000)
    house.store.hset(ledger.keys.circuit("twikey"), "u", now_ms() + 60_000)

    text = text_of(look())

    assert "Twikey does not serve us at the moment. 1 update waits; it came in 12 minutes ago." in text
    assert "oldest: 12 minutes ago" in text


def test_the_drawing_has_a_sentence_and_a_table_behind_it(house, ledger, look):
    sync(ledger, "company:1")
    ledger.mark("company:2", WEBHOOK)
    ledger.fail(ledger.claim("company:2"), "retry", reason="unavailable")

    page = look()
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page.text, flags=re.DOTALL)

    assert (
        'aria-label="Last 24 hours. Events: 2. Brought to Twikey: 1. Equal already: 0. Failed attempts: 1."'
        in page.text
    )
    assert len(rows) == 24
    # All in the newest hour, or in two when one ends meanwhile.
    newest = [re.findall(r"<td>(.*?)</td>", row)[:6] for row in rows[:2]]
    assert [sum(int(number or 0) for number in column) for column in zip(*newest, strict=True)] == [2, 1, 0, 0, 1, 0]
    assert "<td></td>" in rows[0] + rows[1]


def test_a_day_without_anything_says_so_instead_of_drawing_nothing(ledger, look):
    page = look()

    assert "Nothing came in during the last 24 hours." in text_of(page)
    assert 'class="bars"' not in page.text


def test_the_connection_is_told_without_asking_teamleader(house, ledger, look):
    unknown = text_of(look())
    house.store.set(ledger.keys.registration, f"{now_ms() - 3 * 3_600_000} company.updated")
    refused = text_of(look())
    house.store.set(ledger.keys.registration, str(now_ms() - 3 * 3_600_000))
    complete = text_of(look())

    assert "Not signed in at Teamleader yet." in unknown
    assert "not looked at yet" in unknown
    assert "it refuses: company.updated. Last looked 3 hours ago." in refused
    assert "Teamleader tells us of every edit; last looked 3 hours ago." in complete


def test_a_token_that_cannot_be_read_is_no_token_and_no_error(house, ledger, look):
    house.store.set(ledger.keys.token, "encrypted with another key")

    assert "Not signed in at Teamleader yet." in text_of(look())


def test_the_clock_and_the_store_are_told(house, ledger, look):
    never = text_of(look())
    house.store.set(CLOCK_TICKED, now_ms() - 3_600_000)
    silent = text_of(look())
    house.store.set(CLOCK_TICKED, round(time.time() * 1000))
    well = text_of(look())

    assert "No clock has ticked yet" in never
    assert "The clock does not tick any more (the last time: 1 hour ago)" in silent
    assert "the clock ticked just now." in well


# -- many ----------------------------------------------------------------------------------------------


def names(page) -> list[str]:
    return re.findall(r'<h2><a href="/integrations/([^"]+)"', page.text)


def test_the_worst_comes_first_and_levels_can_be_chosen(house, ledger, add, look):
    bury(add("garage", "Garage Janssens"), "company:1")
    sync(add("flowers"), "company:1")
    add("paused").set_state("paused")

    everything, red = look(), look("/?level=trouble")

    assert names(everything) == ["garage", "paused", "default", "flowers"]
    assert "2 integrations need a look." in text_of(everything)
    assert names(red) == ["garage"]
    assert "Needs you 1" in text_of(red)
    assert "All 4" in text_of(red)


def test_an_integration_is_found_by_a_part_of_its_name(house, ledger, add, look):
    add("garage", "Garage Janssens")
    add("flowers")

    assert names(look("/?q=JANSS")) == ["garage"]
    assert names(look("/?q=flow")) == ["flowers"]
    nothing = look("/?q=nobody")
    assert names(nothing) == []
    assert "No integration like that" in text_of(nothing)


def test_who_types_a_customer_is_led_on_to_the_customers_of_each_integration(house, ledger, add, look):
    add("garage", "Garage Janssens")

    page = look("/?q=Taxi+%26+Zoon")

    assert "Is it a customer? Look for “Taxi & Zoon” in one of these:" in text_of(page)
    found = re.findall(r'href="/integrations/(\w+)/customers\?q=Taxi\+%26\+Zoon"', page.text)
    assert sorted(found) == ["default", "garage"]
    assert "choose the integration, then Customers" not in text_of(page)
    assert "Is it a customer?" not in text_of(look("/?q=garage"))
    assert "Is it a customer?" not in text_of(look("/?level=trouble"))


def test_who_types_a_customer_is_led_to_ten_integrations_and_told_of_the_others(house, ledger, add, look):
    for number in range(12):
        add(f"shop-{number:02}")

    page = look("/?q=Taxi")

    assert len(re.findall(r'href="/integrations/[\w-]+/customers\?q=Taxi"', page.text)) == 10
    assert "In another one: choose the integration, then Customers." in text_of(page)


def test_who_types_a_customer_is_not_led_to_integrations_of_others(house, ledger, add):
    add("garage")
    add("flowers")
    house.operator("limited", Role.VIEWER, "default", "flowers")

    page = house.browser("limited").get("/?q=Taxi")

    found = re.findall(r'href="/integrations/(\w+)/customers\?q=Taxi"', page.text)
    assert sorted(found) == ["default", "flowers"]


def test_many_are_shown_page_by_page_without_gaps(house, ledger, add, look):
    for number in range(29):
        add(f"shop-{number:02}")

    seen, path = [], "/"
    while path:
        page = look(path)
        assert len(page.data) < 50_000
        seen += names(page)
        further = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = further[1].replace("&amp;", "&") if further else ""

    assert sorted(seen) == ["default", *(f"shop-{number:02}" for number in range(29))]


@pytest.mark.parametrize(
    "query", ["page=0", "page=-1", "page=x", "page=99999", "page=²", "page=999", "level=x", "q=%00", "q=%"]
)
def test_a_forged_address_is_no_error(house, ledger, add, look, query):
    add("garage")

    assert look(f"/?{query}").status_code == 200


@pytest.mark.parametrize("query", ["page=999", "level=well", "level=trouble", "level=off&page=2", "q=zzz", "q=default"])
def test_a_forged_address_is_no_error_for_who_has_one_integration_only(house, look, query):
    assert look(f"/?{query}").status_code == 200


def test_somebody_with_a_limit_finds_only_theirs(house, ledger, add):
    add("garage", "Garage Janssens")
    house.operator("limited", Role.VIEWER, "default")

    page = house.browser("limited").get("/?q=garage")

    assert "Janssens" not in page.text


def test_hundreds_cost_no_more_round_trips_than_one(house, ledger, add, look, monkeypatch):
    trips: list[int] = []
    pipeline = type(house.store.pipeline())
    execute = pipeline.execute
    monkeypatch.setattr(pipeline, "execute", lambda self, *a, **k: trips.append(1) or execute(self, *a, **k))

    look()
    with_one, trips[:] = len(trips), []
    for number in range(15):
        add(f"shop-{number}")
    look()
    trips[:] = []
    look()

    assert len(trips) == with_one


def test_what_is_planted_in_a_label_stays_letters(house, ledger, add, look):
    label = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    add("evil", label[:80])

    page = look(f"/?q={label[:8]}")

    assert "<script>alert" not in page.text
    assert "<img" not in page.text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("paused_by_operator", "iemand heeft ze gepauzeerd"),
        ("account.deactivated", "Teamleader deactiveerde het account"),
        ("something_new", "something_new"),
    ],
)
def test_why_an_integration_is_paused_is_said_in_words(house, add, reason, words):
    add("bakery").set_state("paused", reason)

    text = text_of(house.browser("the-viewer", **{"Accept-Language": "nl"}).get("/"))

    assert words in text
