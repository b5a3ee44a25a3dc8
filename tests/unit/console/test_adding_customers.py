"""Adding a customer to Twikey from the form that the mapping fills in, with simulated systems behind the console."""

import re
import threading
from datetime import UTC, datetime, timedelta

import pytest

from sandbox.deployment import wait_for
from sandbox.gates import Gate
from tests.unit.console.conftest import CUSTOMERS, of, off, text_of
from workers import audit
from workers.bulk.sweep_decide import judge_customer
from workers.ledger import Cause


def filled(page):
    """What the form holds."""
    return {
        name: value
        for name, value in (
            *re.findall(r'name="(\w+)" type="text" (?:value="([^"]*)")?', page.text),
            *re.findall(r'type="hidden" name="(seen)" value="([^"]*)"', page.text),
        )
        if name not in ("q",)
    }


def test_the_form_is_filled_in_and_its_number_is_locked(shop, operator):
    company = shop.company(language="nl", vat_number="BE 0537.520.055")

    page = operator.get(f"{of(company)}/add")

    assert filled(page)["companyName"] == "Bakkerij Tarwe"
    assert filled(page)["vatno"] == "BE0537520055"
    assert re.search(rf'id="f-number" type="text" value="{company}" readonly', page.text)
    assert "would have it twice" in text_of(page)


def test_what_was_edited_is_what_twikey_gets(shop, operator):
    company = shop.company()
    form = filled(operator.get(f"{of(company)}/add")) | {"email": "edited@example.com", "customerNumber": "other"}

    answer = operator.post(f"{of(company)}/add", form)

    assert "Added to Twikey." in text_of(operator.get(answer.location))
    assert shop.in_twikey.keys() == {company}
    assert shop.in_twikey[company].profile["email"] == "edited@example.com"
    assert shop.in_twikey[company].profile["ct"] == "123"
    entry = next(audit.entries(shop.house.store))
    assert (entry.what, entry.by, entry.subject) == ("add", "operator:the-operator", f"company:{company}")
    assert re.search(r"the-operator.{0,20} added it to Twikey", text_of(operator.get(of(company))))


@pytest.mark.parametrize("on", [True, False])
def test_a_customer_added_by_hand_counts_as_brought_and_keeps_what_was_typed(shop, operator, on):
    shop.teamleader.world.default.clock = lambda: datetime.now(UTC) - timedelta(hours=1)
    company = shop.company()
    if not on:
        off(shop)
    form = filled(operator.get(f"{of(company)}/add")) | {"email": "edited@example.com"}

    operator.post(f"{of(company)}/add", form)

    state = shop.ledger.look(f"company:{company}")
    document = shop.services.tools("default").teamleader.customer("company", company)
    assert "yes, just now" in text_of(operator.get(f"{CUSTOMERS}?q=tarwe"))
    assert shop.ledger.counts()["customers"] == 1
    assert judge_customer(document, state, sync_added=False) == ("seen" if on else "newer")


def test_a_customer_that_twikey_would_not_take_does_not_count(shop, operator):
    company = shop.company()
    form = filled(operator.get(f"{of(company)}/add"))
    shop.twikey.faults.set("status", status=400, method="PUT")

    operator.post(f"{of(company)}/add", form)

    assert "customers" not in shop.ledger.counts()


def test_pressing_twice_adds_once_and_offers_an_update(shop, operator):
    company = shop.company()
    form = filled(operator.get(f"{of(company)}/add"))
    operator.post(f"{of(company)}/add", form)

    again = operator.post(f"{of(company)}/add", form | {"email": "second@example.com"})

    assert "Twikey has this customer already" in text_of(operator.get(again.location))
    assert shop.in_twikey[company].profile["email"] == "info@example.com"
    assert len([write for write in shop.twikey.office.default.writes if write.accepted]) == 1


def test_mistakes_are_named_beside_their_fields_and_nothing_is_written(shop, operator):
    company = shop.company()

    answer = operator.post(f"{of(company)}/add", {"companyName": "", "email": "nonsense", "mobile": "abc"})

    assert answer.status_code == 422
    assert "3 fields need you" in text_of(answer)
    assert 'value="nonsense"' in answer.text
    assert shop.twikey.office.default.writes == []
    assert [entry.what for entry in audit.entries(shop.house.store) if entry.what == "add"] == []


