"""The story of the demo: eight things that happen to real customers, each with what must come of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from sandbox.deployment import Deployment, TookTooLong, wait_for
from sandbox.narrator import Narrator
from workers import operations

TOWN = {
    "type": "primary",
    "address": {"line_1": "Dok Noord 3A 101", "postal_code": "9000", "city": "Gent", "country": "BE"},
}


@dataclass(slots=True)
class Story:
    """Plays chapter after chapter; remembers what went wrong."""

    deployment: Deployment
    console: Console
    narrator: Narrator
    first_synced_at: float | None = None
    failures: list[str] = field(default_factory=list)

    def play(self) -> None:
        bakery = self._customer("company", "Bakkerij Tarwe", emails=_emails("info@tarwe.example.com"))
        els = self._customer("contact", "Els Mertens", emails=_emails("els@example.org"))
        self._edited(bakery, els)
        self._cc(bakery)
        self._invoice()
        self._off_and_on(bakery)
        self._outage(els)
        self._dead_letter()

    # -- the chapters ---------------------------------------------------------------------------------

    def _edited(self, bakery: str, els: str) -> None:
        self._chapter("A company and a person are edited in Teamleader")
        self._edit("company", bakery, vat_number="BE 0537.520.055")
        self._expect(
            "Twikey has the company, its VAT number cleaned up",
            lambda: self._has(bakery, "vatno") == "BE0537520055",
        )
        self.first_synced_at = time.time()
        self._edit("contact", els, telephones=[{"type": "mobile", "number": "0475/12.34.56"}])
        self._expect(
            "Twikey has the person, her mobile number in international form",
            lambda: self._has(els, "mobile") == "+32475123456",
        )

    def _cc(self, bakery: str) -> None:
        self._chapter("The bakery gets an e-mail address of its own for invoices")
        self._edit("company", bakery, emails=_emails("info@tarwe.example.com", "boekhouding@tarwe.example.com"))
        self._expect("it is in CC at Twikey", lambda: self._has(bakery, "cc") == "boekhouding@tarwe.example.com")

    def _invoice(self) -> None:
        self._chapter("An invoice is booked for somebody Twikey has never heard of")
        koen = self._customer("contact", "Koen Dubois", emails=_emails("koen@example.org"))
        self.deployment.teamleader.post("/invoices", {"customer": {"type": "contact", "id": koen}})
        self._expect("Twikey knows him now, with the default profile", lambda: self._has(koen, "ct") == "123")

    def _off_and_on(self, bakery: str) -> None:
        self._chapter("Auto-update is switched off, the bakery moves, auto-update is switched on")
        writes = len(self.deployment.writes(bakery))
        self._switch(on=False)
        moved = {"line_1": "Kouter 1", "postal_code": "9000", "city": "Gent", "country": "BE"}
        self._edit("company", bakery, addresses=[{"type": "primary", "address": moved}])
        ledger = self.deployment.services.ledger("default")
        self._expect("the edit is remembered", lambda: ledger.held_count() > 0)
        self._check("nothing was written to Twikey", len(self.deployment.writes(bakery)) == writes)
        self._switch(on=True)
        self._expect("Twikey caught up", lambda: self._has(bakery, "address") == "Kouter 1")

    def _outage(self, els: str) -> None:
        self._chapter("Twikey is down for a while, exactly when Els marries")
        self.deployment.twikey.post("/faults", {"kind": "status", "status": 503, "prefix": "/creditor", "count": 2})
        self._edit("contact", els, last_name="Mertens-Claes")
        self._expect(
            "the outage healed and so did Els", lambda: self._has(els, "lastname") == "Mertens-Claes", seconds=60
        )

    def _dead_letter(self) -> None:
        self._chapter("A company without a name: nobody can send that; a person must help")
        nameless = self._customer("company", "")
        subject = f"company:{nameless}"
        self._edit("company", nameless, remarks="name follows")
        ledger = self.deployment.services.ledger("default")
        self._expect("it is a dead letter that says why", lambda: (state := ledger.look(subject)) and bool(state.story))
        state = ledger.look(subject)
        if state and state.story:
            self.console.print(f'            it says: "{state.story.sentence}"', style="italic", markup=False)
        self._say("Somebody fills in the name, and an operator presses replay …")
        self.narrator.follow(nameless, "Fietsen Van Hove")
        self.deployment.teamleader.patch(f"/customers/company/{nameless}", {"name": "Fietsen Van Hove"}, silent="1")
        operations.replay(self.deployment.services, "default", subject, by="demo")
        self._expect("Twikey has it", lambda: self._has(nameless, "companyName") == "Fietsen Van Hove")
        self._expect("no dead letter is left", lambda: ledger.dead_count() == 0)

    # -- how a chapter is told ------------------------------------------------------------------------

    def _chapter(self, title: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def _say(self, sentence: str) -> None:
        self.narrator.catch_up()
        self.console.print(f"  {sentence}", style="bold")

    def _customer(self, kind: str, name: str, **fields: Any) -> str:
        first, _, last = name.partition(" ")
        names: dict[str, Any] = {"name": name} if kind == "company" else {"first_name": first, "last_name": last}
        customer_id = self.deployment.create(kind, **names, addresses=[TOWN], language="nl", **fields)
        self.narrator.follow(customer_id, name or "the nameless company")
        return customer_id

    def _edit(self, kind: str, customer_id: str, **fields: object) -> None:
        what = ", ".join(name.replace("_", " ") for name in fields)
        self._say(f"✎ In Teamleader: {self.narrator.names[customer_id]}, {what}")
        self.deployment.edit(kind, customer_id, **fields)

    def _switch(self, *, on: bool) -> None:
        self._say(f"⏻ Auto-update {'on' if on else 'off'}")
        operations.set_auto_update(self.deployment.services, "default", on=on, by="demo")

    def _has(self, customer_id: str, parameter: str) -> str | None:
        value = (self.deployment.in_twikey(customer_id) or {}).get(parameter)
        return None if value is None else str(value)

    def _expect(self, what: str, look: Callable[[], object], *, seconds: float = 20) -> None:
        begin = time.monotonic()
        try:
            wait_for(what, look, seconds=seconds)
        except TookTooLong:
            self._check(what, fine=False)
        else:
            self._check(f"{what}  [{time.monotonic() - begin:.2f} s]", fine=True)

    def _check(self, what: str, fine: bool) -> None:  # read as a sentence
        time.sleep(0.15)
        self.narrator.catch_up()
        self.console.print(f"  {'✓' if fine else '✗'} {what}", style="green" if fine else "bold red", markup=False)
        if not fine:
            self.failures.append(what)


def _emails(primary: str, invoicing: str = "") -> list[dict[str, str]]:
    emails = [{"type": "primary", "email": primary}]
    return emails + ([{"type": "invoicing", "email": invoicing}] if invoicing else [])
