"""Writes docs/reliability.md from the results of a run: figures in tables, and in words what is not promised."""

import math
import platform
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.chaos.checker import percentile

Trial = dict[str, Any]
# The scenario in which webhooks get lost, and a sweep over Teamleader finds what they would have told.
MISSED_WEBHOOKS = 22
NOT_PROMISED = """\
## What is not promised

- **Power loss.** With `appendfsync everysec` (our default, docs/decisions/0005) Redis may lose what it took in during the last
  second or so; with `always` it may not. The row *power loss* cuts up to 60 kB off the end of the file, far more than a second
  of this traffic, to see what happens then: the customers of the lost events stay as they were until the next sweep, ten minutes
  at most, which the row includes. An invoice that was forgotten is found by the sweep as well; what an operator asked is not.
- **A hosted Redis without persistence** loses all that is owed when it restarts. `tltw doctor` and `/readyz` say so in red.
- **A store whose own clock jumps.** Leases, waits and limits go by the store's clock. Ahead, it ends every lease at once, and two
  workers may write one customer at the same time; it is written once more afterwards. Back by five minutes, it holds what is due
  for five minutes. The clocks of all other machines may jump (row *clocks stepped*).
- **A process that is frozen for longer than its lease, exactly between its last look and its write**, can put an older state
  over a newer one. Twikey has no conditional write, so nobody can prevent that; it heals within two leases (40 s).
- **A refresh token that dies with its process.** Teamleader's refresh tokens work once. A process that is killed after
  Teamleader answered and before we stored the new pair costs the connection: when nobody came back with the new pair within a
  minute, work is held and a person is told to reconnect; nothing is lost.
- **The state of a customer that ended as a dead letter** waits for a person; it is counted above as dead, not as lost.
"""
FOUND_BY_THE_SWEEP = """\
- **Webhooks that Teamleader never sends** are found by the sweep, so such a customer is right again within ten minutes and the time
  of the sweep (scenarios *missed webhooks* and *kill -9 in a sweep*), not within moments. An edit within two seconds of adding
  looks like adding alone, which by itself brings nobody to Twikey.
"""
NEVER_SENT = """\
- **Webhooks that Teamleader never sends** are not seen here: no sweep over Teamleader was part of what ran. A customer is right
  again after its next edit.
"""


def write_report(results: dict[str, Any], path: Path) -> None:
    path.write_text(report(results))


def report(results: dict[str, Any]) -> str:
    trials: list[Trial] = results["trials"]
    ours = [one for one in trials if not one["baseline"] and "accepted" in one]
    stock = [one for one in trials if one["baseline"] and "accepted" in one]
    failed = [one for one in trials if "accepted" not in one]
    parts = [
        _head(results, ours, stock, failed),
        *(f"> {note}\n" for note in results.get("notes", ())),
        _targets(ours),
        _table_of_scenarios(ours),
        _beside_stock(ours, stock),
        _recovery(ours),
        _ingress(ours),
        _figures(ours),
        _faults(ours),
        _broken(ours, failed),
        NOT_PROMISED + (FOUND_BY_THE_SWEEP if _ran(ours, MISSED_WEBHOOKS) else NEVER_SENT),
        _not_run(ours, results.get("skipped", {})),
        _how(ours),
    ]
    return "\n".join(part.rstrip() + "\n" for part in parts if part)


