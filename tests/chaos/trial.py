"""One trial: one scenario with one seed against one pipeline, from start to verdict."""

import argparse
import contextlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import redis

from tests.chaos.checker import Evidence, Verdict, check, percentile
from tests.chaos.directed import DIRECTED
from tests.chaos.scenarios import BY_NAME as UNDIRECTED
from tests.chaos.scenarios import Scenario
from tests.chaos.system import System, service, stock

BY_NAME = UNDIRECTED | {scenario.name: scenario for scenario in DIRECTED}
QUIET_WITHIN = 150.0


def trial(scenario: Scenario, seed: int, *, baseline: bool = False, keep: bool = False) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="tltw-chaos-"))
    fsync = "always" if seed % 2 else "everysec"
    try:
        made = (
            stock(folder, seed, scenario.manners, fsync=fsync)
            if baseline
            else service(folder, seed, scenario.manners, limit=scenario.limit, fsync=fsync)
        )
        with made as system:
            return _run(system, scenario, seed, baseline=baseline, fsync=fsync)
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _run(system: System, scenario: Scenario, seed: int, *, baseline: bool, fsync: str) -> dict[str, Any]:
    began = time.time()
    system.traffic.create(scenario.customers)
    scenario.prepare(system)
    system.traffic.start()
    scenario.run(system, scenario.seconds)
    system.heal()
    system.traffic.stop()
    healed = system.history.add("healed")
    converged = _wait_until_right(system, scenario)
    quiet = _wait_until_quiet(system)
    left_over = system.left_over()
    evidence = system.evidence(limit=scenario.limit, may_forget=scenario.may_forget)
    verdict = check(evidence)
    story = {
        "scenario": scenario.name,
        "number": scenario.number,
        "seed": seed,
        "baseline": baseline,
        "fsync": fsync,
        "redis": system.store.version,
        "seconds": round(time.time() - began, 1),
        "converged_s": None if converged is None else round(converged - healed, 1),
        "quiet_s": None if quiet is None else round(quiet - healed, 1),
        "first_sync_after": _first_syncs(evidence),
        "broken": [*verdict.broken, *system.broken],
        "left_over": left_over,
        "figures": system.figures,
    }
    return story | _counts(system, evidence, verdict)


def _counts(system: System, evidence: Evidence, verdict: Verdict) -> dict[str, Any]:
    traffic = system.traffic
    faults: dict[str, int] = {}
    for fault in evidence.faults:
        faults[fault.kind] = faults.get(fault.kind, 0) + 1
    return {
        "accepted": len(evidence.accepted),
        "dead": _dead(system),
        "customers": len({event.customer for event in evidence.accepted}),
        "refused": traffic.refused,
        "no_answer": traffic.no_answer,
        "slow": traffic.slow,
        "upserts": len(evidence.writes),
        "faults": faults,
        "wrong": verdict.wrong,
        "lost": verdict.lost,
        "overlaps": verdict.overlaps,
        "backward_writes": verdict.backward_writes,
        "calls_per_minute": verdict.most_calls_per_minute,
        "rss_mb": round(evidence.rss_mb),
        "store_mb": round(evidence.store_mb, 1),
        "ingress_ms": _milliseconds(traffic.latencies),
        "end_to_end": _latencies(evidence),
        "recovery": {kind: [round(one, 2) for one in values] for kind, values in verdict.recovery.items()},
    }


def _wait_until_right(system: System, scenario: Scenario) -> float | None:
    end = time.monotonic() + scenario.right_within
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if not system.wrong():
                return system.history.add("converged")
        time.sleep(0.2)
    return None


def _wait_until_quiet(system: System) -> float | None:
    end = time.monotonic() + QUIET_WITHIN
    while time.monotonic() < end:
        with contextlib.suppress(redis.RedisError):
            if system.pending() == 0:
                return system.history.add("quiet")
        time.sleep(0.3)
    return None


def _first_syncs(evidence: Evidence) -> dict[str, list[float]]:
    """Per kind of fault: how long after its end the first write reached Twikey."""
    found: dict[str, list[float]] = {}
    for fault in evidence.faults:
        after = [write.started - fault.end for write in evidence.writes if write.started > fault.end]
        if after:
            found.setdefault(fault.kind, []).append(round(min(after), 2))
    return found


def _dead(system: System) -> dict[str, int]:
    """How many dead letters there are at the end, by reason."""
    reasons: dict[str, int] = {}
    for letter in system.services.ledger("default").dead_letters() if system.services else ():
        reason = f"{letter.story.reason} {letter.story.api} {letter.story.status or ''} {letter.story.sentence}".strip()
        reasons[reason] = reasons.get(reason, 0) + 1
    return reasons


def _latencies(evidence: Evidence) -> dict[str, float | None]:
    first: list[float] = []
    for event in evidence.accepted:
        done = [
            w.ended or w.started for w in evidence.writes if w.customer == event.customer and w.version >= event.version
        ]
        if done:
            first.append(max(0.0, min(done) - event.at) * 1000)
    return {"p50": _round(percentile(first, 0.5)), "p99": _round(percentile(first, 0.99))}


def _milliseconds(seconds: list[float]) -> dict[str, float | None]:
    values = [one * 1000 for one in seconds]
    parts = {"p50": 0.5, "p99": 0.99, "max": 1.0}
    return {name: _round(percentile(values, part)) for name, part in parts.items()}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario", choices=sorted(BY_NAME))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--baseline", action="store_true")
    parser.add_argument("--keep", action="store_true", help="keep logs and history")
    parser.add_argument("--out", type=Path, help="append the result here, as a JSON line")
    options = parser.parse_args()
    if reason := BY_NAME[options.scenario].why_not():
        print(f"{options.scenario} was not run: {reason}.")
        raise SystemExit(0)
    result = trial(BY_NAME[options.scenario], options.seed, baseline=options.baseline, keep=options.keep)
    if options.out:
        with options.out.open("a") as file:
            file.write(json.dumps(result) + "\n")
    shown = {key: value for key, value in result.items() if key not in ("recovery", "first_sync_after")}
    print(json.dumps(shown))
    raise SystemExit(bool(result["broken"]) and not options.baseline)


if __name__ == "__main__":
    main()
