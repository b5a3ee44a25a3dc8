"""Dead letters in the console: found, explained, replayed or given up, with whatever one does twice harmless."""

import re

import pytest
import redis

from ingress.console.language import LANGUAGES, catalogue
from ingress.console.pages.dead_letters import PAGE
from tests.unit.console.conftest import text_of
from workers import audit, operations
from workers.bulk.jobs import Jobs
from workers.clients.errors import ApiFailure
from workers.ledger import Cause

LETTERS = "/integrations/default/dead-letters"
# Not buried: waited for.
NEVER_BURIED = {"throttled", "reconnect_needed", "settings_unreadable"}
BURIED = {failure.reason for failure in ApiFailure.__subclasses__()} - NEVER_BURIED
BURIED |= {"cannot_map", "internal_error", "kills_worker", "other"}


def dead(house):
    return {letter.subject for letter in operations.dead_letters(house.services, "default")}


@pytest.mark.parametrize("reason", sorted(BURIED))
def test_every_reason_that_can_bury_has_words_in_all_languages(reason):
    for part in ("title", "cause", "fix"):
        assert catalogue()[f"dead_reason.{reason}.{part}"].keys() == LANGUAGES.keys()


def test_nothing_dead_says_so_and_what_would_stand_here(house):
    text = text_of(house.browser("the-viewer").get(LETTERS))

    assert "No dead letters. Nothing needs you." in text


def test_letters_are_grouped_by_reason_with_cause_and_fix_in_the_readers_language(house):
    house.bury("company:1", "refused", sentence="Twikey said no", api="twikey", code="err_x")
    house.bury("company:2", "refused")
    house.bury("contact:3", "cannot_map")
    house.bury("contact:4", "never_heard_of")

    dutch = text_of(house.browser("the-viewer", **{"Accept-Language": "nl"}).get(LETTERS))
    english = text_of(house.browser("the-viewer").get(LETTERS))

    assert "De andere kant weigerde 2 regels" in dutch
    assert "Herstel het in Teamleader" in dutch
    assert "Another reason 1 letter" in english
    assert "docs/runbook.md#refused" in english
    assert "Twikey said no" in english


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("reason=cannot_map", {"contact:3"}),
        ("kind=company", {"company:1", "company:2"}),
        ("text=PANY:2", {"company:2"}),
        ("text=err_x", {"company:1"}),
        ("age=hour", {"company:1", "company:2", "contact:3"}),
        ("age=older", set()),
        ("kind=company&reason=refused&text=1", {"company:1"}),
    ],
)
def test_a_filter_shows_what_it_says(house, query, found):
    house.bury("company:1", "refused", code="err_x")
    house.bury("company:2", "refused")
    house.bury("contact:3", "cannot_map")

    page = house.browser("the-operator").get(f"{LETTERS}?{query}")

    assert set(re.findall(r'name="subject" value="([^"]+)"', page.text)) == found


@pytest.mark.parametrize(
    ("query", "status"), [("kind=cat", 400), ("age=eon", 400), ("reason=<b>", 400), ("text=An de B", 422)]
)
def test_what_is_no_filter_is_refused_and_never_means_all(house, query, status):
    house.bury("company:1")

    assert house.browser("the-operator").get(f"{LETTERS}?{query}").status_code == status
    if status == 400:
        answer = house.browser("the-operator").post(f"{LETTERS}/replay?all=1&{query}")
        assert answer.status_code == 400
    assert dead(house) == {"company:1"}


def test_a_letter_tells_all_that_is_known_and_escapes_it(house):
    words = "The API's own words, <script>alert(1)</script>"
    house.bury("company:1", "refused", sentence=words, attempts=12, field="vat")

    page = house.browser("the-viewer").get(f"{LETTERS}/company:1")

    assert "<script>alert" not in page.text
    text = text_of(page)
    for told in ("The API's own words", "alert(1)", "12", "vat", "ev_of_ny:1"):
        assert told in text


@pytest.mark.parametrize("path", [LETTERS, f"{LETTERS}/company:1"])
def test_what_is_missing_is_said_in_the_readers_language(house, path):
    problem = ("companyName", "The company has no name in Teamleader; fill it in there.", "nameless")
    house.bury("company:1", "cannot_map", sentence=problem[1], problems=(problem,))

    text = text_of(house.browser("the-viewer", **{"Accept-Language": "nl"}).get(path))

    assert "Bedrijfsnaam: Er is geen naam, en Twikey heeft er een nodig." in text
    assert "fill it in there" not in text


def test_a_page_of_many_letters_is_small_and_leads_to_the_next(house):
    for number in range(PAGE + 5):
        house.bury(f"company:{number:036}", sentence="Twikey refused the field email: it is not an e-mail address.")
    browser = house.browser("the-operator")

    first, second = browser.get(LETTERS), browser.get(f"{LETTERS}?page=2")

    assert first.text.count('name="subject"') == PAGE
    assert second.text.count('name="subject"') == 5
    assert len(first.data) < 50_000