def _head(results: dict[str, Any], ours: list[Trial], stock: list[Trial], failed: list[Trial]) -> str:
    minutes = (results["ended"] - results["began"]) / 60
    dead = sum(sum(one["dead"].values()) for one in ours)
    day = datetime.fromtimestamp(results["began"], UTC).date()
    return f"""# Reliability: what was broken, and what held

Written by `make chaos`; do not edit. A run of {minutes:.0f} minutes on {day}, {results["lanes"]} trials side by side on a machine of two cores, each
trial with our real processes (web, two workers, clock), a real Redis with an append-only file behind a proxy that makes bad weather,
and the simulated Teamleader and Twikey. Every edit carries a version, so what was accepted, read and written can be compared.

| | |
|---|---|
| trials, seeds | {len(ours)} of ours, {len(stock)} of the stock pipeline; {len({one["seed"] for one in ours})} different seeds |
| events accepted | {_sum(ours, "accepted"):,} |
| faults injected | {sum(sum(one["faults"].values()) for one in ours):,} |
| **wrong customers** after healing | **{_sum(ours, "wrong")}** of {_sum(ours, "customers"):,} |
| **lost events** | **{_sum(ours, "lost")}** |
| dead letters left for a person | {dead} |
| trials in which an invariant broke | {sum(bool(one["broken"]) for one in ours)} |
| trials that did not come to a verdict | {len(failed)} |
| versions | Redis {ours[0]["redis"] if ours else "?"}, {_versions()} |

*Wrong*: Twikey differs from Teamleader for a customer with an accepted event. *Lost*: an accepted event that is newer than what Twikey
holds at the end. *Converged*: from the end of the faults, when everything was accepted, until no customer is wrong; *quiet* when
nothing is owed any more either (a customer whose worker died is looked at once more after two leases, 40 s).
"""


def _targets(ours: list[Trial]) -> str:
    """The figures that were to be reached, and what they came to."""
    killed = _owed(ours).get("kill -9 worker", [])
    outage = [value for one in ours for value in one["first_sync_after"].get("Redis kill -9, down 30 s", [])]
    answers = _sum(ours, "accepted") + _sum(ours, "refused")
    longest = max((one["ingress_ms"]["max"] or 0.0) / 1000 for one in ours)
    over = sum("I6" in sentence for one in ours for sentence in one["broken"])
    return f"""## Figures to reach

| | to reach | reached |
|---|---|---|
| wrong customers, lost events | 0, 0 | {_sum(ours, "wrong")}, {_sum(ours, "lost")} |
| recovery after kill -9 of a worker, p99 | 22 s (lease + 2 s) | {_s(killed, 0.99)} s over {len(killed)} owed events |
| first write after a Redis outage of 30 s, worst | 5 s | {_s(outage, 1.0)} s over {len(outage)} outages |
| longest answer of the web process | 3 s | {longest:.1f} s; {_sum(ours, "slow")} of {answers:,} answers took longer than 3 s |
| trials with calls over the limit, or while a 429 asked us to wait | 0 | {over} |

The workers are killed every 2 to 5 s for 40 s. A customer that a worker had in hand when it was killed is free when its lease
ends, 20 s later; when the next worker is killed with it too, it waits for another lease, and is counted from that second death.
Everybody else is counted from every kill that he met.
"""


