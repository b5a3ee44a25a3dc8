"""How bulk work takes calls: half of the budget beside live work, nearly all without, spread out, and never the last ones.

However long this machine stands still: the calls that are counted leave the window much later, and how long one has to wait
is compared with what the store's clock said before and after.
"""

from datetime import UTC, datetime

import pytest
import redis

from config.keys import IntegrationKeys
from workers.clients.errors import Throttled
from workers.clients.teamleader.rate_limit import CallBudget, bulk_rates, reserve
from workers.ledger import Cause, Claim, Ledger, Scripts

KEYS = IntegrationKeys("acme")
CALLS, BULK = KEYS.calls("teamleader"), KEYS.bulk_calls("teamleader")
LIMIT = 100
WINDOW_MS, PACE_MS = 60_500, 6_050
# Only for telling how long to wait: `until` is that much later.
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def redis_ms(store: "redis.Redis") -> int:
    seconds, microseconds = store.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def bulk(store: "redis.Redis", calls_per_minute: int = LIMIT) -> CallBudget:
    return CallBudget(store, KEYS, calls_per_minute=calls_per_minute, bulk=True, now=lambda: NOW)


def spent(store: "redis.Redis", calls: int, *, by_bulk: bool) -> int:
    """So many calls, evenly spread over a minute but its beginning and its end; answers when the first was."""
    first = redis_ms(store) - 40_000
    for number in range(calls):
        at = first + number * 30_000 // calls
        store.rpush(CALLS, at)
        if by_bulk:
            store.rpush(BULK, at)
    return first


def ms_until_free(calls: CallBudget) -> int:
    try:
        calls.take()
    except Throttled as throttled:
        return round(((throttled.until or NOW) - NOW).total_seconds() * 1000)
    return 0


def owe(store: "redis.Redis", in_ms: int = 0) -> None:
    store.zadd(KEYS.due, {"contact:1": redis_ms(store) + in_ms})


def test_alone_bulk_work_takes_all_but_the_reserve(store: "redis.Redis") -> None:
    oldest = spent(store, LIMIT - reserve(LIMIT) - 1, by_bulk=True)

    first, before = ms_until_free(bulk(store)), redis_ms(store)
    second = ms_until_free(bulk(store))

    assert first == 0
    assert before + second <= oldest + WINDOW_MS <= redis_ms(store) + second


def test_beside_live_work_it_takes_half(store: "redis.Redis") -> None:
    spent(store, LIMIT // 2, by_bulk=True)
    alone = ms_until_free(bulk(store))

    owe(store)
    beside = ms_until_free(bulk(store))

    assert alone == 0
    assert beside > 0


def test_the_calls_of_live_work_do_not_count_as_its_own(store: "redis.Redis") -> None:
    spent(store, LIMIT // 2, by_bulk=False)
    owe(store)

    assert ms_until_free(bulk(store)) == 0


@pytest.mark.parametrize(("in_ms", "counts"), [(0, True), (20_000, True), (59_000, True), (600_000, False)])
def test_what_is_in_work_or_waits_for_a_call_is_live_but_not_a_far_retry(
    store: "redis.Redis", in_ms: int, counts: bool
) -> None:
    spent(store, LIMIT // 2, by_bulk=True)

    owe(store, in_ms)

    assert (ms_until_free(bulk(store)) > 0) is counts


def test_live_work_finds_free_calls_at_once_when_bulk_has_all_it_may_have(store: "redis.Redis") -> None:
    ledger = Ledger(Scripts(store), "acme", calls_per_minute=LIMIT)
    ledger.begin(auto_update=True)
    spent(store, LIMIT - reserve(LIMIT), by_bulk=True)
    assert ms_until_free(bulk(store)) > 0

    claims = []
    for number in range(reserve(LIMIT)):
        ledger.mark(f"contact:{number}", frozenset({Cause.WEBHOOK}))
        claims.append(ledger.claim(f"contact:{number}"))

    assert reserve(LIMIT) == 4
    assert all(isinstance(claim, Claim) for claim in claims)


def test_a_job_may_make_a_few_calls_at_once_but_not_all_at_once(store: "redis.Redis") -> None:
    first, at_once = redis_ms(store), 0
    while not (wait := ms_until_free(bulk(store))):
        at_once += 1
    passed = redis_ms(store) - first

    # Ten, and as many again each time that those of before are six seconds old.
    assert 10 <= at_once <= 10 * (1 + passed // PACE_MS)
    assert PACE_MS - passed <= wait <= PACE_MS


def test_what_bulk_takes_counts_for_everybody(store: "redis.Redis") -> None:
    bulk(store).take()

    assert (store.llen(CALLS), store.llen(BULK)) == (1, 1)
    assert 0 < store.pttl(BULK) <= 60_500


@pytest.mark.parametrize("closed", ["pause", "circuit"])
def test_it_stays_away_while_teamleader_is_paused_or_its_circuit_is_open(store: "redis.Redis", closed: str) -> None:
    until = redis_ms(store) + 30_000
    if closed == "pause":
        store.set(KEYS.pause("teamleader"), until)
    else:
        store.hset(KEYS.circuit("teamleader"), "u", until)

    before = redis_ms(store)
    wait = ms_until_free(bulk(store))

    assert before + wait <= until <= redis_ms(store) + wait
    assert store.llen(CALLS) == 0


def test_the_smallest_budget_still_lets_it_work(store: "redis.Redis") -> None:
    owe(store)

    assert ms_until_free(bulk(store, 1)) == 0
    assert ms_until_free(bulk(store, 1)) > 0


def test_at_the_real_limit_more_than_95_percent_are_used_and_the_rates_are_told() -> None:
    beside, alone = bulk_rates(190)

    assert (beside, alone) == (95, 183)
    assert alone / 190 > 0.95
