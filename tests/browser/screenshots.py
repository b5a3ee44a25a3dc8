"""Pictures of every page, on a desktop and a phone, light and dark, to be looked at: `make screenshots`.

They go to build/screenshots/ (or the folder that is named) and are not part of the project.
"""

import tempfile
import time
from pathlib import Path

import click
from playwright.sync_api import Browser

from sandbox import life
from sandbox.deployment import Deployment, deploy, wait_for
from tests.browser.harness import (
    FRESH,
    LONG,
    PAGES,
    SCHEMES,
    SIZES,
    Scheme,
    add_files,
    add_merchants,
    new_context,
    running_browser,
    sign_in,
)
from workers import operators
from workers.operators import Role


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("build/screenshots"), show_default=True)
@click.option("--language", default="nl-BE", show_default=True)
@click.option("--only", default="", help="Only pages whose name holds this.")
def main(folder: Path, language: str, only: str) -> None:
    """Take a picture of every page."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="tltw-") as data,
        deploy(Path(data), more_settings=life.NAMED) as deployment,
    ):
        password = fill(deployment)
        with running_browser() as browser:
            for scheme in SCHEMES:
                for size in SIZES:
                    shoot(browser, deployment.console_url, password, folder, scheme, size, language, only)


def fill(deployment: Deployment) -> str:
    """Some life: customers in sync, one that needs somebody, operators; answers the password of the admin."""
    life.fill(deployment)
    wait_for("everything to be done", deployment.settled, seconds=90)
    for one in (FRESH, LONG):  # whom the pages of adding show
        deployment.twikey.delete(f"/customers/{one.partition(':')[2]}")
    add_merchants(deployment)
    add_files(deployment)
    deployment.add_operator("the-viewer", Role.VIEWER)
    deployment.add_operator("an.peeters@boekhouding-van-der-linden.be", Role.OPERATOR)
    operators.set_limit(deployment.services.store, "the-viewer", frozenset({"default"}), by="operator:an")
    operators.set_disabled(deployment.services.store, "an.peeters@boekhouding-van-der-linden.be", True, by="cli:root")
    return deployment.add_operator("bo", Role.ADMIN)


def shoot(
    browser: Browser, url: str, password: str, folder: Path, scheme: Scheme, size: str, language: str, only: str
) -> None:
    context = new_context(browser, url, size=SIZES[size], scheme=scheme, language=language)
    page = context.new_page()
    page.goto("/login")
    if only in "sign-in":
        page.screenshot(path=folder / f"sign-in-{size}-{scheme}.png", full_page=True)
    sign_in(page, "bo", password)
    for name, path in PAGES.items():
        if only in name:
            page.goto(path)
            page.screenshot(path=folder / f"{name}-{size}-{scheme}.png", full_page=True)
    if only in "connect-wrong":
        page.goto("/connect")
        page.fill("[name=name]", "Garage!")
        page.fill("[name=label]", "Garage Vandamme")
        page.fill("[name=twikey_url]", "https://api.twikey.com")
        page.fill("[name=twikey_key]", "a secret")
        page.click("main button.main")
        page.screenshot(path=folder / f"connect-wrong-{size}-{scheme}.png", full_page=True)
    context.close()
    if only in "connect-finish":
        without_scripts(browser, url, password, folder, scheme, size, language)


def without_scripts(
    browser: Browser, url: str, password: str, folder: Path, scheme: Scheme, size: str, language: str
) -> None:
    """What only stands still without scripts."""
    context = new_context(browser, url, size=SIZES[size], scheme=scheme, language=language, scripts=False)
    page = context.new_page()
    sign_in(page, "bo", password)
    page.goto("/connect/teamleader?state=x&code=y")
    page.screenshot(path=folder / f"connect-finish-{size}-{scheme}.png", full_page=True)
    context.close()


if __name__ == "__main__":
    began = time.monotonic()
    main(standalone_mode=False)
    click.echo(f"Done in {time.monotonic() - began:.0f} s.")