def _owed(ours: list[Trial]) -> dict[str, list[float]]:
    """Per kind of fault, the recovery times of all trials that have no fault of another nature in the way."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in ours:
        if one["scenario"] not in ("power loss", "OAuth", "operator replay", "old dead letters"):
            for kind, values in one["recovery"].items():
                found[kind] += [value for value in values if math.isfinite(value)]
    return found


def _table_of_scenarios(ours: list[Trial]) -> str:
    rows = []
    for (number, name), trials in _by_scenario(ours):
        rows.append(
            f"| {_numbered(number)} | {name} | {len(trials)} | {_sum(trials, 'accepted'):,} |"
            f" {sum(sum(one['faults'].values()) for one in trials)} | {_sum(trials, 'wrong')} | {_sum(trials, 'lost')} |"
            f" {_most(trials, 'converged_s')} | {_most(trials, 'quiet_s')} | {_sum(trials, 'overlaps')} |"
            f" {_sum(trials, 'backward_writes')} | {_ratio(trials)} |"
        )
    return "\n".join(
        [
            "## The scenarios",
            "",
            "| | scenario | trials | events | faults | wrong | lost | converged, worst (s) | quiet, worst (s) |"
            " overlapping writes | older over newer | writes per event |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _beside_stock(ours: list[Trial], stock: list[Trial]) -> str:
    if not stock:
        return ""
    rows = []
    theirs_by = _by(stock, lambda one: one["scenario"])
    for scenario, theirs in sorted(theirs_by.items(), key=lambda item: item[1][0]["number"]):
        seeds = {one["seed"] for one in theirs}
        same = [one for one in ours if one["scenario"] == scenario and one["seed"] in seeds]
        for who, trials in (("this service", same), ("stock Dramatiq", theirs)):
            rows.append(
                f"| {scenario} | {who} | {', '.join(str(one['seed']) for one in trials)} | {_sum(trials, 'accepted'):,} |"
                f" {_sum(trials, 'wrong')} of {_sum(trials, 'customers'):,} | {_sum(trials, 'lost')} | {_left_over(trials)} |"
                f" {_most(trials, 'converged_s')} | {_sum(trials, 'overlaps')} | {_sum(trials, 'backward_writes')} |"
            )
    return "\n".join(
        [
            "## The same schedule against a stock pipeline",
            "",
            "`tests/chaos/baseline/`: one Dramatiq message per webhook, Dramatiq's own retries, the Redis broker's defaults; same store,",
            "proxy, simulated systems, seeds, edits. Both get 180 s after the last fault; *never* means not within them. *Left over*: what",
            "then still lay in the queues, and was owed by the ledger. *kills of Redis and storms* is the schedule that stock retries were",
            "measured with before this service was designed (docs/decisions/0001).",
            "",
            "| scenario | pipeline | seeds | events | wrong | lost | left over | converged, worst (s) | overlapping writes | older over newer |",
            "|---|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _recovery(ours: list[Trial]) -> str:
    owed = _owed(ours)
    first: dict[str, list[float]] = defaultdict(list)
    count: dict[str, int] = defaultdict(int)
    for one in ours:
        if one["scenario"] in ("power loss", "OAuth", "operator replay", "old dead letters"):
            continue
        for kind, values in one["first_sync_after"].items():
            first[kind] += values
        for kind, times in one["faults"].items():
            count[kind] += times
    rows = [
        f"| {kind} | {count[kind]} | {len(owed.get(kind, []))} | {_s(owed.get(kind, []), 0.5)} | {_s(owed.get(kind, []), 0.99)} |"
        f" {_s(first[kind], 0.5)} | {_s(first[kind], 1.0)} |"
        for kind in sorted(count)
    ]
    return "\n".join(
        [
            "## Recovery per fault",
            "",
            "For every event that was owed when a fault ended: how long until Twikey had it. The lease is 20 s. Faults of one trial follow",
            "each other closely, so a time may hold more than one fault (what a killed worker had in hand counts from its last death).",
            "",
            "| fault | times | events owed | p50 (s) | p99 (s) | first write after, p50 (s) | worst (s) |",
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _ingress(ours: list[Trial]) -> str:
    rows = []
    for (number, name), trials in _by_scenario(ours):
        worst = {part: max((one["ingress_ms"][part] or 0.0) for one in trials) for part in ("p50", "p99", "max")}
        ends = [one["end_to_end"]["p50"] for one in trials if one["end_to_end"]["p50"] is not None]
        rows.append(
            f"| {_numbered(number)} | {name} | {worst['p50']:.0f} | {worst['p99']:.0f} | {worst['max']:.0f} | {_sum(trials, 'slow')} |"
            f" {_sum(trials, 'refused')} | {_sum(trials, 'no_answer')} | {_s([one / 1000 for one in ends], 0.5)} |"
        )
    return "\n".join(
        [
            "## The way in",
            "",
            "Answers of the web process, worst trial of each. *Refused* is 503 (the sender keeps the event), *no answer* a connection that broke.",
            "",
            "| | scenario | p50 (ms) | p99 (ms) | longest (ms) | over 3 s | refused | no answer | event to Twikey, p50 (s) |",
            "|---|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _figures(ours: list[Trial]) -> str:
    lines = []
    for scenario, trials in _by(ours, lambda one: one["scenario"]).items():
        for one in trials:
            if one["figures"]:
                said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in one["figures"].items())
                lines.append(f"- {scenario}, seed {one['seed']}: {said}")
            if one["dead"]:
                lines.append(f"- {scenario}, seed {one['seed']}: dead letters {one['dead']}")
    calls = [one["calls_per_minute"] for one in ours if one["scenario"] == "bulk edit"]
    if calls:
        lines.append(f"- bulk edit: at most {max(calls)} calls to Teamleader in any minute; 200 were allowed")
    rss, store = max(one["rss_mb"] for one in ours), max(one["store_mb"] for one in ours)
    lines.append(f"- memory: the largest process {rss} MB, Redis {store} MB at most")
    return "\n".join(["## Figures of single scenarios", "", *sorted(lines)])


def _faults(ours: list[Trial]) -> str:
    count: dict[str, int] = defaultdict(int)
    for one in ours:
        for kind, times in one["faults"].items():
            count[kind] += times
    said = ", ".join(f"{kind} {times}" for kind, times in sorted(count.items()))
    return f"## Faults by kind\n\n{said}.\n"


def _broken(ours: list[Trial], failed: list[Trial]) -> str:
    lines = [
        f"- {one['scenario']}, seed {one['seed']}: {'; '.join(one['broken'])}"
        for one in [*ours, *failed]
        if one["broken"]
    ]
    return "\n".join(["## What broke", "", *(lines or ["Nothing."])])


def _not_run(ours: list[Trial], skipped: dict[str, str]) -> str:
    lines = [f"- *{name}*: {reason}." for name, reason in skipped.items()]
    if not _ran(ours, MISSED_WEBHOOKS):
        lines.append(f"- {MISSED_WEBHOOKS} (missed webhooks): no sweep was part of what ran.")
    lines += [
        "- 11 (full disk) and 23 (eight hours) are not part of this run.",
        "- 16 (bad input), 17 (the ledger as a state machine) and 20 (half-open connections and slow senders) are tests of their",
        "  own: `make fuzz` and `make test`.",
    ]
    return "\n".join(["## What was not run", "", *lines])


def _ran(ours: list[Trial], number: int) -> bool:
    return any(one["number"] == number for one in ours)


def _how(ours: list[Trial]) -> str:
    seeds = sorted({one["seed"] for one in ours})
    shown = ", ".join(map(str, seeds))
    return f"""## Run it again

