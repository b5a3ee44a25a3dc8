"""Every mutant still fits the code it changes: one that does not stops `make mutants`, and those after it prove nothing."""

import pytest

from sandbox.deployment import ROOT
from tests.chaos import mutants as chaos
from tests.mutants import run as mutants


@pytest.mark.parametrize("mutant", mutants.MUTANTS, ids=lambda mutant: mutant.name)
def test_what_a_mutant_changes_stands_exactly_once_in_its_file(mutant):
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert all((ROOT / test).exists() for test in mutant.tests)


@pytest.mark.parametrize("mutant", chaos.MUTANTS, ids=lambda mutant: mutant.safety)
def test_what_a_mutant_of_the_chaos_run_changes_stands_exactly_once_in_its_file(mutant):
    assert (ROOT / "workers" / "ledger" / mutant.file).read_text(encoding="utf-8").count(mutant.line) == 1
