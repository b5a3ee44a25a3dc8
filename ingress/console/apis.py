"""Why Teamleader or Twikey could not be asked, for people: which words, until when, and whether a page of ours helps."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from workers.clients.errors import NAMES, ApiFailure, ReconnectNeeded, Throttled

# Reasons with a sentence of their own in words/apis.toml.
SAID = ("throttled", "slow_down", "unavailable", "reconnect_needed", "settings_unreadable")


@dataclass(frozen=True, slots=True)
class Away:
    """One API that could not be asked. `said`: its own words, or ours about it; in English."""

    api: str
    word: str
    until: datetime | None
    reconnect: bool
    said: str


def away(failures: Iterable[ApiFailure]) -> list[Away]:
    return [_away(failure) for failure in failures]


def _away(failure: ApiFailure) -> Away:
    until = failure.until if isinstance(failure, Throttled) else None
    return Away(NAMES[failure.api], _word(failure), until, isinstance(failure, ReconnectNeeded), failure.sentence)


def _word(failure: ApiFailure) -> str:
    # Only of Teamleader's calls we keep a budget of our own; else it is the API that wants fewer.
    if isinstance(failure, Throttled) and (failure.status is not None or failure.api == "twikey"):
        return "slow_down"
    return failure.reason if failure.reason in SAID else "other"