# -- acting ----------------------------------------------------------------------------------------------


def test_the_count_comes_first_and_looking_at_it_replays_nothing(house):
    for number in range(3):
        house.bury(f"company:{number}")
    browser = house.browser("the-operator")

    ticked = browser.get(f"{LETTERS}/chosen?subject=company:1&subject=company:2&act=replay")
    everything = browser.get(f"{LETTERS}/chosen?all=1")

    assert "Replay 2 dead letters?" in text_of(ticked)
    assert "Replay 3 dead letters?" in text_of(everything)
    assert len(dead(house)) == 3


def test_ticked_ones_are_replayed_once_whoever_presses_how_often(house):
    house.bury("company:1")
    house.bury("company:2")
    an, bo = house.browser("the-operator"), house.browser("the-admin")
    form = {"subject": ["company:1", "company:2"]}

    answers = [an.post(f"{LETTERS}/replay", form), bo.post(f"{LETTERS}/replay", form)]

    assert "2 replayed." in text_of(an.get(answers[0].location))
    assert "0 replayed. 2 no longer needed it" in text_of(bo.get(answers[1].location))
    assert [entry.subject for entry in audit.entries(house.store) if entry.what == "replay"] == [
        "company:2",
        "company:1",
    ]
    assert house.services.ledger("default").look("company:1").causes == {Cause.REPLAY}


def test_all_of_a_filter_become_one_job_however_many_press(house):
    house.bury("company:1", "refused")
    house.bury("contact:2", "cannot_map")
    an, bo = house.browser("the-operator"), house.browser("the-admin")

    first = an.post(f"{LETTERS}/replay", {"all": "1", "reason": "refused"})
    second = bo.post(f"{LETTERS}/replay", {"all": "1"})

    job = Jobs(house.store).look("default", "replay")
    assert (job.by, dict(job.parameters)) == ("operator:the-operator", {"reason": "refused", "total": 1})
    assert "1 is being replayed" in text_of(an.get(first.location))
    assert "yours was not begun" in text_of(bo.get(second.location))


def test_giving_up_needs_a_reason_and_keeps_it(house):
    house.bury("company:1")
    browser = house.browser("the-operator")

    without = browser.post(f"{LETTERS}/discard", {"subject": "company:1", "why": " "})
    done = browser.post(f"{LETTERS}/discard", {"subject": "company:1", "why": "closed shop"})

    assert (without.status_code, dead(house)) == (422, set())
    assert "Say why in a few words." in text_of(without)
    assert "1 given up." in text_of(browser.get(done.location))
    assert next(audit.entries(house.store)).after == "closed shop"


def test_all_of_a_filter_cannot_be_given_up_at_once(house):
    house.bury("company:1")

    house.browser("the-operator").post(f"{LETTERS}/discard", {"all": "1", "why": "tired"})

    assert dead(house) == {"company:1"}


def test_asking_to_give_up_all_of_a_filter_says_that_nothing_was_ticked(house):
    for number in range(60):
        house.bury(f"company:{number}", "refused")
    browser = house.browser("the-operator")

    answer = browser.get(f"{LETTERS}/chosen?all=1&act=discard")

    assert answer.status_code == 303
    assert "Nothing was ticked" in text_of(browser.get(answer.location))
    assert len(dead(house)) == 60


def test_a_store_that_goes_away_in_between_says_what_was_done_and_offers_the_rest(house, monkeypatch):
    for number in range(3):
        house.bury(f"company:{number}")
    browser, real, calls = house.browser("the-operator"), operations.replay, []

    def replay(services, integration, subject, *, by):
        calls.append(subject)
        if len(calls) == 2:
            raise redis.ConnectionError
        return real(services, integration, subject, by=by)

    monkeypatch.setattr(operations, "replay", replay)
    answer = browser.post(f"{LETTERS}/replay", {"subject": [f"company:{number}" for number in range(3)]})

    assert answer.status_code == 503
    assert "1 were done, 2 were not reached." in text_of(answer)
    assert re.findall(r'name="subject" value="([^"]+)"', answer.text) == ["company:1", "company:2"]


def test_a_letter_that_a_later_sync_made_right_is_gone_and_its_old_page_says_so(house):
    house.bury("company:1")
    ledger = house.services.ledger("default")
    ledger.mark("company:1", frozenset({Cause.OPERATOR}))
    ledger.commit(ledger.claim("company:1"), "synced")
    browser = house.browser("the-operator")

    pressed = browser.get(f"{LETTERS}/company:1")

    assert "a later sync made it right" in text_of(browser.get(pressed.location))
    assert "Nothing needs you" in text_of(browser.get(LETTERS))
