"""A whole deployment with its console, operators of each role, and a real browser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from sandbox.deployment import Deployment, deploy
from tests.browser.harness import chromium, new_context, running_browser, sign_in
from workers.operators import Role


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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    chromium()
    with deploy(tmp_path_factory.mktemp("console")) as deployment:
        yield Console(deployment, {f"the-{role}": deployment.add_operator(f"the-{role}", role) for role in Role})


@pytest.fixture
def visit(browser: Browser, console: Console) -> Iterator[Callable[..., Page]]:
    """Opens the console as somebody (`""`: as a stranger), in a browser of its own. A mistake of a script fails the test."""
    contexts: list[BrowserContext] = []
    mistakes: list[str] = []

    def open_as(name: str = "", path: str = "/", **how: Any) -> Page:
        contexts.append(new_context(browser, console.url, **how))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: mistakes.append(str(error)))
        page.on("console", lambda said: mistakes.append(said.text) if "Content Security Policy" in said.text else None)
        if name:
            sign_in(page, name, console.passwords[name])
        if not name or path != "/":
            page.goto(path)
        return page

    yield open_as
    for context in contexts:
        context.close()
    assert mistakes == []
