"""The customers of one account: stored ones, and on demand a million made up ones that take no memory."""

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.shapes import display_name
from sandbox.world import Fields, Kind

SORT_KEYS: dict[str, Callable[[Fields], Any]] = {
    "name": lambda data: display_name(data).casefold(),
    "added_at": lambda data: data["added_at"],
    "updated_at": lambda data: data["updated_at"],
}


@dataclass(frozen=True)
class Version:
    """What a customer looked like after its n-th edit; `at` is seconds since 1970."""

    number: int
    at: float
    data: Fields = field(hash=False)


@dataclass
class Customer:
    kind: Kind
    id: str
    versions: list[Version]

    @property
    def data(self) -> Fields:
        return self.versions[-1].data

    @property
    def version(self) -> int:
        return self.versions[-1].number


class CustomerStore:
    """Not thread-safe by itself: its account holds the lock."""

    def __init__(self, generated: GeneratedWorld | None = None) -> None:
        self._generated = generated
        self._stored: dict[tuple[Kind, str], Customer] = {}
        self._hidden: dict[Kind, list[int]] = {"contact": [], "company": []}

    def get(self, kind: Kind, customer_id: str) -> Customer | None:
        if stored := self._stored.get((kind, customer_id)):
            return stored
        position = self._generated.position(kind, customer_id) if self._generated else None
        if self._generated is None or position is None or self._is_hidden(kind, position):
            return None
        return _untouched(kind, self._generated.record(kind, position))

    def put(self, customer: Customer) -> None:
        self._hide(customer.kind, customer.id)
        self._stored[(customer.kind, customer.id)] = customer

    def remove(self, kind: Kind, customer_id: str) -> None:
        self._hide(kind, customer_id)
        self._stored.pop((kind, customer_id), None)

    def all(self, kind: Kind) -> Iterator[Customer]:
        stored = [one for (its_kind, _), one in self._stored.items() if its_kind == kind]
        return itertools.chain(stored, self._untouched_ones(kind))

    def ordered(self, kind: Kind, sort: str, since: str = "") -> Sequence[Customer]:
        """Customers by `sort`, changed at or after `since`; slices are cheap however big the world is."""
        key = SORT_KEYS[sort]
        stored = [
            one for (its_kind, _), one in self._stored.items() if its_kind == kind and one.data["updated_at"] >= since
        ]
        stored.sort(key=lambda one: (key(one.data), one.id))
        if self._generated is None:
            return stored
        return _Merged(self._generated, kind, self._hidden[kind], stored, key, since)

    def _untouched_ones(self, kind: Kind) -> Iterator[Customer]:
        if self._generated is None:
            return
        for position in range(self._generated.count(kind)):
            if not self._is_hidden(kind, position):
                yield _untouched(kind, self._generated.record(kind, position))

    def _is_hidden(self, kind: Kind, position: int) -> bool:
        hidden = self._hidden[kind]
        spot = bisect_left(hidden, position)
        return spot < len(hidden) and hidden[spot] == position

    def _hide(self, kind: Kind, customer_id: str) -> None:
        position = self._generated.position(kind, customer_id) if self._generated else None
        if position is not None and not self._is_hidden(kind, position):
            self._hidden[kind].insert(bisect_left(self._hidden[kind], position), position)


def _untouched(kind: Kind, data: Fields) -> Customer:
    return Customer(kind, data["id"], [Version(1, 0.0, data)])


class _Merged(Sequence[Customer]):
    """Stored customers merged into the generated ones, whose position order is every sort order at once."""

    def __init__(
        self,
        generated: GeneratedWorld,
        kind: Kind,
        hidden: list[int],
        stored: list[Customer],
        key: Callable[[Fields], Any],
        since: str,
    ) -> None:
        self._generated, self._kind, self._stored = generated, kind, stored
        positions = range(generated.count(kind))
        self._first = bisect_left(positions, since, key=lambda p: generated.record(kind, p)["updated_at"])
        self._hidden = [position for position in hidden if position >= self._first]
        self._ranks = [
            self._rank(bisect_left(positions, key(one.data), key=lambda p: key(generated.record(kind, p)))) + n
            for n, one in enumerate(stored)
        ]
        self._length = self._rank(len(positions)) + len(stored)

    def _rank(self, position: int) -> int:
        """How many visible generated customers come before this position."""
        position = max(position, self._first)
        return position - self._first - bisect_left(self._hidden, position)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(self._length))]
        if not 0 <= index < self._length:
            raise IndexError(index)
        n = bisect_left(self._ranks, index)
        if n < len(self._ranks) and self._ranks[n] == index:
            return self._stored[n]
        return _untouched(self._kind, self._generated.record(self._kind, self._visible(index - n)))

    def _visible(self, rank: int) -> int:
        """The position of the visible generated customer with this rank."""
        position = self._first + rank
        while (skipped := self._first + rank + bisect_right(self._hidden, position)) != position:
            position = skipped
        return position
