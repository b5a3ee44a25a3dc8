"""The sliding minute of calls, over every kind of store."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import redis

from config.keys import IntegrationKeys
from workers.clients.errors import Throttled
from workers.clients.teamleader.protocol import RateLimit
from workers.clients.teamleader.rate_limit import CallBudget

KEYS = IntegrationKeys("acme")
CALLS = KEYS.calls("teamleader")
WINDOW_MS = 60_500
# The clock of this process stands still, the store's goes on: how long to wait is told exactly.
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def budget(store: "redis.Redis", calls_per_minute: int = 190) -> CallBudget:
    return CallBudget(store, KEYS, calls_per_minute=calls_per_minute, now=lambda: NOW)


def redis_ms(store: "redis.Redis") -> int:
    seconds, microseconds = store.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def times(store: "redis.Redis") -> list[float]:
    return [float(time) for time in store.lrange(CALLS, 0, -1)]


def refused_until(store: "redis.Redis", calls: CallBudget) -> tuple[int, int]:
    """No call is free; answers between which moments of the store's clock the next one will be, however slow this machine."""
    before = redis_ms(store)
    with pytest.raises(Throttled) as caught:
        calls.take()
    assert caught.value.api == "teamleader"
    assert caught.value.until is not None
    wait = round((caught.value.until - NOW).total_seconds() * 1000)
    return before + wait, redis_ms(store) + wait


def test_calls_are_free_until_the_limit_and_again_when_the_oldest_leaves(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, now - 50_000, now - 20_000)
    calls = budget(store, 3)

    calls.take()
    earliest, latest = refused_until(store, calls)

    assert earliest <= now - 50_000 + WINDOW_MS <= latest


def test_calls_older_than_a_minute_do_not_count(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, now - 90_000, now - 61_000, now - 60_500)

    budget(store, 1).take()

    assert store.llen(CALLS) == 1


def test_an_idle_minute_leaves_nothing_behind(store: "redis.Redis") -> None:
    budget(store).take()

    assert 0 < store.pttl(CALLS) <= 60_500


def test_a_smaller_share_of_the_same_budget_waits_for_its_turn(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, now - 50_000, now - 40_000, now - 30_000)

    earliest, latest = refused_until(store, budget(store, 2))

    assert earliest <= now - 40_000 + WINDOW_MS <= latest
    budget(store, 4).take()


def test_no_thread_gets_a_call_too_many(store: "redis.Redis", everywhere_at_once: Callable[..., list[object]]) -> None:
    calls = budget(store, 10)

    answers = everywhere_at_once(16, calls.take)

    assert sum(answer is None for answer in answers) == 10
    assert sum(isinstance(answer, Throttled) for answer in answers) == 6


def test_calls_of_somebody_else_are_counted_and_leave_over_time(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, now - 30_000)
    calls = budget(store, 10)

    calls.observe(RateLimit(limit=200, remaining=2, reset=NOW + timedelta(seconds=20)))

    counted, after = times(store), redis_ms(store)
    assert len(counted) == 8
    assert counted == sorted(counted)
    assert now <= counted[0] + WINDOW_MS - 20_000 <= after
    assert now - 30_000 in counted
    assert counted[-1] < after


def test_after_a_429_nothing_is_free_until_the_reset(store: "redis.Redis") -> None:
    calls, before = budget(store, 10), redis_ms(store)

    calls.observe(RateLimit(limit=200, remaining=0, reset=NOW + timedelta(seconds=37)))
    told = redis_ms(store)
    earliest, latest = refused_until(store, calls)

    assert before + 37_000 <= latest
    assert earliest <= told + 37_000


@pytest.mark.parametrize("reset_in", [-3600, 0, 3600, None])
def test_an_odd_reset_never_blocks_for_longer_than_a_minute(store: "redis.Redis", reset_in: float | None) -> None:
    reset = None if reset_in is None else NOW + timedelta(seconds=reset_in)
    before = redis_ms(store)

    budget(store, 10).observe(RateLimit(limit=200, remaining=0, reset=reset))

    assert store.llen(CALLS) == 10
    assert all(before - 61_000 < time <= redis_ms(store) for time in times(store))


@pytest.mark.parametrize(
    "seen",
    [
        RateLimit(),
        RateLimit(limit=200, remaining=10),
        RateLimit(limit=200, remaining=150),
        RateLimit(limit=None, remaining=10),
    ],
)
def test_while_enough_is_left_redis_is_not_asked(seen: RateLimit) -> None:
    class NoRedis:
        def register_script(self, _script: str) -> Callable[..., int]:
            def run(**_: object) -> int:
                raise AssertionError("a round trip for nothing")

            return run

    CallBudget(NoRedis(), KEYS, calls_per_minute=190).observe(seen)  # type: ignore[arg-type]


def test_a_window_that_already_counts_more_is_left_alone(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, *[now - 1000] * 9)

    budget(store, 10).observe(RateLimit(limit=200, remaining=5))

    assert store.llen(CALLS) == 9
