"""How other code raises an alert about what only it can see. Cheap, and harmless when the store is away.

The way in for the web process: this module knows the store and the kinds, and nothing else of the alerts.
"""

import redis
import structlog

from config.keys import ALERTS_RAISED
from workers.alerts.kinds import Kind

log = structlog.get_logger()


def raise_alert(store: "redis.Redis", kind: Kind, integration: str, *, times: int = 1) -> None:
    """Notes that it happened; the clock's next round of alerts tells. One round trip, one counter, never an exception."""
    try:
        store.hincrby(ALERTS_RAISED, field_of(kind, integration), times)
    except redis.RedisError as error:
        log.error("An alert could not be noted.", alert=kind.value, integration=integration, error=type(error).__name__)


def field_of(kind: Kind, integration: str) -> str:
    return f"{kind.value}:{integration}"
