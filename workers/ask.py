"""Asks the APIs because a person looks: several questions at once, and one that fails takes nothing from the others.

A person who looks can press again, an edit cannot: such calls give way to live work as those of bulk jobs do.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from config.keys import IntegrationKeys
from workers.clients.errors import ApiFailure
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.rate_limit import CallBudget
from workers.services import Services

T = TypeVar("T")


def giving_way(services: Services, integration: str) -> TeamleaderClient:
    """Teamleader, its calls taken from what live work leaves. Raises `Throttled` when that is nothing."""
    tools = services.tools(integration)
    limit = tools.integration.teamleader.calls_per_minute
    budget = CallBudget(services.store, IntegrationKeys(integration), calls_per_minute=limit, bulk=True)
    return tools.teamleader.with_budget(budget)


def at_once(*questions: Callable[[], T]) -> list[T | ApiFailure]:
    """What each question was answered, in their order; the longest one decides how long it takes."""
    with ThreadPoolExecutor(max_workers=len(questions) or 1) as threads:
        return list(threads.map(_tried, questions))


def _tried(question: Callable[[], T]) -> T | ApiFailure:
    try:
        return question()
    except ApiFailure as failure:
        return failure
