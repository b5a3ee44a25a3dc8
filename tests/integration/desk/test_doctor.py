"""`tltw doctor`: whether something waits longer than it should, by the rule of the console."""

from datetime import UTC, datetime, timedelta

import pytest
import redis
import time_machine

from config.embedded import NoStore
from ingress.cli import shared
from workers.ledger import Cause, Outcome, due

WEBHOOK = frozenset({Cause.WEBHOOK})
MANY = 60


@pytest.fixture
def backlog(tltw):
    """What it says of the backlog."""

    def backlog():
        (check,) = [check for check in tltw("doctor", "--json").json if check["name"] == "backlog"]
        return check["ok"], check["sentence"]

    return backlog


@pytest.fixture
def owed_for_long(desk):
    """Makes customers owed that nobody takes up, while the clock sends one wake-up after the other."""

    def owed_for_long(number=1, minutes=10):
        with time_machine.travel(datetime.now(UTC) - timedelta(minutes=minutes)):
            desk.ledger.mark_all([f"contact:{one}" for one in range(number)], WEBHOOK)
        due(desk.services.scripts, most=number, share=number)

    return owed_for_long


def test_what_came_in_just_now_is_as_it_should_be(backlog, owed_for_long):
    owed_for_long(minutes=4)

    assert backlog() == (True, "Nothing waits longer than it should.")


def test_without_a_worker_it_says_since_when_somebody_waits(backlog, owed_for_long):
    owed_for_long(2)

    ok, sentence = backlog()

    assert not ok
    assert "2 updates wait, the oldest since 20" in sentence
    assert "Is a worker running?" in sentence


def test_a_dead_letter_does_not_hide_that_others_wait(backlog, owed_for_long, desk):
    owed_for_long(2)
    desk.ledger.fail(desk.ledger.claim("contact:0"), "dead", reason="refused")

    ok, sentence = backlog()

    assert not ok
    assert "1 update waits, since 20" in sentence


def test_an_api_that_does_not_serve_us_is_named(backlog, owed_for_long, desk):
    owed_for_long()
    desk.ledger.stay_away("twikey", timedelta(minutes=1))

    ok, sentence = backlog()

    assert not ok
    assert "Twikey does not serve us" in sentence


def test_a_long_backlog_that_is_worked_on_is_no_fault(backlog, owed_for_long, desk):
    owed_for_long(MANY)
    desk.ledger.commit(desk.ledger.claim("contact:0"), Outcome.SYNCED)

    ok, sentence = backlog()

    assert ok
    assert f"{MANY - 1} updates wait, the oldest since" in sentence


def test_work_that_is_held_waits_for_its_own_reason(backlog, owed_for_long, desk):
    owed_for_long()
    desk.ledger.set_state("paused")

    assert backlog() == (True, "Nothing waits longer than it should.")


def test_what_is_not_connected_yet_is_told_how_to_be(desk, tltw):
    added = tltw("integration", "add", "bakery", "twikey_url=https://api.example.com/creditor", "twikey_key=key")

    checks = {check["name"]: check for check in tltw("doctor", "--integration", "bakery", "--json").json}

    assert added.code == 0
    assert not checks["integration"]["ok"]
    assert "tltw integration connect bakery" in checks["integration"]["sentence"]
    assert "resume" not in checks["integration"]["sentence"]


def test_an_option_that_is_mistyped_is_wrong_usage_and_a_question_spares_the_standard_output(desk, tltw):
    mistyped = tltw("integration", "set", "acme", "profil=1")
    asked = tltw("integration", "add", "bakery", "twikey_key=key", "--json")

    assert mistyped.code == 2
    assert "Base URL shown beside the Twikey API key, including /creditor: " in asked.result.stderr
    assert asked.out.strip() == ""


def refused_by(failure):
    """The services of a command that cannot be opened."""

    def refused(_settings):
        raise failure

    return refused


@pytest.mark.parametrize(
    "failure", [NoStore("No store is running. Start everything with: tltw run"), redis.ConnectionError()]
)
def test_a_monitor_is_told_of_a_store_that_is_away_as_a_check(desk, tltw, monkeypatch, failure):
    monkeypatch.setattr(shared, "open_services", refused_by(failure))

    answered = tltw("doctor", "--json")

    (check,) = answered.json
    assert (answered.code, check["name"], check["ok"]) == (4, "store", False)
    assert check["sentence"] == answered.result.stderr.strip()


def test_a_monitor_is_told_of_wrong_settings_as_a_check(desk, tltw):
    desk.environment["TLTW_PUBLIC_URL"] = "nonsense"

    answered = tltw("doctor", "--json")

    (check,) = answered.json
    assert (answered.code, check["name"], check["ok"]) == (2, "settings", False)
    assert "TLTW_PUBLIC_URL" in check["sentence"]


def test_a_monitor_that_asks_for_an_integration_that_is_not_there_is_told_so_as_a_check(desk, tltw):
    answered = tltw("doctor", "--integration", "nope", "--json")

    (check,) = answered.json
    assert (answered.code, check["name"], check["ok"]) == (3, "integration", False)
    assert "acme" in check["sentence"]


def test_a_person_is_told_what_keeps_the_doctor_from_looking_in_a_sentence_alone(desk, tltw):
    desk.environment["TLTW_PUBLIC_URL"] = "nonsense"

    answered = tltw("doctor")

    assert (answered.code, answered.out) == (2, "")
    assert "TLTW_PUBLIC_URL" in answered.result.stderr
