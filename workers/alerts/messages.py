"""A message about alerts: one record, put into words for people and into JSON for machines. No I/O.

It holds ids and labels of integrations, numbers, reasons and sentences: nothing about a customer, no address, no secret.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import urlsplit

from workers.alerts.decide import Alert, Notice

# With 300 integrations in trouble the first names suffice; the number says the rest.
NAMED_AT_MOST = 50
SHOWN_AT_MOST = 20
TEST = "test"
DEPLOYMENT = "this deployment"


@dataclass(frozen=True, slots=True)
class Concerned:
    """One integration (`""`: the deployment) in a message. `label`: how the operator calls it, if at all."""

    integration: str
    label: str
    since: str
    number: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is told. `number` counts what the kind counts, over all `integrations_total`; `named` are the first of them.

    `only`: the channels it is for; empty: all of them.
    """

    at: str
    deployment: str
    event: str
    kind: str
    severity: str
    title: str
    sentence: str
    next: str = ""
    link: str = ""
    number: int = 0
    counted: str = ""
    integrations_total: int = 0
    named: tuple[Concerned, ...] = ()
    only: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """One line, as the subject of an e-mail."""
        scope = _scope(self)
        return f"{_heading(self)}{f': {scope}' if scope else ''} ({self.deployment})"

    @property
    def text(self) -> str:
        """All of it, as plain text."""
        return "\n".join(_lines(self)) + "\n"

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        values: dict[str, Any] = json.loads(text)
        named = tuple(Concerned(**one) for one in values["named"])
        return cls(**values | {"named": named, "only": tuple(values.get("only", ()))})

    def is_for(self, channel: str) -> bool:
        return not self.only or channel in self.only

    @property
    def concerned(self) -> list[str]:
        """The ids of the integrations that are named."""
        return [one.integration for one in self.named if one.integration]


def compose(notice: Notice, *, deployment: str, now: datetime, labels: Mapping[str, str]) -> Message:
    """What people are told about a notice. `labels` of integrations, by id."""
    meaning = notice.kind.meaning
    recovered = notice.event == "recovered"
    alerts = sorted(notice.alerts, key=lambda alert: (alert.told is not None, -alert.number, alert.integration))
    number = sum(alert.number for alert in alerts) if meaning.counted[0] and not recovered else 0
    return Message(
        at=_iso(now),
        deployment=deployment,
        event=notice.event,
        kind=notice.kind.value,
        severity=meaning.severity,
        title=meaning.title,
        sentence=meaning.recovered if recovered else meaning.sentence,
        next="" if recovered else meaning.next,
        link=notice.kind.link,
        number=number,
        counted=meaning.counted[number != 1],
        integrations_total=len(alerts),
        named=tuple(
            _concerned(alert, labels.get(alert.integration, ""), recovered=recovered)
            for alert in alerts[:NAMED_AT_MOST]
        ),
    )


def deployment_name(public_url: str) -> str:
    """What tells this deployment from another in an inbox: the host of its public address."""
    return urlsplit(public_url).hostname or "tltw"


def rehearsal(*, deployment: str, now: datetime) -> Message:
    """What `tltw alerts test` sends."""
    return Message(
        at=_iso(now),
        deployment=deployment,
        event=TEST,
        kind=TEST,
        severity="warning",
        title="Test of the alerts",
        sentence="If you can read this, alerts reach you over this channel. Nothing is wrong.",
    )


def _concerned(alert: Alert, label: str, *, recovered: bool) -> Concerned:
    number = alert.number if alert.kind.meaning.counted[0] and not recovered else 0
    return Concerned(alert.integration, label, _iso(alert.since), number, "" if recovered else alert.detail)


def _heading(message: Message) -> str:
    before = {"recovered": "Recovered: ", "still": "Still: ", "more": "Update: "}.get(message.event, "")
    return before + message.title


def _scope(message: Message) -> str:
    """Who is concerned and how much: `3 integrations, 1204 updates owed`."""
    parts = []
    if message.integrations_total > 1:
        parts.append(f"{message.integrations_total} integrations")
    elif message.named and message.named[0].integration:
        parts.append(message.named[0].integration)
    if message.number:
        parts.append(f"{message.number} {message.counted}")
    return ", ".join(parts)


def _lines(message: Message) -> Iterator[str]:
    yield message.subject
    yield ""
    yield message.sentence
    for one in message.named[:SHOWN_AT_MOST]:
        more = ", ".join(part for part in (str(one.number) if one.number else "", one.detail) if part)
        yield f"- {_name(one)}, since {_shown(one.since)}{f': {more}' if more else ''}"
    if message.integrations_total > SHOWN_AT_MOST:
        yield f"- and {message.integrations_total - SHOWN_AT_MOST} more: tltw alerts list"
    if message.next:
        yield f"What to do: {message.next}"
    if message.link:
        yield f"Read: {message.link}"


def _name(one: Concerned) -> str:
    if not one.integration:
        return DEPLOYMENT
    return f"{one.integration} ({one.label})" if one.label else one.integration


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


def _shown(iso: str) -> str:
    return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M UTC")
