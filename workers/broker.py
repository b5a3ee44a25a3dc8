"""The Dramatiq broker: carries wake-ups, nothing else.

A wake-up names a subject. Losing one costs seconds (the clock sends another), so none of Dramatiq's retries, delays or age
limits are used; each of those loses, stalls or doubles messages under faults, see docs/decisions/0001.
"""

import time
from collections.abc import Callable
from typing import Any, cast

import dramatiq
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed, DecodeError

from workers.lines import Lines

QUEUE = "customers"
ACTOR = "sync_subject"
# Longer than the longest pause between two fetches of a healthy worker (it polls every 0.2 s); short, because
# messages of a killed worker come back only after it.
HEARTBEAT_TIMEOUT_MS = 20_000
# Out of a million: look for dead workers' messages at every command instead of at one in a thousand.
MAINTENANCE_CHANCE = 1_000_000
DEAD_MESSAGE_TTL_MS = 7 * 24 * 3600 * 1000
PAUSE_WHEN_CROWDED_SECONDS = 0.05
# Put before Dramatiq's script: who is silent is judged by the store's clock. By their own clocks, one machine that is minutes
# ahead takes the messages of all others away from them, again and again.
BY_THE_CLOCK_OF_THE_STORE = (
    b"local clock = redis.call('TIME')\nARGV[2] = clock[1] * 1000 + math.floor(clock[2] / 1000)\n"
)

log = structlog.get_logger()


class WakeUpConsumer(_RedisConsumer):
    """A consumer that survives what the store may answer, and sorts what it fetches into lines, if its broker has them."""

    def __next__(self) -> Any:
        lines = self.broker.lines
        try:
            if lines and not self.message_cache and lines.is_crowded():
                # What our threads cannot take up yet is for other processes as well, but somebody who is owed little may
                # be in it.
                time.sleep(PAUSE_WHEN_CROWDED_SECONDS)
            message = super().__next__()
            if lines and message is not None and not lines.wants(*message.args):
                self.ack(message)
                return None
        except redis.RedisError as error:
            # Also READONLY, OOM, time-outs, …: the stock consumer thread only survives a ConnectionError.
            raise ConnectionClosed(error) from None
        return message

    @property
    def outstanding_message_count(self) -> int:
        """How many fetched messages keep others from being fetched: with lines none, for they have ends of their own."""
        count: int = super().outstanding_message_count
        return 0 if self.broker.lines else count

    def ack(self, message: Any) -> None:
        self._tell(super().ack, message)

    def nack(self, message: Any) -> None:
        self._tell(super().nack, message)

    def _tell(self, tell: Callable[[Any], None], message: Any) -> None:
        """The stock worker thread tries this every five seconds until the store is back, and does nothing else meanwhile."""
        try:
            tell(message)
        except (redis.RedisError, ConnectionClosed):
            log.warning(
                "A wake-up could not be acknowledged. It comes once more when this process ends; that is harmless."
            )

    def requeue(self, messages: Any) -> None:
        try:
            super().requeue(messages)
        except redis.RedisError:
            log.warning("Wake-ups could not be given back; the clock will send them again.", queue=self.queue_name)


class WakeUpBroker(RedisBroker):
    """Dramatiq's Redis broker without delay queues, with the consumer above, and deaf to whatever is no wake-up."""

    lines: Lines | None = None

    # How many values Lua may unpack at a time: half of the least that the stock broker reckons with. That one asks the store
    # before its first command, all others waiting under a lock that was made before gevent patched the threads.
    _max_unpack_size_val = 499  # type: ignore[assignment] # there it is None until the store was asked

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        stock = cast(bytes, self.scripts["dispatch"].script)
        self.scripts["dispatch"] = self.client.register_script(BY_THE_CLOCK_OF_THE_STORE + stock)

    @property
    def consumer_class(self) -> type[WakeUpConsumer]:
        return WakeUpConsumer

    def declare_queue(self, queue_name: str) -> None:
        # Without the delay queue: nothing of ours is ever delayed, and its consumer would poll for nothing.
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def do_fetch(self, queue_name: str, most: int) -> list[bytes]:
        """Takes messages off the queue. Those that are no wake-ups are thrown away here: the stock consumer would stumble over
        them, strand the rest of their batch, and meet them again after every restart."""
        found = self._dispatch("fetch")(queue_name, most)
        wake_ups = [data for data in found if is_wake_up(data)]
        if strange := len(found) - len(wake_ups):
            # Not what it said: nobody knows where it came from.
            log.error("What is no wake-up was removed from the queue.", queue=queue_name, messages=strange)
            self._throw_strange_ones_away(queue_name)
        return wake_ups

    def _throw_strange_ones_away(self, queue_name: str) -> None:
        try:
            for name in self.client.smembers(f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"):
                data = cast(bytes | None, self.client.hget(f"{self.namespace}:{queue_name}.msgs", cast(str, name)))
                if not is_wake_up(data):
                    self.do_ack(queue_name, name)
        except redis.RedisError:
            log.warning("It could not be removed; the next process will.", queue=queue_name)


def is_wake_up(data: bytes | None) -> bool:
    """Whether this is a message as `wake` sends it."""
    try:
        message = dramatiq.Message.decode(data or b"")
    except DecodeError:
        return False
    options = message.options
    return (
        message.actor_name == ACTOR
        and isinstance(message.message_id, str)
        and len(message.args) == 2
        and all(isinstance(part, str) for part in message.args)
        and not message.kwargs
        and isinstance(options, dict)
        and isinstance(options.get("redis_message_id"), str)
        and "eta" not in options
    )


def make_broker(client: "redis.Redis") -> WakeUpBroker:
    """A broker on this connection, with the queue of wake-ups declared."""
    broker = WakeUpBroker(
        client=client,
        middleware=[],
        namespace="tltw-queue",
        maintenance_chance=MAINTENANCE_CHANCE,
        heartbeat_timeout=HEARTBEAT_TIMEOUT_MS,
        dead_message_ttl=DEAD_MESSAGE_TTL_MS,
    )
    broker.declare_queue(QUEUE)
    return broker


def wake(broker: WakeUpBroker, integration: str, subject: str) -> None:
    """Sends one wake-up. Raises `redis.RedisError`; the event is safe in the ledger all the same."""
    broker.enqueue(
        dramatiq.Message(queue_name=QUEUE, actor_name=ACTOR, args=(integration, subject), kwargs={}, options={})
    )


def waiting(broker: WakeUpBroker) -> int:
    """How many wake-ups wait in the queue."""
    return int(broker.client.llen(f"{broker.namespace}:{QUEUE}"))
