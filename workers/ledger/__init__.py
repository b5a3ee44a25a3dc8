"""The ledger: what is owed to whom. `Ledger` is the way in; the words are in `records`."""

from workers.ledger.ledger import Due, Ledger, Scripts, due
from workers.ledger.records import Cause, Claim, Loan, Marked, Outcome, Refusal, Story
from workers.ledger.survey import glances, surveys

__all__ = [
    "Cause",
    "Claim",
    "Due",
    "Ledger",
    "Loan",
    "Marked",
    "Outcome",
    "Refusal",
    "Scripts",
    "Story",
    "due",
    "glances",
    "surveys",
]
