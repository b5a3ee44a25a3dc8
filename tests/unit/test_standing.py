"""How an integration stands at one glance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from workers.ledger.records import Books
from workers.operations import IntegrationView
from workers.standing import Level, Standing, standing

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
BOOKS = Books(accepted=9, synced=9, unchanged=0, coalesced=0, skipped=0, gone=0, dead=0, pending=0)
WELL = IntegrationView(
    id="default",
    label="",
    state_reason="",
    state_since=None,
    auto_update=True,
    state="active",
    books=BOOKS,
    dead=0,
    held=0,
    customers=1204,
    owed_since=None,
    changed=NOW - timedelta(minutes=3),
)
PENDING, MANY = replace(BOOKS, pending=4), replace(BOOKS, pending=5000)
LONG_AGO = NOW - timedelta(minutes=6)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Standing(Level.WELL, "in_sync", count=1204, since=WELL.changed)),
        ({"customers": 0}, Standing(Level.WELL, "nothing_yet")),
        ({"books": PENDING, "owed_since": NOW}, Standing(Level.WELL, "on_the_way", count=4)),
        ({"books": PENDING, "owed_since": NOW - timedelta(minutes=5)}, Standing(Level.WELL, "on_the_way", count=4)),
        ({"books": PENDING, "owed_since": LONG_AGO}, Standing(Level.LOOK, "overdue", count=4, since=LONG_AGO)),
        (
            {"books": PENDING, "owed_since": LONG_AGO, "in_trouble": ("twikey",)},
            Standing(Level.LOOK, "away", count=4, since=LONG_AGO, api="twikey"),
        ),
        (
            {"books": PENDING, "owed_since": LONG_AGO, "in_trouble": ("teamleader", "twikey")},
            Standing(Level.LOOK, "away", count=4, since=LONG_AGO, api="both"),
        ),
        (
            {"books": PENDING, "owed_since": NOW, "in_trouble": ("twikey",)},
            Standing(Level.WELL, "on_the_way", count=4),
        ),
        (
            {"books": MANY, "owed_since": LONG_AGO, "changed": NOW - timedelta(seconds=10)},
            Standing(Level.WELL, "busy", count=5000, since=LONG_AGO),
        ),
        ({"books": MANY, "owed_since": LONG_AGO}, Standing(Level.LOOK, "overdue", count=5000, since=LONG_AGO)),
        (
            {"books": PENDING, "owed_since": LONG_AGO, "changed": NOW - timedelta(seconds=10)},
            Standing(Level.LOOK, "overdue", count=4, since=LONG_AGO),
        ),
        ({"dead": 2}, Standing(Level.TROUBLE, "dead", count=2)),
        ({"dead": 2, "books": PENDING, "owed_since": LONG_AGO}, Standing(Level.TROUBLE, "dead", 2)),
        ({"auto_update": False}, Standing(Level.OFF, "off")),
        ({"auto_update": False, "held": 7}, Standing(Level.OFF, "off_with_held", count=7)),
        ({"held": 7}, Standing(Level.WELL, "catching_up", count=7)),
        ({"state": "reconnect_needed", "books": PENDING}, Standing(Level.TROUBLE, "reconnect_needed", count=4)),
        ({"state": "paused", "dead": 3}, Standing(Level.LOOK, "paused")),
        ({"state": "connecting"}, Standing(Level.LOOK, "connecting")),
        ({"state": "closed", "dead": 3}, Standing(Level.OFF, "closed")),
        ({"state": "something new"}, Standing(Level.LOOK, "paused")),
    ],
)
def test_the_one_thing_that_matters_most(changes, expected):
    found = standing(replace(WELL, **changes), NOW)

    assert replace(found, command="") == expected


def test_where_no_page_helps_the_command_that_does_is_named():
    away = replace(WELL, books=replace(WELL.books, pending=1), owed_since=NOW - timedelta(hours=1))

    assert standing(away, NOW).command == "tltw doctor --integration default"
    assert standing(replace(WELL, dead=1), NOW).command == ""
    assert standing(WELL, NOW).command == ""
