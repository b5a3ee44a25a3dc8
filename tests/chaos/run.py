"""Runs the scenarios over many seeds and writes docs/reliability.md: `make chaos MINUTES=30 SEED=1`.

Every trial is a process of its own with a deployment of its own, so that one cannot disturb another.
"""

import argparse
import itertools
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.deployment import ROOT
from tests.chaos.report import write_report
from tests.chaos.scenarios import BY_NAME, SCENARIOS, Scenario

LONGEST_TRIAL = 600
Job = tuple[Scenario, int, bool]


def jobs(scenarios: list[Scenario], first_seed: int, *, rounds: int | None = None) -> Iterator[Job]:
    """Every scenario once per round, each trial with a seed of its own; in the first rounds some by the stock pipeline too."""
    seeds = itertools.count(first_seed)
    chance = random.Random(first_seed)
    for turn in itertools.count() if rounds is None else range(rounds):
        order = list(scenarios)
        chance.shuffle(order)
        for scenario in order:
            seed = next(seeds)
            yield scenario, seed, False
            if turn < scenario.baseline:
                yield scenario, seed, True


def run(wanted: Iterator[Job], *, minutes: float, lanes: int, keep: Path | None) -> list[dict[str, Any]]:
    """Starts trials until the time is up (or nothing is wanted any more), then waits for the last ones.

    `keep`: a file that holds the results so far, at any time.
    """
    began = time.time()
    ends, lock = time.monotonic() + minutes * 60, threading.Lock()
    results: list[dict[str, Any]] = []

    def lane() -> None:
        while time.monotonic() < ends:
            with lock:
                job = next(wanted, None)
            if job is None:
                return
            result = one_trial(*job)
            with lock:
                results.append(result)
                print(line_of(result), flush=True)
                if keep:
                    so_far = {"began": began, "ended": time.time(), "lanes": lanes, "trials": results}
                    keep.write_text(json.dumps(so_far))

    threads = [threading.Thread(target=lane) for _ in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def one_trial(scenario: Scenario, seed: int, baseline: bool, root: Path = ROOT) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="tltw-trial-"))
    out = folder / "result.json"
    command = [sys.executable, "-m", "tests.chaos.trial", scenario.name, "--seed", str(seed), "--out", str(out)]
    log = folder / "log"
    try:
        with log.open("wb") as file:
            subprocess.run(
                command + ["--baseline"] * baseline,
                cwd=root,
                stdout=file,
                stderr=file,
                timeout=LONGEST_TRIAL,
                check=False,
            )
        result: dict[str, Any] = json.loads(out.read_text())
    except (subprocess.TimeoutExpired, OSError, ValueError):
        lines = log.read_text(errors="replace").strip().splitlines() or ["no output"]
        result = {"broken": [f"the trial itself failed: {lines[-1][:200]}"]}
        result |= {"scenario": scenario.name, "number": scenario.number, "seed": seed, "baseline": baseline}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return result


def line_of(result: dict[str, Any]) -> str:
    who = "stock" if result["baseline"] else "ours "
    said = [
        f"{name} {result[name]}" for name in ("accepted", "wrong", "lost", "converged_s", "quiet_s") if name in result
    ]
    verdict = "; ".join(result["broken"]) or "ok"
    return f"{who} {result['scenario']:24} seed {result['seed']:5}  {', '.join(said)}  {verdict}  {result.get('figures', '')}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, help="stop after so many rounds of the scenarios instead")
    parser.add_argument("--seed", type=int, default=1, help="the first seed; each trial takes the next one")
    parser.add_argument("--scenario", action="append", choices=sorted(BY_NAME), help="only this one; may be repeated")
    parser.add_argument("--lanes", type=int, default=3, help="trials side by side")
    parser.add_argument("--report", type=Path, help="write the report here")
    parser.add_argument("--results", type=Path, help="keep the results here, as JSON")
    parser.add_argument("--from-results", type=Path, help="run nothing: write the report of these results")
    parser.add_argument("--note", action="append", default=[], help="a remark for the report; may be repeated")
    options = parser.parse_args()
    if options.from_results:
        results = json.loads(options.from_results.read_text())
    else:
        chosen = [BY_NAME[name] for name in options.scenario] if options.scenario else list(SCENARIOS)
        skipped = {one.name: one.why_not() for one in chosen if one.why_not()}
        for name, reason in skipped.items():
            print(f"{name} is not run: {reason}.")
        wanted = jobs([one for one in chosen if one.name not in skipped], options.seed, rounds=options.rounds)
        began = time.time()
        found = run(wanted, minutes=options.minutes, lanes=options.lanes, keep=options.results)
        results = {"began": began, "ended": time.time(), "lanes": options.lanes, "trials": found, "skipped": skipped}
    results["notes"] = results.get("notes", []) + options.note
    if options.results:
        options.results.write_text(json.dumps(results))
    if options.report:
        write_report(results, options.report)
    bad = [one for one in results["trials"] if one["broken"] and not one["baseline"]]
    print(f"{len(results['trials'])} trials, {len(bad)} of ours broke an invariant.")
    raise SystemExit(bool(bad))


if __name__ == "__main__":
    main()