def test_a_customer_that_a_worker_writes_is_left_alone(shop, operator):
    company = shop.company()
    shop.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))
    shop.ledger.claim(f"company:{company}")

    answer = operator.post(f"{of(company)}/add", {"companyName": "Tarwe"})

    assert answer.status_code == 422
    assert "somebody else, or an update, is writing this very customer" in text_of(answer)
    assert shop.in_twikey == {}


def test_who_was_overtaken_while_writing_lets_teamleader_have_the_last_word(shop, operator):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    del shop.in_twikey[company]
    form = filled(operator.get(f"{of(company)}/add"))
    gate = shop.twikey.gates.set(Gate("write", "/creditor/customer", method="PUT"))
    writing = threading.Thread(target=operator.post, args=(f"{of(company)}/add", form))
    writing.start()
    wait_for("the write to be under way", lambda: gate.waiting, seconds=60)

    shop.house.store.hset(shop.ledger.keys.subject(f"company:{company}"), "l", 1)
    shop.ledger.give_back(shop.ledger.borrow(f"company:{company}"))
    shop.twikey.gates.release()
    writing.join()

    assert shop.ledger.look(f"company:{company}").causes == {Cause.SWEEP}


def test_a_customer_whose_look_up_failed_is_given_back_at_once(shop, operator):
    company = shop.company()
    shop.twikey.faults.set("reset", prefix="/creditor/customer")

    operator.post(f"{of(company)}/add", {"companyName": "Tarwe"})

    assert shop.ledger.look(f"company:{company}") is None


def test_what_twikey_does_not_answer_keeps_what_was_typed_and_may_be_pressed_again(shop, operator):
    company = shop.company()
    shop.twikey.faults.set("status", status=500, method="PUT")

    answer = operator.post(f"{of(company)}/add", {"companyName": "Typed by hand"})
    shop.twikey.faults.clear()
    again = operator.post(f"{of(company)}/add", {"companyName": "Typed by hand"})

    assert answer.status_code == 422
    assert "it is not known whether the customer was added" in text_of(answer)
    assert 'value="Typed by hand"' in answer.text
    assert again.status_code == 303
    assert shop.in_twikey[company].profile["companyName"] == "Typed by hand"


def test_what_twikey_refuses_is_said_in_its_words_and_nothing_is_added(shop, operator):
    company = shop.company()
    shop.twikey.faults.set("status", status=405, method="PUT")

    answer = operator.post(f"{of(company)}/add", {"companyName": "Tarwe"})

    assert answer.status_code == 422
    assert "Twikey refuses:" in text_of(answer)
    assert "may have been added" not in text_of(answer)
    assert shop.in_twikey == {}


