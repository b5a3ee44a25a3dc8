"""A real browser on the console: Debian's Chromium, driven by Playwright. The pages that every check walks over stand here.

Playwright downloads no browser of its own here: it takes the machine's `chromium-headless-shell`, which is what it would
have downloaded (it starts quicker than a whole Chromium without a window), or else its `chromium`.
"""

import io
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any, Literal
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sandbox.deployment import WITHIN_SECONDS, Deployment, wait_for
from sandbox.world import character
from workers import connect, integrations, operations, operations_files
from workers.ledger import Cause, Claim, Ledger, Story

# Nothing that reaches beyond this machine; --no-sandbox because tests may run as root.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (360, 740)
SIZES: Mapping[str, tuple[int, int]] = {"desktop": DESKTOP, "phone": PHONE}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

CUSTOMERS = "/integrations/default/customers"
FRESH, OLD, LONG, PLANTED, BURIED = (
    f"{one.kind}:{one.id}"
    for one in map(character, ("dotted-vat", "two-emails", "long-name", "script-name", "only-last-name"))
)

# Every page an admin can look at, by a name for its picture. Whoever adds a page adds it here.
PAGES: Mapping[str, str] = {
    "overview": "/",
    "integration": "/integrations/default",
    "customers": CUSTOMERS,
    "customers-found": f"{CUSTOMERS}?q=bv",
    "customers-nobody": f"{CUSTOMERS}?q=zzzzzz",
    "customers-away": "/integrations/bakery/customers?q=bakkerij",
    "customer-unknown": f"{CUSTOMERS}/{FRESH}",
    "customer-differs": f"{CUSTOMERS}/{OLD}",
    "customer-long": f"{CUSTOMERS}/{LONG}",
    "customer-planted": f"{CUSTOMERS}/{PLANTED}",
    "customer-dead": f"{CUSTOMERS}/{BURIED}",
    "customer-gone": f"{CUSTOMERS}/company:00000000-0000-0000-0000-000000000000",
    "customer-away": f"/integrations/bakery/customers/{FRESH}",
    "customer-add": f"{CUSTOMERS}/{FRESH}/add",
    "customer-add-long": f"{CUSTOMERS}/{LONG}/add",
    "customer-add-known": f"{CUSTOMERS}/{OLD}/add",
    "connect": "/connect",
    "connection": "/integrations/bakery/connection",
    "connection-denied": "/integrations/bakery/connection?refused=access_denied",
    "connection-red": "/integrations/hairdresser/connection",
    "connection-green": "/integrations/default/connection",
    "switches": "/integrations/bakery/switches",
    "switches-default": "/integrations/default/switches",
    "settings": "/integrations/bakery/settings",
    "settings-default": "/integrations/default/settings",
    "connect-nothing": "/connect/teamleader",
    "dead-letters": "/integrations/default/dead-letters",
    "dead-letters-chosen": "/integrations/default/dead-letters/chosen?all=1",
    "jobs": "/integrations/default/jobs",
    "job": "/integrations/default/jobs/sweep",
    "files": "/integrations/default/files",
    "files-none": "/integrations/bakery/files",
    "import-rows": "/integrations/default/files/import/import_to-look-at",
    "alerts": "/alerts",
    "audit": "/audit",
    "operators": "/operators",
    "operator": "/operators/the-viewer",
    "account": "/account",
    "runbook": "/runbook",
    "not-found": "/nowhere",
}


ROWS = """\
customerNumber;lastname;email;l;mobile;Saldo
K.1;Peeters;an@example.com;nl;0475/12.34.56;12
K.2;Janssens;geen adres;turkish;;0
;Zonder nummer;;nl;;0
"""


def add_files(deployment: Deployment) -> None:
    """A shared file, and rows that wait to be imported under an address that is known."""
    services = deployment.services
    made = services.settings.files_dir / "made"
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_bytes(b"a file to look at, not to open")
    operations_files.files_of(services, "default").add(
        made,
        file_id="file_to-look-at",
        name="customers-default-20260102-0930-full.zip",
        kind="export",
        rows=12_345,
        by="operator:an.peeters@boekhouding-van-der-linden.be",
        now=datetime.now(UTC),
    )
    with (
        mock.patch("workers.operations_files.token_urlsafe", return_value="to-look-at"),
        operations_files.taken_in(services, "default", [("klanten.csv", io.BytesIO(ROWS.encode()))]) as paths,
    ):
        operations_files.check_import(services, "default", paths)


