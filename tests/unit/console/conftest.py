"""The console over a store in memory: an application, operators of each role, and a browser that keeps cookies and forms."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import fakeredis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from werkzeug.test import TestResponse

from config import settings
from ingress.console import csrf
from ingress.console.app import create_app
from ingress.console.pages import customer as page_of_customer
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.twikey.app import Twikey, create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY
from workers import operations, operators, passwords, services
from workers.ledger import Cause, Claim
from workers.ledger.records import Story
from workers.operators import Operator, Role
from workers.services import Services
from workers.sync.run import work_on

PASSWORD = "correct horse battery"
SETTINGS = {
    "TLTW_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "TLTW_WEBHOOK_KEY": "k" * 43,
    "TLTW_PUBLIC_URL": "https://sync.example.com",
    "TLTW_REDIS_URL": "redis://in-memory:6379/0",
    "TLTW_TEAMLEADER_CLIENT_ID": "id",
    "TLTW_TEAMLEADER_CLIENT_SECRET": "secret",
    "TLTW_TEAMLEADER_REFRESH_TOKEN": "refresh",
    # Nobody answers there.
    "TLTW_TEAMLEADER_API_URL": "http://127.0.0.1:1",
    "TLTW_TEAMLEADER_AUTH_URL": "http://127.0.0.1:1",
    "TLTW_TWIKEY_API_URL": "http://127.0.0.1:1/creditor",
    "TLTW_TWIKEY_API_TOKEN": "token",
}


class Compiled(BytecodeCache):
    """Templates, compiled once for all the consoles of a test run: that is most of what making one costs."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if kept := self._kept.get((bucket.key, bucket.checksum)):
            bucket.bytecode_from_string(kept)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


COMPILED = Compiled()


@dataclass
class Browser:
    """A client that sends the token of the form it saw last, as a browser would."""

    client: FlaskClient
    base: str
    headers: dict[str, str] = field(default_factory=lambda: {"Accept-Language": "en"})

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url=self.base, headers=self.headers, buffered=True, **more)

    def post(
        self, path: str, form: dict[str, Any] | None = None, *, token: str | None = None, **more: Any
    ) -> TestResponse:
        """Without `token` the right one is sent: the one in the forms of any page that this browser can see."""
        sent = {csrf.FIELD: self.token() if token is None else token, **(form or {})}
        return self.client.post(path, data=sent, base_url=self.base, headers=self.headers, **more)

    def token(self) -> str:
        page = self.get("/login")
        if page.status_code == 303:
            page = self.get("/account")
        return re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', page.text)[1]

    def sign_in(self, name: str, password: str = PASSWORD, **form: str) -> TestResponse:
        return self.post("/login", {"name": name, "password": password, **form})

    def cookies(self) -> dict[str, str]:
        return {key[2]: cookie.value for key, cookie in self.client._cookies.items()}


@dataclass
class House:
    """A console and what stands behind it."""

    app: Flask
    services: Services
    base: str

    @property
    def store(self) -> "fakeredis.FakeRedis":
        return self.services.store

    def browser(self, name: str = "", **headers: str) -> Browser:
        """A new browser; signed in when somebody is named."""
        browser = Browser(self.app.test_client(), self.base)
        browser.headers |= headers
        if name:
            assert browser.sign_in(name).status_code == 303
        return browser

    def bury(self, subject: str, reason: str = "refused", **story: Any) -> None:
        """A dead letter, with a story of its own."""
        ledger = self.services.ledger("default")
        ledger.mark(subject, frozenset({Cause.OPERATOR}), event_id="ev_of_" + subject[-4:])
        claim = ledger.claim(subject)
        assert isinstance(claim, Claim)
        event = {"event_id": claim.event_id}
        ledger.fail(claim, "dead", reason=reason, story=Story(reason, **{**event, **story}))

    def operator(self, name: str, role: Role = Role.OPERATOR, *limit: str) -> Operator:
        return operators.add(
            self.store, name, password=PASSWORD, role=role, limit=frozenset(limit) or None, by="cli:test"
        )


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is slow on purpose; tests/unit/test_passwords.py looks at the real cost."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=4, r=8, p=1))


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    """Makes a console with some settings of its own."""
    opened: list[Services] = []

    def make(base: str = "http://127.0.0.1:8001", **more: str) -> House:
        server = fakeredis.FakeServer()
        monkeypatch.setattr(services, "connect", lambda _url: fakeredis.FakeRedis(server=server))
        opened.append(services.open_services(settings.load(SETTINGS | more)))
        app = create_app(opened[-1])
        app.jinja_env.bytecode_cache = COMPILED
        return House(app, opened[-1], base)

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """A console with a viewer, an operator and an admin."""
    house = build()
    for role in Role:
        house.operator(f"the-{role}", role)
    return house


