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


def budget(store: "redis.Redis", calls_per_minute: int = 190) -> CallBudget:
    return CallBudget(store, KEYS, calls_per_minute=calls_per_minute)


def redis_ms(store: "redis.Redis") -> int:
    seconds, microseconds = store.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def times(store: "redis.Redis") -> list[float]:
    return [float(time) for time in store.lrange(CALLS, 0, -1)]


def at(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def about(moment: datetime) -> object:
    """However slow the machine is: moments are compared, never how much is left."""
    return pytest.approx(moment, abs=timedelta(seconds=1))


def test_calls_are_free_until_the_limit_and_again_when_the_oldest_leaves(store: "redis.Redis") -> None:
    now = redis_ms(store)
    store.rpush(CALLS, now - 50_000, now - 20_000)
    calls = budget(store, 3)

    calls.take()
    with pytest.raises(Throttled) as caught:
        calls.take()

    assert caught.value.api == "teamleader"
    assert caught.value.until == about(at(now + 10_000))


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

    with pytest.raises(Throttled) as caught:
        budget(store, 2).take()

    assert caught.value.until == about(at(now + 20_000))
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

    calls.observe(RateLimit(limit=200, remaining=2, reset=datetime.now(UTC) + timedelta(seconds=20)))

    counted = times(store)
    assert len(counted) == 8
    assert counted == sorted(counted)
    assert counted[0] == pytest.approx(now - 40_000, abs=1000)
    assert now - 30_000 in counted
    assert counted[-1] < redis_ms(store)


def test_after_a_429_nothing_is_free_until_the_reset(store: "redis.Redis") -> None:
    calls, reset = budget(store, 10), datetime.now(UTC) + timedelta(seconds=7)

    calls.observe(RateLimit(limit=200, remaining=0, reset=reset))
    with pytest.raises(Throttled) as caught:
        calls.take()

    assert caught.value.until == about(reset)


@pytest.mark.parametrize("reset_in", [-3600, 0, 3600, None])
def test_an_odd_reset_never_blocks_for_longer_than_a_minute(store: "redis.Redis", reset_in: float | None) -> None:
    reset = None if reset_in is None else datetime.now(UTC) + timedelta(seconds=reset_in)

    budget(store, 10).observe(RateLimit(limit=200, remaining=0, reset=reset))

    now = redis_ms(store)
    assert store.llen(CALLS) == 10
    assert all(now - 61_000 < time <= now for time in times(store))


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
