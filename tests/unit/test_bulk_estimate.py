"""Counting a list that does not tell its length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.bulk.estimate import NEAR_ENOUGH, About, about
from workers.bulk.walk import PAGE_SIZE


def counted(total: int) -> tuple[About, int]:
    calls = []

    def length(page: int) -> int:
        calls.append(page)
        return max(0, min(PAGE_SIZE, total - (page - 1) * PAGE_SIZE))

    return about(length), len(calls)


@given(st.integers(0, 3_000_000))
def test_the_estimate_is_near_and_cheap(total: int) -> None:
    found, calls = counted(total)

    assert abs(found.number - total) <= max(PAGE_SIZE, total * NEAR_ENOUGH)
    assert not found.exact or found.number == total
    assert calls <= 24


@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 199, 250])
def test_a_small_account_is_counted_exactly(total: int) -> None:
    assert counted(total)[0] == About(total, exact=True)


def test_an_account_of_one_page_costs_one_call() -> None:
    assert counted(7) == (About(7, exact=True), 1)


def test_in_words() -> None:
    assert str(About(1234, exact=True)) == "1,234"
    assert str(About(98_765, exact=False)) == "about 99,000"
