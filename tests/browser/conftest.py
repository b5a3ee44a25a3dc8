"""A whole deployment with its console, operators of each role, and a real browser."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from sandbox.deployment import Deployment, deploy, free_port
from tests.browser.harness import add_files, add_merchants, chromium, new_context, running_browser
from workers import operators, sessions
from workers.operators import Role

# How long a page may take to say what it must. It guards against a hang; a busy machine stands still for seconds.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Console:
    """A deployment and who may sign in to it."""

    deployment: Deployment
    passwords: dict[str, str]

    @property
    def url(self) -> str:
        return self.deployment.console_url

    def session(self, name: str) -> str:
        """What the cookie of somebody who has just signed in holds."""
        operator = operators.find(self.deployment.services.store, name)
        assert operator is not None
        return sessions.begin(self.deployment.services.store, operator)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    chromium()
    # Under another name than the console's, so that to a browser Teamleader is another site, as it is in life.
    port = free_port()
    elsewhere = {"TLTW_TEAMLEADER_AUTH_URL": f"http://localhost:{port}"}
    with deploy(tmp_path_factory.mktemp("console"), teamleader_port=port, more_settings=elsewhere) as deployment:
        add_merchants(deployment)
        add_files(deployment)
        yield Console(deployment, {f"the-{role}": deployment.add_operator(f"the-{role}", role) for role in Role})


@dataclass
class Visit:
    """Opens the console as somebody (`""`: as a stranger), each time in a browser of its own.

    Who is named is signed in already; how one signs in is a test of its own. `mistakes`: of scripts, and what the browser
    refused to run. A test that does not expect any fails by them.
    """

    browser: Browser
    console: Console
    contexts: list[BrowserContext] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)

    def __call__(self, name: str = "", path: str = "/", **how: Any) -> Page:
        context = new_context(self.browser, self.console.url, **how)
        self.contexts.append(context)
        if name:
            context.add_cookies(
                [{"name": "tltw-session", "value": self.console.session(name), "url": self.console.url}]
            )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: self.mistakes.append(str(error)))
        page.on("console", self._listen)
        page.goto(path)
        return page

    def _listen(self, said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            self.mistakes.append(said.text)


@pytest.fixture
def visit(browser: Browser, console: Console) -> Iterator[Visit]:
    visit = Visit(browser, console)
    yield visit
    for context in visit.contexts:
        context.close()
    assert visit.mistakes == []
