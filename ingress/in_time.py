"""A store client that answers in time: all that one request asks of the store has one budget of time, whatever the store does.

A time-out per network operation is not enough: connecting takes several, a script that the store does not know takes more,
and on a slow network each of them just passes. Here the whole command ends when the request's budget does.

What ends that way may have been done or not. The sender is told to come back, which is harmless.
"""

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import partial
from typing import Any, Protocol, TypeVar

import redis
from flask import g, has_app_context
from redis.client import Pipeline

# An answer is promised within 3 s; the rest is for what is not the store's.
STORE_SECONDS = 2.0

T = TypeVar("T")


class OutOfTime(redis.TimeoutError):
    """The budget of the request ended. Whatever was under way may or may not have been done."""


class Limit(Protocol):
    """Runs work for at most so many seconds; raises `OutOfTime` when they are over."""

    def __call__(self, work: Callable[[], T], seconds: float, /) -> T: ...


class InTimeStore(redis.Redis):
    """Commands and pipelines of a request share its budget, which begins with the first of them."""

    limit: Limit

    def execute_command(self, *args: Any, **options: Any) -> Any:
        # Around redis-py's own repeats, so that they cannot take what is not there.
        return in_time(self.limit, partial(super().execute_command, *args, **options))

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "InTimePipeline":
        pipeline = InTimePipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        pipeline.limit = self.limit
        return pipeline


class InTimePipeline(Pipeline):
    limit: Limit

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        return in_time(self.limit, partial(super().execute, raise_on_error))


def in_time(limit: Limit, work: Callable[[], T]) -> T:
    """Does the work within what is left of the current request's budget; raises `OutOfTime`."""
    left = _seconds_left()
    if left <= 0:
        raise OutOfTime("the time of this request for the store is over")
    return limit(work, left)


def _seconds_left() -> float:
    if not has_app_context():
        return STORE_SECONDS
    if "store_ends_at" not in g:
        # Only now: a sender who is slow with its body does not use the store's time up.
        g.store_ends_at = time.monotonic() + STORE_SECONDS
    return float(g.store_ends_at - time.monotonic())


def best_limit(threads: int) -> Limit:
    """gevent's where it exists: exact and free. Elsewhere threads, as many as serve requests."""
    return limit_of_gevent if importlib.util.find_spec("gevent") else LimitOfThreads(threads)


def limit_of_gevent(work: Callable[[], T], seconds: float) -> T:
    import gevent  # type: ignore[import-untyped] # no types; not on every system

    # Not an Exception, so nothing on the way takes it for a failure to repeat; redis-py closes the connection on it.
    timeout = gevent.Timeout.start_new(seconds)
    try:
        return work()
    except gevent.Timeout as ended:
        if ended is not timeout:
            raise
        raise OutOfTime(f"not within {seconds:.1f} s") from None
    finally:
        timeout.close()


class LimitOfThreads:
    """Waits only so long for work that another thread does. That one goes on until a time-out of the socket ends it."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store")

    def __call__(self, work: Callable[[], T], seconds: float, /) -> T:
        future = self._pool.submit(copy_context().run, work)
        if not wait([future], seconds).done:
            future.cancel()
            raise OutOfTime(f"not within {seconds:.1f} s")
        return future.result()
