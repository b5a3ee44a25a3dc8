"""The store's clock is set back: work that began before goes on, and no duration is less than nothing."""

import time
from datetime import timedelta
from importlib import resources

import pytest

from workers.ledger import Cause, Outcome, Scripts, Story

WEBHOOK = frozenset({Cause.WEBHOOK})
STEP = "tltw:test:step"
# What the scripts ask for the time, moved by so many seconds as stand in the store.
STEPPED = (
    "(function() local t = redis.call('TIME')"
    f" return {{tostring(t[1] + (redis.call('GET', '{STEP}') or 0)), t[2]}} end)()"
)


@pytest.fixture
def scripts(store, monkeypatch):
    """Scripts that go by a clock of the store that `set_back` moves."""
    register = store.register_script
    monkeypatch.setattr(store, "register_script", lambda text: register(text.replace("redis.call('TIME')", STEPPED)))
    return Scripts(store)


@pytest.fixture
def set_back(store):
    def set_back(by=timedelta(minutes=5)):
        store.set(STEP, -round(by.total_seconds()))

    return set_back


@pytest.fixture
def in_work(ledger, claimed, set_back):
    """Work that began before the clock was set back."""
    ledger.mark("contact:1", WEBHOOK)
    claim = claimed(ledger)
    set_back()
    return claim


def settled(ledger, claim):
    return ledger.commit(claim, Outcome.SYNCED)


def changed_meanwhile(ledger, claim):
    ledger.mark("contact:1", WEBHOOK)
    return ledger.commit(claim, Outcome.SYNCED)


def failed(ledger, claim):
    return ledger.fail(claim, "retry", reason="unavailable")


def changed_and_dead(ledger, claim):
    ledger.mark("contact:1", WEBHOOK)
    return ledger.fail(claim, "dead", reason="refused", story=Story("refused"))


def dead(ledger, claim):
    return ledger.fail(claim, "dead", reason="refused", story=Story("refused"))


@pytest.mark.parametrize(
    ("end", "answer", "what"),
    [
        (settled, "settled", "synced"),
        (changed_meanwhile, "again", "again"),
        (failed, "retry", "retry"),
        (changed_and_dead, "again", "again"),
        (dead, "dead", "dead"),
    ],
)
def test_work_that_began_before_comes_to_its_end_and_took_no_time(ledger, in_work, end, answer, what):
    assert end(ledger, in_work) == answer

    turn, last = ledger.look("contact:1").past[0], ledger.activity()[-1]
    assert (turn.what, turn.waited, turn.worked) == (what, timedelta(0), timedelta(0))
    assert (last.what, last.waited, last.worked) == (what, timedelta(0), timedelta(0))


def test_a_customer_that_waits_to_be_looked_at_once_more_does_so(ledger, hasty, claimed, set_back):
    ledger.mark("contact:1", WEBHOOK)
    claimed(hasty)
    time.sleep(0.005)
    second = claimed(ledger)
    set_back()

    assert ledger.commit(second, Outcome.SYNCED) == "verify"
    assert ledger.look("contact:1").past[0].worked == timedelta(0)


def test_what_is_due_waits_that_much_longer_and_a_new_edit_does_not(ledger, claimed, set_back):
    ledger.mark("contact:1", WEBHOOK, delay=timedelta(seconds=10))
    before = ledger.look("contact:1").due
    set_back()

    assert ledger.look("contact:1").due == before
    ledger.mark("contact:1", WEBHOOK)
    assert ledger.look("contact:1").due < before
    assert ledger.commit(claimed(ledger), Outcome.SYNCED) == "settled"


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("35", "z"), ("36", "10"), ("1764150000000", "miftczuo"), ("-1", "0"), ("-1e15", "0"), ("inf", "0")],
)
def test_a_number_of_the_past_ends_whatever_it_is(store, number, text):
    common = resources.files("workers.ledger").joinpath("common.lua").read_text()
    say = store.register_script(common + "return base36(tonumber(ARGV[3]))")

    assert say(keys=["key"] * 9, args=["acme", "contact:1", number]).decode() == text
