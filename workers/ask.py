"""Asks the APIs because a person looks: several questions at once, and one that fails takes nothing from the others.

A person who looks can press again, an edit cannot: such calls give way to live work as those of bulk jobs do. Of a job that
takes every call as it comes free they are had all the same, by waiting a little. What an API refuses here, it refuses to all.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import TypeVar, cast

from config.keys import IntegrationKeys
from workers.bulk.patience import patiently
from workers.clients.errors import ApiFailure, Throttled, Unavailable
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.rate_limit import CallBudget
from workers.ledger.records import from_ms
from workers.services import Services
from workers.sync.failure_policy import pause_after

T = TypeVar("T")
# While bulk work is at its limit some of its calls come free every six seconds (rate_limit.lua); then it is who asks first.
PATIENCE_SECONDS = 7.0


def teamleader_says(
    services: Services,
    integration: str,
    question: Callable[[TeamleaderClient], T],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
) -> T:
    """Asks Teamleader, calls taken from what live work leaves. Raises `Throttled` when that stays nothing for a while."""
    teamleader = _giving_way(services, integration)
    with _noting_pauses(services, integration):
        return patiently(lambda: question(teamleader), longest_seconds=patience_seconds)


def _giving_way(services: Services, integration: str) -> TeamleaderClient:
    tools = services.tools(integration)
    limit = tools.integration.teamleader.calls_per_minute
    budget = CallBudget(services.store, IntegrationKeys(integration), calls_per_minute=limit, bulk=True)
    return tools.teamleader.with_budget(budget)


def twikey_has(services: Services, integration: str, number: str) -> dict[str, object] | None:
    """What Twikey knows of a customer; None when it knows none. Raises `Throttled` while Twikey wants no calls of anybody."""
    until = from_ms(cast(bytes | None, services.store.get(IntegrationKeys(integration).pause("twikey"))))
    if until is not None and until > datetime.now(UTC):
        raise Throttled("twikey", "Twikey asked for a pause", until=until, status=None)
    with _noting_pauses(services, integration):
        return services.tools(integration).twikey.get(number)


@contextmanager
def _noting_pauses(services: Services, integration: str) -> Iterator[None]:
    try:
        yield
    except Throttled as throttled:
        if throttled.status == 429:
            services.ledger(integration).stay_away(throttled.api, pause_after(throttled, now=datetime.now(UTC)))
        raise


def at_once(*questions: Callable[[], T]) -> list[T | ApiFailure]:
    """What each question was answered, in their order; the longest one decides how long it takes."""
    with ThreadPoolExecutor(max_workers=len(questions) or 1) as threads:
        return list(threads.map(_tried, questions))


def briefly(services: Services, most: timedelta, *questions: Callable[[], T]) -> list[T | ApiFailure]:
    """What each question was answered within a time, for pages that can do without; what is late is `Unavailable`.

    A late question goes on by itself: it may be renewing a token, which must not be cut off. Only so many do at a time, so
    that pages do not wait at all, nor pile up calls, while an API leaves everybody hanging.
    """
    ends = time.monotonic() + most.total_seconds()
    begun = [_begun(services, question) for question in questions]
    return [_by(ends, one) for one in begun]


def _begun(services: Services, question: Callable[[], T]) -> "Future[T | ApiFailure]":
    future: Future[T | ApiFailure] = Future()
    if not services.unawaited.acquire(blocking=False):
        future.set_result(Unavailable("teamleader", "earlier questions still wait for their answers"))
        return future

    def ask() -> None:
        try:
            future.set_result(_tried(question))
        except Exception as mistake:  # noqa: BLE001 # raised where the answer is awaited
            future.set_exception(mistake)
        finally:
            services.unawaited.release()

    # Not a daemon: a process that ends waits for it, for the sake of the token.
    try:
        Thread(target=ask, name="asks-briefly").start()
    except RuntimeError:  # this machine has no thread left
        services.unawaited.release()
        future.set_result(Unavailable("teamleader", "this machine has too much to do to ask"))
    return future


def _by(ends: float, future: "Future[T | ApiFailure]") -> T | ApiFailure:
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except TimeoutError:
        return Unavailable("teamleader", "Teamleader did not answer soon enough for a page")


def _tried(question: Callable[[], T]) -> T | ApiFailure:
    try:
        return question()
    except ApiFailure as failure:
        return failure
