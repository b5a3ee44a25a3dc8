"""How a customer stands, decided from what the ledger knows and what both sides answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mapping import MappingSettings
from mapping.remarks import SENTENCES
from workers.customer import REMARKED, Judged, Remembered, Sides, judge, page_in_twikey, remembered, sides
from workers.ledger.records import Story, SubjectState
from workers.standing import Level
from workers.sync.freshness import SECOND, seen_until

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EDITED = datetime(2026, 11, 26, 10, tzinfo=UTC)
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
    judged = judge(state, found or seen(on=on), auto_update=on, active=True)
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
        (STATE, COMPANY | {"updated_at": "2026-11-26T12:00:01+00:00"}, True, "edited_since"),
        (STATE, COMPANY, True, "changed_in_twikey"),
        (replace(STATE, source_updated_at=""), COMPANY, True, "changed_in_twikey"),
        (replace(STATE, source_updated_at="", synced=EDITED - SECOND), COMPANY, True, "edited_since"),
    ],
)
def test_why_both_sides_may_differ(state, document, on, why):
    assert what(state, seen(document, OTHER, on=on), on=on) == ("differs", why)


@pytest.mark.parametrize("teamleader_is_ahead", [timedelta(0), timedelta(minutes=3)])
def test_an_edit_that_was_brought_within_its_second_is_not_taken_for_a_later_one(teamleader_is_ahead):
    read_at = EDITED + timedelta(milliseconds=400) - teamleader_is_ahead
    state = replace(STATE, source_updated_at=seen_until(COMPANY, read_at), synced=read_at + timedelta(milliseconds=200))

    assert what(state, seen(in_twikey=OTHER)) == ("differs", "changed_in_twikey")


def test_a_refresh_by_hand_that_notes_no_updated_at_is_not_taken_for_older_than_an_edit_before_it():
    state = replace(STATE, source_updated_at="2026-11-20T10:00:00+00:00")

    assert what(state, seen(in_twikey=OTHER)) == ("differs", "changed_in_twikey")


def test_what_waits_for_a_person_comes_before_all_else():
    dead = replace(OWED, story=Story("refused"))

    assert what(dead, seen(in_twikey=OTHER))[0] == "dead"


def test_who_failed_is_being_tried_again_also_while_an_attempt_is_under_way():
    first = replace(OWED, leased_until=NOW + timedelta(seconds=5))
    second = replace(first, attempts=1)

    assert [what(state)[0] for state in (OWED, first, second)] == ["on_the_way", "on_the_way", "trying"]
    assert judge(second, seen(), auto_update=True, active=True).count == 1
    assert remembered(second, active=True) == Remembered(Level.LOOK, "trying", second.synced)


def test_what_is_owed_while_work_is_held_is_not_on_its_way():
    failed = replace(OWED, attempts=2)

    for state in (OWED, failed):
        assert judge(state, Sides(), auto_update=True, active=False) == Judged(
            level=Level.LOOK, what="stands_still", since=NOW
        )
        assert remembered(state, active=False).word == "stands_still"
    assert judge(STATE, seen(), auto_update=True, active=False).what == "equal"


def test_a_customer_without_a_name_cannot_be_sent():
    found = seen(COMPANY | {"name": ""})

    assert what(found=found)[0] == "cannot_map"
    assert [problem.field for problem in found.problems] == ["companyName"]


HELD = replace(STATE, held=True, outcome="skipped", reason="auto_update_off")
HIDDEN, RIGHT, WRONG = SAME, SAME | {"cc": "b@example.com"}, SAME | {"cc": "old@example.com"}
WITHHELD = replace(STATE, reason="withheld")
NO_CC = COMPANY | {"emails": COMPANY["emails"][:1]}


@pytest.mark.parametrize(
    ("state", "document", "in_twikey", "expected"),
    [
        # What both sides show decides.
        (HELD, COMPANY, WRONG, ("held", "look")),
        (HELD, COMPANY, RIGHT, ("equal", "well")),
        (HELD, NO_CC, HIDDEN, ("equal", "well")),
        (WITHHELD, COMPANY, WRONG, ("withheld", "look")),
        (WITHHELD, COMPANY, RIGHT, ("equal", "well")),
        (None, COMPANY, WRONG, ("withheld", "look")),
        (None, COMPANY, RIGHT, ("equal", "well")),
        (STATE, COMPANY, WRONG, ("withheld", "look")),
        # Where Twikey does not show it, what the ledger remembers.
        (HELD, COMPANY, HIDDEN, ("held", "off")),
        (replace(STATE, held=True), COMPANY, HIDDEN, ("equal", "well")),
        (replace(WITHHELD, held=True), COMPANY, HIDDEN, ("held", "look")),
        (WITHHELD, COMPANY, HIDDEN, ("withheld", "look")),
        (STATE, COMPANY, HIDDEN, ("equal", "well")),
    ],
)
def test_what_automatic_updates_left_out_is_said_in_the_colour_of_how_surely_it_is_known(
    state, document, in_twikey, expected
):
    judged = judge(state, seen(document, in_twikey, on=False), auto_update=False, active=True)

    assert (judged.what, judged.level) == expected


@pytest.mark.parametrize("state", [HELD, WITHHELD, replace(WITHHELD, held=True), replace(STATE, held=True), OWED])
def test_a_list_shows_the_colour_that_the_page_shows_when_nobody_could_be_asked(state):
    unseen = judge(state, Sides(), auto_update=False, active=True)

    assert (remembered(state, active=True).word, remembered(state, active=True).level) == (
        unseen.what,
        unseen.level,
    )


@pytest.mark.parametrize(
    ("state", "word", "level"),
    [
        (None, "unheard", "off"),
        (STATE, "synced", "well"),
        (replace(STATE, synced=None, outcome="skipped"), "skipped", "off"),
        (replace(STATE, outcome="gone"), "gone", "off"),
        (replace(STATE, story=Story("refused")), "dead", "trouble"),
        (WITHHELD, "withheld", "look"),
        (HELD, "held", "off"),
        (replace(HELD, synced=None), "skipped", "off"),
        (replace(WITHHELD, outcome="discarded"), "synced", "well"),
    ],
)
def test_a_list_says_how_the_ledger_left_a_customer(state, word, level):
    assert (remembered(state, active=True).word, remembered(state, active=True).level) == (
        word,
        level,
    )


LONG = "Tarwe " * 40


@pytest.mark.parametrize(
    ("changes", "in_twikey", "fields"),
    [
        ({"emails": [{"type": "primary", "email": "dirk@example,org"}]}, SAME, ("email",)),
        ({"emails": [{"type": "primary", "email": "dirk@example,org"}]}, SAME | {"email": None}, ("email",)),
        ({"emails": []}, SAME, ("email",)),
        ({"emails": []}, SAME | {"email": None}, ()),
        ({"emails": COMPANY["emails"][1:]}, SAME, ("email",)),
        ({"name": LONG}, SAME | {"companyName": LONG[:140].strip()}, ("companyName",)),
        ({"vat_number": "BE 1"}, SAME | {"vatno": None}, ("vatno",)),
        ({"vat_number": "BE 1"}, SAME | {"vatno": "BE 1"}, ()),
        ({"vat_number": "be 0537.520.055"}, SAME | {"vatno": "BE0537520055", "coc": "0537520055"}, ()),
        ({"telephones": [{"type": "mobile", "number": "0499 12 34 45"}]}, SAME | {"mobile": "+32499123445"}, ()),
    ],
)
def test_a_value_of_teamleader_that_does_not_arrive_is_not_called_equal(changes, in_twikey, fields):
    found = seen(COMPANY | changes, in_twikey)

    assert found.unusable == fields
    assert what(found=found) == ("unusable" if fields else "equal", "")


def test_it_is_known_of_every_remark_whether_both_sides_can_still_be_equal():
    assert REMARKED.keys() == SENTENCES.keys()


@pytest.mark.parametrize(
    ("changes", "field", "why"),
    [
        ({"telephones": [{"type": "phone", "number": "09 298 00 06"}]}, "mobile", "no_mobile"),
        ({"addresses": [{"type": "primary", "address": {"country": "BE"}}]}, "country", "country_alone"),
        ({"language": "sv"}, "l", "no_language"),
        ({"emails": [{"type": kind, "email": "a@example.com"} for kind in ("primary", "invoicing")]}, "cc", "cc_same"),
        ({"vat_number": ""}, "vatno", "empty"),
        ({"vat_number": "BE 1"}, "vatno", ""),
        ({"vat_number": "BE0537520055"}, "vatno", ""),
    ],
)
@pytest.mark.parametrize("on", [True, False])
def test_it_is_said_by_which_rule_a_value_is_not_sent(changes, field, why, on):
    found = seen(COMPANY | changes, SAME | {"vatno": "BE0000000097"}, on=on)

    assert {row.name: row.unsent for row in found.rows}[field] == why


def test_a_cc_without_a_parameter_to_send_it_under_says_so():
    found = sides(
        "company", COMPANY, SAME, asked_twikey=True, auto_update=True, settings=MappingSettings(cc_parameter="")
    )

    assert {row.name: row.unsent for row in found.rows}["cc"] == "cc_off"


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


AT = "http://127.0.0.1:9001"


def link(url, at=AT):
    found = sides(
        "company",
        COMPANY | {"web_url": url},
        SAME,
        asked_twikey=True,
        auto_update=True,
        settings=SETTINGS,
        teamleader_at=at,
    )
    return found.web_url


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "http://focus.teamleader.eu/1",
        "http://127.0.0.1:9002/1",
        "http://127.0.0.1:9001@evil.example.com/",
        "http://127.0.0.1:9001\\@evil.example.com/",
        "javascript://127.0.0.1:9001/%0aalert(1)",
        "//127.0.0.1:9001/1",
        "http://[",
        "",
        None,
        7,
        "data:text/html,x",
    ],
)
def test_a_link_that_is_not_https_and_not_where_teamleader_is_configured_is_none(url):
    assert link(url) == link(url, "") == ""


def test_a_link_over_https_or_to_where_teamleader_is_configured_is_one():
    assert link("https://focus.teamleader.eu/1", "") == "https://focus.teamleader.eu/1"
    assert link(f"{AT}/ui/customers/company/1") == f"{AT}/ui/customers/company/1"


def test_the_number_in_a_link_to_twikey_is_a_number_and_nothing_else():
    assert page_in_twikey("https://x/c/{customerNumber}?tab=1", "A/..?b&c") == "https://x/c/A%2F..%3Fb%26c?tab=1"
    assert page_in_twikey("", "1") == page_in_twikey("https://x/{customerNumber}", "") == ""
