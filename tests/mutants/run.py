"""Takes out one safety at a time and shows which test notices. A mutant that survives is a promise nobody checks.

make mutants
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("config", "ingress", "mapping", "sandbox", "tests", "workers", "pyproject.toml", "Procfile", "docs")
FAST = ("tests/integration/ledger", "tests/unit/test_ledger_model.py")
JOBS = ("tests/integration/bulk/test_jobs.py",)
PACE = ("tests/integration/clients/test_clients_bulk_pace.py",)
SWEEP = ("tests/unit/test_bulk_decisions.py", "tests/integration/bulk/test_sweep.py")
# The quick ones first: a mutant is done with at the first test that fails.
CONSOLE = ("tests/integration/test_sessions.py", "tests/integration/test_sign_in.py", "tests/unit/console")
ALERTS = (
    "tests/unit/test_alerts_decide.py",
    "tests/integration/alerts/test_alerts_book.py",
    "tests/integration/alerts/test_alerts_deliver.py",
)


@dataclass(frozen=True)
class Mutant:
    """One change of one file; `old` must stand there exactly once. `tests`: those that should notice."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = FAST


MUTANTS = (
    Mutant(
        "the lease is ignored: two workers at once",
        "workers/ledger/claim.lua",
        "if number('l') > now then return refused('leased', number('l')) end",
        "",
    ),
    Mutant(
        "still mine? is not asked: an overtaken worker writes",
        "workers/ledger/still_mine.lua",
        "if get('t') ~= token then return 'lost' end",
        "",
    ),
    Mutant(
        "the second look at auto-update is left out",
        "workers/ledger/still_mine.lua",
        "if gated and not auto_update_on() then return 'off' end",
        "",
    ),
    Mutant(
        "want is constant: a change during the work is forgotten",
        "workers/ledger/commit.lua",
        "if get('w') ~= seen then",
        "if false then",
    ),
    Mutant(
        "no verification after a takeover",
        "workers/ledger/claim.lua",
        "if get('t') then redis.call('HSET', SUBJECT, 'v', '1') end",
        "",
    ),
    Mutant(
        "the fingerprint is kept while a write is uncertain",
        "workers/ledger/still_mine.lua",
        "if writes then redis.call('HDEL', SUBJECT, 'h') end",
        "",
    ),
    Mutant(
        "a lost lease is not looked at again",
        "workers/ledger/common.lua",
        "  want(causes, '', now)\n  record('lost')",
        "  record('lost')",
    ),
    Mutant(
        "claims without an end are not counted",
        "workers/ledger/claim.lua",
        "redis.call('HINCRBY', SUBJECT, 'c', 1)",
        "",
    ),
    Mutant(
        "bulk: the lease is ignored: two processes do the same step",
        "workers/bulk/take.lua",
        "if number('lease') > now then",
        "if false then",
        JOBS,
    ),
    Mutant(
        "bulk: who was taken over commits all the same",
        "workers/bulk/commit.lua",
        "if get('token') ~= token then return 'lost' end",
        "",
        JOBS,
    ),
    Mutant(
        "bulk: two operators get two jobs",
        "workers/bulk/start.lua",
        "if under_way() or get('state') == 'paused' then return {0, record()} end",
        "",
        JOBS,
    ),
    Mutant(
        "bulk: live work does not halve what bulk work may take",
        "workers/clients/teamleader/rate_limit.lua",
        "local share = live and math.max(1, math.floor(wanted / 2)) or all",
        "local share = all",
        PACE,
    ),
    Mutant(
        "bulk: nothing is left free for a live edit",
        "workers/clients/teamleader/rate_limit.lua",
        "local all = math.max(1, wanted - tonumber(ARGV[3]))",
        "local all = wanted",
        PACE,
    ),
    Mutant(
        "sweep: a second counts as seen before it is over",
        "workers/sync/freshness.py",
        "is_over = updated_at + SECOND <= read_at",
        "is_over = True",
        SWEEP,
    ),
    Mutant(
        "sweep: the complete point moves before all lists are done",
        "workers/bulk/sweep.py",
        "    if finished:\n",
        "    if True:\n",
        SWEEP,
    ),
    Mutant(
        "sweep: an answer without a list is the end of the list",
        "workers/clients/teamleader/protocol.py",
        'raise Unavailable("teamleader", f"Teamleader\'s answer to {action} holds no list")',
        "return []",
        SWEEP,
    ),
    Mutant(
        "sweep: pages by position, so that an edit between two pages hides somebody",
        "workers/bulk/walk.py",
        "return len(records) >= PAGE_SIZE and self.is_of_before(records[-1])",
        "return len(records) >= PAGE_SIZE",
        ("tests/unit/test_bulk_walk.py",),
    ),
    Mutant(
        "the console takes a form without its token",
        "ingress/console/gate.py",
        "or not csrf.valid(here.cookie, given)",
        "",
        CONSOLE,
    ),
    Mutant(
        "the console answers to any host name",
        "ingress/console/gate.py",
        "if host_of(request) not in hosts:",
        "if False:",
        CONSOLE,
    ),
    Mutant(
        "the role of an operator is not asked for",
        "ingress/console/gate.py",
        "if need.role is not None and not may:",
        "if False:",
        CONSOLE,
    ),
    Mutant(
        "the limits of an operator are not asked for",
        "ingress/console/here.py",
        "if not self.operator.may_see(name):",
        "if False:",
        CONSOLE,
    ),
    Mutant(
        "signing in keeps the session id of before",
        "ingress/console/pages/sign_in.py",
        "here.cookie = sessions.begin(",
        "sessions.begin(",
        CONSOLE,
    ),
    Mutant(
        "a session outlives a new password",
        "workers/sessions.py",
        "or operator.epoch != epoch",
        "",
        CONSOLE,
    ),
    Mutant(
        "a session never becomes too old",
        "workers/session_look.lua",
        "math.min(ARGV[1], session[6] - now)",
        "ARGV[1]",
        CONSOLE,
    ),
    Mutant(
        "guessing a password is not slowed down",
        "workers/sign_in_try.lua",
        "if wait > 0 then return math.ceil(wait) end",
        "",
        CONSOLE,
    ),
    Mutant(
        "the book of alerts is not watched: two clocks tell the same",
        "workers/alerts/book.py",
        "pipeline.watch(ALERTS_BOOK)",
        "pipeline.watch(ALERTS_RAISED)",
        ALERTS,
    ),
    Mutant(
        "what was raised is forgotten as a whole, also what came meanwhile",
        "workers/alerts/book.py",
        "pipeline.hincrby(ALERTS_RAISED, name.decode(), -int(number))",
        "pipeline.hdel(ALERTS_RAISED, name)",
        ALERTS,
    ),
    Mutant(
        "an alert counts as sent before it is: a clock that dies loses it",
        "workers/alerts/deliver.py",
        "    key = alert_channel(channel.name)\n    try:\n",
        "    key = alert_channel(channel.name)\n    store.hset(key, 'place', waiting.place)\n    try:\n",
        ALERTS,
    ),
    Mutant(
        "a kind is told again as soon as somebody joins",
        "workers/alerts/decide.py",
        "(joined and silent_for >= JOINED_AFTER)",
        "joined",
        ALERTS,
    ),
    Mutant(
        "what comes back at once is told as if it were new",
        "workers/alerts/decide.py",
        "told=None, told_number=0, relapsed=True)",
        "told=None, told_number=0)",
        ALERTS,
    ),
)


