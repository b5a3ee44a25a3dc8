"""Watches the hops of the story's customers at every station and prints each as it happens."""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from sandbox.deployment import Deployment, Simulated

LOOK_EVERY_SECONDS = 0.1
COLOURS = {"Teamleader": "dark_orange3", "our door": "cyan", "ledger": "magenta", "Twikey": "green"}
WHAT = {
    "marked": "owed",
    "skipped": "skipped",
    "released": "owed again, auto-update is on",
    "retry": "will be tried again",
    "defer": "waits",
    "again": "changed meanwhile, so once more",
    "verify": "will be verified",
    "lost": "taken over",
    "synced": "synced",
    "unchanged": "unchanged",
    "gone": "gone",
    "dead": "dead letter",
    "discarded": "given up",
}
CAUSES = {
    "w": "webhook",
    "s": "sweep",
    "i": "invoice",
    "m": "manual invoice",
    "o": "operator",
    "r": "replay",
    "x": "deletion",
}


@dataclass(slots=True)
class Hop:
    """One thing that happened to one customer."""

    at: float
    station: str
    sentence: str
    good: bool = True


@dataclass(slots=True)
class Narrator:
    """Prints the hops of the customers it was told about, in the order of their times."""

    deployment: Deployment
    console: Console
    names: dict[str, str] = field(default_factory=dict)
    _begin: float = field(default_factory=time.time)
    _seen: dict[str, int] = field(default_factory=dict)
    _seen_activity: set[tuple[datetime, str, str]] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _printing: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, customer_id: str, name: str) -> None:
        self.names[customer_id] = name

    def start(self) -> None:
        threading.Thread(target=self._watch, name="narrator", daemon=True).start()

    def stop(self) -> None:
        self._stop.set()

    def catch_up(self) -> None:
        """Prints everything that has happened by now."""
        with self._printing:
            for hop in sorted(self._new_hops(), key=lambda hop: hop.at):
                self._print(hop)

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_EVERY_SECONDS):
            self.catch_up()

    def _print(self, hop: Hop) -> None:
        line = Text(f"  {hop.at - self._begin:6.2f} s  ", style="dim")
        line.append(f"{hop.station:<11}", style=COLOURS[hop.station])
        line.append(hop.sentence, style="" if hop.good else "yellow")
        self.console.print(line, soft_wrap=True)

    def _new_hops(self) -> list[Hop]:
        return [*self._deliveries(), *self._reads(), *self._ledger(), *self._writes()]

    def _new(self, stream: str, numbered: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The finished entries of a stream that were not printed yet."""
        since = self._seen.get(stream, 0)
        fresh = [entry for entry in numbered if int(str(entry["number"])) > since]
        if fresh:
            self._seen[stream] = max(int(str(entry["number"])) for entry in fresh)
        return fresh

    def _deliveries(self) -> list[Hop]:
        done = [one for one in self.deployment.teamleader.get("/deliveries")["deliveries"] if one["attempts"]]
        return [
            Hop(
                one["attempts"][-1]["at"],
                "our door",
                f"webhook {one['type']} received, answered {one['attempts'][-1]['outcome']}",
            )
            for one in self._new("deliveries", done)
            if one["subject"]["id"] in self.names or one["type"].startswith("invoice.")
        ]

    def _reads(self) -> list[Hop]:
        return [
            Hop(
                float(str(one["ended"])),
                "Teamleader",
                f"asked for the full {str(one['path']).strip('/').removesuffix('s.info').replace('ie', 'y')}"
                f"{self._of(one)}: {one['status']}",
                one["status"] == 200,
            )
            for one in self._new("reads", self._finished(self.deployment.teamleader))
            if str(one["path"]).endswith((".info",))
        ]

    def _writes(self) -> list[Hop]:
        return [
            Hop(
                float(str(one["ended"])),
                "Twikey",
                f"{one['method']} customer{self._of(one)}: {one['status']}" + (" (outage)" if one["fault"] else ""),
                one["status"] in (200, 201, 204),
            )
            for one in self._new("writes", self._finished(self.deployment.twikey))
            if "/customer/" in str(one["path"])
        ]

    def _finished(self, simulated: Simulated) -> list[dict[str, Any]]:
        requests = simulated.get("/requests")["requests"]
        return [one for one in requests if one["ended"] is not None]

    def _of(self, request: dict[str, Any]) -> str:
        text = f"{request['path']} {request['body']}"
        return next((f" {name}" for customer, name in self.names.items() if customer in text), "")

    def _ledger(self) -> list[Hop]:
        hops = []
        for entry in self.deployment.services.ledger("default").activity(newest=200):
            kind, _, subject_id = entry.subject.partition(":")
            key = (entry.at, entry.subject, entry.what)
            if key in self._seen_activity or (kind != "invoice" and subject_id not in self.names):
                continue
            self._seen_activity.add(key)
            who = self.names.get(subject_id, "the invoice")
            detail = CAUSES.get(entry.detail, entry.detail.replace("_", " "))
            sentence = f"{who}: {WHAT.get(entry.what, entry.what)}" + (f" ({detail})" if detail else "")
            hops.append(Hop(entry.at.timestamp(), "ledger", sentence, entry.what not in ("dead", "retry", "defer")))
        return hops
