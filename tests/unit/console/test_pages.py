"""What each page shows and does."""

import re

import pytest

from tests.unit.console.conftest import PASSWORD, text_of
from workers import audit, operations_bulk, operators, passwords, sessions
from workers.bulk.registry import by_name
from workers.ledger import Cause
from workers.operators import Role

# A name that an attacker chose: it must come out as letters.
SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


def entries(house):
    return [(entry.by, entry.what, entry.subject) for entry in audit.entries(house.store)]


# -- overview and integration --------------------------------------------------------------------------


def test_the_overview_says_how_each_integration_stands_in_one_sentence(house):
    browser = house.browser("the-viewer")
    house.services.ledger("default").set_auto_update(True)

    empty = text_of(browser.get("/"))
    house.services.ledger("default").mark("company:1", frozenset({Cause.WEBHOOK}))
    busy = text_of(browser.get("/"))

    assert "No customer was brought to Twikey yet." in empty
    assert "Edit a customer in Teamleader" in empty
    assert "1 update is on its way to Twikey." in busy
    assert "Import invoices and update customers automatically On" in busy


def test_an_option_that_is_off_says_what_switching_it_on_will_do(house):
    house.services.ledger("default").mark("company:1", frozenset({Cause.WEBHOOK}))

    page = house.browser("the-viewer").get("/")

    assert "Automatic updates are off. 1 customer changed since and is held." in text_of(page)
    assert "Switching on brings them over." in text_of(page)
    assert '<a class="button" href="/integrations/default/switches">To the switches</a>' in page.text


def test_the_overview_of_somebody_who_may_see_none_teaches(house):
    house.operator("limited", Role.VIEWER, "another")

    text = text_of(house.browser("limited").get("/"))

    assert "No integration to show" in text
    assert "default" not in text


def test_an_integration_shows_where_every_event_went(house):
    house.services.ledger("default").mark("company:1", frozenset({Cause.WEBHOOK}))

    text = text_of(house.browser("the-viewer").get("/integrations/default"))

    assert "1 event was accepted since the beginning" in text
    assert "the sum: nothing is missing" in text


# -- audit log -----------------------------------------------------------------------------------------


def test_the_audit_log_is_shown_newest_first_page_by_page_without_gaps(house):
    for number in range(120):
        audit.note(house.store, by="cli:root", what=f"change-{number:03}", integration="default")
    browser = house.browser("the-viewer")

    seen, path = [], "/audit"
    while path:
        page = browser.get(path)
        seen += re.findall(r"change-\d{3}", page.text)
        older = re.search(r'href="([^"]+)" rel="next"', page.text)
        path = older[1].replace("&amp;", "&") if older else ""

    assert seen == [f"change-{number:03}" for number in reversed(range(120))]


def test_the_audit_log_shows_what_one_person_did_page_by_page(house):
    for number in range(60):
        audit.note(house.store, by="operator:an.peeters", what=f"hers-{number:03}", integration="default")
        audit.note(house.store, by="cli:root", what=f"theirs-{number:03}", integration="default")
    browser = house.browser("the-viewer")

    first = browser.get("/audit?who=Peeters")
    older = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert older is not None
    second = browser.get(older[1].replace("&amp;", "&"))

    found = re.findall(r"hers-\d{3}", first.text + second.text)
    assert found == [f"hers-{number:03}" for number in reversed(range(60))]
    assert "theirs-" not in first.text + second.text
    assert 'value="Peeters"' in second.text
    assert "Nothing like that was changed" in text_of(browser.get("/audit?who=nobody-at-all"))


def test_who_did_it_is_said_in_words_and_what_is_planted_in_a_change_stays_letters(house):
    audit.note(
        house.store, by="operator:an", what=SCRIPT, integration=SCRIPT, subject=SCRIPT, before=SCRIPT, after=SCRIPT
    )
    audit.note(house.store, by="cli:root", what="paused")
    audit.note(house.store, by="service", what="auto_update")
    audit.note(house.store, by=SCRIPT, what="x")

    page = house.browser("the-viewer").get("/audit")

    assert "<script>alert" not in page.text
    assert "<img" not in page.text
    assert "root (command line)" in text_of(page)
    assert "the service itself" in text_of(page)
    assert "automatic updates" in text_of(page)


# What became of jobs and of shared files. Other changes have words already, or are named by what was set.
DONE_TO_JOBS = [f"{kind} {act}" for kind in by_name() for act in ("started", "pause", "resume", "cancel")]
DONE_TO_FILES = ["file downloaded", "file removed", "file expired"]


