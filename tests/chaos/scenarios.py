"""The scenarios: what each breaks, how often, and the figure it prints. Numbers as in the fault plan of issue 3."""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import redis

from config.keys import IntegrationKeys
from tests.chaos import stepped
from tests.chaos.proxy import Weather
from tests.chaos.store import REFUSALS
from tests.chaos.system import System
from tests.chaos.traffic import Customer, Manners
from workers import operations, operations_bulk
from workers.broker import QUEUE
from workers.bulk.sweep_decide import ADDED_JUST_NOW
from workers.clients.teamleader.oauth_protocol import TokenPair

DEAD = 30
# Processes that say in their log what they do, with the time: what they think it is can be read there.
TALKATIVE = ("web", "worker", "worker2")
BULK = 300
KILLS = 5


@dataclass(frozen=True, slots=True)
class Scenario:
    """`run` breaks things for about `seconds` while traffic flows; healing, waiting and judging are the runner's."""

    number: int
    name: str
    run: Callable[[System, float], None]
    seconds: float = 20.0
    customers: int = 60
    manners: Manners = field(default_factory=Manners)
    limit: int | None = None
    # Whether the ledger may forget what it accepted. Twikey must be right all the same, in the end.
    may_forget: bool = False
    # How long it may take after the healing until Twikey equals Teamleader; a trial that breaks a promise waits so long.
    right_within: float = 180.0
    # In how many rounds the stock pipeline runs it too.
    baseline: int = 0
    prepare: Callable[[System], None] = lambda system: None
    # Why it cannot be run on this machine; empty when it can.
    why_not: Callable[[], str] = lambda: ""


def clean(system: System, seconds: float) -> None:
    time.sleep(seconds)


