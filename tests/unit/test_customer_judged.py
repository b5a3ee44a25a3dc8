"""How a customer stands, decided from what the ledger knows and what both sides answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mapping import MappingSettings
from workers.customer import judge, sides
from workers.ledger.records import Story, SubjectState

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
SETTINGS = MappingSettings()
STATE = SubjectState(
    subject="company:1",
    owed=False,
    causes=frozenset(),
    wanted_since=None,
    due=None,
    leased_until=None,
    attempts=0,
    outcome="synced",
    reason="",
    ended=NOW,
    synced=NOW,
    source_updated_at="2026-11-26T10:00:00+00:00",
    event_id="",
    held=False,
    story=None,
)
OWED = replace(STATE, owed=True, wanted_since=NOW)
COMPANY = {
    "id": "1",
    "name": "Tarwe",
    "emails": [{"type": "primary", "email": "a@example.com"}, {"type": "invoicing", "email": "b@example.com"}],
    "updated_at": "2026-11-26T10:00:00+00:00",
    "web_url": "https://focus.teamleader.eu/1",
}
SAME = {"companyName": "Tarwe", "email": "a@example.com", "language": None}
OTHER = SAME | {"email": "old@example.com"}


def seen(document=COMPANY, in_twikey=SAME, *, asked=True, on=True, kind="company"):
    return sides(kind, document, in_twikey, asked_twikey=asked, auto_update=on, settings=SETTINGS)


def what(state=STATE, found=None, *, on=True):
    judged = judge(state, found or seen(on=on), auto_update=on, now=NOW)
    return judged.what, judged.why


def test_equal_differing_unknown_and_unseen():
    assert what() == ("equal", "")
    assert what(found=seen(in_twikey=OTHER)) == ("differs", "changed_in_twikey")
    assert what(found=seen(in_twikey=None)) == ("unknown", "")
    assert what(found=seen(in_twikey=None, asked=False)) == ("unseen", "")
    assert what(found=seen(document=None)) == ("unseen", "")


@pytest.mark.parametrize(
    ("state", "document", "on", "why"),
    [
        (None, COMPANY, True, "never"),
        (STATE, COMPANY, False, "off"),
        (STATE, COMPANY | {"updated_at": "2026-11-26T10:00:01+00:00"}, True, "edited_since"),
        (STATE, COMPANY, True, "changed_in_twikey"),
        (replace(STATE, source_updated_at=""), COMPANY, True, "edited_since"),
    ],
)
def test_why_both_sides_may_differ(state, document, on, why):
    assert what(state, seen(document, OTHER, on=on), on=on) == ("differs", why)


def test_what_waits_for_a_person_comes_before_all_else():
    dead = replace(OWED, story=Story("refused"))

    assert what(dead, seen(in_twikey=OTHER))[0] == "dead"


def test_an_attempt_that_is_under_way_has_not_failed():
    working = replace(OWED, attempts=1, leased_until=NOW + timedelta(seconds=5))
    lapsed = replace(OWED, attempts=1, leased_until=NOW - timedelta(seconds=5))

    assert [what(state)[0] for state in (OWED, working, lapsed)] == ["on_the_way", "on_the_way", "trying"]


def test_a_customer_without_a_name_cannot_be_sent():
    found = seen(COMPANY | {"name": ""})

    assert what(found=found)[0] == "cannot_map"
    assert [problem.field for problem in found.problems] == ["companyName"]


def test_held_is_said_when_nothing_differs():
    assert what(replace(STATE, held=True))[0] == "held"


def test_the_cc_is_withheld_while_automatic_updates_are_off():
    on, off = ({row.name: row for row in seen(on=on).rows}["cc"] for on in (True, False))

    assert (on.ours, on.withheld, on.hidden) == ("b@example.com", False, True)
    assert (off.ours, off.withheld, off.teamleader) == (None, True, "b@example.com")


def test_what_twikey_does_not_show_is_not_taken_for_different():
    found = seen(in_twikey={"companyName": "Tarwe"})

    assert found.differing == ()
    assert {row.name for row in found.rows if row.hidden} >= {"email", "cc"}


def test_without_teamleader_what_twikey_has_is_shown_all_the_same():
    rows = {row.name: row.twikey for row in seen(document=None, in_twikey=OTHER).rows}

    assert rows == {"companyName": "Tarwe", "email": "old@example.com"}


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "http://focus.teamleader.eu/1", "", None, 7, "data:text/html,x"]
)
def test_a_link_that_is_not_https_is_none(url):
    assert seen(COMPANY | {"web_url": url}).web_url == ""
