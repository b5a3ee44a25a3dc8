"""Judges the evidence of one run by the invariants I1 to I8. Pure: evidence in, findings and figures out.

Every edit of a customer carries a version, in its name and its e-mail, so that what was read, written and kept can be compared.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# How long one HTTP call of ours lives at most: after that its client has given up, whatever the server still does.
CLIENT_GIVES_UP_SECONDS = 15.0
# … and how long it waits for a first byte.
CLIENT_READS_SECONDS = 8.0
BOUNDED_RSS_MB = 200.0
BOUNDED_STORE_MB = 64.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event that was answered with 2xx: the customer, the version it told of, and the id it was given."""

    customer: str
    version: int
    event: str
    at: float


@dataclass(frozen=True, slots=True)
class Write:
    """A write that Twikey took; `ended` is None while it is still under way. `fault` is what the server did to it."""

    customer: str
    version: int
    started: float
    ended: float | None
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger's own account at the end."""

    accepted: int
    ended: int
    pending: int
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that we broke, from `start` until `end`. `clients_died`: calls under way lost their caller. `in_hand`: the
    customers that a killed worker was working on."""

    kind: str
    start: float
    end: float
    clients_died: bool = False
    paused: bool = False
    in_hand: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Evidence:
    accepted: Sequence[Accepted]
    source: Mapping[str, int]
    target: Mapping[str, int | None]
    writes: Sequence[Write]
    faults: Sequence[Fault] = ()
    books: Books | None = None
    events_in_ledger: frozenset[str] | None = None
    calls: Sequence[float] = ()
    calls_per_minute: int | None = None
    calls_after_429: int = 0
    canaries: Sequence[str] = ()
    rss_mb: float = 0.0
    store_mb: float = 0.0
    # The ledger may have forgotten what it accepted (a power loss); Twikey must be right all the same.
    may_forget: bool = False
    # Customers that a scenario kept from being synced on purpose, until a person acted: they say nothing about recovery.
    set_aside: frozenset[str] = frozenset()
    # Customers that were edited without anybody telling us: the sweep must have found them.
    missed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken`: one sentence per invariant that did not hold; empty is good."""

    broken: tuple[str, ...]
    wrong: int
    lost: int
    overlaps: int
    backward_writes: int
    unexplained_backward_writes: int
    most_calls_per_minute: int
    recovery: Mapping[str, list[float]] = field(default_factory=dict)


def check(evidence: Evidence) -> Verdict:
    told = {event.customer for event in evidence.accepted} | evidence.missed
    wrong = [one for one in told if evidence.target.get(one) != evidence.source.get(one)]
    lost = [event for event in evidence.accepted if (evidence.target.get(event.customer) or 0) < event.version]
    overlapping = overlaps(evidence.writes, evidence.faults)
    backward = backward_writes(evidence.writes)
    unexplained = [write for write in backward if not _explained(write, evidence.faults)]
    busiest = most_in_a_minute(evidence.calls)
    broken = [
        *_if(wrong, f"I1: {len(wrong)} of {len(told)} customers differ"),
        *_books(evidence),
        *_promises(evidence),
        *_if(overlapping, f"I4: {len(overlapping)} pairs of writes to one customer overlap"),
        *_if(unexplained, f"I5: {len(unexplained)} writes of an older state over a newer one"),
        *_last_writes(evidence, told),
        *_limits(evidence, busiest),
        *_if(evidence.canaries, f"I7: found in the clear: {', '.join(sorted(set(evidence.canaries)))}"),
        *_if(evidence.rss_mb > BOUNDED_RSS_MB, f"I8: a process grew to {evidence.rss_mb:.0f} MB"),
        *_if(evidence.store_mb > BOUNDED_STORE_MB, f"I8: the store grew to {evidence.store_mb:.0f} MB"),
    ]
    return Verdict(
        broken=tuple(broken),
        wrong=len(wrong),
        lost=len(lost),
        overlaps=len(overlapping),
        backward_writes=len(backward),
        unexplained_backward_writes=len(unexplained),
        most_calls_per_minute=busiest,
        recovery=recoveries(evidence),
    )


def overlaps(writes: Iterable[Write], faults: Sequence[Fault] = ()) -> list[tuple[Write, Write]]:
    """Pairs of writes to one customer that had a living caller at the same time."""
    pairs = []
    for ours in _by_customer(writes).values():
        for n, earlier in enumerate(ours):
            end = client_end(earlier, faults)
            pairs += [(earlier, later) for later in ours[n + 1 :] if later.started < end]
    return pairs