def bulk_edit(system: System, seconds: float) -> None:
    """More customers at once than the minute allows."""
    began = time.monotonic()
    for customer in system.traffic.customers:
        system.traffic.edit(customer)
    while system.wrong() or len(system.traffic.accepted) < BULK:
        time.sleep(0.5)
        if time.monotonic() - began > 240:
            break
    # A full window at once, then whatever the sliding window gives back: the rest waits one minute.
    system.figures |= {"drained_s": round(time.monotonic() - began, 1), "theory_s": 60.0 * (BULK // 200)}


def kill_workers(system: System, seconds: float) -> None:
    _until(seconds, lambda: system.kill(system.random.choice(("worker", "worker2"))), system, 2, 5)


def kill_web(system: System, seconds: float) -> None:
    def step() -> None:
        if system.random.random() < 0.3:
            system.kill("web")
        else:
            system.kill_a_web_worker()

    _until(seconds, step, system, 2, 4)


def kill_redis(system: System, seconds: float) -> None:
    for down in (0.5, 5, 30):
        time.sleep(2)
        system.redis_down(down)
    time.sleep(2)


def kills_and_storms(system: System, seconds: float) -> None:
    """The schedule that stock retries were measured with (docs/decisions/0001): 60 s of errors at both APIs (5 %), four
    kills of Redis, three times all its connections cut, eleven storms in which an API does nothing but fail."""
    for side, prefix in (("teamleader", "/co"), ("twikey", "/creditor/customer")):
        for kind in ("status", "reset", "lost_answer"):
            system.upstream(side, kind=kind, probability=0.05 / 3, prefix=prefix)
    steps = [lambda: system.redis_down(1)] * 4 + [lambda: system.cut_connections()] * 3 + [lambda: _storm(system)] * 11
    system.random.shuffle(steps)
    end = time.monotonic() + seconds
    for left, step in zip(range(len(steps), 0, -1), steps, strict=True):
        time.sleep(max(0.0, (end - time.monotonic()) / left))
        step()
    system.heal()


def _storm(system: System) -> None:
    side, prefix = system.random.choice((("teamleader", "/co"), ("twikey", "/creditor/customer")))
    with system.fault(f"storm of errors at {side.capitalize()}"):
        system.upstream(side, kind="status", status=503, prefix=prefix, for_seconds=2)
        time.sleep(2)


def power_loss(system: System, seconds: float) -> None:
    """The store forgets its last moments, and with them events that were accepted; then one sweep, as every ten minutes."""
    time.sleep(seconds / 2)
    system.figures["bytes_cut"] = system.redis_down(0.5, cut=system.random.choice((1_000, 10_000, 60_000)))
    time.sleep(seconds / 2)
    system.traffic.rest()
    _wait(lambda: not system.pending(), 60)
    system.figures["wrong_before_the_sweep"] = len(system.wrong())
    system.figures["right_after_the_sweep_began_s"] = _sweep(system)


def refusals(system: System, seconds: float) -> None:
    kinds = list(REFUSALS)
    system.random.shuffle(kinds)
    for kind in kinds:
        with system.fault(f"Redis {kind}"):
            system.store.refuse(kind, 3)
        time.sleep(1.5)


def network(system: System, seconds: float) -> None:
    days = {
        "network slow to Redis": Weather(latency=0.05, jitter=0.04),
        "network very slow to Redis": Weather(latency=0.6, jitter=0.4),
        "network byte by byte": Weather(slices=True),
        "network black hole": Weather(black_hole=True),
        "network refused": Weather(refuse=True),
        "Redis answers lost": Weather(lose_answers=0.1),
    }
    names = list(days)
    system.random.shuffle(names)
    for name in names:
        with system.weather(name, days[name]):
            if name == "network refused":
                system.proxy.cut()
            time.sleep(5)
        system.cut_connections()
        time.sleep(1)


def stop_and_continue(system: System, seconds: float) -> None:
    system.stop_and_continue("worker", 2)
    system.stop_and_continue("clock", 5)
    system.stop_and_continue("worker2", 26)
    with system.fault("SIGSTOP Redis"):
        system.store.pause()
        time.sleep(4)
        system.store.resume()
    time.sleep(2)


def clocks_of_their_own(system: System) -> None:
    """Every process of ours gets a time of day that can be stepped while it runs."""
    for child in system.supervisor.children:
        clock = _clock_of(system, child.name)
        stepped.step(clock, 0)
        child.environment = {**child.environment, **stepped.environment(clock)}
        child.command = [word.replace("ingress.cli", "tests.chaos.stepped") for word in child.command]
        starts = _starts(system, child.name)
        system.terminate(child.name)
        if child.name in TALKATIVE:
            _wait(lambda name=child.name, starts=starts: _starts(system, name) > starts, 20)


def _starts(system: System, name: str) -> int:
    return sum(line["event"] in ("Worker ready.", "Listening for webhooks.") for line in system.log_of(name))


def step_clocks(system: System, seconds: float) -> None:
    """Each process' time of day jumps five minutes ahead, then ten back, then to what it should be."""
    names = [child.name for child in system.supervisor.children]
    system.random.shuffle(names)
    for name in names:
        for minutes in (5, -5):
            with system.fault(f"clock {minutes:+d} min: {name.rstrip('2')}"):
                stepped.step(_clock_of(system, name), minutes * 60)
                time.sleep(seconds / len(names) / 2)
                if name in TALKATIVE:
                    system.must(
                        _believes_in(system, name, minutes), f"the clock of {name} was not stepped by {minutes} min"
                    )
        stepped.step(_clock_of(system, name), 0)
    time.sleep(2)
    system.figures |= system.runs()


def _clock_of(system: System, name: str) -> Path:
    return system.deployment.folder / f"{name}.clock"


def _believes_in(system: System, name: str, minutes: int) -> bool:
    """Whether the log of a process shows that it lives so many minutes away from us."""
    now = datetime.now(UTC)
    away = [datetime.fromisoformat(line["timestamp"]) - now for line in system.log_of(name)[-50:]]
    return any(abs(one - timedelta(minutes=minutes)) < timedelta(minutes=1) for one in away)


def choose_a_poison(system: System) -> None:
    system.traffic.left_alone.append(system.traffic.customers[-1])


def poison(system: System, seconds: float) -> None:
    """One customer kills every worker that reads it, five times; everybody else must not even notice."""
    assert system.services
    customer, ledger = system.traffic.left_alone[0], system.services.ledger("default")
    system.set_aside.add(customer.id)
    gate = {"name": "poison", "prefix": f"/{'companies' if customer.kind == 'company' else 'contacts'}.info"}
    system.teamleader.post("/gates", {**gate, "customer": customer.id})
    system.traffic.edit(customer)
    for killed in range(KILLS):
        # Calls whose worker was killed stay at the gate.
        _wait(lambda killed=killed: _at_gate(system, "poison") > killed, 40)
        victims = [name for name in ("worker", "worker2") if customer.id in system.in_hand(name)]
        system.must(len(victims) == 1, f"{len(victims)} workers have the poison in hand")
        for name in victims:
            system.kill(name, kind="kill -9 by poison")
    _wait(lambda: ledger.dead_count() > 0, 40)
    letters = [letter.story for letter in ledger.dead_letters()]
    system.must([one.reason for one in letters] == ["kills_worker"], f"the dead letters are {letters}")
    late = _late(system, but=customer, seconds=25)
    system.must(not late, f"{late} events of others waited for more than 25 s")
    system.figures |= {"kills": KILLS, "dead": [one.reason for one in letters], "others_late": late}
    # A person found the reason, mended it, and replays.
    system.teamleader.delete("/gates")
    for letter in ledger.dead_letters():
        operations.replay(system.services, "default", letter.subject, by="chaos")


def _at_gate(system: System, name: str) -> int:
    return sum(one["waiting"] for one in system.teamleader.get("/gates")["gates"] if one["name"] == name)


def _late(system: System, *, but: Customer, seconds: float) -> int:
    """Events of others that Twikey does not show although they were accepted that long ago."""
    now, (_, target) = time.time(), system.source_and_target()
    old = [event for event in system.traffic.accepted if event.at < now - seconds and event.customer != but.id]
    return sum((target[event.customer] or 0) < event.version for event in old)


def storm_of_429(system: System, seconds: float) -> None:
    for retry in ("future", "past", "future"):
        with system.fault("429"):
            system.upstream(
                "teamleader", kind="status", status=429, retry=retry, retry_seconds=2, count=2, prefix="/co"
            )
            time.sleep(5)
    for _ in range(2):
        with system.fault("429 of Twikey"):
            system.upstream("twikey", kind="status", status=429, retry_seconds=2, count=2, prefix="/creditor/customer")
            time.sleep(4)


def bad_upstream(system: System, seconds: float) -> None:
    for side, prefix in (("teamleader", "/co"), ("twikey", "/creditor/customer")):
        for status in (500, 502, 503, 504):
            system.upstream(side, kind="status", status=status, probability=0.05, prefix=prefix)
        for kind in ("html", "truncated", "wrong_type", "reset", "lost_answer"):
            system.upstream(side, kind=kind, probability=0.04, prefix=prefix)
        system.upstream(side, kind="huge", count=1, prefix=prefix)
        system.upstream(side, kind="drip", seconds=1, count=1, prefix=prefix)
        system.upstream(side, kind="hang", count=1, prefix=prefix)
    with system.fault("bad answers of both sides (30 %)"):
        time.sleep(seconds)
        system.heal()
    with system.fault("Twikey down 6 s"):
        system.upstream("twikey", kind="reset")
        time.sleep(6)
        system.heal()
    time.sleep(3)


def late_writes(system: System, seconds: float) -> None:
    """Twikey does what was asked after we stopped waiting for it, and nothing else ever happens to that customer."""
    with system.fault("write done late"):
        for customer in system.traffic.customers:
            system.upstream(
                "twikey", kind="delay", seconds=11, count=1, customer=customer.id, prefix="/creditor/customer"
            )
            system.traffic.edit(customer)
            time.sleep(0.4)
            system.traffic.edit(customer)
        time.sleep(12)


def oauth(system: System, seconds: float) -> None:
    assert system.services
    system.teamleader.patch("/settings", {"settings": {"access_token_life": 5}})
    system.teamleader.post("/tokens/expire")
    before = system.teamleader.get("/tokens")["refreshes"]
    began = time.monotonic()
    time.sleep(seconds)
    lasted = time.monotonic() - began
    made = system.teamleader.get("/tokens")["refreshes"] - before
    system.figures |= {"token_life_s": 5, "refreshes": made, "refreshes_needed_at_most": round(lasted / 4) + 1}
    system.teamleader.patch("/settings", {"settings": {"access_token_life": 3600}})
    # Killed between Teamleader's answer and our storing it: the one moment that costs the connection.
    system.teamleader.post("/gates", {"name": "grant", "prefix": "/oauth2/access_token", "when": "after", "count": 1})
    system.teamleader.post("/tokens/expire")
    system.must(
        _wait(lambda: _at_gate(system, "grant"), 60), "nobody signed in, so nobody was killed in the middle of it"
    )
    for name in ("worker", "worker2", "clock", "bulk"):  # whoever it is that signs in
        system.kill(name)
    system.teamleader.delete("/gates")
    _wait(lambda: system.services.ledger("default").state() == "reconnect_needed", 200)  # type: ignore[union-attr]
    system.figures["state_after_kill_in_refresh"] = system.services.ledger("default").state()
    accepted = len(system.traffic.accepted)
    time.sleep(3)
    system.figures["accepted_while_disconnected"] = len(system.traffic.accepted) - accepted
    _reconnect(system)
    time.sleep(2)
    with system.fault("access revoked"):
        system.teamleader.post("/tokens/revoke")
        time.sleep(4)
        _reconnect(system)


def duplicates(system: System, seconds: float) -> None:
    """Copies of webhooks out of order, of wake-ups in the queue, and garbage between them."""
    assert system.services
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        customer = system.random.choice(system.traffic.customers)
        for _ in range(3):
            system.services.wake("default", f"{customer.kind}:{customer.id}")
        _put_garbage_into_the_queue(system)
        time.sleep(0.05)


def _put_garbage_into_the_queue(system: System) -> None:
    assert system.services
    broker, name = system.services.broker, f"garbage-{system.random.random()}"
    data = system.random.choice((b"\xff", b"[]", b'{"args": 1}', b'{"options": null, "args": [], "actor_name": "x"}'))
    broker.client.hset(f"{broker.namespace}:{QUEUE}.msgs", name, data)
    broker.client.rpush(f"{broker.namespace}:{QUEUE}", name)
    system.figures["garbage_in_the_queue"] = system.figures.get("garbage_in_the_queue", 0) + 1


def replay(system: System, seconds: float) -> None:
    """Dead letters, replayed by two operators at once, twice, and once with the store away."""
    assert system.services
    victims = system.traffic.customers[:DEAD]
    for customer in victims:
        system.traffic.spoil(customer)
    ledger = system.services.ledger("default")
    _wait(lambda: ledger.dead_count() >= DEAD, 60)
    system.figures["dead_before"] = ledger.dead_count()
    for customer in victims:
        system.traffic.mend(customer)
    subjects = [letter.subject for letter in operations.dead_letters(system.services, "default")]

    # Both have begun and have most before them when the store goes away, however quick they are.
    middle = threading.Barrier(3, timeout=60)

    def operator(number: int) -> int:
        done = 0
        for n, subject in enumerate(subjects):
            if number < 2 and n == 1:
                middle.wait()
            with contextlib.suppress(redis.RedisError):
                done += operations.replay(system.services, "default", subject, by="chaos") is not None  # type: ignore[arg-type]
        return done

    with ThreadPoolExecutor(2) as pool:
        clicks = pool.map(operator, range(2))
        middle.wait()
        system.redis_down(0.5)
        system.figures["replays_taken"] = sum(clicks)
    operator(2)
    _wait(lambda: ledger.dead_count() == 0, 60)
    system.figures["dead_left"] = ledger.dead_count()


def old_dead_letters(system: System, seconds: float) -> None:
    """Dead letters of 400 days ago, with everything running that might clean up."""
    assert system.services
    ledger, keys = system.services.ledger("default"), IntegrationKeys("default")
    victims = system.traffic.customers[:DEAD]
    for customer in victims:
        system.traffic.spoil(customer)
    _wait(lambda: ledger.dead_count() >= DEAD, 60)
    long_ago = (datetime.now(UTC).timestamp() - 400 * 86_400) * 1000
    aged = {subject: long_ago for subject, _ in system.services.store.zrange(keys.dead, 0, -1, withscores=True)}
    system.services.store.zadd(keys.dead, aged)
    before = ledger.dead_count()
    system.redis_down(0.5)
    time.sleep(seconds)
    system.figures |= {
        "dead_of_400_days_ago": before,
        "still_there": ledger.dead_count(),
        "expire": int(system.services.store.ttl(keys.dead)) >= 0,
    }
    for customer in victims:
        system.traffic.mend(customer)
    for letter in list(operations.dead_letters(system.services, "default")):
        operations.replay(system.services, "default", letter.subject, by="chaos")


def rolling_restart(system: System, seconds: float) -> None:
    drains = []
    for name in ("worker", "web", "worker2", "clock", "bulk") * 2:
        took = system.terminate(name)
        if took is not None:
            drains.append(round(took, 2))
        time.sleep(seconds / 10)
    system.figures |= {"restarts": len(drains), "longest_drain_s": max(drains, default=0)}


def let_them_age(system: System) -> None:
    """An edit in the moment of adding cannot be told from adding, of which a sweep tells nobody (`sweep_decide`)."""
    time.sleep(ADDED_JUST_NOW.total_seconds() + 1)


def missed_webhooks(system: System, seconds: float) -> None:
    """One webhook in ten never comes, and for a while none does; then one sweep, as it begins by itself every ten minutes."""
    assert system.services
    time.sleep(seconds / 2)
    system.traffic.manners.dropped = 1.0
    with system.fault("no webhook comes"):
        time.sleep(seconds / 2)
    system.traffic.rest()
    asked = len(system.teamleader.get("/requests")["requests"])
    took = _sweep(system)
    after = [one["path"] for one in system.teamleader.get("/requests")["requests"][asked:]]
    system.figures |= {
        "customers_with_a_missed_webhook": len(system.traffic.missed),
        "right_after_the_sweep_began_s": took,
        "calls_for_lists": sum(path.endswith(".list") for path in after),
    }


def kill_sweeps(system: System, seconds: float) -> None:
    """Every other webhook never comes; then one sweep, whose process is killed in the middle of each list."""
    time.sleep(seconds)
    system.traffic.rest()

    def kill_in_each_list() -> None:
        for prefix in ("/contacts.list", "/companies.list"):
            system.teamleader.post("/gates", {"name": "page", "prefix": prefix, "count": 1})
            system.must(_wait(lambda: _at_gate(system, "page"), 60), f"the sweep never asked for {prefix}")
            system.must(system.kill("bulk"), "the bulk process did not run")
            system.teamleader.delete("/gates")

    took = _sweep(system, meanwhile=kill_in_each_list, within=150)
    system.figures |= {
        "customers_with_a_missed_webhook": len(system.traffic.missed),
        "right_after_the_sweep_began_s": took,
    }


def _sweep(system: System, *, meanwhile: Callable[[], None] = lambda: None, within: float = 60) -> float:
    """One sweep, begun by hand; answers after how many seconds nobody was wrong any more."""
    assert system.services
    began = time.monotonic()
    _wait(lambda: not _sweeping(system), 60)
    operations_bulk.start_sweep(system.services, "default", by="chaos")
    meanwhile()
    _wait(lambda: not system.wrong(), within)
    return round(time.monotonic() - began, 1)


def _sweeping(system: System) -> bool:
    assert system.services
    job = operations_bulk.job(system.services, "default", "sweep")
    return job is not None and not job.is_over


def _reconnect(system: System) -> None:
    """What an operator does: connects again and lets the work go on."""
    assert system.services
    pair = system.teamleader.post("/tokens")
    integration = system.services.integration("default")
    system.services.tokens(integration).store(TokenPair(refresh=pair["refresh_token"]))
    operations.resume(system.services, "default", by="chaos")


def _wait(look: Callable[[], Any], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if look():
            return True
        time.sleep(0.1)
    return False


def _until(seconds: float, step: Callable[[], Any], system: System, least: float, most: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(system.random.uniform(least, most))
        step()


SCENARIOS = (
    Scenario(1, "clean", clean, seconds=25, customers=200, manners=Manners(rate=30)),
    Scenario(2, "bulk edit", bulk_edit, customers=BULK, manners=Manners(rate=0), limit=200),
    Scenario(3, "kill -9 workers", kill_workers, seconds=40, baseline=1),
    Scenario(4, "kill -9 web", kill_web, seconds=25),
    Scenario(5, "kill -9 Redis", kill_redis, manners=Manners(rate=8), baseline=1),
    Scenario(6, "power loss", power_loss, seconds=10, may_forget=True),
    Scenario(7, "Redis refuses", refusals, manners=Manners(rate=8)),
    Scenario(8, "network to Redis", network, manners=Manners(rate=8)),
    Scenario(9, "SIGSTOP", stop_and_continue),
    Scenario(10, "clocks stepped", step_clocks, seconds=32, prepare=clocks_of_their_own, why_not=stepped.why_not),
    Scenario(12, "429 storm", storm_of_429),
    Scenario(13, "bad upstream", bad_upstream, seconds=25, baseline=1),
    Scenario(131, "late writes", late_writes, customers=4, manners=Manners(rate=0)),
    Scenario(14, "OAuth", oauth, seconds=20),
    Scenario(15, "duplicates and disorder", duplicates, seconds=15, manners=Manners(rate=8, copies=10, shuffle=10)),
    Scenario(18, "operator replay", replay, customers=DEAD, manners=Manners(rate=0)),
    Scenario(19, "old dead letters", old_dead_letters, seconds=5, customers=DEAD, manners=Manners(rate=0)),
    Scenario(21, "rolling restart", rolling_restart, seconds=32),
    Scenario(22, "missed webhooks", missed_webhooks, seconds=20, manners=Manners(dropped=0.1), prepare=let_them_age),
    Scenario(
        221,
        "kill -9 in a sweep",
        kill_sweeps,
        seconds=15,
        customers=250,
        manners=Manners(rate=15, dropped=0.5),
        prepare=let_them_age,
    ),
    Scenario(25, "poison", poison, prepare=choose_a_poison, manners=Manners(rate=6)),
    Scenario(
        26,
        "kills of Redis and storms",
        kills_and_storms,
        seconds=60,
        customers=200,
        manners=Manners(rate=15),
        baseline=2,
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS} | {str(one.number): one for one in SCENARIOS}
