"""The book in Redis: what is kept equals what is told, whatever happens in between."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from config.keys import ALERTS_RAISED
from workers.alerts import book
from workers.alerts.conditions import Finding
from workers.alerts.decide import Book, decide
from workers.alerts.kinds import Kind
from workers.alerts.messages import compose
from workers.alerts.raised import raise_alert

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
NAMES = ("acme", "other")


def deciding(now, *findings, of_raised=True):
    """What a round does, with these findings beside what was raised."""

    def decided(before, raised):
        found = list(findings)
        if of_raised:
            found += [Finding(kind, name, True, number) for (kind, name), number in raised.items()]
        after, notices = decide(before, found, NAMES, now)
        return after, [compose(notice, deployment="here", now=now, labels={}) for notice in notices]

    return decided


def late(number=3):
    return Finding(Kind.UPDATES_LATE, "acme", True, number, "Twikey fails", NOW - timedelta(hours=1))


def test_an_empty_book_is_empty(store):
    assert book.read(store) == Book()
    assert book.keep(store, deciding(NOW)) == "unchanged"


def test_what_was_kept_is_read_again_as_it_was(store):
    expected = {}

    def remember(before, raised):
        after, messages = deciding(LATER, late(), Finding(Kind.STORE_NOT_DURABLE, "", True, detail="Why."))(
            before, raised
        )
        expected["book"] = after
        return after, messages

    book.keep(store, deciding(NOW, late()))
    assert book.keep(store, remember) == "kept"

    assert book.read(store) == expected["book"]


def test_messages_are_there_with_the_book_and_can_be_followed_from_any_place(store):
    book.keep(store, deciding(NOW, late()))
    assert book.newest(store, 10) == []
    book.keep(store, deciding(LATER, late()))

    (sent,) = book.newest(store, 10)

    assert (sent.message.event, sent.message.kind, sent.message.number) == ("opened", "updates_late", 3)
    assert book.after(store, "0-0", 10) == [sent]
    assert book.after(store, sent.place, 10) == []


def test_a_round_that_changes_nothing_writes_nothing(store):
    for now in (NOW, LATER):
        book.keep(store, deciding(now, late()))

    assert book.keep(store, deciding(LATER + timedelta(minutes=1), late())) == "unchanged"


def test_of_two_clocks_at_once_one_tells(store):
    book.keep(store, deciding(NOW, late()))

    def overtaken(before, raised):
        assert book.keep(store, deciding(LATER, late())) == "kept"
        return deciding(LATER, late())(before, raised)

    assert book.keep(store, overtaken) == "overtaken"
    assert len(book.newest(store, 10)) == 1


def test_a_clock_that_dies_while_deciding_leaves_everything_for_the_next(store):
    raise_alert(store, Kind.FOREIGN_ACCOUNT, "acme", times=2)

    def dies(_before, _raised):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.keep(store, dies)
    book.keep(store, deciding(NOW))

    (alert,) = book.read(store).alerts.values()
    assert (alert.kind, alert.integration, alert.number) == (Kind.FOREIGN_ACCOUNT, "acme", 2)


def test_what_is_raised_is_counted_once_and_what_comes_meanwhile_is_for_the_next_round(store):
    raise_alert(store, Kind.FOREIGN_ACCOUNT, "acme", times=2)

    def meanwhile(before, raised):
        raise_alert(store, Kind.FOREIGN_ACCOUNT, "acme")
        return deciding(NOW)(before, raised)

    book.keep(store, meanwhile)
    assert next(iter(book.read(store).alerts.values())).number == 2

    book.keep(store, deciding(LATER))
    book.keep(store, deciding(LATER + timedelta(minutes=1)))

    assert next(iter(book.read(store).alerts.values())).number == 3
    assert [sent.message.number for sent in book.newest(store, 10)] == [3]


def test_what_was_raised_for_an_integration_that_is_no_more_is_forgotten(store):
    raise_alert(store, Kind.FOREIGN_ACCOUNT, "gone", times=2)

    book.keep(store, deciding(NOW))

    assert store.hlen(ALERTS_RAISED) == 0
    assert book.read(store) == Book()


def test_words_of_a_newer_version_are_left_out(store):
    store.hset(ALERTS_RAISED, "comet_strike:acme", 1)
    store.hset("tltw:alerts:book", "comet_strike:acme", "{}")

    assert book.read(store) == Book()
    book.keep(store, deciding(NOW))


def test_the_messages_are_bounded(store, monkeypatch):
    monkeypatch.setattr(book, "MESSAGES_KEPT", 5)
    now = NOW
    for number in range(300):
        now += timedelta(hours=2)
        book.keep(store, deciding(now, late(number + 1)))

    assert len(book.newest(store, 1000)) <= 5 + 100  # approximate trimming keeps whole nodes of the stream


def test_raising_an_alert_never_fails(store, monkeypatch):
    def away(*_args, **_more):
        raise redis.ConnectionError

    monkeypatch.setattr(store, "hincrby", away)

    raise_alert(store, Kind.FOREIGN_ACCOUNT, "acme")
