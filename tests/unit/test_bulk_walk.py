"""The walk over an account's lists: whatever happens while it walks, nobody is missed."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.bulk.walk import PAGE_SIZE, Record, Spot, moment_of

START = datetime(2026, 11, 25, tzinfo=UTC)
BEGINNING = Spot()


class Lists:
    """A list of Teamleader's as a list in memory; `between` is called before every page with the number of the call."""

    def __init__(self, seconds: list[int], *, between: Callable[["Lists", int], None] = lambda *_: None) -> None:
        self.changed = dict(enumerate(seconds))
        self.calls = 0
        self.between = between
        self.shuffle = random.Random(0)
        self.inclusive = True

    def fetch(self, spot: Spot) -> list[dict[str, Any]]:
        self.between(self, self.calls)
        self.calls += 1
        asked: Any = spot.request().get("filter", {})
        page = spot.page
        least = datetime.fromisoformat(asked["updated_since"]) if asked else START - timedelta(days=1)
        rows = [(at, n) for n, at in self.changed.items() if self._stamp(at) >= least]
        rows = rows if self.inclusive else [row for row in rows if self._stamp(row[0]) > least]
        self.shuffle.shuffle(rows)
        rows.sort(key=lambda row: row[0])  # within a second in no order at all, as databases do
        chosen = rows[(page - 1) * PAGE_SIZE : page * PAGE_SIZE]
        return [{"id": f"c{n}", "updated_at": self._stamp(at).isoformat()} for at, n in chosen]

    def _stamp(self, seconds: int) -> datetime:
        return START + timedelta(seconds=seconds)


def walk(
    fetch: Callable[[Spot], list[dict[str, Any]]], spot: Spot | None = BEGINNING
) -> Iterator[tuple[Spot, list[Record]]]:
    """What whoever walks does: drop whom it has met."""
    met: set[object] = set()
    while spot is not None:
        records = fetch(spot)
        yield spot, [*records]
        spot = spot.after(records, [record["id"] not in met for record in records])
        met |= {record["id"] for record in records}


def ids(lists: Lists) -> Iterator[str]:
    for _, records in walk(lists.fetch):
        yield from (str(record["id"]) for record in records)


def everybody(lists: Lists) -> set[str]:
    return {f"c{n}" for n in lists.changed}


@pytest.mark.parametrize("number", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE])
@pytest.mark.parametrize("inclusive", [True, False])
def test_everybody_is_met(number: int, inclusive: bool) -> None:
    lists = Lists(list(range(0, 5 * number, 5)))
    lists.inclusive = inclusive

    assert set(ids(lists)) == everybody(lists)
    assert lists.calls <= number // (PAGE_SIZE - 1) + 1


@given(st.lists(st.integers(0, 6), max_size=700), st.randoms(use_true_random=False))
def test_nobody_is_missed_among_many_changed_in_the_same_second(seconds: list[int], chance: random.Random) -> None:
    lists = Lists(seconds)
    lists.shuffle = random.Random(1)
    stable = list(range(len(seconds)))
    chance.shuffle(stable)
    lists.shuffle.shuffle = lambda rows: rows.sort(key=lambda row: stable[row[1]])  # type: ignore[method-assign]

    assert set(ids(lists)) == everybody(lists)


def test_a_second_without_any_order_is_read_until_a_round_meets_nobody_new() -> None:
    once = Lists([0] * 250)  # every call shuffles anew, so that one round misses about a quarter
    first_round = {record["id"] for page in (1, 2, 3) for record in once.fetch(Spot(START.isoformat(), page))}
    lists = Lists([0] * 250)

    met = set(ids(lists))

    assert len(first_round) < 220
    assert len(met) > 240
    assert lists.calls > 2 * 3


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_nobody_is_missed_whatever_is_edited_added_or_deleted_meanwhile(seed: int) -> None:
    chance = random.Random(seed)

    def life(lists: Lists, call: int) -> None:
        if call > 12:
            return
        for _ in range(chance.randint(0, 8)):
            what, whom = chance.choice(["edit", "add", "delete"]), chance.choice(list(lists.changed))
            if what == "delete":
                del lists.changed[whom]
            else:
                lists.changed[whom if what == "edit" else max(lists.changed) + 1] = 10_000 + call
        ever.update(everybody(lists))

    lists = Lists(list(range(0, 1000, 2)), between=life)
    ever: set[str] = set()

    met = set(ids(lists))

    assert everybody(lists) <= met <= ever


def test_a_customer_that_does_not_say_when_it_was_changed_is_met_too() -> None:
    records = [{"id": n, "updated_at": None} for n in range(PAGE_SIZE + 10)]
    records += [{"id": n, "updated_at": START.isoformat()} for n in range(1000, 1000 + PAGE_SIZE)]

    def fetch(spot: Spot) -> list[dict[str, Any]]:
        rows = [row for row in records if row["updated_at"]] if spot.since else records
        return rows[(spot.page - 1) * PAGE_SIZE : spot.page * PAGE_SIZE]

    met = {record["id"] for _, page in walk(fetch) for record in page}

    assert met == {record["id"] for record in records}


def test_the_walk_can_be_taken_up_at_any_spot() -> None:
    lists = Lists(list(range(500)))
    pages = list(walk(lists.fetch))

    again = {record["id"] for _, records in walk(lists.fetch, pages[3][0]) for record in records}

    before = {record["id"] for _, records in pages[:3] for record in records}
    assert before | again == everybody(lists)
    assert len(again) < 300


def test_where_to_go_next_is_known_before_the_page_was_looked_through_but_for_the_end_of_a_round() -> None:
    same = [{"id": n, "updated_at": START.isoformat()} for n in range(PAGE_SIZE)]
    later = [{"id": n, "updated_at": (START + timedelta(seconds=n)).isoformat()} for n in range(PAGE_SIZE)]
    here = START.isoformat()

    assert not Spot(here, 1).ends_a_round(same)
    assert not Spot(here, 1).ends_a_round(later)
    assert not Spot(here, 2).ends_a_round(same)
    assert Spot(here, 2).ends_a_round(later)
    assert Spot(here, 2, met=1).after(later, [False] * PAGE_SIZE) == Spot(here)
    assert Spot(here, 2).after(later, [False] * PAGE_SIZE) == Spot(moment_of(later[-1]))


def test_times_are_brought_into_one_form() -> None:
    assert moment_of({"updated_at": "2026-11-25T11:00:00.500+01:00"}) == "2026-11-25T10:00:00+00:00"
    assert moment_of({"updated_at": "2026-11-25T11:00:00"}) == ""
    assert moment_of({"updated_at": "yesterday"}) == moment_of({}) == ""
