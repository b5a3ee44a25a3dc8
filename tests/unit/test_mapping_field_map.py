"""The page for bookkeepers says what the code does, and the records fit the table."""

import subprocess
import sys
from pathlib import Path

import pytest

from mapping.table import FIELD_MAP, Field

ROOT = Path(__file__).parents[2]
COMMAND = "python -m mapping.field_map > docs/field-map.md"


def test_the_page_is_what_the_table_says_today() -> None:
    command = [sys.executable, "-W", "error", "-m", "mapping.field_map"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)

    written = (ROOT / "docs" / "field-map.md").read_bytes()

    assert printed.stdout == written, f"docs/field-map.md is out of date; refresh it with: {COMMAND}"


@pytest.mark.parametrize("field", FIELD_MAP, ids=lambda field: field.name)
def test_every_field_has_a_source_and_a_rule_that_fit_one_row_of_a_page(field: Field) -> None:
    sources = [source.words for source in (field.company, field.person) if source]

    assert sources
    assert all("|" not in text and "\n" not in text for text in (*sources, field.rule, field.label))


def test_no_field_stands_twice_in_the_table() -> None:
    names = [field.name for field in FIELD_MAP]

    assert len(names) == len(set(names))
