"""One round of alerts: look at every integration, decide, keep, deliver. The clock runs one every half minute.

Two clocks are harmless: the book is written by one of them, and each channel is used by one at a time.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from config.store import durability_problems
from workers.alerts import book, conditions, deliver
from workers.alerts.book import AllRaised
from workers.alerts.channels.channel import Channel
from workers.alerts.channels.configured import channels
from workers.alerts.conditions import Finding
from workers.alerts.decide import Book, decide
from workers.alerts.messages import Message, compose, deployment_name
from workers.ledger import surveys
from workers.ledger.records import Survey
from workers.services import Services

# Silence is a matter of hours, and its history is the largest thing to read.
SILENCE_EVERY = timedelta(minutes=10)

log = structlog.get_logger()


@dataclass(slots=True)
class Rounds:
    """The rounds of one clock."""

    services: Services
    channels: Sequence[Channel]
    _silence_next: float = field(default=0.0)

    def run(self) -> None:
        """One round. Raises `redis.RedisError`; a channel that fails raises nothing."""
        names = [channel.name for channel in self.channels]
        deliver.begin(self.services.store, names)
        webhooks = time.monotonic() >= self._silence_next
        looked = look(self.services, names, webhooks=webhooks)
        told_as = Told(deployment_name(self.services.settings.public_url), labels(self.services))
        kept = book.keep(self.services.store, lambda before, raised: turned(before, raised, looked, told_as))
        if webhooks and kept != "overtaken":
            self._silence_next = time.monotonic() + SILENCE_EVERY.total_seconds()
        deliver.deliver(self.services.store, self.channels, looked.now)

    def close(self) -> None:
        for channel in self.channels:
            channel.close()


@dataclass(frozen=True, slots=True)
class Looked:
    """What one round saw. The time is the store's, so that two clocks agree about it."""

    now: datetime
    surveys: Sequence[Survey]
    of_deployment: tuple[Finding, ...]
    webhooks: bool

    def findings(self, raised: AllRaised) -> list[Finding]:
        found = list(self.of_deployment)
        for survey in self.surveys:
            of_it = {kind: number for (kind, name), number in raised.items() if name == survey.integration}
            found += conditions.of_integration(survey, of_it, webhooks=self.webhooks)
        return found


@dataclass(frozen=True, slots=True)
class Told:
    """How people call things: the deployment, and integrations by id."""

    deployment: str
    labels: Mapping[str, str]


def open_rounds(services: Services) -> Rounds:
    return Rounds(services, channels(services.settings.alerts))


def look(services: Services, names: Sequence[str], *, webhooks: bool) -> Looked:
    """Looks at everything once. `names`: the channels."""
    seconds, micros = services.store.time()
    return Looked(
        now=datetime.fromtimestamp(seconds + micros / 1e6, UTC),
        # By their ids: also those whose secrets cannot be read, whose work therefore waits.
        surveys=surveys(services.scripts, services.registry.ids(), webhooks=webhooks),
        of_deployment=(
            conditions.of_store(durability_problems(services.store)),
            conditions.of_channels(deliver.failures(services.store, names)),
        ),
        webhooks=webhooks,
    )


def turned(before: Book, raised: AllRaised, looked: Looked, told_as: Told) -> tuple[Book, list[Message]]:
    """The book after a round, and what is to be told."""
    served = {survey.integration for survey in looked.surveys if survey.standing.state != "closed"}
    after, notices = decide(before, looked.findings(raised), served, looked.now)
    return after, [
        compose(notice, deployment=told_as.deployment, now=looked.now, labels=told_as.labels) for notice in notices
    ]


def labels(services: Services) -> dict[str, str]:
    return {one.id: one.label for one in services.integrations() if one.label}
