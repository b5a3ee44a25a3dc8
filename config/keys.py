"""The name of every Redis key, in one place.

All keys of an integration share the hash tag `{tltw:<integration>}`; the others belong to the deployment as a whole.
"""

from dataclasses import dataclass

# Hint of the clock: integration -> time (ms) at which its earliest subject is due.
NEXT_DUE = "tltw:next"
# The ids of all integrations this deployment serves.
INTEGRATIONS = "tltw:integrations"
# Counts every change of any integration, so that processes know when to read them again.
INTEGRATIONS_REVISION = "tltw:integrations:revision"
# Hash: Teamleader account -> the integration that is connected to it. One account, one integration.
ACCOUNTS = "tltw:accounts"
# When a clock last ticked (ms); `/readyz` reads it.
CLOCK_TICKED = "tltw:clock"
# Stream, never trimmed: who changed what.
AUDIT = "tltw:audit"
# Sorted set: bulk jobs under way, `<integration> <kind>` -> when (ms) each has its next turn.
BULK_TURNS = "tltw:bulk"
# Hash: how often other code raised an alert that the next round of alerts has not seen yet, by kind and integration.
ALERTS_RAISED = "tltw:alerts:raised"
# Hash: the alerts that are open, and when each kind was last told.
ALERTS_BOOK = "tltw:alerts:book"
# Stream, bounded: the messages about alerts, newest last. Each channel has its place in it.
ALERTS_MESSAGES = "tltw:alerts:messages"


def alert_channel(name: str) -> str:
    """Hash: how far a channel of alerts has come, and how it fares."""
    return f"tltw:alerts:channel:{name}"


def alert_channel_lock(name: str) -> str:
    """String, expiring: who is sending over this channel now."""
    return f"tltw:alerts:sending:{name}"


# -- the console: who may sign in, and who is signed in ------------------------------------------------
# Hash: name of an operator -> its record (JSON).
OPERATORS = "tltw:operators"
# Hash: name of an operator -> when it last signed in (ms).
OPERATORS_SIGNED_IN = "tltw:operators:signed-in"


def console_session(hashed_id: str) -> str:
    """Hash, expiring: one signed-in browser, by the hash of what its cookie holds."""
    return f"tltw:session:{hashed_id}"


def console_sessions_of(operator: str) -> str:
    """Sorted set, expiring: the hashed ids of an operator's sessions by when they end at the latest (ms). For lists only."""
    return f"tltw:sessions:{operator}"


def sign_in_tries(hashed: str) -> str:
    """Sorted set, expiring: the latest tries to sign in with one name, from one address or in one browser, by time (ms)."""
    return f"tltw:sign-in-tries:{hashed}"


def known_browser(hashed_token: str) -> str:
    """String, expiring: the operator that has signed in with this browser before."""
    return f"tltw:known-browser:{hashed_token}"


def consent(state: str) -> str:
    """String, expiring: who began to connect which integration; `state` is hashed already."""
    return f"tltw:consent:{state}"


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
    def record(self) -> str:
        """Hash: what the integration is, option by option; secrets encrypted (config/registry.py)."""
        return f"{self.prefix}integration"

    @property
    def options(self) -> str:
        """Hash: what the ledger's scripts must know at every step (`auto_update`, `state`, `revision`, …)."""
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
    def registered(self) -> str:
        """String: digest of our webhook address and the event types last registered for it; one that vanishes is an alert."""
        return f"{self.prefix}teamleader:registered"

    @property
    def connection(self) -> str:
        """String (JSON): how each step of connecting went when somebody last looked, and when that was."""
        return f"{self.prefix}connection"

    @property
    def registration(self) -> str:
        """String: when our registration at Teamleader was looked at last (ms), and the event types it refuses."""
        return f"{self.prefix}teamleader:registration"

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
        """Hash: accepted events and how they ended, since the beginning; how many customers were brought over and are not gone
        (`customers`), and when the last one was (`changed`, ms)."""
        return f"{self.prefix}counts"

    def counts_of_hour(self, hour: int) -> str:
        """Hash, expiring after a day: what happened in one hour, counted in hours since 1970."""
        return f"{self.counts}:{hour}"

    @property
    def webhooks(self) -> str:
        """Hash, six weeks: how many webhooks of edits came per day, and when the first of each day came (`f<day>`)."""
        return f"{self.prefix}webhooks"

    @property
    def files(self) -> str:
        """Hash: shared files by id, each as JSON (name, size, rows, checksum, made when and by whom, until when)."""
        return f"{self.prefix}files"

    @property
    def activity(self) -> str:
        """Stream, bounded: what happened to which subject, newest last. Ids and reasons only."""
        return f"{self.prefix}activity"

    def bulk_calls(self, api: str) -> str:
        """List of times (ms), oldest first: those of the calls of the last minute that bulk jobs made."""
        return f"{self.prefix}calls:{api}:bulk"

    def job(self, kind: str) -> str:
        """Hash: the run of a bulk job that is under way, or the last one."""
        return f"{self.prefix}job:{kind}"

    def job_history(self, kind: str) -> str:
        """List of JSON, bounded, newest first: how runs of a bulk job ended."""
        return f"{self.prefix}job:{kind}:history"

    def job_report(self, kind: str) -> str:
        """List of JSON, bounded: what the run has to tell, line by line. Ids and reasons only."""
        return f"{self.prefix}job:{kind}:report"

    @property
    def sweep(self) -> str:
        """Hash: `begun` (when the integration was first seen), `complete` (up to when nothing is missed), `able`."""
        return f"{self.prefix}sweep"
