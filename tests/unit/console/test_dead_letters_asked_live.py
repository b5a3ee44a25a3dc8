"""What the pages of dead letters ask both systems about: a dry run, and the names of customers."""

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest

from ingress.console.pages import dead_letters as page_of_letters
from sandbox.deployment import wait_for
from sandbox.gates import Gate
from tests.unit.console.conftest import planted, text_of
from workers.clients.errors import Throttled
from workers.clients.teamleader.rate_limit import CallBudget
from workers.ledger import Cause

# -- trying out dead letters -----------------------------------------------------------------------------


def test_what_keeps_a_dead_letter_from_being_sent_is_said_in_the_language_of_the_page(shop):
    subject = f"company:{shop.company(name='')}"
    shop.work(subject, Cause.WEBHOOK)
    browser = shop.house.browser("the-operator", **{"Accept-Language": "nl"})

    page = browser.post("/integrations/default/dead-letters/dry-run", {"subject": subject})

    tried = text_of(page).partition(subject)[2]
    assert "Bedrijfsnaam – Er is geen naam, en Twikey heeft er een nodig." in tried
    assert "has no name in Teamleader" not in tried


# -- the names of dead letters ---------------------------------------------------------------------------

LETTERS = "/integrations/default/dead-letters"
NO_NAMES = "Teamleader does not tell the names just now"


def buried(shop, *subjects):
    for subject in subjects:
        shop.house.bury(subject)
    return list(subjects)


def test_dead_letters_have_names_for_two_calls(shop, operator):
    company, person = buried(shop, f"company:{shop.company()}", f"contact:{shop.contact()}")

    page = operator.get(LETTERS)

    assert f"Bakkerij Tarwe {company}" in text_of(page)
    assert f"An Peeters {person}" in text_of(page)
    assert NO_NAMES not in text_of(page)
    assert (len(shop.calls("companies.list")), len(shop.calls("contacts.list"))) == (1, 1)


def test_one_letter_and_those_ticked_have_their_names_and_a_gone_one_its_id(shop, operator):
    company, gone = buried(shop, f"company:{shop.company()}", "company:gone")

    one = operator.get(f"{LETTERS}/{company}")
    chosen = operator.get(f"{LETTERS}/chosen?subject={company}&subject={gone}")
    tried = operator.post(f"{LETTERS}/dry-run", {"subject": company})

    assert "<title>Bakkerij Tarwe" in one.text
    assert f"Bakkerij Tarwe {company} {gone}" in text_of(chosen)
    assert text_of(tried).count(f"Bakkerij Tarwe {company}") == 2
    assert NO_NAMES not in text_of(one) + text_of(chosen) + text_of(tried)


def test_an_invoice_is_not_asked_for(shop, viewer):
    buried(shop, "invoice:1")

    assert NO_NAMES not in text_of(viewer.get(LETTERS))
    assert shop.calls(".list") == []


def test_a_name_that_is_planted_stays_letters_and_is_not_logged(shop, operator, capsys):
    (subject,) = buried(shop, f"company:{planted(shop)}")

    pages = [
        operator.get(LETTERS),
        operator.get(f"{LETTERS}/{subject}"),
        operator.get(f"{LETTERS}/chosen?subject={subject}"),
    ]

    for page in pages:
        assert "&lt;script&gt;alert(1)" in page.text
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
    assert "alert(1)" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("trouble", ["away", "throttled", "no_budget", "held", "paused"])
def test_without_the_names_the_page_is_there_with_the_ids_and_says_so(shop, operator, trouble):
    (subject,) = buried(shop, f"company:{shop.company()}")
    if trouble == "away":
        shop.teamleader.faults.set("status", status=503)
    elif trouble == "throttled":
        shop.teamleader.faults.set("status", status=429, retry="future", retry_seconds=30)
    elif trouble == "no_budget":
        use_up_the_calls(shop)
    elif trouble == "held":
        shop.ledger.set_state("reconnect_needed")
    else:
        shop.ledger.stay_away("teamleader", timedelta(minutes=1))
    began = time.monotonic()

    for path in (LETTERS, f"{LETTERS}/{subject}", f"{LETTERS}/chosen?subject={subject}"):
        page = operator.get(path)
        assert page.status_code == 200
        assert NO_NAMES in text_of(page)
        assert subject in text_of(page)

    assert time.monotonic() - began < 30  # nobody is waited for
    assert trouble in ("away", "throttled") or shop.calls(".list") == []


def use_up_the_calls(shop):
    budget = CallBudget(shop.house.store, shop.ledger.keys, calls_per_minute=190, bulk=True)
    with suppress(Throttled):
        while True:
            budget.take()


def test_a_teamleader_that_hangs_delays_a_page_a_little_and_after_some_pages_not_at_all(shop, operator, monkeypatch):
    monkeypatch.setattr(shop.services, "unawaited", threading.BoundedSemaphore(1))
    buried(shop, f"company:{shop.company()}")
    fault = shop.teamleader.faults.set("hang")
    took = []

    for within in (0.3, 7.0):  # less than after which the call that hangs is given up
        monkeypatch.setattr(page_of_letters, "NAMES_WITHIN", timedelta(seconds=within))
        began = time.monotonic()
        assert NO_NAMES in text_of(operator.get(LETTERS))
        took.append(time.monotonic() - began)
        wait_for("the call that hangs", lambda: fault.hits, seconds=60)
    shop.teamleader.faults.clear(fault.id)

    assert took[0] >= 0.3
    assert took[1] < 7
    assert fault.hits == 1  # the second page did not even ask


def test_a_question_that_came_late_is_over_and_the_next_one_is_asked_again(shop, operator, monkeypatch):
    monkeypatch.setattr(page_of_letters, "NAMES_WITHIN", timedelta(seconds=0.2))
    (subject,) = buried(shop, f"company:{shop.company()}")
    shop.teamleader.gates.set(Gate("late", "/"))

    late = operator.get(LETTERS)
    shop.teamleader.gates.release()

    assert NO_NAMES in text_of(late)
    wait_for("its name", lambda: f"Bakkerij Tarwe {subject}" in text_of(operator.get(LETTERS)), seconds=60)
