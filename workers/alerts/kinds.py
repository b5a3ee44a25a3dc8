"""The kinds of alerts: what each means to a person, and what to do next. No I/O.

The word of a kind is its heading in docs/runbook.md.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RUNBOOK = "docs/runbook.md"

Severity = Literal["critical", "warning"]


class Kind(enum.StrEnum):
    """What can be wrong."""

    RECONNECT_NEEDED = "reconnect_needed"
    PAUSED_ITSELF = "paused_itself"
    UPDATES_LATE = "updates_late"
    DEAD_LETTERS = "dead_letters"
    REGISTRATION_LOST = "registration_lost"
    FOREIGN_ACCOUNT = "foreign_account"
    SILENCE = "silence"
    STORE_NOT_DURABLE = "store_not_durable"
    CHANNEL_FAILING = "channel_failing"

    @property
    def meaning(self) -> "Meaning":
        return MEANINGS[self]

    @property
    def link(self) -> str:
        return f"{RUNBOOK}#{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A kind in words. `recovered` is empty for what happens and passes (an intruder's webhook is never taken back).

    `counted`: what the number of an alert counts, one and several; empty when it counts nothing.
    """

    title: str
    severity: Severity
    sentence: str
    next: str
    recovered: str = ""
    counted: tuple[str, str] = ("", "")

    @property
    def recovers(self) -> bool:
        return bool(self.recovered)


MEANINGS: Mapping[Kind, Meaning] = {
    Kind.RECONNECT_NEEDED: Meaning(
        title="Reconnect needed",
        severity="critical",
        sentence="Teamleader or Twikey no longer accepts our credentials. The work is held; nothing is lost.",
        next="See which of the two it is with: tltw integration check NAME. Connect again with: tltw integration connect NAME. What was held then runs.",
        recovered="The credentials are accepted again; what was held runs.",
    ),
    Kind.PAUSED_ITSELF: Meaning(
        title="Integration paused by itself",
        severity="critical",
        sentence="The Teamleader account was deactivated or deleted, or is not the one that belongs here. The work is held.",
        next="If it is the right account and alive: tltw integration resume NAME. Otherwise connect the right one.",
        recovered="The integration is active again.",
    ),
    Kind.UPDATES_LATE: Meaning(
        title="Updates are late",
        severity="critical",
        sentence="Customers have been waiting for more than 15 minutes to be brought to Twikey. Nothing is lost; they are tried again and again.",
        next="Ask both APIs with: tltw doctor --integration NAME. If they are well, see that a worker runs.",
        recovered="Nobody waits for more than 15 minutes any more.",
        counted=("update owed", "updates owed"),
    ),
    Kind.DEAD_LETTERS: Meaning(
        title="Dead letters",
        severity="warning",
        sentence="Customers could not be brought to Twikey for good. Each waits for a person.",
        next="See each with its reason with: tltw dead-letters list --integration NAME. Mend it, then: tltw dead-letters replay.",
        recovered="No dead letter is left.",
        counted=("dead letter", "dead letters"),
    ),
    Kind.REGISTRATION_LOST: Meaning(
        title="Webhook registration was lost",
        severity="critical",
        sentence="Teamleader no longer had webhooks of ours that had been registered. They are registered anew; edits made meanwhile did not reach us yet.",
        next="Find out who took the registration away. While automatic updates are on, the next sweep finds the edits of that time, or do it now with: tltw sweep. It does not find who was deleted.",
        counted=("event type", "event types"),
    ),
    Kind.FOREIGN_ACCOUNT: Meaning(
        title="Webhooks of a foreign account",
        severity="critical",
        sentence="Webhooks of another Teamleader account came over our signed address. They were refused.",
        next="If you did not change accounts, somebody knows the address: change TLTW_WEBHOOK_KEY and take the old key out.",
        counted=("webhook", "webhooks"),
    ),
    Kind.SILENCE: Meaning(
        title="No webhooks",
        severity="warning",
        sentence="On a working day no webhook came, where usually there are some by this time.",
        next="Look at the registration with: tltw integration check NAME. Edit a customer in Teamleader: does the log say that a webhook was taken in? A public holiday looks the same.",
        recovered="Webhooks come again.",
    ),
    Kind.STORE_NOT_DURABLE: Meaning(
        title="The store is not durable",
        severity="critical",
        sentence="The store may lose events that were accepted.",
        next="Correct its configuration: appendonly yes, maxmemory-policy noeviction.",
        recovered="Nothing is known against the store any more.",
    ),
    Kind.CHANNEL_FAILING: Meaning(
        title="A channel of alerts fails",
        severity="warning",
        sentence="Alerts do not get through over one of the channels. They are kept for a day and tried again.",
        next="See why with: tltw alerts list. After correcting it: tltw alerts test.",
        recovered="Alerts get through over every channel again.",
    ),
}
