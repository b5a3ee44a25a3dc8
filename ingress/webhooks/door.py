"""What the routes may do with the rest of the service, and nothing more: mark, wake, pause, and check an account.

Made once per web process, after the fork. Making it opens no connection, so the process starts while the store is away.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import redis
import structlog

from config.keys import IntegrationKeys
from config.registry import Doorplate, doorplate
from ingress.webhooks.refusals import Reason, Refused
from ingress.webhooks.signature import EventSecrets, RelayHmac
from workers.alerts.kinds import Kind
from workers.alerts.raised import raise_alert
from workers.ledger import Cause, Ledger, Marked, Scripts

# After this the sender has waited enough: the clock sends the wake-up within a quarter of a second.
WAKE_WITHIN_SECONDS = 1.0
# How long a change of an integration (another event type, a removal) may take to reach this process.
DOORPLATE_SECONDS = 3.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The way from the routes into the service. All that touches the store raises `redis.RedisError`."""

    scripts: Scripts
    webhook_keys: Sequence[str] = field(repr=False)
    expected: frozenset[str] = frozenset()
    """Integrations that another process of ours is about to put into the store: ask their senders to come back."""
    event_secrets: EventSecrets = field(default_factory=lambda: EventSecrets(()))
    relay: RelayHmac | None = None
    wake: Callable[[str, str], None]
    _ledgers: dict[str, Ledger] = field(default_factory=dict, repr=False)
    _accounts: dict[str, str] = field(default_factory=dict, repr=False)
    _doorplates: dict[str, tuple[float, Doorplate]] = field(default_factory=dict, repr=False)

    @property
    def store(self) -> "redis.Redis":
        return self.scripts.store

    def integration(self, name: str, *, version: int = 0) -> Doorplate:
        """The integration of this name; raises `Refused`. Asked only after a signature held, so nobody can make us look up names.

        `version`: of the address that was used. One newer than what we remember makes us look again, for the address was
        rotated since; a former one does not, so that who still knows it cannot keep the store busy.
        """
        read_at, known = self._doorplates.get(name, (0.0, None))
        if known and time.monotonic() - read_at < DOORPLATE_SECONDS and version <= max(known.address_versions):
            return known
        found = doorplate(self.store, name)
        if found is None:
            self._doorplates.pop(name, None)
            raise Refused(Reason.ACCOUNT_UNKNOWN if name in self.expected else Reason.NOT_FOUND)
        self._doorplates[name] = (time.monotonic(), found)
        return found

    def check_account(self, integration: str, account: str) -> None:
        """Raises `Refused` unless the webhook is of the Teamleader account that this integration is connected to.

        The account is remembered, and read again before anybody is turned away: an operator may have connected another.
        """
        if account == self._accounts.get(integration):
            return
        known = cast(bytes | None, self.store.get(IntegrationKeys(integration).account))
        if not known:
            raise Refused(Reason.ACCOUNT_UNKNOWN)
        self._accounts[integration] = known.decode()
        if account != known.decode():
            raise_alert(self.store, Kind.FOREIGN_ACCOUNT, integration)
            raise Refused(Reason.WRONG_ACCOUNT)

    def mark(self, integration: str, subject: str, cause: Cause, *, event_id: str, seen_id: str = "") -> Marked:
        """Puts the event into the ledger, for good, and then sends a wake-up if one is useful."""
        began = time.monotonic()
        ledger = self._ledger(integration)
        marked = ledger.mark(subject, frozenset({cause}), event_id=event_id, seen_id=seen_id)
        if marked.closed:
            raise Refused(Reason.NOT_FOUND)
        if marked.wake and time.monotonic() - began < WAKE_WITHIN_SECONDS:
            self._wake(integration, subject)
        return marked

    def pause(self, integration: str, reason: str) -> None:
        """Holds the work of an integration until an operator resumes it. What is owed stays owed."""
        self._ledger(integration).change_state(before="active", after="paused", reason=reason)

    def _ledger(self, name: str) -> Ledger:
        return self._ledgers.setdefault(name, Ledger(self.scripts, name))

    def _wake(self, integration: str, subject: str) -> None:
        try:
            self.wake(integration, subject)
        except Exception as error:  # noqa: BLE001 # whatever it is: the event is safe, and the clock wakes it
            log.warning(
                "A wake-up could not be sent; the clock will send it.",
                integration=integration,
                subject=subject,
                error=type(error).__name__,
            )