def text_of(response: TestResponse) -> str:
    """What a person reads on a page."""
    body = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", response.text, flags=re.DOTALL)
    inline = re.sub(r"</?(b|code|small|span|time)\b[^>]*>", "", body)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", inline)).split())


# -- with both systems behind it ------------------------------------------------------------------------

CUSTOMERS = "/integrations/default/customers"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@dataclass
class Shop:
    """A console, and what stands on both sides of it. There is no worker but `work`."""

    house: House
    teamleader: Teamleader
    twikey: Twikey

    @property
    def services(self):
        return self.house.services

    @property
    def ledger(self):
        return self.services.ledger("default")

    @property
    def in_twikey(self):
        return self.twikey.office.default.customers

    def company(self, name="Bakkerij Tarwe", email="info@example.com", **more):
        emails = [{"type": "primary", "email": email}] if email else []
        account = self.teamleader.world.default
        return account.create("company", {"name": name, "emails": emails, **more}, silent=True).id

    def contact(self, first="An", last="Peeters", **more):
        account = self.teamleader.world.default
        return account.create("contact", {"first_name": first, "last_name": last, **more}, silent=True).id

    def edit(self, company, **changes):
        self.teamleader.world.default.edit("company", company, changes, silent=True)

    def work(self, subject, cause=None):
        if cause:
            self.ledger.mark(subject, frozenset({cause}), event_id="ev_x")
        work_on(subject, self.services.tools("default"))

    def calls(self, path):
        return [record for record in self.teamleader.log.records() if record.path.endswith(path)]


@pytest.fixture
def shop(build, monkeypatch) -> Iterator[Shop]:
    monkeypatch.setattr(page_of_customer, "WAIT", page_of_customer.NEWS_EVERY / 20)
    teamleader, twikey = create_teamleader(), create_twikey()
    with serve(teamleader) as teamleader_url, serve(twikey) as twikey_url:
        house = build(
            TLTW_TEAMLEADER_CLIENT_ID=worlds.DEFAULT_CLIENT_ID,
            TLTW_TEAMLEADER_CLIENT_SECRET=worlds.DEFAULT_CLIENT_SECRET,
            TLTW_TEAMLEADER_API_URL=teamleader_url,
            TLTW_TEAMLEADER_AUTH_URL=teamleader_url,
            TLTW_TEAMLEADER_REFRESH_TOKEN=worlds.DEFAULT_REFRESH_TOKEN,
            TLTW_TWIKEY_API_URL=f"{twikey_url}/creditor",
            TLTW_TWIKEY_API_TOKEN=DEFAULT_API_KEY,
            TLTW_TWIKEY_PROFILE="123",
            TLTW_TWIKEY_CUSTOMER_URL=f"{twikey_url}/ui/customers/{{customerNumber}}",
            TLTW_AUTO_UPDATE="on",
        )
        for role in Role:
            house.operator(f"the-{role}", role)
        house.services.ledger("default").set_state("active")
        yield Shop(house, teamleader, twikey)


@pytest.fixture
def operator(shop):
    return shop.house.browser("the-operator")


@pytest.fixture
def viewer(shop):
    return shop.house.browser("the-viewer")


def of(company):
    return f"{CUSTOMERS}/company:{company}"


def row(page, field):
    """The words in the row of a field in the comparison."""
    rows = re.findall(r"<tr role=\"row\".*?</tr>", page.text, re.DOTALL)
    (found,) = (one for one in rows if f'scope="row">{field}' in one)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


def off(shop):
    operations.set_auto_update(shop.services, "default", on=False, by="cli:test")


def planted(shop):
    address = dict.fromkeys(("line_1", "postal_code", "city", "country"), EVIL)
    return shop.company(
        EVIL,
        emails=[{"type": "primary", "email": EVIL}, {"type": "invoicing", "email": EVIL}],
        telephones=[{"type": "phone", "number": EVIL}],
        addresses=[{"type": "primary", "address": address}],
        language=EVIL,
        vat_number=EVIL,
        national_identification_number=EVIL,
        web_url="javascript:alert(1)",
    )
