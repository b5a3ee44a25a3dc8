"""Brings the messages to the channels: each goes through them at its own pace, in order, with a place of its own.

A message leaves a channel's queue after it was sent, so one that is sent while a clock dies may be told twice, and none is
lost. A channel that fails is tried again later, up to every half hour, and keeps nobody else waiting; what it could not
send for a day is given up, so that one message it does not take cannot block it for ever, and nobody is flooded.
"""

import traceback
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import redis
import structlog
from redis.exceptions import LockError
from redis.lock import Lock

from config.keys import alert_channel, alert_channel_lock
from workers.alerts import book
from workers.alerts.book import Sent
from workers.alerts.channels.channel import Channel, NotSent
from workers.ledger.records import from_ms

AT_ONCE = 20
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(minutes=30)
GIVE_UP_AFTER = timedelta(days=1)
# Longer than the longest sending of one message.
LEASE_SECONDS = 60.0
FROM_THE_BEGINNING = "0-0"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel fares. `place`: the last message it is done with; `why`: a sentence, when it failed last."""

    name: str
    place: str
    failures: int = 0
    again_at: datetime | None = None
    why: str = ""
    sent_at: datetime | None = None


def begin(store: "redis.Redis", names: Iterable[str]) -> None:
    """Gives a new channel its place: the end of what was told so far. Before a round decides, so that its messages follow."""
    newest = book.newest(store, 1)
    pipeline = store.pipeline()
    for name in names:
        pipeline.hsetnx(alert_channel(name), "place", newest[0].place if newest else FROM_THE_BEGINNING)
    pipeline.execute()


def failures(store: "redis.Redis", names: Iterable[str]) -> dict[str, int]:
    """How often each channel failed in a row."""
    names = tuple(names)
    pipeline = store.pipeline()
    for name in names:
        pipeline.hget(alert_channel(name), "failures")
    return {name: int(number or 0) for name, number in zip(names, pipeline.execute(), strict=True)}


def states(store: "redis.Redis", names: Iterable[str]) -> list[ChannelState]:
    """How the channels fare."""
    return [_state(store, name) for name in names]


def deliver(store: "redis.Redis", channels: Sequence[Channel], now: datetime) -> None:
    """Sends over each channel what waits for it, unless another clock is doing so."""
    for channel in channels:
        lock = store.lock(alert_channel_lock(channel.name), timeout=LEASE_SECONDS, blocking=False)
        if not lock.acquire():
            continue
        with suppress(LockError):  # the lease ended before we did: another clock may send the same message too
            try:
                _send_waiting(store, channel, lock, now)
            finally:
                lock.release()


def backoff(failures: int) -> timedelta:
    """How long to leave a channel alone that failed so often in a row."""
    wait: timedelta = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 10))
    return wait


def _send_waiting(store: "redis.Redis", channel: Channel, lock: Lock, now: datetime) -> None:
    state = _state(store, channel.name)
    if state.again_at and now < state.again_at:
        return
    failures = state.failures
    for waiting in _not_too_old(store, state, now):
        lock.reacquire()
        if not waiting.message.is_for(channel.name):
            store.hset(alert_channel(channel.name), "place", waiting.place)
            continue
        if not _send(store, channel, waiting, failures, now):
            return
        failures = 0


def _not_too_old(store: "redis.Redis", state: ChannelState, now: datetime) -> list[Sent]:
    """What waits for the channel, after giving up what it could not send for a day."""
    waiting = book.after(store, state.place, book.MESSAGES_KEPT)
    too_old = [one for one in waiting if now - datetime.fromisoformat(one.message.at) >= GIVE_UP_AFTER]
    if too_old:
        store.hset(alert_channel(state.name), "place", too_old[-1].place)
        log.error("Alerts could not be sent for a day and are given up.", channel=state.name, number=len(too_old))
    return waiting[len(too_old) :][:AT_ONCE]


def _send(store: "redis.Redis", channel: Channel, waiting: Sent, failures: int, now: datetime) -> bool:
    """Sends one message and notes how it went; answers whether the channel can go on to the next."""
    key = alert_channel(channel.name)
    try:
        channel.send(waiting.message, alert_id=f"alert_{waiting.place}")
    except NotSent as failure:
        _note_failure(store, channel, str(failure), failures + 1, now)
        return False
    except redis.RedisError:
        raise
    except Exception as error:  # noqa: BLE001 # whatever it is, the other channels go on
        # Where, not what: the text of an unforeseen error may quote an address.
        log.error("A channel met a mistake of our own.", traceback="".join(traceback.format_tb(error.__traceback__)))
        _note_failure(store, channel, f"A mistake of our own ({type(error).__name__}).", failures + 1, now)
        return False
    pipeline = store.pipeline()
    pipeline.hset(key, mapping={"place": waiting.place, "failures": 0, "sent_at": _ms(now)})
    pipeline.hdel(key, "again_at", "why")
    pipeline.execute()
    return True


def _note_failure(store: "redis.Redis", channel: Channel, why: str, failures: int, now: datetime) -> None:
    again_at = _ms(now + backoff(failures))
    store.hset(alert_channel(channel.name), mapping={"failures": failures, "again_at": again_at, "why": why})
    log.error("An alert could not be sent yet.", channel=channel.name, why=why, failures=failures)


def _state(store: "redis.Redis", name: str) -> ChannelState:
    stored = cast(dict[bytes, bytes], store.hgetall(alert_channel(name)))
    values = {key.decode(): value.decode() for key, value in stored.items()}
    return ChannelState(
        name=name,
        place=values.get("place", FROM_THE_BEGINNING),
        failures=int(values.get("failures", 0)),
        again_at=from_ms(values.get("again_at")),
        why=values.get("why", ""),
        sent_at=from_ms(values.get("sent_at")),
    )


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
