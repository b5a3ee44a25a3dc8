"""What the bulk side decides without asking anybody: freshness, what a sweep marks, what is due, what a failure means, lists."""

import errno
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.integrations import OptionsWrong
from config.secrets import SecretUnreadable
from workers.bulk.listing import Customers, Invoices, from_json
from workers.bulk.policy import JobFailed, JobStopped, Stop, UnknownKind, Wait, judge
from workers.bulk.schedule import Sight, due
from workers.bulk.sweep_decide import judge_customer, judge_invoice
from workers.clients.errors import CredentialsUnreadable, ReconnectNeeded, Refused, Throttled, Unavailable
from workers.ledger.records import Cause, Story, SubjectState
from workers.sync.freshness import moment, seen_until

NOON = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def record(updated_at: datetime | None = NOON, **more: object) -> dict[str, object]:
    return {"id": "1", "updated_at": updated_at.isoformat() if updated_at else None, **more}


def state(**known: Any) -> SubjectState:
    nothing: dict[str, Any] = dict.fromkeys(("wanted_since", "due", "leased_until", "ended", "synced", "story"))
    nothing |= {"owed": False, "causes": frozenset(), "attempts": 0, "outcome": "", "reason": "", "held": False}
    return SubjectState(**{**nothing, "subject": "contact:1", "source_updated_at": "", "event_id": ""} | known)


# -- freshness ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read_after", "seen"),
    [(timedelta(0), NOON - SECOND), (0.999 * SECOND, NOON - SECOND), (SECOND, NOON), (timedelta(hours=1), NOON)],
)
def test_a_second_counts_as_seen_once_it_was_over_before_the_reading(read_after: timedelta, seen: datetime) -> None:
    assert seen_until(record(), NOON + read_after) == seen.isoformat()


@pytest.mark.parametrize("odd", [None, 7, "yesterday", "2026-11-25T12:00:00", ""])
def test_a_time_that_cannot_be_read_proves_nothing(odd: object) -> None:
    assert moment(odd) is None
    assert seen_until({"updated_at": odd}, NOON) == ""


# -- what a sweep marks ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "finding"),
    [
        (None, "newer"),
        (state(source_updated_at=NOON.isoformat(), synced=NOON), "seen"),
        (state(source_updated_at="2026-11-25T13:00:00+01:00", synced=NOON), "seen"),
        (state(source_updated_at=(NOON - SECOND).isoformat(), synced=NOON), "newer"),
        (state(synced=NOON), "newer"),
        (state(source_updated_at=NOON.isoformat(), outcome="dead", story=Story("cannot_map")), "seen"),
        (state(source_updated_at=(NOON - SECOND).isoformat(), story=Story("cannot_map")), "newer"),
        (state(owed=True, causes=frozenset({Cause.WEBHOOK})), "owed"),
        (state(owed=True, causes=frozenset({Cause.SWEEP, Cause.OPERATOR})), "owed"),
        # In work: it may have been read before this edit.
        (state(owed=True, causes=frozenset({Cause.WEBHOOK}), leased_until=NOON), "newer"),
        # Only for an operator: were auto-update switched off now, nobody would remember it.
        (state(owed=True, causes=frozenset({Cause.OPERATOR})), "newer"),
    ],
)
def test_a_customer_is_marked_when_it_is_newer_than_the_ledger_has_seen(
    known: SubjectState | None, finding: str
) -> None:
    edited = record(added_at=(NOON - timedelta(days=9)).isoformat())

    assert judge_customer(edited, known, sync_added=False) == finding


@pytest.mark.parametrize(
    ("known", "edited_after", "sync_added", "finding"),
    [
        (None, timedelta(0), False, "added"),
        (None, timedelta(seconds=2), False, "added"),
        (None, timedelta(seconds=3), False, "newer"),
        (None, timedelta(0), True, "newer"),
        (state(synced=NOON), timedelta(0), False, "newer"),
        (state(story=Story("cannot_map")), timedelta(0), False, "newer"),
        (state(outcome="skipped"), timedelta(0), False, "added"),
    ],
)
def test_who_was_only_added_is_not_an_edit(
    known: SubjectState | None, edited_after: timedelta, sync_added: bool, finding: str
) -> None:
    added = record(added_at=(NOON - edited_after).isoformat())

    assert judge_customer(added, known, sync_added=sync_added) == finding


def test_a_customer_that_does_not_say_when_it_changed_is_marked_until_it_was_synced() -> None:
    assert judge_customer(record(None), None, sync_added=False) == "newer"
    assert judge_customer(record(None), state(synced=NOON), sync_added=False) == "seen"


BOOKED: dict[str, object] = {
    "status": "outstanding",
    "paid": False,
    "total": {"payable": {"amount": 121.0}},
    "invoicee": {"customer": {"type": "contact", "id": "1"}},
}


