"""How many customers there are, although Teamleader's lists do not say: a few pages are tried. Pure.

The number of a page that is full and of one that is not are moved together: at first in leaps, then by halves, until they are
near enough. It costs a dozen calls for 100,000 customers and one for an account that fits on a page.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workers.bulk.walk import PAGE_SIZE

# An estimate this near is good enough to say how long something takes.
NEAR_ENOUGH = 0.05

# Answers how many records a page holds.
PageLength = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class About:
    """About so many; `exact` when it is known."""

    number: int
    exact: bool

    def __add__(self, other: "About") -> "About":
        return About(self.number + other.number, self.exact and other.exact)

    def __str__(self) -> str:
        return f"{self.number:,}" if self.exact else f"about {_rounded(self.number):,}"


def about(length: PageLength) -> About:
    """Tries pages until the number of all records is known well enough."""
    full, not_full = 0, 1
    while (found := length(not_full)) == PAGE_SIZE:
        full, not_full = not_full, not_full * 2
    while not found and not_full - full > max(1, full * NEAR_ENOUGH):
        middle = (full + not_full) // 2
        if (seen := length(middle)) == PAGE_SIZE:
            full = middle
        else:
            not_full, found = middle, seen
    if found or not_full - full <= 1:
        return About((not_full - 1) * PAGE_SIZE + found, exact=True)
    return About((full + not_full - 1) * PAGE_SIZE // 2, exact=False)


def _rounded(number: int) -> int:
    """To two digits that count."""
    unit = int("1" + "0" * (len(str(number)) - 2))
    return round(number / unit) * unit