def add_merchants(deployment: Deployment) -> None:
    """Beside the merchant that the environment describes: one that waits to be connected, and one whose Twikey key is wrong."""
    services = deployment.services
    given = {"twikey_url": f"{deployment.twikey.url}/creditor", "twikey_key": "wrong", "default_language": "nl"}
    integrations.add(services, "bakery", {**given, "label": "Bakkerij Tarwe"}, by="cli:an")
    waits = services.ledger("bakery")
    waits.mark(FRESH, frozenset({Cause.OPERATOR}), event_id="ev_owed-a-while")
    services.store.hset(waits.keys.subject(FRESH), "f", round((time.time() - 12 * 60) * 1000))
    integrations.add(services, "hairdresser", {**given, "label": "Kapsalon Lien"}, by="operator:an")
    account = deployment.teamleader.post("/accounts", {"empty": True, "name": "Kapsalon Lien"})["id"]
    back = f"{deployment.console_url}{connect.CALLBACK}"
    address = connect.begin(services, "hairdresser", by="operator:an", redirect_uri=back, binding="an's browser")
    asked = dict(parse_qsl(urlsplit(address).query))
    answer = httpx.post(
        address.partition("?")[0], data={**asked, "account": account, "decision": "allow"}, timeout=WITHIN_SECONDS
    )
    landed = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    connect.finish(services, connect.take(services, landed["state"], binding="an's browser"), code=landed["code"])
    connect.complete(services, "default", by="operator:an")
    add_customers(deployment)


def add_customers(deployment: Deployment) -> None:
    """One whom Twikey knows with an old e-mail address, and one who failed for good."""
    old = {"companyName": "Twee Adressen NV", "email": "oud@twee.example.com", "city": "Gent", "l": "nl"}
    deployment.twikey.post("/customers", {"customerNumber": OLD.partition(":")[2], "profile": old})
    ledger = deployment.services.ledger("default")
    claim = wait_for("a customer to be ours, and not a worker's", lambda: marked_and_claimed(ledger, BURIED))
    sentence = "Twikey refuses the customer: err_invalid_params"
    ledger.fail(claim, "dead", reason="refused", story=Story("refused", sentence=sentence, api="twikey", status=400))


def marked_and_claimed(ledger: Ledger, subject: str) -> Claim | None:
    """A claim on a customer who owes an update now, unless a worker was quicker; then ask again."""
    ledger.mark(subject, frozenset({Cause.WEBHOOK}), event_id="ev_0123456789ab")
    found = ledger.claim(subject)
    return found if isinstance(found, Claim) else None


def chromium() -> str:
    """Where the browser is; without one the test is skipped here and fails in CI."""
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    why = "no Chromium on PATH (Debian: apt-get install chromium-headless-shell)"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{why}; in CI the browser must be there.")
    pytest.skip(why)


@contextmanager
def running_browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


def new_context(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Scheme = "light",
    language: str = "en-GB",
    zone: str = "Europe/Brussels",
    scripts: bool = True,
    scale: float = 1,
) -> BrowserContext:
    """A browser of somebody: its own cookies, window, colours, language and time zone."""
    width, height = size
    return browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale=language,
        timezone_id=zone,
        java_script_enabled=scripts,
        device_scale_factor=scale,
        reduced_motion="reduce",
    )


def sign_in(page: Page, name: str, password: str) -> None:
    page.goto("/login")
    page.fill("input[name=name]", name)
    page.fill("input[name=password]", password)
    page.click("button.main")


@dataclass(frozen=True)
class Trouble:
    """What axe found wrong with a page."""

    rule: str
    impact: str
    where: tuple[str, ...]


def said(*pages: Page) -> list[str]:
    """What each page says that somebody's press has done."""
    for page in pages:
        expect(page.get_by_role("status")).to_be_visible()
    return [page.get_by_role("status").inner_text() for page in pages]


@contextmanager
def held(deployment: Deployment) -> Iterator[None]:
    """Work on the merchant waits meanwhile, so that nothing that is begun is over before one has looked."""
    deployment.services.ledger("default").set_state("paused")
    try:
        yield
    finally:
        operations.resume(deployment.services, "default", by="cli:test")


def troubles(page: Page) -> list[Trouble]:
    """The serious and critical problems that axe-core finds. https://github.com/dequelabs/axe-core (version of the package)"""
    if not page.evaluate("'axe' in window"):
        page.evaluate(resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        Trouble(one["id"], one["impact"], tuple(str(node["target"][0]) for node in one["nodes"]))
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]


def sticks_out(page: Page) -> list[str]:
    """What is wider than the window, so that one would have to scroll sideways."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
             [...document.querySelectorAll("body *")]
               .filter((one) => one.getBoundingClientRect().right > window.innerWidth + 1)
               .map((one) => `${one.tagName} ${one.className}`)"""
    )
    return found
