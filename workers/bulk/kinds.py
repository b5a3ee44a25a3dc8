"""What a kind of bulk job is, and what it works with. `registry` lists all there are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import redis

from config.integrations import Integration
from config.keys import IntegrationKeys
from config.settings import Settings
from mapping import MappingSettings
from workers.bulk.jobs import Job, Json, Plan, Step
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.rate_limit import CallBudget
from workers.clients.twikey.client import TwikeyClient
from workers.ledger import Ledger
from workers.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkTools:
    """Everything a kind needs for one integration. Its calls to Teamleader give way to live work.

    `keep()` between the calls of a long step renews the lease; it raises `Lost` when another process has the job.
    """

    integration: Integration
    ledger: Ledger
    teamleader: TeamleaderClient
    twikey: TwikeyClient
    mapping: MappingSettings
    store: "redis.Redis"
    settings: Settings
    keep: Callable[[], None]


class Kind(Protocol):
    """One kind of bulk job; `workers/bulk/jobs.py` has the rules."""

    @property
    def name(self) -> str: ...

    def plan(self, parameters: Json, tools: BulkTools) -> Plan:
        """What a run with these parameters would do. May make some calls; changes nothing."""

    def step(self, job: Job, tools: BulkTools) -> Step:
        """The next few seconds of the run."""


def bulk_tools(services: Services, name: str, keep: Callable[[], None] = lambda: None) -> BulkTools:
    """The tools of an integration for bulk work."""
    tools = services.tools(name)
    limit = tools.integration.teamleader.calls_per_minute
    budget = CallBudget(services.store, IntegrationKeys(name), calls_per_minute=limit, bulk=True)
    return BulkTools(
        integration=tools.integration,
        ledger=tools.ledger,
        teamleader=tools.teamleader.with_budget(budget),
        twikey=tools.twikey,
        mapping=tools.mapping,
        store=services.store,
        settings=services.settings,
        keep=keep,
    )
