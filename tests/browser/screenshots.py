"""Pictures of every page in every state, on a desktop and a phone, light and dark, to be looked at: `make screenshots`.

They go to build/screenshots/<state>/ (or the folder that is named) and are not part of the project.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import click
from playwright.sync_api import Browser, Page

from sandbox.deployment import deploy
from tests.browser.harness import SCHEMES, SIZES, Scheme, new_context, running_browser, sign_in
from tests.browser.states import STATES, State
from workers.operators import Role

OWNER = "bo"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/screenshots"), show_default=True)
@click.option("--language", default="nl-BE", show_default=True)
@click.option(
    "--state", "states", type=click.Choice(list(STATES)), multiple=True, help="Only this state; again for more."
)
@click.option("--only", default="", help="Only pages whose name holds this.")
def main(folder: Path, language: str, states: tuple[str, ...], only: str) -> None:
    """Take a picture of every page."""
    for name, state in STATES.items():
        if not states or name in states:
            click.echo(name)
            _in_a_state(state, folder / name, language, only)


def _in_a_state(state: State, folder: Path, language: str, only: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tltw-") as data,
        deploy(Path(data), more_settings=state.settings) as deployment,
        running_browser() as browser,
    ):
        password = deployment.add_operator(OWNER, Role.ADMIN)
        state.fill(deployment)
        camera = Camera(browser, deployment.console_url, password, folder, language)
        for scheme, size in product(SCHEMES, SIZES):
            camera.shoot(scheme, size, state.pages, only)
        for name, happens in state.worse.items():
            if only in name:
                with ExitStack() as visits:
                    # Whoever is signed in already sees it happen.
                    pages = [(one, visits.enter_context(camera.signed_in(*one))) for one in product(SCHEMES, SIZES)]
                    happens(deployment)
                    for (scheme, size), page in pages:
                        page.goto("/")
                        camera.keep(page, name, scheme, size)


@dataclass(slots=True)
class Camera:
    """Somebody who looks at pages and keeps what it saw."""

    browser: Browser
    url: str
    password: str
    folder: Path
    language: str

    def shoot(self, scheme: Scheme, size: str, pages: Mapping[str, str], only: str) -> None:
        """All pages whose name holds `only`."""
        with self.signed_in(scheme, size, sign_in_too=only in "sign-in") as page:
            for name, path in pages.items():
                if only in name:
                    page.goto(path)
                    self.keep(page, name, scheme, size)
            if only in "connect-wrong":
                page.goto("/connect")
                page.fill("[name=name]", "Garage!")
                page.fill("[name=label]", "Garage Vandamme")
                page.fill("[name=twikey_url]", "https://api.twikey.com")
                page.fill("[name=twikey_key]", "a secret")
                page.click("main button.main")
                self.keep(page, "connect-wrong", scheme, size)
        if only in "connect-finish":  # only without scripts it stands still
            with self.signed_in(scheme, size, scripts=False) as page:
                page.goto("/connect/teamleader?state=x&code=y")
                self.keep(page, "connect-finish", scheme, size)

    @contextmanager
    def signed_in(
        self, scheme: Scheme, size: str, *, scripts: bool = True, sign_in_too: bool = False
    ) -> Iterator[Page]:
        context = new_context(
            self.browser, self.url, size=SIZES[size], scheme=scheme, language=self.language, scripts=scripts
        )
        page = context.new_page()
        page.goto("/login")
        if sign_in_too:
            self.keep(page, "sign-in", scheme, size)
        sign_in(page, OWNER, self.password)
        yield page
        context.close()

    def keep(self, page: Page, name: str, scheme: Scheme, size: str) -> None:
        page.screenshot(path=self.folder / f"{name}-{size}-{scheme}.png", full_page=True)


if __name__ == "__main__":
    began = time.monotonic()
    main(standalone_mode=False)
    click.echo(f"Done in {time.monotonic() - began:.0f} s.")