@pytest.mark.parametrize("language", ["nl", "fr"])
def test_what_was_done_to_jobs_and_files_is_said_in_the_language_of_the_page(house, language):
    browser = house.browser("the-viewer", **{"Accept-Language": language})
    for what in (*DONE_TO_JOBS, *DONE_TO_FILES):
        audit.note(house.store, by="cli:root", what=what, integration="default")

    for page in (browser.get("/audit"), browser.get("/integrations/default/settings")):
        text = text_of(page)
        assert [what for what in (*DONE_TO_JOBS, *DONE_TO_FILES) if what in text] == []


def test_what_a_job_was_started_with_is_left_to_the_export_of_the_log(house):
    parameters = {"full": False, "byte_order_mark": True}
    operations_bulk.start(house.services, "default", "export", parameters, by="operator:an")

    page = house.browser("the-viewer").get("/audit")

    assert "export begun" in text_of(page)
    assert "byte_order_mark" not in page.text
    assert "byte_order_mark" in next(audit.entries(house.store)).after


def test_somebody_with_a_limit_sees_the_changes_of_their_integrations_alone(house):
    audit.note(house.store, by="cli:root", what="theirs", integration="default")
    audit.note(house.store, by="cli:root", what="of-others", integration="another")
    house.operator("limited", Role.ADMIN, "default")
    browser = house.browser("limited")

    text = text_of(browser.get("/audit"))

    assert "theirs" in text
    assert "of-others" not in text
    assert "operator added" not in text
    assert browser.get("/audit?integration=another").status_code == 403


@pytest.mark.parametrize("before", ["x", "-", "1", "999999999999999999999999-0", "0-0 0-0", "(1-1"])
def test_a_forged_place_in_the_audit_log_is_ignored_or_empty(house, before):
    assert house.browser("the-viewer").get("/audit", query_string={"before": before}).status_code == 200


def test_an_empty_audit_log_teaches(house):
    house.store.delete("tltw:audit")

    assert "Nothing was changed yet" in text_of(house.browser("the-viewer").get("/audit"))


# -- operators -----------------------------------------------------------------------------------------


def test_an_admin_adds_somebody_who_can_sign_in_with_the_password_that_is_shown_once(house):
    browser = house.browser("the-admin")

    answer = browser.post("/operators", {"name": " An ", "role": "operator", "scope": "all"})

    password = re.search(r"<code>([a-z0-9-]{24})</code>", answer.text)[1]
    assert house.browser().sign_in("an", password).status_code == 303
    assert password not in browser.get("/operators").text
    assert password not in browser.get("/audit").text
    assert entries(house)[0] == ("operator:the-admin", "operator added", "an")
    assert operators.find(house.store, "an").limit is None


def test_somebody_can_be_added_for_some_integrations_only(house):
    browser = house.browser("the-admin")

    browser.post("/operators", {"name": "an", "role": "viewer", "scope": "some", "integration": "default"})
    nothing = browser.post("/operators", {"name": "bo", "role": "viewer", "scope": "some"})
    unknown = browser.post("/operators", {"name": "bo", "role": "viewer", "scope": "some", "integration": "none"})

    assert operators.find(house.store, "an").limit == {"default"}
    assert "Choose at least one integration" in text_of(nothing)
    assert "does not exist" in text_of(unknown)
    assert operators.find(house.store, "bo") is None


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("the-viewer", "of that name already"), (SCRIPT, "cannot be a name"), ("", "cannot be a name")],
)
def test_a_name_that_is_refused_says_why_and_stays_in_the_field(house, name, sentence):
    answer = house.browser("the-admin").post("/operators", {"name": name, "role": "viewer"})

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert "<script>alert" not in answer.text


def test_a_role_that_does_not_exist_gives_the_least(house):
    house.browser("the-admin").post("/operators", {"name": "an", "role": "root"})

    assert operators.find(house.store, "an").role is Role.VIEWER


def test_rights_hold_from_the_next_click_on(house):
    viewer, admin = house.browser("the-viewer"), house.browser("the-admin")

    answer = admin.post("/operators/the-viewer/rights", {"role": "admin", "scope": "all"})

    assert "the-viewer was changed." in text_of(admin.get(answer.location))
    assert viewer.get("/operators").status_code == 200
    assert entries(house)[0] == ("operator:the-admin", "operator rights", "the-viewer")


