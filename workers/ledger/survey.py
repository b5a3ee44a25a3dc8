"""Looks at integrations from outside, many at once: how each stands. Reads only, and a bounded part however much is owed."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from redis.client import Pipeline

from config.keys import IntegrationKeys
from workers.ledger.ledger import APIS, Scripts
from workers.ledger.records import Glance, Standing, Survey, WebhookDay, books_from, from_ms

# What one look at an integration may cost: records read, and integrations per round trip.
SURVEYED_OWED, SURVEYED_DEAD, SURVEYED_AT_ONCE = 500, 100, 50
# What a glance at one of many reads of what it owes.
GLANCED_OWED = 50
EPOCH = date(1970, 1, 1)


def surveys(scripts: Scripts, integrations: Sequence[str], *, webhooks: bool = False) -> list[Survey]:
    """How each integration stands; with `webhooks` also how many came per day. A bounded look, however much is owed."""
    found: list[Survey] = []
    for start in range(0, len(integrations), SURVEYED_AT_ONCE):
        some = integrations[start : start + SURVEYED_AT_ONCE]
        pipeline = scripts.store.pipeline(transaction=False)
        for integration in some:
            _ask(scripts, pipeline, integration, owed=SURVEYED_OWED, dead=SURVEYED_DEAD, webhooks=webhooks)
        found += [_survey(*both) for both in zip(some, pipeline.execute(), strict=True)]
    return found


def glances(scripts: Scripts, integrations: Sequence[str], *, at_one_instant: bool = False) -> list[Glance]:
    """Each integration at a glance, in one round trip for all. The books of a glance may be read while they move, unless
    `at_one_instant`, which keeps everybody else waiting meanwhile."""
    pipeline = scripts.store.pipeline(transaction=at_one_instant)
    for integration in integrations:
        keys = IntegrationKeys(integration)
        _ask(scripts, pipeline, integration, owed=GLANCED_OWED, dead=1, webhooks=False)
        pipeline.hgetall(keys.counts)
        pipeline.zcard(keys.due)
        pipeline.zcard(keys.held)
    answers = pipeline.execute()
    return [_glance(name, *answers[4 * n : 4 * n + 4]) for n, name in enumerate(integrations)]


def _ask(scripts: Scripts, pipeline: Pipeline, integration: str, *, owed: int, dead: int, webhooks: bool) -> None:
    keys = IntegrationKeys(integration)
    per_api = [key for api in APIS for key in (keys.pause(api), keys.circuit(api))]
    scripts.survey(
        keys=[keys.options, keys.due, keys.dead, keys.webhooks, *per_api],
        args=[integration, owed, dead, int(webhooks), *APIS],
        client=pipeline,
    )


def _glance(integration: str, survey: Any, counts: dict[bytes, bytes], pending: int, held: int) -> Glance:
    return Glance(
        survey=_survey(integration, survey),
        books=books_from(counts, pending),
        held=held,
        customers=int(counts.get(b"customers", 0)),
        changed=from_ms(counts.get(b"changed")),
    )


def _survey(integration: str, answer: Any) -> Survey:
    state, auto_update, owed, owed_since, dead, reasons, trouble, now, days, reason, since = answer
    at = from_ms(now)
    assert at is not None
    return Survey(
        integration=integration,
        at=at,
        standing=Standing(state.decode(), reason.decode(), from_ms(since)),
        auto_update=auto_update == 1,
        owed=owed,
        owed_since=from_ms(owed_since),
        dead=dead,
        dead_reasons={reason.decode(): int(number) for reason, number in _pairs(reasons)},
        in_trouble=tuple(api.decode() for api in trouble),
        webhook_days=_webhook_days({name.decode(): value for name, value in _pairs(days)}),
    )


def _webhook_days(fields: dict[str, bytes]) -> dict[date, WebhookDay]:
    """The fields are numbers of days since 1970; with `f` before it, the time of the first webhook of that day."""
    found = {}
    for name, number in fields.items():
        first = from_ms(fields.get(f"f{name}"))
        if name.isdigit() and first is not None:
            found[EPOCH + timedelta(days=int(name))] = WebhookDay(int(number), first)
    return found


def _pairs(flat: Sequence[bytes]) -> Iterable[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)
