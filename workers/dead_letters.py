"""Which dead letters are meant: a choice by reason, kind, age and a part of an id. Pure.

A choice is kept with the bulk job that replays it, so it can hold nothing personal: what is searched for is ids and codes.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from workers.ledger.records import DeadLetter

KINDS = ("contact", "company", "invoice")
AGES: Mapping[str, timedelta] = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
OLDER = "older"
# Older than the longest of the ages.
OLDER_THAN = max(AGES.values())

REASON = re.compile(r"[a-z_]{1,40}")
SEARCHABLE = re.compile(r"[A-Za-z0-9_:.-]{1,64}")


class NotAChoice(ValueError):
    """Nothing that one can choose by; `part` says which part of it."""

    def __init__(self, part: str) -> None:
        super().__init__(f"the {part} is not one")
        self.part = part


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which dead letters; an empty part chooses all. Raises `NotAChoice`: one that was misread must never mean *all*.

    `age`: died within the last `hour`, `day` or `week`, or `older` than a week. `text`: in the id, the event id, the field or code.
    """

    reason: str = ""
    kind: str = ""
    age: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        usable = {
            "reason": not self.reason or REASON.fullmatch(self.reason),
            "kind": self.kind in ("", *KINDS),
            "age": self.age in ("", OLDER, *AGES),
            "text": not self.text or SEARCHABLE.fullmatch(self.text),
        }
        for part, fine in usable.items():
            if not fine:
                raise NotAChoice(part)

    @property
    def parts(self) -> dict[str, str]:
        """What was chosen, without what was left open."""
        return {name: value for name, value in asdict(self).items() if value}

    def includes(self, letter: DeadLetter, now: datetime) -> bool:
        """Whether a letter is meant, at a moment: ages are counted from there."""
        story = letter.story
        return (
            self.reason in ("", story.reason)
            and self.kind in ("", kind_of(letter.subject))
            and _fits(self.age, now - letter.died)
            and any(
                self.text.lower() in one.lower() for one in (letter.subject, story.event_id, story.field, story.code)
            )
        )


def kind_of(subject: str) -> str:
    return subject.partition(":")[0]


def by_reason(letters: Iterable[DeadLetter]) -> dict[str, int]:
    """How many died of what, the most frequent first."""
    return dict(Counter(letter.story.reason for letter in letters).most_common())


def _fits(age: str, been_dead: timedelta) -> bool:
    if age == OLDER:
        return been_dead > OLDER_THAN
    return not age or been_dead <= AGES[age]