@pytest.mark.parametrize(
    ("changes", "invoice", "customer", "finding"),
    [
        ({}, None, None, "newer"),
        ({}, None, state(outcome="dead", story=Story("cannot_map")), "newer"),
        ({}, None, state(synced=NOON), "of_a_known_customer"),
        ({}, state(source_updated_at=NOON.isoformat()), None, "seen"),
        ({}, state(owed=True, causes=frozenset({Cause.INVOICE})), None, "owed"),
        ({"status": "draft"}, None, None, "not_ours"),
        ({"status": "matched", "paid": True}, None, None, "not_ours"),
        ({"total": {"payable": {"amount": 0}}}, None, None, "not_ours"),
        ({"invoicee": {}}, None, None, "not_ours"),
    ],
)
def test_an_invoice_is_marked_when_its_customer_was_never_synced(
    changes: dict[str, object], invoice: SubjectState | None, customer: SubjectState | None, finding: str
) -> None:
    assert judge_invoice(record(**BOOKED | changes), invoice, customer) == finding


# -- what is due -------------------------------------------------------------------------------------

WEEK = timedelta(days=7)


def sight(**changes: Any) -> Sight:
    usual: dict[str, Any] = {"able": True, "was_able": True, "active": True, "begun": NOON - timedelta(days=1)}
    return Sight(**usual | {"swept": NOON - timedelta(minutes=5), "compared": None} | changes)


@pytest.mark.parametrize(
    ("changes", "first_look", "kinds"),
    [
        ({}, False, []),
        ({"swept": NOON - timedelta(minutes=10)}, False, ["sweep"]),
        ({"swept": None}, False, ["sweep"]),
        ({}, True, ["sweep"]),
        ({"was_able": False}, False, ["sweep"]),
        ({"able": False}, False, []),
        ({"able": False, "swept": None}, True, []),
        ({"begun": NOON - timedelta(days=8)}, False, ["drift"]),
        ({"begun": NOON - timedelta(days=8), "compared": NOON - timedelta(days=6)}, False, []),
        ({"begun": NOON - timedelta(days=30), "compared": NOON - timedelta(days=8)}, False, ["drift"]),
        ({"begun": NOON - timedelta(days=8), "active": False, "able": False}, False, []),
        ({"begun": NOON - timedelta(days=8), "able": False}, False, ["drift"]),
    ],
)
def test_what_is_due_by_the_clock(changes: dict[str, Any], first_look: bool, kinds: list[str]) -> None:
    started = due(sight(**changes), now=NOON, first_look=first_look, compare_every=WEEK)

    assert [start.kind for start in started] == kinds


def test_the_weekly_comparison_can_be_switched_off() -> None:
    long_ago = sight(begun=NOON - timedelta(days=999))

    assert list(due(long_ago, now=NOON, first_look=False, compare_every=timedelta(0))) == []


# -- failures ----------------------------------------------------------------------------------------


def test_the_wait_for_our_own_budget_is_only_the_pace() -> None:
    soon = Throttled("teamleader", "x", until=NOON + SECOND, status=None)

    assert judge(soon, 0, now=NOON, jitter=0.5) == Wait("", "", SECOND)


def test_a_429_is_waited_for_until_the_time_it_names_and_a_little_longer() -> None:
    named = judge(Throttled("twikey", "x", until=NOON + 30 * SECOND), 0, now=NOON, jitter=0.5)
    unnamed = judge(Throttled("twikey", "x", until=None), 0, now=NOON, jitter=0.0)
    past = judge(Throttled("twikey", "x", until=NOON - 30 * SECOND), 0, now=NOON, jitter=0.0)

    assert isinstance(named, Wait)
    assert isinstance(unnamed, Wait)
    assert isinstance(past, Wait)
    assert (named.delay, unnamed.delay, past.delay) == (30.5 * SECOND, 60 * SECOND, SECOND)
    assert not named.failed


def test_an_outage_is_waited_for_longer_each_time_but_never_given_up_on() -> None:
    waits = [judge(Unavailable("teamleader", "x"), failures, now=NOON, jitter=1.0) for failures in (0, 1, 5, 200)]

    assert [wait.delay for wait in waits if isinstance(wait, Wait)] == [
        timedelta(seconds=2),
        timedelta(seconds=4),
        timedelta(seconds=64),
        timedelta(minutes=15),
    ]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (JobFailed("refused", "Not so."), Stop("refused", "Not so.", "failed")),
        (JobStopped("auto_update_off", "It is off."), Stop("auto_update_off", "It is off.", "cancelled")),
        (Refused("teamleader", "No right."), Stop("refused", "No right.", "failed")),
    ],
)
def test_what_cannot_go_on_says_why(failure: Exception, expected: Stop) -> None:
    assert judge(failure, 0, now=NOON, jitter=0.0) == expected


def _sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("what sqlite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/srv/jan@example.com.csv"), "disk_refuses"),
        (OSError(errno.EROFS, "Read-only file system"), "disk_refuses"),
        (_sqlite_error(sqlite3.SQLITE_FULL), "disk_refuses"),
        (_sqlite_error(sqlite3.SQLITE_IOERR_WRITE), "disk_refuses"),
        (_sqlite_error(sqlite3.SQLITE_ERROR), "internal_error"),
        (sqlite3.ProgrammingError("without a code"), "internal_error"),
        (FileNotFoundError(errno.ENOENT, "No such file"), "internal_error"),
    ],
)
def test_a_disk_that_refuses_is_no_mistake_of_ours(failure: Exception, reason: str) -> None:
    verdict = judge(failure, 0, now=NOON, jitter=0.0)

    assert isinstance(verdict, Stop)
    assert (verdict.state, verdict.reason) == ("failed", reason)
    assert "jan" not in verdict.sentence


