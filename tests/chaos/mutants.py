"""Takes one safety out of the ledger at a time, in a copy of the project; the checker must go red each time: `make chaos-mutants`."""

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.deployment import ROOT
from tests.chaos.directed import DIRECTED
from tests.chaos.run import one_trial
from tests.chaos.scenarios import Scenario

PACKAGES = ("ingress", "workers", "mapping", "config", "sandbox", "tests")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A safety, the line it lives in, what the line becomes, and the scenario that needs it."""

    safety: str
    file: str
    line: str
    becomes: str
    scenario: Scenario


MUTANTS = (
    Mutant(
        "the lease", "claim.lua", "if number('l') > now then return refused('leased', number('l')) end", "", DIRECTED[0]
    ),
    Mutant("want", "commit.lua", "if get('w') ~= seen then", "if false then", DIRECTED[1]),
    Mutant("verify", "claim.lua", "if get('t') then redis.call('HSET', SUBJECT, 'v', '1') end", "", DIRECTED[2]),
    Mutant("still mine?", "still_mine.lua", "if get('t') ~= token then return 'lost' end", "", DIRECTED[3]),
)


def broken_by(mutant: Mutant) -> list[str]:
    """What the checker says about a project without this safety. Raises ValueError when the line is not there once."""
    with tempfile.TemporaryDirectory(prefix="tltw-mutant-") as folder:
        root = copy_of_the_project(Path(folder))
        script = root / "workers" / "ledger" / mutant.file
        text = script.read_text()
        if text.count(mutant.line) != 1:
            raise ValueError(f"{mutant.file} does not hold this line once: {mutant.line}")
        script.write_text(text.replace(mutant.line, mutant.becomes))
        result: dict[str, Any] = one_trial(mutant.scenario, 1, False, root)
        return list(result["broken"])


def copy_of_the_project(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Procfile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def main() -> None:
    # They mostly wait for leases to end.
    with ThreadPoolExecutor(3) as pool:
        sound = pool.map(lambda mutant: one_trial(mutant.scenario, 1, False)["broken"], MUTANTS)
        found = pool.map(broken_by, MUTANTS)
    caught = 0
    for mutant, without, with_it in zip(MUTANTS, found, sound, strict=True):
        is_caught = bool(without) and not with_it and not any("trial itself" in one for one in without)
        caught += is_caught
        print(f"{'caught' if is_caught else 'MISSED':7} without {mutant.safety}: {'; '.join(without) or 'nothing'}")
        if with_it:
            print(f"        but the whole project breaks too: {'; '.join(with_it)}")
    print(f"{caught} of {len(MUTANTS)} caught.")
    raise SystemExit(caught != len(MUTANTS))


if __name__ == "__main__":
    main()
