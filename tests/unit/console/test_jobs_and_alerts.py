"""Work on whole accounts and alerts in the console."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from config.keys import ALERTS_MESSAGES
from tests.unit.console.conftest import text_of
from workers import operations_alerts
from workers.alerts.decide import Alert
from workers.alerts.kinds import Kind
from workers.bulk import invoice_summary
from workers.bulk.jobs import Job, Jobs, Step
from workers.operations_alerts import AlertsView, Tried
from workers.operators import Role

JOBS = "/integrations/default/jobs"


def test_a_job_is_planned_started_paused_resumed_and_stopped(house):
    house.services.ledger("default").set_auto_update(True)
    browser = house.browser("the-operator")

    plan = text_of(browser.post(f"{JOBS}/invoices/plan", {"days": "14"}))
    said = []
    for path, form in (
        ("start", {"days": "14"}),
        ("start", {}),
        *(("turn", {"act": act}) for act in ("pause", "pause", "resume", "cancel", "cancel")),
    ):
        said.append(text_of(browser.get(browser.post(f"{JOBS}/invoices/{path}", form).location)))

    assert "at least 1" in plan
    for sentence, page in zip(
        (
            "It has begun",
            "under way already",
            "It pauses",
            "changed nothing",
            "It goes on",
            "It stops",
            "changed nothing",
        ),
        said,
        strict=True,
    ):
        assert sentence in page
    job = Jobs(house.store).look("default", "invoices")
    assert (job.state, job.by, dict(job.parameters)) == ("cancelled", "operator:the-operator", {"days": 14})


def test_a_job_that_failed_can_be_given_up_and_then_shows_no_trouble(house):
    jobs, browser = Jobs(house.store), house.browser("the-operator")
    jobs.start("default", "drift", {}, by="cli:test")
    jobs.end(jobs.take("default", "drift"), "failed", reason="refused", sentence="Teamleader refuses it.")
    failed = browser.get(f"{JOBS}/drift")

    said = browser.get(browser.post(f"{JOBS}/drift/turn", {"act": "cancel"}).location)

    assert "Give up ends it for good" in text_of(failed)
    assert "It is given up." in text_of(said)
    assert "Given up by an operator after it failed (refused): Teamleader refuses it." in text_of(said)
    assert 'class="status trouble"' in failed.text
    assert 'class="status trouble"' not in said.text
    assert 'name="act"' not in said.text


def test_a_page_looks_for_news_only_while_something_runs_and_does_so_without_scripts_too(house):
    browser = house.browser("the-viewer")
    quiet = browser.get(JOBS).text
    Jobs(house.store).start("default", "drift", {}, by="cli:test")

    busy = browser.get(JOBS).text

    assert "data-news" not in quiet
    assert "http-equiv" not in quiet
    assert f'data-news="{JOBS}/news"' in busy
    assert f'<noscript><meta http-equiv="refresh" content="3; url={JOBS}/news"></noscript>' in busy
    assert "<form" not in busy.split("<main")[1].split("</main>")[0]


def test_progress_result_and_report_are_shown(house):
    jobs = Jobs(house.store)
    jobs.start("default", "replay", {"total": 8}, by="operator:an")
    turn = jobs.take("default", "replay")
    result = {"replayed": 3, "not_dead": 0, "customers": {"synced": 2}}
    lines = [{"subject": "company:1", "reason": "refused", "sentence": "<b>no</b>"}]
    jobs.commit(turn, Step(cursor={}, done=2, total=8, result=result, lines=lines), keep=True)

    page = house.browser("the-viewer").get(f"{JOBS}/replay")

    assert '<progress max="8" value="2"' in page.text
    assert "brought over 2" in text_of(page)
    assert "not_dead" not in page.text
    assert "&lt;b&gt;no&lt;/b&gt;" in page.text


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("nothing/turn", {"act": "pause"}, 400),
        ("sweep/turn", {"act": "explode"}, 400),
        ("replay/start", {}, 400),
        ("x/plan", {}, 400),
    ],
)
def test_what_does_not_exist_is_refused(house, path, form, status):
    assert house.browser("the-admin").post(f"{JOBS}/{path}", form).status_code == status


@pytest.mark.parametrize(
    ("kind", "form", "why"), [("sweep", {}, "updates are off"), ("invoices", {"days": "9999"}, "from 1 to 365")]
)
def test_what_cannot_be_started_says_why(house, kind, form, why):
    browser = house.browser("the-operator")

    answer = browser.post(f"{JOBS}/{kind}/start", form)

    assert why in text_of(browser.get(answer.location))


# -- alerts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "why"), [("en", "does not answer as it should"), ("nl", "antwoordt niet zoals het moet")]
)
def test_why_a_job_waits_is_said_in_the_readers_language_before_what_the_api_said(house, language, why):
    jobs = Jobs(house.store)
    jobs.start("default", "drift", {}, by="cli:test")
    turn = jobs.take("default", "drift")
    sentence = "Twikey gave no usable answer (HTTP 503)"
    jobs.wait(turn, reason="unavailable", sentence=sentence, delay=timedelta(minutes=1), failed=True)

    page = text_of(house.browser("the-viewer", **{"Accept-Language": language}).get(JOBS))

    assert why in page
    assert page.index(why) < page.index(sentence)


def test_what_was_done_already_does_not_look_like_a_success(house):
    browser = house.browser("the-operator")

    marks = [
        re.search(r'class="said (\w+)"', browser.get(browser.post(f"{JOBS}/drift/start").location).text)[1]
        for _ in range(2)
    ]

    assert marks == ["well", "off"]


def test_alerts_that_only_the_log_gets_say_that_nobody_is_woken(build):
    houses = [build(), build(TLTW_ALERT_SLACK_URL="https://hooks.example.com/1")]
    for house in houses:
        house.operator("the-admin", Role.ADMIN)

    pages = [text_of(house.browser("the-admin").get("/alerts")) for house in houses]

    assert ["nobody is told" in page for page in pages] == [True, False]


def letters_are_dead(monkeypatch, number, *, detail=""):
    """One alert is open: so many letters are dead."""
    begun = datetime.now(UTC)
    alert = Alert(
        kind=Kind.DEAD_LETTERS,
        integration="default",
        since=begun,
        noticed=begun,
        seen=begun,
        number=number,
        detail=detail,
    )
    monkeypatch.setattr(operations_alerts, "view", lambda _services: AlertsView((alert,), (), ()))


def test_why_letters_are_dead_stands_beside_the_alert_in_words(house, monkeypatch):
    letters_are_dead(monkeypatch, 3, detail="refused 2, cannot_map 1")

    page = text_of(house.browser("the-admin").get("/alerts"))

    assert "The other side said no: 2" in page
    assert "3 letters" in page
    assert "cannot_map" not in page


def test_when_only_the_newest_letters_were_counted_by_reason_the_alert_says_so(house, monkeypatch):
    letters_are_dead(monkeypatch, 2000, detail="refused 60, cannot_map 40")

    page = text_of(house.browser("the-admin").get("/alerts"))

    assert "2,000 letters Why, of the newest 100: The other side said no: 60" in page


def test_an_alert_leads_to_the_page_on_which_one_does_something_about_it(house, monkeypatch):
    letters_are_dead(monkeypatch, 1)

    page = house.browser("the-admin").get("/alerts").text

    assert 'href="/integrations/default/dead-letters">See which and why</a>' in page


def test_alerts_say_that_nothing_is_open_and_name_the_channels(house):
    text = text_of(house.browser("the-viewer").get("/alerts"))

    assert "Nothing is open." in text
    assert "log" in text


@pytest.mark.parametrize("mail", [True, False])
def test_what_is_for_mailboxes_was_told_only_where_e_mail_is_set_up(build, mail):
    mailed = {"TLTW_SMTP_URL": "smtp://localhost", "TLTW_ALERT_EMAIL_TO": "a@example.com"}
    mailed |= {"TLTW_ALERT_EMAIL_FROM": "b@example.com"}
    house = build(**mailed if mail else {})
    house.operator("the-viewer", Role.VIEWER)
    asked = Job(integration="default", kind="invoices", run="job_1", state="done", by="cli:els", parameters={})
    told = {"label": "", "deployment": "here", "console_url": "https://c", "now": datetime.now(UTC)}
    house.store.xadd(ALERTS_MESSAGES, {"m": invoice_summary.message(asked, {}, **told).to_json()})

    text = text_of(house.browser("the-viewer").get("/alerts"))

    assert ("Missed invoices of default" in text) == mail


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_of_alert_is_shown_with_what_to_do(house, kind, monkeypatch):
    now = datetime.now(UTC)
    alert = operations_alerts.Alert(kind=kind, integration="default", since=now, noticed=now, seen=now, number=3)
    monkeypatch.setattr(
        operations_alerts, "view", lambda services: operations_alerts.AlertsView(open=(alert,), channels=(), told=())
    )

    assert f"docs/runbook.md#{kind}" in text_of(house.browser("the-viewer").get("/alerts"))


def test_an_admin_sends_a_test_and_sees_which_channel_failed(house, monkeypatch):
    tried = [Tried("log", sent=True), Tried("email", sent=False, why="no answer")]
    monkeypatch.setattr(operations_alerts, "try_channels", lambda services: tried)

    text = text_of(house.browser("the-admin").post("/alerts/test"))

    assert "log: the test was sent." in text
    assert "email: the test was not sent. no answer" in text
    assert "Send a test" not in text_of(house.browser("the-operator").get("/alerts"))