def main() -> int:
    everything = tuple(dict.fromkeys(test for mutant in MUTANTS for test in mutant.tests))
    if failing := run(None, everything):
        sys.exit(f"Without any mutant {failing} fails already: nothing would be proved.")
    survivors = 0
    for mutant in MUTANTS:
        caught_by = run(mutant, mutant.tests)
        survivors += caught_by is None
        print(f"{'caught' if caught_by else 'SURVIVED':<9} {mutant.name}\n          {caught_by or ''}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} caught")
    return 1 if survivors else 0


def run(mutant: Mutant | None, tests: tuple[str, ...]) -> str | None:
    """The first test that fails with the mutant (or none) in place; None when all pass."""
    with tempfile.TemporaryDirectory(prefix="tltw-mutant-") as folder:
        copy = Path(folder)
        for name in CODE:
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, copy / name)
        if mutant:
            put_in_place(mutant, copy)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "--no-header", *tests],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    if done.returncode != 1:
        sys.exit(f"The tests did not run: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    failed = re.search(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    return failed.group(1) if failed else "a failing test"


def put_in_place(mutant: Mutant, copy: Path) -> None:
    file = copy / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        sys.exit(f"The mutant {mutant.name!r} no longer fits {mutant.file}: mend it.")
    file.write_text(text.replace(mutant.old, mutant.new))


if __name__ == "__main__":
    sys.exit(main())
