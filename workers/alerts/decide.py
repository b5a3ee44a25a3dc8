"""Decides what to tell now, from what is known to be open and what was found. Pure.

An outage is one message with a count. What is new waits half a minute for others like it; the first message of a kind then
goes out at once, and further ones name all that is open: after ten minutes when other integrations joined, after an hour
when only numbers grew or something came back that had just recovered. What stays open is told again after a day, a mere
warning after a week. It is well again when it has been well for two minutes; several recoveries of a kind are one message.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from workers.alerts.conditions import Finding
from workers.alerts.kinds import Kind, Severity

GATHER = timedelta(seconds=30)
JOINED_AFTER = timedelta(minutes=10)
AGAIN_AFTER = timedelta(hours=1)
REMIND_AFTER: Mapping[Severity, timedelta] = {"critical": timedelta(days=1), "warning": timedelta(weeks=1)}
WELL_FOR = timedelta(minutes=2)
# What cannot recover is over when it did not happen again for so long. Longer than anything untold can wait.
OVER_AFTER = timedelta(hours=2)

Event = Literal["opened", "more", "still", "recovered"]
Key = tuple[Kind, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One kind of trouble of one integration (`""`: of the deployment).

    `open` until it has been well for a while; `ended`, and kept, until its recovery was told and for an hour after that,
    so that coming back is recognised (`relapsed`). `told` and `told_number`: what people know. `noticed`: when we first
    saw it, `seen`: when it last happened, `since`: when it began as far as we know.
    """

    kind: Kind
    integration: str
    since: datetime
    noticed: datetime
    seen: datetime
    phase: Literal["open", "ended", "recovered"] = "open"
    number: int = 1
    detail: str = ""
    well_since: datetime | None = None
    told: datetime | None = None
    told_number: int = 0
    relapsed: bool = False

    @property
    def key(self) -> Key:
        return self.kind, self.integration


@dataclass(frozen=True, slots=True)
class Book:
    """All alerts that are open or were so a moment ago, and when a kind was last told."""

    alerts: Mapping[Key, Alert] = field(default_factory=dict)
    told: Mapping[Kind, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: what happened to these alerts of a kind."""

    kind: Kind
    event: Event
    alerts: tuple[Alert, ...]


def decide(
    book: Book, findings: Iterable[Finding], integrations: Collection[str], now: datetime
) -> tuple[Book, list[Notice]]:
    """The book as it should be kept, and what to tell. Alerts of integrations that are no more are dropped silently."""
    alerts = dict(book.alerts)
    for finding in findings:
        if finding.moot:
            alerts.pop((finding.kind, finding.integration), None)
        elif found := _found(alerts.get((finding.kind, finding.integration)), finding, now):
            alerts[found.key] = found
    served = {"", *integrations}
    alerts = {key: aged for key, alert in alerts.items() if key[1] in served and (aged := _aged(alert, now))}
    told, notices = dict(book.told), list[Notice]()
    for kind in Kind:
        of_kind = [alert for alert in alerts.values() if alert.kind is kind]
        for notice in _notices(kind, of_kind, told.get(kind), now):
            notices.append(notice)
            alerts |= {alert.key: _told(alert, now) for alert in notice.alerts}
            if notice.event != "recovered":
                told[kind] = now
    return Book(alerts, told), notices


def _found(alert: Alert | None, finding: Finding, now: datetime) -> Alert | None:
    if not finding.wrong:
        return replace(alert, well_since=alert.well_since or now) if alert else None
    since = finding.since or now
    if alert is None:
        return Alert(
            kind=finding.kind,
            integration=finding.integration,
            since=since,
            noticed=now,
            seen=now,
            number=finding.number,
            detail=finding.detail,
        )
    if not finding.kind.meaning.recovers:
        return replace(alert, seen=now, number=alert.number + finding.number)
    if alert.phase == "recovered":
        alert = replace(alert, since=since, noticed=now, told=None, told_number=0, relapsed=True)
    # Of ten dead letters eight were mended: then the third is news again.
    known = min(alert.told_number, finding.number)
    return replace(
        alert, phase="open", number=finding.number, detail=finding.detail, well_since=None, told_number=known
    )


def _aged(alert: Alert, now: datetime) -> Alert | None:
    """The alert after time has passed; None when nothing of it needs to be kept."""
    if not alert.kind.meaning.recovers:
        return None if alert.told and now - alert.seen >= OVER_AFTER else alert
    well_for = now - alert.well_since if alert.well_since else None
    if alert.phase == "recovered":
        return None if well_for and well_for >= AGAIN_AFTER else alert
    if alert.phase == "open" and well_for is not None and well_for >= WELL_FOR:
        # Nobody was told of it, so nobody needs to hear that it is over; but a relapse is remembered.
        if alert.told:
            return replace(alert, phase="ended")
        return replace(alert, phase="recovered") if alert.relapsed else None
    return alert


def _notices(kind: Kind, alerts: list[Alert], told: datetime | None, now: datetime) -> list[Notice]:
    # What went well again before anybody was told waits for whether it stays so.
    open_ = tuple(alert for alert in alerts if alert.phase == "open" and (alert.told or not alert.well_since))
    ended = tuple(alert for alert in alerts if alert.phase == "ended")
    notices = []
    if event := _event(kind, open_, now - told if told else None, now):
        notices.append(Notice(kind, event, open_))
    if ended and (not open_ or any(_well_for(alert, now) >= AGAIN_AFTER for alert in ended)):
        notices.append(Notice(kind, "recovered", ended))
    return notices


def _event(kind: Kind, alerts: tuple[Alert, ...], silent_for: timedelta | None, now: datetime) -> Event | None:
    """What to tell about those that are open; `silent_for`: time since anything was told of their kind."""
    untold = [alert for alert in alerts if not alert.told]
    joined = any(not alert.relapsed and now - alert.noticed >= GATHER for alert in untold)
    news = any(alert.relapsed for alert in untold) or any(
        alert.told and alert.number > alert.told_number for alert in alerts
    )
    if silent_for is None:
        # Of a kind that was never told there is nothing but what is new.
        return "opened" if joined else None
    if (joined and silent_for >= JOINED_AFTER) or ((joined or news) and silent_for >= AGAIN_AFTER):
        return "opened" if len(untold) == len(alerts) else "more"
    remind = kind.meaning.recovers and len(untold) < len(alerts)
    return "still" if remind and silent_for >= REMIND_AFTER[kind.meaning.severity] else None


def _told(alert: Alert, now: datetime) -> Alert:
    if alert.phase == "ended":
        return replace(alert, phase="recovered")
    return replace(alert, told=now, told_number=alert.number)


def _well_for(alert: Alert, now: datetime) -> timedelta:
    return now - alert.well_since if alert.well_since else timedelta(0)