def test_two_who_press_at_once_add_once(shop):
    company = shop.company()
    browsers = [shop.house.browser(name) for name in ("the-operator", "the-admin")]
    tokens = [browser.token() for browser in browsers]
    start, answers = threading.Barrier(2), []

    def press(browser, token):
        start.wait()
        answers.append(browser.post(f"{of(company)}/add", {"companyName": "Tarwe"}, token=token))

    threads = [threading.Thread(target=press, args=both) for both in zip(browsers, tokens, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {answer.status_code for answer in answers} <= {303, 422}
    assert len([write for write in shop.twikey.office.default.writes if write.accepted]) == 1


def test_after_adding_the_books_add_up_and_the_next_edit_brings_over_what_teamleader_has(shop, operator):
    company = shop.company()
    shop.work(f"company:{company}", Cause.WEBHOOK)
    del shop.in_twikey[company]

    operator.post(f"{of(company)}/add", {"companyName": "Typed by hand"})
    typed = shop.in_twikey[company].profile["companyName"]
    shop.work(f"company:{company}", Cause.WEBHOOK)

    assert (typed, shop.in_twikey[company].profile["companyName"]) == ("Typed by hand", "Bakkerij Tarwe")
    assert shop.ledger.books().adds_up


def test_adding_one_that_nobody_heard_of_leaves_nothing_but_its_story(shop, operator):
    company = shop.company()

    operator.post(f"{of(company)}/add", {"companyName": ""})
    refused = shop.ledger.look(f"company:{company}")
    operator.post(f"{of(company)}/add", {"companyName": "Tarwe"})

    state = shop.ledger.look(f"company:{company}")
    assert refused is None
    assert (state.owed, state.outcome, state.leased_until, len(state.past)) == (False, "", None, 1)
    assert shop.ledger.books().accepted == 0


def opened_before_an_edit(shop, operator):
    """A company, and its form as it was before it was edited in Teamleader; the edit is done with."""
    company = shop.company(updated_at="2026-03-01T09:00:00+00:00")
    form = filled(operator.get(f"{of(company)}/add"))
    shop.edit(company, name="Tarwe & Zoon")
    shop.work(f"company:{company}", Cause.WEBHOOK)
    del shop.in_twikey[company]
    return company, form


def test_a_form_older_than_the_last_edit_is_added_and_the_edit_brought_over_after_it(shop, operator):
    company, form = opened_before_an_edit(shop, operator)

    operator.post(f"{of(company)}/add", form)
    written = shop.in_twikey[company].profile["companyName"]
    shop.work(f"company:{company}")

    assert (written, shop.in_twikey[company].profile["companyName"]) == ("Bakkerij Tarwe", "Tarwe & Zoon")
    assert shop.ledger.books().adds_up


@pytest.mark.parametrize("seen", ["", "yesterday", "2026-03-01"])
def test_a_form_that_does_not_say_how_old_it_is_counts_as_older(shop, operator, seen):
    company, form = opened_before_an_edit(shop, operator)

    operator.post(f"{of(company)}/add", form | {"seen": seen})

    assert shop.ledger.look(f"company:{company}").owed


def test_an_edit_is_owed_before_the_older_form_is_written_so_that_dying_then_loses_nothing(shop, operator):
    company, form = opened_before_an_edit(shop, operator)
    shop.twikey.faults.set("lost_answer", method="PUT")

    operator.post(f"{of(company)}/add", form)

    assert company in shop.in_twikey
    assert shop.ledger.look(f"company:{company}").owed


def test_a_form_shown_again_is_as_old_as_before(shop, operator):
    company, form = opened_before_an_edit(shop, operator)

    again = operator.post(f"{of(company)}/add", form | {"mobile": "abc"})

    assert filled(again)["seen"] == form["seen"] != ""


def test_what_was_typed_stays_as_long_as_nobody_edited_the_customer_in_teamleader(shop, operator):
    company = shop.company(updated_at="2026-03-01T09:00:00+00:00")
    shop.work(f"company:{company}", Cause.WEBHOOK)
    del shop.in_twikey[company]
    form = filled(operator.get(f"{of(company)}/add"))

    operator.post(f"{of(company)}/add", form | {"companyName": "Typed by hand"})
    shop.work(f"company:{company}")

    assert not shop.ledger.look(f"company:{company}").owed
    assert shop.in_twikey[company].profile["companyName"] == "Typed by hand"


def test_while_work_is_held_nothing_is_added(shop, operator):
    company = shop.company()
    shop.ledger.set_state("paused")

    answer = operator.post(f"{of(company)}/add", {"companyName": "Tarwe"})

    assert "Let it run again first" in text_of(answer)
    assert shop.in_twikey == {}


def test_with_automatic_updates_off_the_form_says_what_is_not_carried_over(shop, operator):
    address = {"line_1": "Kade 1", "postal_code": "9000", "city": "Gent", "country": "BE"}
    emails = [{"type": "primary", "email": "a@example.com"}, {"type": "invoicing", "email": "bill@example.com"}]
    company = shop.company(emails=emails, addresses=[{"type": "invoicing", "address": address}])
    off(shop)

    page = operator.get(f"{of(company)}/add")

    assert (filled(page)["address"], "cc" in filled(page)) == ("", False)
    assert text_of(page).count("fill it in by hand") == 4
    assert "It becomes CC only while automatic updates are on" in text_of(page)


def test_a_name_can_be_typed_for_one_that_has_none(shop, operator):
    company = shop.company("")

    page = operator.get(f"{of(company)}/add")
    answer = operator.post(f"{of(company)}/add", filled(page) | {"companyName": "Tarwe"})

    assert "There is no name, and Twikey needs one." in text_of(page)
    assert answer.status_code == 303
    assert shop.in_twikey[company].profile["companyName"] == "Tarwe"


def test_without_teamleader_there_is_no_form_and_the_page_says_why(shop, operator):
    company = shop.company()
    shop.teamleader.faults.set("status", status=503)

    answer = operator.get(f"{of(company)}/add")

    assert "Teamleader does not answer" in text_of(operator.get(answer.location))
