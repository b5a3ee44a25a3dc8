"""The order in which tests run side by side: it may lose none."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SLOW, in_equal_runs


@dataclass(frozen=True)
class Item:
    nodeid: str


FOLDERS = st.sampled_from([*SLOW, "tests/unit/", "tests/integration/"])


@given(st.lists(FOLDERS, max_size=60), st.integers(2, 8))
def test_every_test_runs_once_and_in_the_same_order_for_everybody(folders, workers):
    items = [Item(f"{folder}test_{number}.py::test") for number, folder in enumerate(folders)]

    ordered = in_equal_runs(items, workers)

    assert sorted(ordered, key=items.index) == items
    assert in_equal_runs(items, workers) == ordered


def test_each_worker_begins_with_a_slow_folder_of_its_own():
    items = [Item(f"{folder}test_{number}.py::test") for folder in (*SLOW, "tests/unit/") for number in range(9)]

    ordered = in_equal_runs(items, 3)

    assert [ordered[first].nodeid.partition("test_")[0] for first in (0, 12, 24)] == list(SLOW)