def client_end(write: Write, faults: Sequence[Fault]) -> float:
    """Until when somebody waited for this write: its answer, the caller's time-out, or the caller's death."""
    end = min(write.ended or float("inf"), write.started + CLIENT_GIVES_UP_SECONDS)
    if write.fault in ("reset", "lost_answer", "truncated"):
        end = min(end, write.started)
    if write.fault != "drip":  # whose bytes come one by one
        end = min(end, write.started + CLIENT_READS_SECONDS)
    deaths = [fault.start for fault in faults if fault.clients_died and fault.start >= write.started]
    return min([end, *deaths])


def backward_writes(writes: Iterable[Write]) -> list[Write]:
    """Writes that carry an older version than one written before them."""
    found = []
    for ours in _by_customer(writes).values():
        newest = 0
        for write in ours:
            if write.version < newest:
                found.append(write)
            newest = max(newest, write.version)
    return found


def most_in_a_minute(calls: Sequence[float]) -> int:
    most, first, ordered = 0, 0, sorted(calls)
    for last, at in enumerate(ordered):
        while ordered[first] <= at - 60:
            first += 1
        most = max(most, last - first + 1)
    return most


def recoveries(evidence: Evidence) -> dict[str, list[float]]:
    """Per kind of fault: how long after its end each event that was owed then took to reach Twikey (seconds).

    A customer that was in the hands of a worker when that was killed can only go on when its lease is over. When the next
    worker is killed with it too, that takes another lease: such a customer counts once, from the last of these deaths.
    """
    written = _by_customer(evidence.writes)
    found: dict[str, list[float]] = defaultdict(list)
    for event in evidence.accepted:
        if event.customer in evidence.set_aside:
            continue
        done = next(
            (
                write.ended or write.started
                for write in written.get(event.customer, [])
                if write.version >= event.version
            ),
            float("inf"),
        )
        # Owed when the fault ended, and accepted during it or shortly before.
        met = [fault for fault in evidence.faults if fault.start - 30 <= event.at <= fault.end < done]
        deaths = [fault for fault in met if event.customer in fault.in_hand]
        for fault in [max(deaths, key=lambda death: death.end)] if deaths else met:
            found[fault.kind].append(done - fault.end)
    return dict(found)


def percentile(values: Sequence[float], part: float) -> float | None:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None


def _books(evidence: Evidence) -> list[str]:
    books = evidence.books
    if books is None:
        return []
    return [
        *_if(books.pending, f"I2: {books.pending} customers are still owed"),
        *_if(books.accepted != books.ended + books.pending, f"I2: the books do not add up: {books}"),
    ]


def _promises(evidence: Evidence) -> list[str]:
    if evidence.may_forget:
        return []
    known = evidence.events_in_ledger
    missing = [one for one in evidence.accepted if known is not None and one.event not in known]
    short = evidence.books is not None and evidence.books.accepted < len(evidence.accepted)
    return [
        *_if(missing, f"I3: {len(missing)} events were answered 2xx and are not in the ledger"),
        *_if(short, "I3: the ledger counts fewer events than were answered 2xx"),
    ]


def _last_writes(evidence: Evidence, told: set[str]) -> list[str]:
    written = _by_customer(evidence.writes)
    late = [one for one in told if written.get(one) and written[one][-1].version != evidence.source.get(one)]
    return _if(late, f"I5: the last write of {len(late)} customers is not the newest state")


def _limits(evidence: Evidence, busiest: int) -> list[str]:
    limit = evidence.calls_per_minute
    return [
        *_if(limit is not None and busiest > limit, f"I6: {busiest} calls in one minute, allowed are {limit}"),
        *_if(evidence.calls_after_429, f"I6: {evidence.calls_after_429} calls were made while a 429 asked us to wait"),
    ]


def _explained(write: Write, faults: Sequence[Fault]) -> bool:
    """A process that was stopped between its last look and its write: the one thing nobody can prevent (promise P3)."""
    return any(fault.paused and fault.start <= write.started <= fault.end + 1 for fault in faults)


def _by_customer(writes: Iterable[Write]) -> dict[str, list[Write]]:
    ours: dict[str, list[Write]] = defaultdict(list)
    for write in sorted(writes, key=lambda one: one.started):
        ours[write.customer].append(write)
    return ours


def _if(condition: object, sentence: str) -> list[str]:
    return [sentence] if condition else []