def test_a_mistake_of_our_own_never_shows_its_text() -> None:
    verdict = judge(KeyError("jan@example.com"), 0, now=NOON, jitter=0.0)

    assert isinstance(verdict, Stop)
    assert verdict.reason == "internal_error"
    assert "jan" not in verdict.sentence


def test_refused_credentials_hold_the_integration_and_an_unknown_kind_waits() -> None:
    reconnect = judge(ReconnectNeeded("twikey", "x"), 0, now=NOON, jitter=0.0)
    unknown = judge(UnknownKind("horoscope"), 0, now=NOON, jitter=0.0)

    assert isinstance(reconnect, Wait)
    assert isinstance(unknown, Wait)
    assert (reconnect.reconnect, unknown.reason, unknown.reconnect) == ("twikey", "unknown_kind", None)


@pytest.mark.parametrize(
    "failure", [SecretUnreadable("x"), OptionsWrong({"twikey_url": "x"}), CredentialsUnreadable("teamleader", "x")]
)
def test_settings_that_this_process_cannot_read_are_waited_for(failure: Exception) -> None:
    verdict = judge(failure, 0, now=NOON, jitter=0.0)

    assert isinstance(verdict, Wait)
    assert (verdict.reason, verdict.failed, verdict.reconnect) == ("settings_unreadable", False, None)


# -- lists -------------------------------------------------------------------------------------------


class Numbered:
    """Invoices by number: new ones come at the end, deleted ones let the others move forward, touched ones may come in between."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = sorted(numbers)

    def rows(self, place: Invoices) -> list[dict[str, object]]:
        page: Any = place.request()["page"]
        first = (page["number"] - 1) * page["size"]
        return [{"id": str(number)} for number in self.numbers[first : first + page["size"]]]


def go_through(world: Numbered, *, between: Any = None) -> tuple[list[str], int]:
    place: Any = Invoices.booked()
    found: list[str] = []
    calls = 0
    while place is not None:
        new, place = from_json(place.as_json()).look(world.rows(place))
        found += [str(row["id"]) for row in new]
        calls += 1
        if between:
            between(calls)
    return found, calls


@pytest.mark.parametrize(("number", "calls"), [(0, 1), (1, 1), (99, 1), (100, 4), (150, 4), (250, 6)])
def test_one_page_of_invoices_is_one_call_and_more_are_read_twice(number: int, calls: int) -> None:
    found, made = go_through(Numbered(range(number)))

    assert found == [str(one) for one in range(number)]
    assert made == calls


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["delete", "book", "touch"]), st.integers(0, 600))))
def test_no_invoice_is_missed_or_handed_out_twice_whatever_happens_in_the_first_round(
    events: list[tuple[int, str, int]],
) -> None:
    world = Numbered(range(0, 600, 2))
    stay = set(world.numbers)

    def happen(call: int) -> None:
        for at, what, number in events:
            if at != call:
                continue
            if what == "delete" and number in world.numbers:
                world.numbers.remove(number)
                stay.discard(number)
            elif what == "book":
                world.numbers.append(world.numbers[-1] + 1 if world.numbers else 1)
            elif what == "touch" and number not in world.numbers:
                world.numbers = sorted([*world.numbers, number])

    found, _ = go_through(world, between=happen)

    assert len(found) == len(set(found))
    assert {str(number) for number in stay} <= set(found)


def test_a_customer_is_handed_out_once_unless_it_was_edited_meanwhile() -> None:
    times = [NOON + timedelta(seconds=n) for n in range(150)]
    place: Customers | None = Customers.since("contact", NOON - timedelta(hours=1))
    found: list[tuple[str, str]] = []
    edited = False
    while place is not None:
        asked: Any = place.request()["filter"]
        since = datetime.fromisoformat(asked["updated_since"])
        rows = sorted((at, str(n)) for n, at in enumerate(times) if at >= since)[:100]
        new, after = place.look([{"id": one, "updated_at": at.isoformat()} for at, one in rows])
        place = Customers.from_json(after.as_json()) if after else None
        found += [(str(row["id"]), str(row["updated_at"])) for row in new]
        if not edited:
            times[3], edited = NOON + timedelta(hours=1), True

    assert len(found) == len(set(found)) == 151
    assert [one for one, _ in found].count("3") == 2


def test_a_place_survives_being_written_down() -> None:
    row = {"id": "1", "updated_at": NOON.isoformat()}
    _, customers = Customers.since("company", NOON).look([row] * 100)
    _, invoices = Invoices.booked(updated_since=NOON.isoformat()).look([row] * 100)

    assert customers is not None
    assert invoices is not None
    assert from_json(customers.as_json()) == customers
    assert from_json(invoices.as_json()) == invoices
