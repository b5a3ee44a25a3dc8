"""Fills the demo with life, so that the console has something to tell: much that went well, something that needs a person, and
edits that go on. Everything really happens; nothing is written into the ledger by hand."""

import contextlib
import random
import threading
from dataclasses import dataclass, field

import httpx

from sandbox.deployment import Deployment
from sandbox.world import AWKWARD, CHARACTERS, Character
from workers import operations_files

# What people call the integration.
NAMED = {"TLTW_LABEL": "Handelshuis De Kade"}
REMARKS = (
    "called about the March invoice",
    "prefers e-mail",
    "met at the fair",
    "pays in instalments",
    "asked for a copy",
)
STREETS = ("Kouter", "Veldstraat", "Nieuwstraat", "Molenweg", "Kapelstraat")


def fill(deployment: Deployment) -> None:
    """One busy morning: everybody is edited once, one company has lost its name, all are exported."""
    for character in CHARACTERS:
        deployment.edit(character.kind, character.id, remarks="imported from the old address book")
    nameless = deployment.create("company", name="", emails=[{"type": "primary", "email": "hello@nobody.example.com"}])
    deployment.edit("company", nameless, remarks="name follows")
    operations_files.start_export(deployment.services, "default", full=False, about=None, by="demo")


@dataclass(slots=True)
class Life:
    """Edits somebody every few seconds, until `stop`."""

    deployment: Deployment
    seconds: tuple[float, float] = (4.0, 12.0)
    chance: random.Random = field(default_factory=random.Random)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        threading.Thread(target=self._go_on, name="life", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _go_on(self) -> None:
        ordinary = [one for one in CHARACTERS if one not in AWKWARD]
        while not self._stopped.wait(self.chance.uniform(*self.seconds)):
            # A visitor may have broken the simulated Teamleader, or stopped everything.
            with contextlib.suppress(httpx.HTTPError, RuntimeError):
                self._somebody_edits(self.chance.choice(ordinary))

    def _somebody_edits(self, one: Character) -> None:
        if self.chance.random() < 0.3:
            self.deployment.edit(one.kind, one.id, remarks=self.chance.choice(REMARKS))
            return
        street = f"{self.chance.choice(STREETS)} {self.chance.randint(1, 120)}"
        home = {"line_1": street, "postal_code": "9000", "city": "Gent", "country": "BE"}
        self.deployment.edit(one.kind, one.id, addresses=[{"type": "primary", "address": home}])
