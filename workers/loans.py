"""Customers on loan: whoever writes them and is no worker (an import, *Add to Twikey*) borrows them from the ledger meanwhile.

It asks before each write whether they are still on loan, and gives them back however it ended; it calls no API.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self, get_args

from mapping import Kind
from workers.clients.errors import Throttled, may_land_later
from workers.ledger import Cause, Ledger, Loan
from workers.ledger.ledger import LoanAnswer
from workers.sync.failure_policy import pause_after


class NotOurs(Exception):
    """The customer is not, or no longer, ours to write, or nothing may be written now; `why` is the ledger's word."""

    def __init__(self, why: LoanAnswer) -> None:
        super().__init__(why)
        self.why: LoanAnswer = why


@dataclass(slots=True)
class Loans:
    """What was borrowed. Given back by hand, or at the end of a `with`.

    `brought`: Twikey has these very customers from us now, made from what Teamleader had up to `source_updated_at`. An import
    cannot say so: it knows a number, and not whether it is a person's or a company's.
    """

    ledger: Ledger
    loans: tuple[Loan, ...]
    written: bool = False
    brought: bool = False
    source_updated_at: str = ""

    def check(self, *, writes: bool) -> None:
        """Immediately before each call to Twikey; renews the loans. Raises `NotOurs`."""
        for loan in self.loans:
            answer = self.ledger.still_lent(loan, writes=writes)
            if answer != "mine":
                raise NotOurs(answer)
        self.written = self.written or writes

    def give_back(self, failure: BaseException | None = None) -> None:
        """`failure`: how it ended, if it did not end well."""
        if self.written and may_land_later(failure):
            # The loan then ends by itself, and whoever has the customer next knows that a write may still land.
            return
        pause = pause_after(failure, now=datetime.now(UTC)) if isinstance(failure, Throttled) else timedelta(0)
        for loan in self.loans:
            answer = self.ledger.give_back(
                loan,
                twikey_wants_none_for=pause,
                brought=self.brought,
                source_updated_at=self.source_updated_at,
            )
            if answer == "lost" and self.written and _is_known(self.ledger, loan.subject):
                # Overtaken, and we may have written after them: let Teamleader have the last word.
                self.ledger.mark(loan.subject, frozenset({Cause.SWEEP}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, failure: BaseException | None, _where: TracebackType | None
    ) -> None:
        self.give_back(failure)


def borrow(ledger: Ledger, subjects: Iterable[str]) -> Loans:
    """All of them, or none; then it raises `NotOurs`. What is not given back, because the store went away, ends by itself."""
    loans: list[Loan] = []
    for subject in subjects:
        loan = ledger.borrow(subject)
        if not isinstance(loan, Loan):
            Loans(ledger, tuple(loans)).give_back()
            raise NotOurs(loan)
        loans.append(loan)
    return Loans(ledger, tuple(loans))


def _is_known(ledger: Ledger, subject: str) -> bool:
    """Whether a worker could do something for it: customers that are not in Teamleader are on loan by their number."""
    return subject.partition(":")[0] in get_args(Kind) and ledger.look(subject) is not None
