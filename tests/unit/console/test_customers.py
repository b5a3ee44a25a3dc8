"""Finding customers, looking at one from all sides, and bringing it over, with simulated systems behind the console."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from ingress.console.pages import customer as page_of_customer
from sandbox.deployment import wait_for
from tests.unit.console.conftest import CUSTOMERS, EVIL, of, off, planted, row, text_of
from workers import ask, operations
from workers.bulk.patience import patiently
from workers.clients.teamleader.rate_limit import CallBudget
from workers.ledger import Cause

# -- finding -------------------------------------------------------------------------------------------


def test_without_words_it_teaches_and_asks_nobody(shop, viewer):
    page = viewer.get(CUSTOMERS)

    assert "Find any customer" in text_of(page)
    assert shop.calls(".list") == []


def test_people_and_companies_stand_in_one_list_by_name(shop, viewer):
    shop.company("Zonnewijzer bv")
    shop.contact("An", "Zonnewijzer")
    shop.company("Garage")

    page = viewer.get(f"{CUSTOMERS}?q=zonnewijzer")

    names = re.findall(r'customers/(\w+):[^"]+">([^<]+)<', page.text)
    assert names == [("contact", "An Zonnewijzer"), ("company", "Zonnewijzer bv")]
    assert "not yet by us" in text_of(page)


@pytest.mark.parametrize(
    "words", ["{id}", "company:{id}", "https://focus.teamleader.eu/company_detail.php?id={id}", " {id} "]
)
def test_an_id_a_number_or_a_link_leads_to_the_customer(shop, viewer, words):
    company = shop.company()

    page = viewer.get(CUSTOMERS, query_string={"q": words.format(id=company)})

    assert f'customers/company:{company}">Bakkerij Tarwe<' in page.text
    assert page.text.count("<tr role") == 2


def test_a_page_holds_ten_of_each_kind_and_leads_on(shop, viewer):
    for number in range(12):
        shop.company(f"Firma {number:02}")

    first = viewer.get(f"{CUSTOMERS}?q=firma")
    second = viewer.get(f"{CUSTOMERS}?q=firma&page=2")

    assert (first.text.count("Firma "), second.text.count("Firma ")) == (10, 2)
    assert 'rel="next"' in first.text
    assert 'rel="next"' not in second.text


@pytest.mark.parametrize("query", ["q=%00", "q=x&page=-3", "q=x&page=²", "q=x&page=999999999", "q=" + "x" * 5000])
def test_a_forged_address_is_no_error(shop, viewer, query):
    assert viewer.get(f"{CUSTOMERS}?{query}").status_code == 200


def test_what_the_ledger_knows_stands_beside_each(shop, viewer):
    company, nameless = shop.company(), shop.company("", "tarwe@example.com")
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.work(f"company:{nameless}", Cause.WEBHOOK)

    page = text_of(viewer.get(f"{CUSTOMERS}?q=tarwe"))

    assert "yes, just now" in page
    assert "failed: needs you" in page


def test_nobody_fits_says_what_to_try(shop, viewer):
    assert "Try a shorter part of the name" in text_of(viewer.get(f"{CUSTOMERS}?q=zzz"))


def test_without_teamleader_it_says_so_and_still_knows_an_id(shop, viewer):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.teamleader.faults.set("status", status=503)

    by_name, by_id = viewer.get(f"{CUSTOMERS}?q=tarwe"), viewer.get(f"{CUSTOMERS}?q={company}")

    assert (by_name.status_code, by_id.status_code) == (200, 200)
    assert "Teamleader does not answer" in text_of(by_name)
    assert "Nobody fits" not in text_of(by_name)
    assert f"company:{company}" in by_id.text


def test_without_a_free_call_it_says_when_to_try_again(shop, viewer):
    for _ in range(shop.services.tools("default").integration.teamleader.calls_per_minute):
        shop.services.tools("default").teamleader._budget.take()

    page = viewer.get(f"{CUSTOMERS}?q=tarwe")

    assert page.status_code == 200
    assert "no call is free just now" in text_of(page)
    assert "Try again after 20" in text_of(page)
    assert shop.calls(".list") == []


def test_what_teamleader_refuses_to_a_person_it_refuses_to_all_until_the_time_it_names(shop, viewer):
    shop.teamleader.faults.set("status", status=429, retry_seconds=30)

    page = viewer.get(f"{CUSTOMERS}?q=tarwe")

    assert "Teamleader asks us to call less often" in text_of(page)
    assert "Try again after 20" in text_of(page)
    shop.ledger.mark("company:waiting", frozenset({Cause.WEBHOOK}))
    assert shop.ledger.claim("company:waiting").reason == "paused"


def test_what_twikey_refuses_to_a_person_it_refuses_to_all(shop, viewer):
    company = shop.company()
    shop.twikey.faults.set("status", status=429, retry_seconds=60, prefix="/creditor/customer")

    page = viewer.get(of(company))

    assert "Twikey asks us to call less often" in text_of(page)
    shop.ledger.mark("company:waiting", frozenset({Cause.WEBHOOK}))
    assert shop.ledger.claim("company:waiting").reason == "paused"


def test_beside_a_job_that_takes_every_call_as_it_comes_free_a_search_is_answered(shop, viewer):
    shop.company()
    take = CallBudget(shop.house.store, shop.ledger.keys, calls_per_minute=190, bulk=True).take
    ended, now = threading.Event(), int(datetime.now(UTC).timestamp() * 1000)
    # The job is at its limit: the next calls come free from a second from now on.
    shop.house.store.rpush(shop.ledger.keys.calls("teamleader"), *range(now - 5050, now - 3150, 100))
    shop.house.store.rpush(shop.ledger.keys.bulk_calls("teamleader"), *range(now - 5050, now - 3150, 100))

    def export():
        while not ended.is_set():
            patiently(take)

    job = threading.Thread(target=export)
    job.start()
    # Which of them has a call that both wait for is chance. Each search has about twenty and needs two.
    found = any("Bakkerij Tarwe" in text_of(viewer.get(f"{CUSTOMERS}?q=tarwe")) for _ in range(3))
    ended.set()
    job.join()

    assert found


def test_a_search_takes_no_call_that_live_work_needs(shop, viewer, monkeypatch):
    monkeypatch.setattr(ask, "patiently", lambda question, longest_seconds: question())
    tools = shop.services.tools("default")
    limit = tools.integration.teamleader.calls_per_minute
    shop.ledger.mark("company:waiting", frozenset({Cause.WEBHOOK}))
    for _ in range(limit // 2 + 1):
        shop.services.tools("default").teamleader._budget.take()
    before = len(shop.calls(".list"))

    texts = [text_of(viewer.get(f"{CUSTOMERS}?q=tarwe")) for _ in range(60)]

    assert any("no call is free" in text for text in texts)
    assert len(shop.calls(".list")) - before <= limit // 2


# -- one customer --------------------------------------------------------------------------------------


def test_equal_on_both_sides_is_said_in_one_sentence(shop, viewer):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)

    page = viewer.get(of(company))

    assert "Twikey has this customer as it is in Teamleader." in text_of(page)
    assert "differs" not in text_of(page)
    assert "Brought to Twikey" in text_of(page)


def test_an_old_email_is_marked_and_explained(shop, viewer):
    company = shop.company(email="old@example.com")
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.edit(company, emails=[{"type": "primary", "email": "new@example.com"}])
    off(shop)

    page = viewer.get(of(company))

    assert "Twikey has something else in 1 field. Automatic updates are off" in text_of(page)
    assert row(page, "E-mail") == "E-mail differs new@example.com new@example.com old@example.com"


def test_what_somebody_changed_in_twikey_is_told_apart_from_a_late_notice(shop, viewer):
    shop.teamleader.world.default.clock = lambda: datetime.now(UTC) - timedelta(hours=1)
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.in_twikey[company].profile["email"] = "hand@example.com"

    assert "somebody changed it in Twikey" in text_of(viewer.get(of(company)))


def test_what_the_mapping_dropped_is_said_beside_the_field(shop, viewer):
    company = shop.company(email="not an address")
    shop.work(f"company:{company}", Cause.WEBHOOK)

    assert "Not a valid one in Teamleader" in row(viewer.get(of(company)), "E-mail")


def test_a_broken_email_is_not_called_in_order_and_the_first_sentence_names_it(shop, viewer):
    company = shop.company(email="dirk@example.com")
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.edit(company, emails=[{"type": "primary", "email": "dirk.nieuw@example,org"}])
    shop.work(f"company:{company}", Cause.WEBHOOK)

    page = viewer.get(of(company))

    assert shop.in_twikey[company].profile["email"] == "dirk@example.com"
    assert '<section class="card standing look">' in page.text
    assert "Not everything in Teamleader could be used: E-mail. Mend it in Teamleader" in text_of(page)
    assert "E-mail – Not a valid one in Teamleader" in text_of(page)


def test_what_was_brought_right_after_its_edit_and_then_changed_in_twikey_is_not_called_edited_since(shop, viewer):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.in_twikey[company].profile["email"] = "hand@example.com"

    assert "somebody changed it in Twikey" in text_of(viewer.get(of(company)))


def test_after_a_refresh_by_hand_that_left_nothing_behind_it_is_in_order_though_automatic_updates_are_off(shop, viewer):
    company = shop.company()
    off(shop)
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.work(f"company:{company}", Cause.OPERATOR)

    page = viewer.get(of(company))

    assert shop.ledger.held_count() == 1
    assert "Twikey has this customer as it is in Teamleader." in text_of(page)


INVOICING = [{"type": "primary", "email": "a@example.com"}, {"type": "invoicing", "email": "b@example.com"}]
COLOUR = r'class="mark (\w+)"'


def test_what_a_refresh_left_out_has_one_colour_in_the_list_and_on_the_page(shop, viewer):
    off(shop)
    left_out, whole = shop.company(emails=INVOICING), shop.company()
    for company in (left_out, whole):
        shop.work(f"company:{company}", Cause.OPERATOR)

    for company, level, says in ((left_out, "look", "but for CC or the invoicing address"), (whole, "well", "yes,")):
        page, found = viewer.get(of(company)), viewer.get(f"{CUSTOMERS}?q={company}")
        assert f'<section class="card standing {level}">' in page.text
        assert re.findall(COLOUR, found.text.partition("<tbody>")[2].partition("</tbody>")[0]) == [level]
        assert says in text_of(found)


def test_sending_less_to_who_has_it_all_leaves_nothing_out(shop, viewer):
    company = shop.company(emails=INVOICING)
    shop.work(f"company:{company}", Cause.WEBHOOK)
    off(shop)

    for _ in range(2):
        shop.work(f"company:{company}", Cause.OPERATOR)

    assert shop.ledger.look(f"company:{company}").reason == ""
    assert "Twikey has this customer as it is in Teamleader." in text_of(viewer.get(of(company)))


def test_what_a_late_write_may_have_gone_over_is_not_taken_for_complete_by_hand(shop):
    company = shop.company(emails=INVOICING)
    subject = f"company:{company}"
    shop.work(subject, Cause.WEBHOOK)
    off(shop)
    # An older write, of a worker that was slow, lands after all; the ledger knows that it may.
    shop.in_twikey[company].profile["cc"] = "older@example.com"
    shop.ledger._store.hset(shop.ledger.keys.subject(subject), "v", round(time.time() * 1000) - 1)

    shop.work(subject, Cause.OPERATOR)
    by_hand = shop.ledger.look(subject).reason
    operations.set_auto_update(shop.services, "default", on=True, by="cli:test")
    shop.work(subject, Cause.WEBHOOK)

    assert by_hand == "withheld"
    assert shop.in_twikey[company].profile["cc"] == "b@example.com"


def test_a_refresh_that_could_not_be_done_does_not_look_like_a_success(shop):
    company = shop.company(name="")
    shop.ledger.set_state("paused")
    browser = shop.house.browser("the-operator")

    page = browser.get(browser.post(f"{of(company)}/refresh").location)

    assert '<p class="said off"' in page.text


def test_after_switching_on_and_refreshing_nothing_is_withheld_any_more(shop, viewer):
    company = shop.company(emails=INVOICING)
    off(shop)
    shop.work(f"company:{company}", Cause.OPERATOR)
    operations.set_auto_update(shop.services, "default", on=True, by="cli:test")

    shop.work(f"company:{company}", Cause.OPERATOR)

    assert shop.in_twikey[company].profile["cc"] == "b@example.com"
    assert shop.ledger.look(f"company:{company}").reason == ""
    assert '<section class="card standing well">' in viewer.get(of(company)).text


def test_why_a_landline_and_a_country_without_an_address_are_not_sent_is_said(shop, viewer):
    phones = [{"type": "phone", "number": "+3292980006"}]
    company = shop.company(telephones=phones, addresses=[{"type": "primary", "address": {"country": "BE"}}])

    page = viewer.get(of(company))

    assert "not sent: Twikey takes mobile numbers only" in row(page, "Mobile number")
    assert "not sent: only together with a street, postal code or city" in row(page, "Country")


def test_a_customer_without_a_name_is_not_offered_for_adding(shop, operator):
    named, nameless = shop.company(), shop.company("")

    offered = [f"{of(company)}/add" in operator.get(of(company)).text for company in (named, nameless)]

    assert offered == [True, False]


def test_a_customer_that_cannot_be_mapped_says_why_and_leads_to_its_dead_letter(shop, viewer):
    company = shop.company("")
    shop.work(f"company:{company}", Cause.WEBHOOK)

    page = viewer.get(of(company))

    assert "Company name – There is no name" in text_of(page)
    assert f"/integrations/default/dead-letters/company:{company}" in page.text


@pytest.mark.parametrize(("away", "says"), [("teamleader", "Teamleader"), ("twikey", "Twikey")])
def test_a_side_that_does_not_answer_takes_nothing_from_the_other(shop, viewer, away, says):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    getattr(shop, away).faults.set("status", status=503)

    page = viewer.get(of(company))

    assert page.status_code == 200
    assert f"{says} does not answer at the moment" in text_of(page)
    assert "info@example.com" in text_of(page)
    assert "Brought to Twikey" in text_of(page)


def test_while_twikey_wants_a_pause_it_is_not_asked(shop, viewer):
    company = shop.company()
    until = datetime.now(UTC) + timedelta(seconds=30)
    shop.house.store.set(shop.ledger.keys.pause("twikey"), int(until.timestamp() * 1000))

    page = text_of(viewer.get(of(company)))

    assert "Twikey asks us to call less often, so nobody calls it for a while." in page
    assert list(shop.twikey.log.records(prefix="/creditor/customer")) == []


def test_gone_from_teamleader_is_said(shop, viewer):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    shop.teamleader.world.default.delete("company", company, silent=True)

    assert "Teamleader no longer has this customer" in text_of(viewer.get(of(company)))


def test_while_an_event_is_fresh_it_looks_for_news_and_asks_nobody(shop, viewer):
    company = shop.company()
    shop.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))

    page = viewer.get(of(company))

    assert "An update is on its way" in text_of(page)
    assert f'data-news="{of(company)}/news"' in page.text
    assert shop.calls(".info") == []
    shop.work(f"company:{company}")
    assert "data-news" not in viewer.get(f"{of(company)}/news").text


def test_what_came_in_while_the_work_is_held_waits_and_says_where_to_let_it_run_again(shop, viewer):
    company = shop.company()
    shop.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))
    shop.ledger.set_state("paused")

    page = viewer.get(of(company))

    assert re.search(r"An update that came in .{1,20} waits\. The work of this integration is held", text_of(page))
    assert 'class="card standing look"' in page.text
    assert "waits: work is held" in text_of(viewer.get(f"{CUSTOMERS}?q={company}"))


def test_the_story_tells_who_pressed_what(shop, operator):
    company = shop.company()

    operator.post(f"{of(company)}/refresh")
    shop.work(f"company:{company}")

    text = text_of(operator.get(of(company)))
    assert re.search(r"the-operator.{0,20} asked for it to be brought over", text)
    assert "Because of: somebody asked for it." in text


@pytest.mark.parametrize("subject", ["invoice:1", "company:", "company:a/b", "nobody:1", "company:" + "a" * 65, "x"])
def test_what_is_no_customer_has_no_page(shop, viewer, subject):
    assert viewer.get(f"{CUSTOMERS}/{subject}").status_code == 404


# -- bringing one over ---------------------------------------------------------------------------------


def with_worker(shop, company):
    """A worker that takes up the customer as soon as it is owed."""

    def wait():
        wait_for("it to be owed", lambda: getattr(shop.ledger.look(f"company:{company}"), "owed", False), seconds=60)
        shop.work(f"company:{company}")

    worker = threading.Thread(target=wait)
    worker.start()
    return worker


@pytest.mark.parametrize(
    ("on", "emails", "says"),
    [
        (True, 2, "Done: Twikey has"),
        (False, 2, "Done, but for CC and a changed"),
        (False, 1, "Done: Twikey has"),
    ],
)
def test_refreshing_runs_also_while_automatic_updates_are_off_and_says_what_is_left_out(
    shop, operator, monkeypatch, on, emails, says
):
    monkeypatch.setattr(page_of_customer, "WAIT", timedelta(minutes=1))  # until it is done
    company = shop.company(emails=INVOICING[:emails])
    if not on:
        off(shop)
    assert ("are not carried over" in text_of(operator.get(of(company)))) is not on
    worker = with_worker(shop, company)

    answer = operator.post(f"{of(company)}/refresh")

    worker.join()
    assert says in text_of(operator.get(answer.location))
    assert shop.in_twikey[company].profile["email"] == "a@example.com"


def test_refreshing_what_is_paused_says_that_it_waits(shop, operator):
    company = shop.company()
    shop.ledger.set_state("paused")

    answer = operator.post(f"{of(company)}/refresh")

    assert "done as soon as the work of this integration runs again" in text_of(operator.get(answer.location))


def test_a_viewer_is_told_who_may(shop, viewer):
    company = shop.company()

    page = viewer.get(of(company))

    assert "An operator may refresh it." in text_of(page)
    assert "/refresh" not in page.text
    assert "/add" not in page.text


# -- links to both records -----------------------------------------------------------------------------


def links(page):
    return dict(re.findall(r'<a href="([^"]+)" rel="noopener noreferrer">Open in (\w+)</a>', page.text))


def test_both_records_are_a_click_away(shop, viewer):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)

    found = links(viewer.get(of(company)))

    assert list(found.values()) == ["Teamleader", "Twikey"]
    assert [httpx.get(one).status_code for one in found] == [200, 200]


def test_who_twikey_does_not_know_has_no_page_there(shop, viewer):
    assert list(links(viewer.get(of(shop.company()))).values()) == ["Teamleader"]


# -- what the CRM plants -------------------------------------------------------------------------------


def test_what_is_planted_in_any_field_stays_letters(shop, operator):
    company, person = planted(shop), shop.contact(EVIL, EVIL, web_url=EVIL)
    shop.in_twikey[company] = shop.twikey.office.default.add(
        company, dict.fromkeys(("companyName", "email", "city"), EVIL)
    )
    pages = [
        f"{CUSTOMERS}?q=script",
        f"{CUSTOMERS}?q={EVIL.replace('&', '%26')}",
        of(company),
        f"{of(company)}/add",
        f"{CUSTOMERS}/contact:{person}",
        f"{CUSTOMERS}/contact:{person}/add",
    ]

    answers = [operator.get(path) for path in pages]
    answers.append(operator.post(f"{CUSTOMERS}/contact:{person}/add", dict.fromkeys(("firstname", "email", "l"), EVIL)))

    for path, answer in zip([*pages, "posted"], answers, strict=True):
        assert "alert(1)" in answer.text, path
        assert "<script>alert" not in answer.text, path
        assert "<img" not in answer.text, path
        assert 'href="javascript' not in answer.text, path
        assert answer.text.count("<script") == 1, path


def test_what_an_api_plants_in_its_words_stays_letters(shop, operator):
    shop.house.bury("company:1", sentence=EVIL, code=EVIL, field=EVIL, problems=((EVIL, EVIL, EVIL),))

    for path in ("/integrations/default/dead-letters", "/integrations/default/dead-letters/company:1", of("1")):
        assert "<script>alert" not in operator.get(path).text, path
        assert "<img" not in operator.get(path).text, path
