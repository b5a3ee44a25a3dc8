"""Asks the APIs because a person looks: several questions at once, and one that fails takes nothing from the others.

A person who looks can press again, an edit cannot: such calls give way to live work as those of bulk jobs do. Of a job that
takes every call as it comes free they are had all the same, by waiting a little. What an API refuses here, it refuses to all.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar, cast

from config.keys import IntegrationKeys
from workers.bulk.patience import patiently
from workers.clients.errors import ApiFailure, Throttled
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.rate_limit import CallBudget
from workers.ledger.records import from_ms
from workers.services import Services
from workers.sync.failure_policy import pause_after

T = TypeVar("T")
# While bulk work is at its limit some of its calls come free every six seconds (rate_limit.lua); then it is who asks first.
PATIENCE_SECONDS = 7.0


def teamleader_says(services: Services, integration: str, question: Callable[[TeamleaderClient], T]) -> T:
    """Asks Teamleader, calls taken from what live work leaves. Raises `Throttled` when that stays nothing for a while."""
    teamleader = _giving_way(services, integration)
    with _noting_pauses(services, integration):
        return patiently(lambda: question(teamleader), longest_seconds=PATIENCE_SECONDS)


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


def _tried(question: Callable[[], T]) -> T | ApiFailure:
    try:
        return question()
    except ApiFailure as failure:
        return failure
