"""The story of one customer: event, claim and outcome, why, and who pressed what."""

import pytest

from workers import audit, operations
from workers.ledger import Cause
from workers.operations_customers import story

WEBHOOK = frozenset({Cause.WEBHOOK})
BY = "operator:an"


@pytest.fixture
def company(desk):
    return f"company:{desk.create('company', name='Schilders Verf')}"


def told(desk, subject):
    return [(line.what, line.reason, line.by) for line in story(desk.services, "acme", subject).lines]


def test_of_a_customer_nobody_heard_of_there_is_no_story(desk, tltw):
    found = story(desk.services, "acme", "company:1")

    assert (found.state, found.lines) == (None, ())
    assert tltw("story", "company", "1").code == 3


def test_an_edit_is_told_from_the_event_to_the_outcome(desk, company):
    desk.ledger.mark(company, WEBHOOK)
    before = story(desk.services, "acme", company).lines
    desk.work(company)

    (after,) = story(desk.services, "acme", company).lines

    assert [(line.what, line.causes) for line in before] == [("owed", WEBHOOK)]
    assert (after.what, after.causes) == ("synced", WEBHOOK)
    assert after.waited >= after.worked


def test_who_pressed_what_stands_between_what_came_of_it(desk, company):
    desk.ledger.mark(company, WEBHOOK)
    desk.work(company)
    operations.refresh(desk.services, "acme", company, by=BY)
    desk.work(company)

    assert told(desk, company) == [("synced", "", ""), ("refresh", "", BY), ("synced", "", "")]


def test_a_dead_letter_that_was_replayed_and_given_up_tells_all_of_it(desk):
    nameless = f"company:{desk.create('company', name='')}"
    desk.ledger.mark(nameless, WEBHOOK)
    desk.work(nameless)
    operations.replay(desk.services, "acme", nameless, by=BY)
    desk.work(nameless)
    operations.discard(desk.services, "acme", nameless, "left us", by="cli:root")

    lines = story(desk.services, "acme", nameless).lines

    assert [(line.what, line.by) for line in lines] == [
        ("discard", "cli:root"),
        ("dead", ""),
        ("replay", BY),
        ("dead", ""),
    ]
    assert lines[0].after == "left us"
    assert lines[1].reason == "cannot_map"


def test_what_happened_while_auto_update_was_off_is_counted(desk, company):
    operations.set_auto_update(desk.services, "acme", on=False, by=BY)
    for _ in range(3):
        desk.ledger.mark(company, WEBHOOK)

    (line,) = story(desk.services, "acme", company).lines

    assert (line.what, line.reason, line.times) == ("skipped", "auto_update_off", 3)


def test_a_story_is_read_without_a_search_through_audit_log_or_activity(desk, company, monkeypatch):
    operations.refresh(desk.services, "acme", company, by=BY)
    monkeypatch.setattr(audit, "entries", None)
    monkeypatch.setattr(type(desk.ledger), "activity", None)

    assert told(desk, company) == [("owed", "", ""), ("refresh", "", BY)]


def test_the_command_tells_it_in_words_and_as_json(desk, company, tltw):
    operations.refresh(desk.services, "acme", company, by=BY)
    desk.work(company)

    told = tltw("story", *company.split(":"))
    as_json = tltw("story", *company.split(":"), "--json").json

    assert told.code == 0
    assert "brought to Twikey; because of: an operator asked for it" in told.out
    assert "operator:an: refresh" in told.out
    assert [line["what"] for line in as_json["lines"]] == ["synced", "refresh"]
    assert as_json["lines"][0]["causes"] == ["operator"]
    assert as_json["lines"][0]["worked"] >= 0
