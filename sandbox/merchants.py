"""More merchants on a running deployment: each with an account at Teamleader, a creditor at Twikey and an integration.

For tests and benchmarks about many merchants that must not disturb each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from config.keys import IntegrationKeys
from sandbox.deployment import Deployment, wait_for
from sandbox.teamleader.generated import GeneratedWorld
from workers import connect, integrations
from workers.integrations import ACTIVE
from workers.ledger import Cause, Ledger

CALLBACK = "http://127.0.0.1:8001/connect/teamleader"
WEBHOOK = frozenset({Cause.WEBHOOK})


@dataclass(frozen=True, slots=True)
class Merchant:
    """One merchant. Its customers are made up: number n is `customer(n)`, a company."""

    deployment: Deployment = field(repr=False)
    name: str
    account: str
    creditor: str
    customers: int

    @property
    def ledger(self) -> Ledger:
        return self.deployment.services.ledger(self.name)

    def customer(self, number: int) -> str:
        return GeneratedWorld(self.customers).identify("company", number)

    def subject(self, number: int) -> str:
        return f"company:{self.customer(number)}"

    def edit(self, number: int, *, silently: bool = False, **fields: object) -> None:
        """A person edits a customer in Teamleader; a webhook follows."""
        query = {"silent": "1"} if silently else {}
        self.deployment.teamleader.patch(
            f"/customers/company/{self.customer(number)}", fields, account=self.account, **query
        )

    def owe(self, numbers: Iterator[int] | range) -> None:
        """Makes customers owed behind everybody's back: no webhook, no wake-up."""
        ledger = self.ledger
        for number in numbers:
            ledger.mark(self.subject(number), WEBHOOK)

    def writes(self) -> list[dict[str, Any]]:
        """Every write that Twikey took of this merchant, in order."""
        writes: list[dict[str, Any]] = self.deployment.twikey.get("/writes", accepted=1, creditor=self.creditor)[
            "writes"
        ]
        return writes

    def reads(self, *, since: float = 0.0) -> list[float]:
        """When customers of this merchant were read from Teamleader (seconds since 1970)."""
        found = self.deployment.teamleader.get("/requests", account=self.account, prefix="/companies.info")["requests"]
        return [one["started"] for one in found if one["started"] >= since]

    # -- what goes wrong, and what a person does about it ------------------------------------------------

    def hang(self) -> str:
        """Teamleader never answers this merchant any more; answers the id of the fault."""
        wanted = {"kind": "hang", "account": self.account, "id": f"hang-{self.name}"}
        fault: str = self.deployment.teamleader.post("/faults", wanted)["id"]
        return fault

    def revoke(self) -> None:
        """As when somebody disconnects us at Teamleader."""
        self.deployment.teamleader.post("/tokens/revoke", account=self.account)

    def reconnect(self) -> None:
        """A person goes through Teamleader's consent page again. Raises `AssertionError` when a step fails."""
        deployment, browser = self.deployment, "a browser"
        deployment.teamleader.patch("/settings", {"settings": {"redirect_uris": [CALLBACK]}})
        page = connect.begin(deployment.services, self.name, by="operator:an", redirect_uri=CALLBACK, binding=browser)
        asked = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
        form = asked | {"decision": "allow", "account": self.account}
        back = deployment.client.post(f"{deployment.teamleader.url}/oauth2/authorize", data=form).headers["Location"]
        came = parse_qs(urlsplit(back).query)
        wanted = connect.take(deployment.services, came["state"][0], binding=browser)
        steps = connect.finish(deployment.services, wanted, code=came["code"][0])
        assert all(step.ok for step in steps), steps


def add_merchant(
    deployment: Deployment, name: str, *, customers: int = 0, own_creditor: bool = False, **options: str
) -> Merchant:
    """A merchant that is connected already. Its webhook is registered by the clock soon after (`registered`)."""
    made = deployment.teamleader.post("/accounts", {"empty": True, "generate": customers * 2})
    creditor = deployment.twikey.get("/creditors")["creditors"][0]
    if own_creditor:
        creditor = deployment.twikey.post("/creditors", {"id": f"of-{name}", "api_key": f"key-of-{name}"})
    given = {
        "twikey_url": f"{deployment.twikey.url}/creditor",
        "twikey_key": creditor["api_key"],
        "teamleader_refresh_token": made["refresh_token"],
        "auto_update": "on",
        "profile": "123",
    }
    integrations.add(deployment.services, name, given | options, by="cli:sandbox")
    deployment.services.ledger(name).set_state(ACTIVE)
    return Merchant(deployment, name, made["id"], creditor["id"], customers * 2)


def registered(deployment: Deployment, merchants: list[Merchant], *, seconds: float = 60.0) -> None:
    """Waits until Teamleader knows where to send the webhooks of these merchants."""

    def all_are() -> bool:
        pipeline = deployment.services.store.pipeline(transaction=False)
        for merchant in merchants:
            pipeline.exists(IntegrationKeys(merchant.name).registered)
        return all(pipeline.execute())

    wait_for("webhooks to be registered", all_are, seconds=seconds)
