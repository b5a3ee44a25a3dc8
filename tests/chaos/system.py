"""One deployment under test: our processes (or the stock pipeline's), a real Redis behind the proxy, the simulated systems.

It offers what a scenario may break, and notes every fault in the history.
"""

import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from config import settings as settings_of
from config.keys import IntegrationKeys
from config.webhook_address import webhook_address
from ingress.cli.supervisor import Child, Supervisor
from sandbox.deployment import ROOT, Deployment, Simulated, deploy, free_port, settings_for, wait_for
from sandbox.teamleader.world import DEFAULT_CLIENT_SECRET
from sandbox.twikey.office import DEFAULT_API_KEY
from tests.chaos import checker
from tests.chaos.history import History
from tests.chaos.proxy import FINE, Proxy, Weather
from tests.chaos.store import Store
from tests.chaos.traffic import CANARY, CANARY_DOMAIN, CANARY_VAT, Manners, Traffic, version_in
from workers.services import Services, open_services

# Calls per minute where the limit is not what is tried: more than any scenario makes, but no more than Redis counts with ease.
PLENTY = 3_000
OURS = ("web", "worker", "worker2", "clock")


@dataclass
class System:
    """What a scenario works with."""

    deployment: Deployment
    store: Store
    proxy: Proxy
    history: History
    traffic: Traffic
    random: random.Random
    services: Services | None
    faults: list[checker.Fault] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    set_aside: set[str] = field(default_factory=set)
    rss_mb: float = 0.0
    store_mb: float = 0.0

    @property
    def teamleader(self) -> Simulated:
        return self.deployment.teamleader

    @property
    def twikey(self) -> Simulated:
        return self.deployment.twikey

    @property
    def supervisor(self) -> Supervisor:
        return self.deployment.supervisor

    # -- faults ----------------------------------------------------------------------------------------

    @contextmanager
    def fault(
        self, kind: str, *, clients_died: bool = False, paused: bool = False, in_hand: frozenset[str] = frozenset()
    ) -> Iterator[None]:
        start = self.history.add("fault begins", kind=kind, in_hand=sorted(in_hand))
        yield
        end = self.history.add("fault ends", kind=kind)
        self.faults.append(checker.Fault(kind, start, end, clients_died, paused, in_hand))

    def kill(self, name: str, *, kind: str = "") -> bool:
        """kill -9 of a process; False when it was not running. A worker dies with its children: the stock one works in those."""
        pid = self.supervisor.pid(name)
        if pid is None:
            return False
        send = os.killpg if name.startswith("worker") else os.kill  # the supervisor gives each a process group
        send(pid, signal.SIGSTOP)  # so that what it has in hand is what it dies with
        with self.fault(
            kind or f"kill -9 {name.rstrip('2')}", clients_died=name.startswith("worker"), in_hand=self.in_hand(name)
        ):
            send(pid, signal.SIGKILL)
        return True

    def in_hand(self, name: str) -> frozenset[str]:
        """The customers whose lease a worker process holds; it said in its log how its tokens begin."""
        if self.services is None or not name.startswith("worker"):
            return frozenset()
        ready = [line["worker"] for line in self.log_of(name) if line["event"] == "Worker ready."]
        if not ready:
            return frozenset()
        store, keys = self.services.store, IntegrationKeys("default")
        subjects: Any = store.zrange(keys.due, 0, -1)
        tokens = {subject: store.hget(keys.subject(subject.decode()), "t") for subject in subjects}
        mine = f"{ready[-1]}.".encode()
        return frozenset(
            subject.decode().partition(":")[2] for subject, token in tokens.items() if token and token.startswith(mine)
        )

    def kill_a_web_worker(self) -> bool:
        master = self.supervisor.pid("web")
        workers = children_of(master) if master else []
        if not workers:
            return False
        with self.fault("kill -9 gunicorn worker"), contextlib.suppress(ProcessLookupError):
            os.kill(self.random.choice(workers), signal.SIGKILL)
        return True

    def stop_and_continue(self, name: str, seconds: float) -> None:
        pid = self.supervisor.pid(name)
        if pid is None:
            return
        with self.fault(f"SIGSTOP {name.rstrip('2')}", paused=True, clients_died=True):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(seconds)
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def terminate(self, name: str) -> float | None:
        """SIGTERM; answers how long the process took to end."""
        child = next(child for child in self.supervisor.children if child.name == name)
        process = child.process
        if process is None or process.poll() is not None:
            return None
        with self.fault(f"SIGTERM {name.rstrip('2')}"):
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            while process.poll() is None and time.monotonic() - began < 30:
                time.sleep(0.02)
            return time.monotonic() - began

    def log_of(self, name: str) -> list[dict[str, Any]]:
        """What a process of ours wrote to its log, whichever of its lives it was."""
        lines = (self.deployment.folder / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    @contextmanager
    def weather(self, kind: str, weather: Weather) -> Iterator[None]:
        with self.fault(kind):
            self.proxy.weather = weather
            yield
            self.proxy.weather = FINE
            if weather.black_hole or weather.refuse:
                self.proxy.cut()

    def redis_down(self, seconds: float, *, cut: int = 0) -> int:
        gone = 0
        name = "Redis power loss" if cut else f"Redis kill -9, down {seconds:g} s"
        with self.fault(name):
            self.store.kill()
            if cut:
                gone = self.store.cut_tail(cut)
            time.sleep(seconds)
            self.store.start()
            self.store.wait()
        return gone

    def cut_connections(self) -> None:
        with self.fault("connections reset"):
            self.proxy.cut()

    def upstream(self, side: str, **wanted: Any) -> None:
        getattr(self, side).post("/faults", wanted)

    def heal(self) -> None:
        """Ends every fault that still is."""
        self.proxy.weather = FINE
        for simulated in (self.teamleader, self.twikey):
            simulated.delete("/faults")
            simulated.delete("/gates")

    # -- what a scenario itself expects -----------------------------------------------------------------

    def must(self, holds: object, sentence: str) -> None:
        """Notes a promise that only this scenario can judge; the verdict is as bad as when an invariant breaks."""
        if not holds:
            self.broken.append(sentence)

    # -- what is true now -------------------------------------------------------------------------------

    def source_and_target(self) -> tuple[dict[str, int], dict[str, int | None]]:
        source = {one.id: one.version for one in self.traffic.customers}
        customers = self.twikey.get("/customers")["customers"]
        shown = {one["customerNumber"]: version_in(one["profile"]) for one in customers}
        return source, {one: shown.get(one) for one in source}

    def wrong(self) -> list[str]:
        source, target = self.source_and_target()
        told = {event.customer for event in self.traffic.accepted} | self.traffic.missed
        return [one for one in told if source.get(one) != target.get(one)]

    def runs(self) -> dict[str, int]:
        """How often a customer was read, and how often that brought nothing new to Twikey."""
        requests = self.teamleader.get("/requests")["requests"]
        reads = sum(one["path"].endswith(("contacts.info", "companies.info")) for one in requests)
        news = {(write.customer, write.version) for write in self._writes()}
        return {"runs": reads, "extra_runs": reads - len(news)}

    def left_over(self) -> int:
        """How much work is not done: what the ledger owes, or what lies in the queues of the stock pipeline, where some of it
        is waiting for its time and some will never be fetched again."""
        if self.services:
            return self.pending()
        return sum(int(self.store.client.hlen(f"dramatiq:default{kind}.msgs")) for kind in ("", ".DQ", ".XQ"))

    def pending(self) -> int:
        return self.services.ledger("default").books().pending if self.services else 0

    def measure(self) -> None:
        for name in OURS:
            if any(child.name == name for child in self.supervisor.children) and (pid := self.supervisor.pid(name)):
                sizes = [rss_mb(one) for one in (pid, *children_of(pid))]
                self.rss_mb = max(self.rss_mb, *sizes)
        with contextlib.suppress(Exception):
            self.store_mb = max(self.store_mb, self.store.used_mb())

    def evidence(self, *, limit: int | None, may_forget: bool) -> checker.Evidence:
        source, target = self.source_and_target()
        calls = self.teamleader.get("/requests")["requests"]
        api_calls = [one for one in calls if not one["path"].startswith("/oauth2") and one["status"] != 429]
        return checker.Evidence(
            accepted=tuple(self.traffic.accepted),
            source=source,
            target=target,
            writes=self._writes(),
            faults=tuple(self.faults),
            books=self._books(),
            events_in_ledger=self._events(),
            calls=[one["started"] for one in api_calls],
            calls_per_minute=limit,
            calls_after_429=calls_despite_a_429(calls),
            canaries=self._canaries() if self.services else (),
            rss_mb=self.rss_mb,
            store_mb=self.store_mb,
            may_forget=may_forget,
            missed=frozenset(self.traffic.missed),
            set_aside=frozenset(self.set_aside),
        )

    def _writes(self) -> list[checker.Write]:
        writes = self.twikey.get("/writes", accepted=1)["writes"]
        return [
            checker.Write(
                one["customer"],
                version_in(one["parameters"]) or 0,
                one["started"],
                one["ended"],
                one["fault"] or "",
            )
            for one in writes
        ]

    def _books(self) -> checker.Books | None:
        if self.services is None:
            return None
        account = self.services.ledger("default").books()
        ended = account.synced + account.unchanged + account.coalesced + account.skipped + account.gone + account.dead
        return checker.Books(account.accepted, ended, account.pending, account.dead)

    def _events(self) -> frozenset[str] | None:
        if self.services is None:
            return None
        entries: Any = self.services.store.xrange(IntegrationKeys("default").activity)
        if len(entries) >= 9_900:  # the stream is bounded: beyond this it proves nothing
            return None
        return frozenset(fields[b"e"].decode() for _, fields in entries)

    def _canaries(self) -> list[str]:
        """Names of what must never be in the clear, where it was found."""
        environment = self.deployment.environment
        secrets = {
            "a name": CANARY,
            "an e-mail": CANARY_DOMAIN,
            "a VAT number": CANARY_VAT,
            "the webhook path": self.traffic.address.rpartition("/")[2],
            "the client secret": DEFAULT_CLIENT_SECRET,
            "the Twikey API key": DEFAULT_API_KEY,
            "the first refresh token": environment["TLTW_TEAMLEADER_REFRESH_TOKEN"],
            "the secret key": environment["TLTW_SECRET_KEY"],
        }
        places = {"the store": self.store.dump()}
        for name in OURS:
            log = self.deployment.folder / "logs" / f"{name}.log"
            places[f"the log of {name}"] = log.read_bytes() if log.exists() else b""
        return [
            f"{what} in {where}"
            for where, content in places.items()
            for what, secret in secrets.items()
            if secret.encode() in content
        ]


def calls_despite_a_429(calls: list[dict[str, Any]]) -> int:
    """Calls that began while an answered 429 asked us to wait: more than half a second after it, and within one second.

    The simulated Teamleader names a time two seconds away, cut to whole seconds, or one that is past; then we wait one second.
    """
    refusals = [one["ended"] for one in calls if one["status"] == 429 and one["ended"]]
    return sum(any(end + 0.5 < one["started"] < end + 0.95 for end in refusals) for one in calls)


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def rss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return 0.0


@contextmanager
def service(
    folder: Path, seed: int, manners: Manners, *, limit: int | None = None, fsync: str = "everysec", root: Path = ROOT
) -> Iterator[System]:
    """Our own processes: web, two workers, clock."""
    with _store_and_proxy(folder, seed, fsync) as (store, proxy):
        settings = {
            "TLTW_REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
            "TLTW_TEAMLEADER_CALLS_PER_MINUTE": str(limit or PLENTY),
        }
        with deploy(folder, more_settings=settings) as deployment:
            first = next(child for child in deployment.supervisor.children if child.name == "worker")
            log = folder / "logs" / "worker2.log"
            deployment.supervisor.children.append(Child("worker2", first.command, first.environment, log))
            straight = {**deployment.environment, "TLTW_REDIS_URL": f"redis://127.0.0.1:{store.port}/0"}
            loaded = settings_of.load(straight)
            services = open_services(loaded)
            deployment.teamleader.patch(
                "/settings", {"settings": {"rate_limit": (limit + 10) if limit else PLENTY, "rate_window": 60.0}}
            )
            address = webhook_address(loaded.public_url, loaded.webhook_keys[0], "default")
            yield from _system(deployment, store, proxy, folder, seed, manners, address, services)
            services.close()


@contextmanager
def stock(folder: Path, seed: int, manners: Manners, *, fsync: str = "everysec") -> Iterator[System]:
    """The stock pipeline of `baseline/`, on the same store, proxy and simulated systems."""
    with _store_and_proxy(folder, seed, fsync) as (store, proxy):
        teamleader_port, twikey_port, web_port = free_port(), free_port(), free_port()
        client = httpx.Client(timeout=10)
        teamleader = Simulated(f"http://127.0.0.1:{teamleader_port}", client)
        twikey = Simulated(f"http://127.0.0.1:{twikey_port}", client)
        environment = settings_for(folder, teamleader.url, twikey.url, web_port) | {
            "TLTW_REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
            "BASELINE_TEAMLEADER_TOKEN": "baseline-token",
        }
        everything = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        logs = folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        python = [sys.executable, "-m"]
        worker = [*python, "dramatiq", "tests.chaos.baseline.pipeline", "-p", "1", "-t", "8"]
        web = [*python, "gunicorn", "-w", "2", "-b", f"127.0.0.1:{web_port}", "tests.chaos.baseline.web:app"]
        simulators = Supervisor(
            {
                "teamleader": [*python, "sandbox.teamleader", "--port", str(teamleader_port), "--token-life", "9999"],
                "twikey": [*python, "sandbox.twikey", "--port", str(twikey_port)],
            },
            everything,
            logs,
        )
        supervisor = Supervisor({"web": web, "worker": worker, "worker2": worker}, everything, logs)
        deployment = Deployment(folder, environment, teamleader, twikey, supervisor, simulators, None, client)
        try:
            simulators.start()
            wait_for("the simulated systems", lambda: teamleader.answers() and twikey.answers(), seconds=30)
            teamleader.post("/tokens", {"access_token": "baseline-token", "refresh_token": "baseline-refresh"})
            teamleader.patch("/settings", {"settings": {"rate_limit": PLENTY}})
            supervisor.start()
            supervisor.watch_in_background()
            address = f"http://127.0.0.1:{web_port}/webhook"
            wait_for("the stock web process", lambda: _listens(client, address), seconds=30)
            yield from _system(deployment, store, proxy, folder, seed, manners, address, None)
        finally:
            supervisor.stop()
            simulators.stop()
            client.close()


def _listens(client: httpx.Client, address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get(address).status_code in (200, 405)
    return False


@contextmanager
def _store_and_proxy(folder: Path, seed: int, fsync: str) -> Iterator[tuple[Store, Proxy]]:
    store = Store(folder / "redis", free_port(), fsync=fsync)
    store.start()
    store.wait()
    proxy = Proxy(store.port, seed=seed)
    try:
        yield store, proxy
    finally:
        proxy.close()
        store.stop()


def _system(
    deployment: Deployment,
    store: Store,
    proxy: Proxy,
    folder: Path,
    seed: int,
    manners: Manners,
    address: str,
    services: Services | None,
) -> Iterator[System]:
    history = History(folder / "history.jsonl")
    chance = random.Random(seed)
    traffic = Traffic(address, deployment.teamleader, history, random.Random(seed + 1), replace(manners))
    system = System(deployment, store, proxy, history, traffic, chance, services)
    watching = threading.Event()

    def watch() -> None:
        while not watching.wait(2):
            system.measure()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield system
    finally:
        watching.set()
        watcher.join()
        with contextlib.suppress(httpx.HTTPError):
            system.heal()
        history.close()