`make chaos MINUTES=30 SEED={seeds[0] if seeds else 1}` runs and writes this page; `make chaos-mutants` takes lease, `want`, `verify` and "still mine?" out of the
ledger, one at a time, and shows that the checker notices each. A single trial: `python -m tests.chaos.trial "kill -9 workers" --seed 3`.
Even seeds run Redis with `appendfsync everysec`, odd ones with `always`. Seeds of this run: {shown}.
"""


def _versions() -> str:
    words = [f"{name} {metadata.version(name)}" for name in ("dramatiq", "redis", "gunicorn", "httpx")]
    return ", ".join([*words, f"Python {platform.python_version()}"])


def _by(trials: Iterable[Trial], key: Callable[[Trial], Any]) -> dict[Any, list[Trial]]:
    found: dict[Any, list[Trial]] = defaultdict(list)
    for one in trials:
        found[key(one)].append(one)
    return found


def _by_scenario(trials: list[Trial]) -> list[tuple[tuple[int, str], list[Trial]]]:
    """By number and name, in the order of the plan: 131 is 13b and follows 13."""
    found = _by(trials, lambda one: (one["number"], one["scenario"]))
    return sorted(found.items(), key=lambda item: item[0][0] / 10 if item[0][0] > 100 else item[0][0])


def _numbered(number: int) -> str:
    return re.sub(r"(?<=..)1$", "b", str(number)) if number > 100 else str(number)


def _sum(trials: Iterable[Trial], name: str) -> int:
    return sum(one[name] for one in trials)


def _most(trials: Iterable[Trial], name: str) -> str:
    values = [one[name] for one in trials]
    return "never" if None in values else f"{max(values, default=0):.1f}"


def _left_over(trials: list[Trial]) -> str:
    counts = [one.get("left_over") for one in trials]
    return "–" if None in counts else str(sum(counts))


def _ratio(trials: list[Trial]) -> str:
    return f"{_sum(trials, 'upserts') / max(1, _sum(trials, 'accepted')):.2f}"


def _s(values: Sequence[float], part: float) -> str:
    found = percentile(values, part)
    return "–" if found is None else f"{found:.1f}"
