"""How an integration stands, judged at one glance: well, to be looked at, or in need of somebody. Pure; the words are said elsewhere."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from workers.operations import IntegrationView

# Whoever waits this long should have been served.
OVERDUE = timedelta(minutes=5)
# A long backlog of which one is done every moment is work, not trouble.
BACKLOG, BUSY = 50, timedelta(minutes=2)
# What helps, where no page of the console does.
COMMANDS = {"overdue": "tltw doctor --integration {}", "away": "tltw doctor --integration {}"}


class Level(StrEnum):
    """From the worst to the best, in the order in which they are listed."""

    TROUBLE = "trouble"
    LOOK = "look"
    OFF = "off"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class Standing:
    """`what` is a word for a sentence; `count`, `since` and `api` go into it where it needs them. `command` helps, if there is one."""

    level: Level
    what: str
    count: int = 0
    since: datetime | None = None
    api: str = ""
    command: str = ""


def standing(view: IntegrationView, now: datetime) -> Standing:
    """The one thing that matters most about an integration now."""
    found = _held(view) if view.state != "active" else _active(view, now)
    return replace(found, command=COMMANDS.get(found.what, "").format(view.id))


def late(view: IntegrationView, now: datetime) -> Standing | None:
    """What waits longer than it should, whatever else matters: `away`, `busy` (which is well) or `overdue`; None when nothing does."""
    if view.owed_since is None or now - view.owed_since <= OVERDUE:
        return None
    pending = view.books.pending
    if view.in_trouble:
        api = "both" if len(view.in_trouble) > 1 else view.in_trouble[0]
        return Standing(Level.LOOK, "away", count=pending, since=view.owed_since, api=api)
    if pending > BACKLOG and view.changed is not None and now - view.changed < BUSY:
        return Standing(Level.WELL, "busy", count=pending, since=view.owed_since)
    return Standing(Level.LOOK, "overdue", count=pending, since=view.owed_since)


def _active(view: IntegrationView, now: datetime) -> Standing:
    if view.dead:
        return Standing(Level.TROUBLE, "dead", count=view.dead)
    if waits := late(view, now):
        return waits
    if view.books.pending:
        return Standing(Level.WELL, "on_the_way", count=view.books.pending)
    if not view.auto_update:
        return Standing(Level.OFF, "off_with_held" if view.held else "off", count=view.held)
    if view.held:
        return Standing(Level.WELL, "catching_up", count=view.held)
    if not view.customers:
        return Standing(Level.WELL, "nothing_yet")
    return Standing(Level.WELL, "in_sync", count=view.customers, since=view.changed)


def _held(view: IntegrationView) -> Standing:
    match view.state:
        case "reconnect_needed":
            return Standing(Level.TROUBLE, "reconnect_needed", count=view.books.pending)
        case "connecting":
            return Standing(Level.LOOK, "connecting")
        case "closed":
            return Standing(Level.OFF, "closed")
        case _:
            return Standing(Level.LOOK, "paused", count=view.books.pending)
