"""Adds, changes and removes integrations. Every change is one transaction with its line in the audit log.

What Teamleader or Twikey must be told about a change is not done here: see `connect` and `registration`.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import redis
from redis.client import Pipeline

from config.integrations import BY_NAME, Integration, OptionsWrong, integration_from, parsed
from config.keys import ACCOUNTS, INTEGRATIONS, INTEGRATIONS_REVISION, NEXT_DUE, IntegrationKeys
from config.parse import integration_id
from config.registry import (
    ADDRESS_VERSION,
    CREATED,
    CREATED_BY,
    ENVIRONMENT,
    ROTATED,
    SOURCE,
    UnknownIntegration,
)
from config.settings import First, Settings
from mapping import MappingSettings
from workers import audit
from workers.clients.http import origin_of
from workers.ledger import Ledger

if TYPE_CHECKING:
    from workers.services import Services

ACTIVE = "active"
CONNECTING = "connecting"
PAUSED = "paused"
CLOSED = "closed"
HIDDEN = "(secret)"
UNREADABLE = "(secret that cannot be read)"


class AlreadyThere(ValueError):
    """An integration of this name exists."""


class ChangedMeanwhile(ValueError):
    """Somebody else changed the integration after it was looked at."""


class DescribedByEnvironment(ValueError):
    """The integration is described by the environment, which would win at the next start."""


@dataclass(frozen=True, slots=True)
class Change:
    """One option that was changed. Secrets are hidden."""

    option: str
    before: str
    after: str


def add(services: "Services", name: str, options: Mapping[str, str], *, by: str) -> Integration:
    """Adds an integration, in state `connecting`. Raises `AlreadyThere`, or `OptionsWrong` naming every problem (its name's: `name`)."""
    given = _known(options)
    if problems := _problems_of_name(name) | _problems_of_options(services, given):
        raise OptionsWrong(problems)

    def write(pipeline: Pipeline, before: Mapping[bytes, bytes]) -> None:
        if before:
            raise AlreadyThere(f"There is an integration named {name!r} already.")
        _write_new(services, pipeline, name, given, by=by, state=CONNECTING)

    _transaction(services, name, write)
    return services.integration(name)


def change(
    services: "Services", name: str, options: Mapping[str, str], *, by: str, revision: int | None = None
) -> list[Change]:
    """Changes options; answers those that really changed. `revision`: only if the integration still is as it was then.

    Raises `UnknownIntegration`, `DescribedByEnvironment`, `ChangedMeanwhile`, or ValueError (`OptionsWrong`) naming every problem.
    """
    refuse_if_described(services, name)
    return _change(services, name, _known(options), by=by, revision=revision)


def refuse_if_described(services: "Services", name: str) -> None:
    """Raises `DescribedByEnvironment`: what is changed or removed here would be as before at the next start."""
    if described_by_environment(services, name):
        raise DescribedByEnvironment(
            f"{name} is described by the environment: change TLTW_… there (or take it out), and restart."
        )


def described_by_environment(services: "Services", name: str) -> bool:
    """Whether the environment still describes it, and would win over any change at the next start."""
    first = services.settings.first
    return first is not None and first.id == name and services.registry.is_described_by_environment(name)


def describe(services: "Services", first: First) -> None:
    """Makes the store agree with the integration that the environment describes. Done at every start; usually changes nothing."""
    given = _given(first)
    check(integration_from(first.id, given, services.settings.teamleader))
    if first.id in services.registry.ids():
        _change(services, first.id, {name: given.get(name, "") for name in first.options}, by=ENVIRONMENT)
        return

    def write(pipeline: Pipeline, before: Mapping[bytes, bytes]) -> None:
        if not before:  # else another process of ours was faster
            _write_new(services, pipeline, first.id, given, by=ENVIRONMENT, state=ACTIVE)

    _transaction(services, first.id, write)


def rotate_address(services: "Services", name: str, *, by: str) -> Integration:
    """Gives the integration another webhook address. The one before stays valid for a day, until Teamleader has the new one."""
    integration = services.integration(name)

    def write(pipeline: Pipeline, _before: Mapping[bytes, bytes]) -> None:
        keys = IntegrationKeys(name)
        pipeline.hset(keys.record, ADDRESS_VERSION, integration.address_version + 1)
        pipeline.hset(keys.record, ROTATED, round(time.time() * 1000))
        pipeline.delete(keys.registered)
        _note(pipeline, by=by, what="webhook address rotated", integration=name)

    _transaction(services, name, write)
    return services.integration(name)


def remove(services: "Services", name: str, *, by: str) -> None:
    """Closes an integration for good and forgets all of it but the audit log. Twikey and Teamleader keep their customers.

    Dying half-way is harmless: it is closed first, so nothing runs, and removing it again goes on.
    """
    if name not in services.registry.ids():
        raise UnknownIntegration(name, services.registry.ids())
    keys = IntegrationKeys(name)
    Ledger(services.scripts, name).set_state(CLOSED)
    account = cast(bytes | None, services.store.get(keys.account))
    for key in services.store.scan_iter(match=_escaped(keys.prefix) + "*", count=1000):
        # The options stay as a tombstone: a worker that is still at it finds the integration closed.
        if key not in (keys.options.encode(), keys.record.encode()):
            services.store.unlink(key)

    def write(pipeline: Pipeline, _before: Mapping[bytes, bytes]) -> None:
        pipeline.delete(keys.record)
        pipeline.srem(INTEGRATIONS, name)
        pipeline.zrem(NEXT_DUE, name)
        if account:
            pipeline.hdel(ACCOUNTS, account.decode())
        _note(pipeline, by=by, what="integration removed", integration=name)

    _transaction(services, name, write)


def was_removed(store: "redis.Redis", name: str) -> bool:
    """Whether an integration of this name was removed from this store, to the end, and none was added since."""
    keys = IntegrationKeys(name)
    pipeline = store.pipeline()
    pipeline.hget(keys.options, "state")
    pipeline.exists(keys.record)
    state, exists = pipeline.execute()
    return bool(state == CLOSED.encode() and not exists)


def _change(
    services: "Services", name: str, given: Mapping[str, str], *, by: str, revision: int | None = None
) -> list[Change]:
    changes: list[Change] = []

    def write(pipeline: Pipeline, record: Mapping[bytes, bytes]) -> None:
        changes.clear()
        if not record:
            raise UnknownIntegration(name, services.registry.ids())
        readable, unreadable = services.registry.readable_texts(record)
        # What a lost key encrypted can be entered anew, one after the other. What is only for the beginning then, too.
        if by != ENVIRONMENT and (fixed := [one for one in given if BY_NAME[one].fixed and one not in unreadable]):
            raise ValueError(f"{', '.join(fixed)} cannot be changed here")
        before = readable | dict.fromkeys(unreadable, HIDDEN)
        after = {**before, **given}
        if problems := _problems_of_options(services, after):
            raise OptionsWrong(problems)
        for option in (BY_NAME[one] for one in given):
            old, new = before.get(option.name, ""), given[option.name]
            if option.name in unreadable or (old or option.default) != (new or option.default):
                changes.append(_shown(option.name, old, new))
                pipeline.hset(IntegrationKeys(name).record, option.name, _stored(services, option.name, new))
        for one in changes:
            _note(pipeline, by=by, what=one.option, integration=name, before=one.before, after=one.after)
        source = ENVIRONMENT if by == ENVIRONMENT else "operator"
        if changes or record.get(SOURCE.encode()) != source.encode():
            pipeline.hset(IntegrationKeys(name).record, SOURCE, source)
        limit = parsed(after)["teamleader_calls_per_minute"]
        pipeline.hset(IntegrationKeys(name).options, "calls_per_minute", limit)

    _transaction(services, name, write, only_if=lambda: bool(changes), revision=revision)
    return changes


def _transaction(
    services: "Services",
    name: str,
    write: Callable[[Pipeline, Mapping[bytes, bytes]], None],
    *,
    only_if: Callable[[], bool] = lambda: True,
    revision: int | None = None,
) -> None:
    """Reads the record, lets `write` queue the changes, and does them only if nobody changed the record meanwhile."""
    keys = IntegrationKeys(name)

    def attempt(pipeline: Pipeline) -> None:
        before = cast(dict[bytes, bytes], pipeline.hgetall(keys.record))
        # It moves with the record, which is watched.
        now_at = int(cast(bytes | None, pipeline.hget(keys.options, "revision")) or 0)
        if revision is not None and revision != now_at:
            raise ChangedMeanwhile(f"{name} was changed by somebody else meanwhile.")
        pipeline.multi()
        write(pipeline, before)
        if only_if():
            # It counts on when a removed name is added anew: no process takes what it remembers for the new one.
            pipeline.hset(keys.options, "revision", now_at + 1)
            pipeline.incr(INTEGRATIONS_REVISION)

    services.store.transaction(attempt, keys.record)


def _write_new(
    services: "Services", pipeline: Pipeline, name: str, given: Mapping[str, str], *, by: str, state: str
) -> None:
    keys = IntegrationKeys(name)
    # A name that was removed leaves a tombstone with state closed: it begins anew.
    pipeline.delete(keys.options, keys.connection)
    own = {
        SOURCE: ENVIRONMENT if by == ENVIRONMENT else "operator",
        CREATED: round(time.time() * 1000),
        CREATED_BY: by,
        ADDRESS_VERSION: 0,
    }
    options = {option: _stored(services, option, text) for option, text in given.items()}
    pipeline.hset(keys.record, mapping=cast(Any, {**own, **options}))
    pipeline.sadd(INTEGRATIONS, name)
    values = parsed(given)
    ledger = Ledger(services.scripts, name, calls_per_minute=values["teamleader_calls_per_minute"])
    ledger.begin(auto_update=values["auto_update"], state=state, within=pipeline)
    _note(pipeline, by=by, what="integration added", integration=name)


def _given(first: First) -> dict[str, str]:
    """Without the defaults: those may change with a release."""
    return {name: text for name, text in first.options.items() if text != BY_NAME[name].default}


def _known(options: Mapping[str, str]) -> dict[str, str]:
    if unknown := [name for name in options if name not in BY_NAME]:
        raise ValueError(f"{', '.join(unknown)}: there is no such option; there are: {', '.join(BY_NAME)}")
    return {name: text.strip() for name, text in options.items()}


def _stored(services: "Services", option: str, text: str) -> bytes | str:
    return services.cipher.encrypt(text) if BY_NAME[option].secret else text


def _shown(option: str, before: str, after: str) -> Change:
    if BY_NAME[option].secret:
        return Change(option, HIDDEN if before else "", HIDDEN if after else "")
    return Change(option, before, after)


def _note(pipeline: Pipeline, **given: str) -> None:
    audit.note(cast("redis.Redis", pipeline), **given)


def _escaped(prefix: str) -> str:
    return prefix.replace("[", r"\[").replace("*", r"\*").replace("?", r"\?")


def checked(settings: Settings) -> None:
    """Judges the integration that the environment describes, if any, before a process starts; raises ValueError."""
    if settings.first:
        check(integration_from(settings.first.id, _given(settings.first), settings.teamleader))


def check(integration: Integration) -> None:
    """Judges what only mapping and clients understand; raises ValueError."""
    mapping_settings(integration)
    for url in addresses_of(integration):
        origin_of(url)


def _problems_of_name(name: str) -> dict[str, str]:
    try:
        integration_id(name)
    except ValueError as wrong:
        return {"name": str(wrong)}
    return {}


def _problems_of_options(services: "Services", texts: Mapping[str, str]) -> dict[str, str]:
    """Every option that is missing or wrong, with a sentence, also what only mapping and clients understand."""
    problems: dict[str, str] = {}
    try:
        parsed(texts)
    except OptionsWrong as wrong:
        problems = wrong.problems
    # The rest is judged all the same, so that a person hears of every mistake at once.
    readable = _STAND_INS | {name: text for name, text in texts.items() if name not in problems}
    integration = integration_from("any", readable, services.settings.teamleader)
    for option, judge in _JUDGES.items():
        try:
            judge(integration)
        except ValueError as wrong:
            problems[option] = str(wrong)
    return problems


# For required options that are missing or cannot be read.
_STAND_INS = {"twikey_url": "https://api.twikey.com/creditor", "twikey_key": "any"}
# Each alone, so that a mistake is known by its option.
_JUDGES: Mapping[str, Callable[[Integration], object]] = {
    "profile": lambda one: MappingSettings(profile=one.profile),
    "cc_parameter": lambda one: MappingSettings(cc_parameter=one.cc_parameter),
    "default_language": lambda one: MappingSettings(default_language=one.default_language),
    "default_country": lambda one: MappingSettings(default_country=one.default_country),
    "twikey_url": lambda one: origin_of(one.twikey.api_url),
}


def addresses_of(integration: Integration) -> list[str]:
    """The only places that may be called for it: scheme, host and port of the configured addresses."""
    urls = (integration.teamleader.api_url, integration.teamleader.auth_url, integration.twikey.api_url)
    return ["{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls]


def mapping_settings(integration: Integration) -> MappingSettings:
    return MappingSettings(
        customer_number_prefix=integration.customer_number_prefix,
        profile=integration.profile,
        default_language=integration.default_language,
        default_country=integration.default_country,
        cc_parameter=integration.cc_parameter,
        clear_empty=integration.clear_empty,
    )
