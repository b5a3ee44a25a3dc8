"""What can go wrong while mapping, in words for a bookkeeper and never with the customer's own data.

MappingError
└── CannotMap      Twikey cannot be told about this customer at all; carries every problem found
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right in Teamleader (or in the settings) before this customer can be sent."""

    field: str
    reason: str
    sentence: str


class MappingError(Exception):
    """Anything this package refuses."""


class CannotMap(MappingError):
    """This customer cannot be sent; `problems` names all that is wrong with it at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return " ".join(problem.sentence for problem in self.problems)