def test_a_new_password_ends_the_old_one_and_all_sessions(house):
    viewer = house.browser("the-viewer")

    answer = house.browser("the-admin").post("/operators/the-viewer/password")

    password = re.search(r"<code>([a-z0-9-]{24})</code>", answer.text)[1]
    assert viewer.get("/").status_code == 303
    assert house.browser().sign_in("the-viewer").status_code == 422
    assert house.browser().sign_in("the-viewer", password).status_code == 303


def test_who_is_disabled_is_out_at_once_and_back_when_enabled(house):
    viewer, admin = house.browser("the-viewer"), house.browser("the-admin")

    admin.post("/operators/the-viewer/disabled", {"disabled": "yes"})
    out, refused = viewer.get("/"), house.browser().sign_in("the-viewer")
    admin.post("/operators/the-viewer/disabled", {"disabled": "no"})

    assert out.status_code == 303
    assert "has been disabled" in text_of(refused)
    assert house.browser().sign_in("the-viewer").status_code == 303


def test_who_is_removed_is_gone_and_that_is_noted(house):
    admin = house.browser("the-admin")

    answer = admin.post("/operators/the-viewer/remove")

    assert "the-viewer was removed." in text_of(admin.get(answer.location))
    assert operators.find(house.store, "the-viewer") is None
    assert entries(house)[0] == ("operator:the-admin", "operator removed", "the-viewer")


@pytest.mark.parametrize("act", ["rights", "password", "disabled", "remove"])
def test_nobody_changes_their_own_rights_so_an_admin_is_always_left(house, act):
    before = operators.find(house.store, "the-admin")
    browser = house.browser("the-admin")

    answer = browser.post(f"/operators/the-admin/{act}", {"role": "viewer", "disabled": "yes"})

    assert answer.status_code == 422
    assert "Nobody changes their own rights" in text_of(answer)
    assert operators.find(house.store, "the-admin") == before


@pytest.mark.parametrize("act", ["rights", "password", "disabled", "remove"])
def test_what_two_admins_do_at_once_to_somebody_who_is_gone_is_harmless(house, act):
    admin = house.browser("the-admin")

    answer = admin.post(f"/operators/gone/{act}", {"role": "viewer"})

    assert answer.location == "/operators"
    assert "no operator of that name" in text_of(admin.get(answer.location))


# -- one's own account ---------------------------------------------------------------------------------


def change(browser, current=PASSWORD, new="another one entirely", again="another one entirely"):
    return browser.post("/account/password", {"current": current, "new": new, "again": again})


def test_one_changes_ones_password_stays_in_and_is_out_everywhere_else(house):
    here, there = house.browser("the-viewer"), house.browser("the-viewer")
    old_cookie = here.cookies()["tltw-session"]

    answer = change(here)

    assert "Your password was changed." in text_of(here.get(answer.location))
    assert here.cookies()["tltw-session"] != old_cookie
    assert there.get("/").status_code == 303
    assert house.browser().sign_in("the-viewer", "another one entirely").status_code == 303
    assert ("operator:the-viewer", "operator password", "the-viewer") in entries(house)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"current": "wrong"}, "not your current password"),
        ({"again": "something else here"}, "two new passwords differ"),
        ({"new": "eleven char", "again": "eleven char"}, "at least 12 characters"),
    ],
)
def test_a_change_of_password_that_is_refused_says_why_beside_its_field(house, given, sentence):
    answer = change(house.browser("the-viewer"), **given)

    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert answer.text.count('aria-invalid="true"') == 1
    assert passwords.matches(PASSWORD, operators.find(house.store, "the-viewer").password)


def test_an_open_browser_does_not_let_one_guess_the_password_for_long(house):
    browser = house.browser("the-viewer")

    answers = [text_of(change(browser, current=f"guess {number}")) for number in range(12)]

    assert "Too many tries" in answers[-1]
    assert "Too many tries" not in answers[0]


def test_one_sees_where_one_is_signed_in_and_signs_out_everywhere(house):
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    here, there = house.browser("the-viewer", **{"User-Agent": firefox}), house.browser("the-viewer")

    text = text_of(here.get("/account"))
    left = here.post("/account/sign-out-everywhere")

    assert "Firefox, Windows this one" in text
    assert "signed out in every browser" in text_of(here.get(left.location))
    assert there.get("/").status_code == 303
    assert sessions.of(house.store, "the-viewer") == []
