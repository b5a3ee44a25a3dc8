"""The name of every Redis key, in one place.

All keys of an integration share the hash tag `{tltw:<integration>}`; the others belong to the deployment as a whole.
"""

from dataclasses import dataclass

# Hint of the clock: integration -> time (ms) at which its earliest subject is due.
NEXT_DUE = "tltw:next"
# The ids of all integrations this deployment serves.
INTEGRATIONS = "tltw:integrations"
# When a clock last ticked (ms); `/readyz` reads it.
CLOCK_TICKED = "tltw:clock"
# Stream, never trimmed: who changed what.
AUDIT = "tltw:audit"


@dataclass(frozen=True, slots=True)
class IntegrationKeys:
    """The keys of one integration."""

    integration: str

    @property
    def prefix(self) -> str:
        return "{tltw:" + self.integration + "}:"

    def subject(self, subject: str) -> str:
        """Hash: the ledger's record of one subject, for example `contact:<id>`."""
        return f"{self.prefix}s:{subject}"

    @property
    def options(self) -> str:
        """Hash: the switches an operator can turn (`auto_update`, `state`, …)."""
        return f"{self.prefix}options"

    @property
    def token(self) -> str:
        """String: the encrypted Teamleader token pair."""
        return f"{self.prefix}teamleader:token"

    @property
    def account(self) -> str:
        """String: the id of the Teamleader account, as `users.me` gave it."""
        return f"{self.prefix}teamleader:account"

    @property
    def session(self) -> str:
        """String: the encrypted Twikey session token."""
        return f"{self.prefix}twikey:session"

    @property
    def login_blocked(self) -> str:
        """String, expiring: present while Twikey refuses further logins."""
        return f"{self.prefix}twikey:login-blocked"

    def lock(self, name: str) -> str:
        """String, expiring: a lock, for example around a token refresh."""
        return f"{self.prefix}lock:{name}"

    def calls(self, api: str) -> str:
        """List of times (ms), oldest first: the calls of the last minute to an API."""
        return f"{self.prefix}calls:{api}"

    def seen(self, event_id: str) -> str:
        """String, expiring: an event id of our own producers that was accepted."""
        return f"{self.prefix}seen:{event_id}"

    def pause(self, api: str) -> str:
        """String (ms), expiring: until when an API asked us to stay away."""
        return f"{self.prefix}pause:{api}"

    def circuit(self, api: str) -> str:
        """Hash: failures in a row at an API and until when its circuit is open."""
        return f"{self.prefix}circuit:{api}"

    @property
    def due(self) -> str:
        """Sorted set: every owed subject by the time (ms) it should next be tried. Its size is what is pending."""
        return f"{self.prefix}due"

    @property
    def dead(self) -> str:
        """Sorted set: dead letters by time of death (ms). Never expires."""
        return f"{self.prefix}dead"

    @property
    def held(self) -> str:
        """Sorted set: subjects skipped because auto-update was off, by the time (ms) of the last skip."""
        return f"{self.prefix}held"

    @property
    def counts(self) -> str:
        """Hash: accepted events and how they ended, since the beginning."""
        return f"{self.prefix}counts"

    @property
    def activity(self) -> str:
        """Stream, bounded: what happened to which subject, newest last. Ids and reasons only."""
        return f"{self.prefix}activity"
