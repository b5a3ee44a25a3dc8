"""The budget of calls to one Teamleader account: a sliding minute in Redis, shared by all processes.

Teamleader allows 200 calls per sliding 60 s and account. Time is Redis' own, so no two processes disagree about it.
"""

from datetime import timedelta
from importlib import resources
from typing import cast

import redis

from config.keys import IntegrationKeys
from workers.clients.clock import Clock, utc_now
from workers.clients.errors import Throttled
from workers.clients.teamleader.protocol import RateLimit

# Calls that bulk work leaves free for live work at any time: one in 25, a few more than an integration's live workers.
RESERVE_ONE_IN = 25
# Fewer calls left than this at Teamleader: somebody else uses the account too, or we counted wrongly.
FEW_LEFT = 10


class CallBudget:
    """The calls one integration may make. A smaller `calls_per_minute` over the same keys is a share of the same budget.

    `bulk`: the caller is a bulk job, which gives way to live work: at most half of the budget while any is due, and
    always a few calls less than all, so that an edit is not kept waiting (`rate_limit.lua` decides it, atomically).
    """

    def __init__(
        self,
        store: "redis.Redis",
        keys: IntegrationKeys,
        *,
        calls_per_minute: int,
        bulk: bool = False,
        now: Clock = utc_now,
    ) -> None:
        self._script = store.register_script(resources.files(__package__).joinpath("rate_limit.lua").read_text())
        self._keys = [keys.calls("teamleader"), keys.bulk_calls("teamleader"), keys.due]
        self._keys += [keys.pause("teamleader"), keys.circuit("teamleader")]
        self._calls_per_minute = calls_per_minute
        self._bulk = bulk
        self._now = now

    def take(self) -> None:
        """Takes one call. Raises `Throttled` when none is free; Teamleader itself was not asked."""
        limit = self._calls_per_minute
        wait_ms = self._run("bulk", limit, reserve(limit)) if self._bulk else self._run("take", limit)
        if wait_ms > 0:
            until = self._now() + timedelta(milliseconds=wait_ms)
            raise Throttled("teamleader", "our own limit of calls per minute is reached", until=until, status=None)

    def observe(self, seen: RateLimit) -> None:
        """Corrects our window by what an answer says Teamleader counts, so that it never shows more free calls.

        Costs a round trip only when it matters: when fewer calls are left at Teamleader than a full window of ours leaves
        (limit - calls per minute, at least `FEW_LEFT`), so not even while we work at full speed alone.
        """
        if seen.remaining is None:
            return
        limit = seen.limit if seen.limit is not None else self._calls_per_minute
        if seen.remaining < max(FEW_LEFT, limit - self._calls_per_minute):
            until_reset = seen.reset - self._now() if seen.reset else timedelta(0)
            counted_there = self._calls_per_minute - seen.remaining
            self._run("correct", counted_there, round(until_reset / timedelta(milliseconds=1)))

    def _run(self, *arguments: str | int) -> int:
        return cast(int, self._script(keys=self._keys, args=list(arguments)))


def reserve(calls_per_minute: int) -> int:
    """How many calls of the minute bulk work never takes."""
    return calls_per_minute // RESERVE_ONE_IN


def bulk_rates(calls_per_minute: int) -> tuple[int, int]:
    """Calls per minute that bulk work gets while live work is due, and otherwise."""
    return max(1, calls_per_minute // 2), max(1, calls_per_minute - reserve(calls_per_minute))
