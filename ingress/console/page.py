"""What pages are made of: their addresses, and who may use each. `ingress.console` tells how to add one."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint, Flask, g
from flask.typing import ResponseReturnValue

from ingress.console.here import Here
from workers.operators import Role

# What a page answers.
Answer = ResponseReturnValue
Page = TypeVar("Page", bound=Callable[..., Answer])


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Who may use a page. `role` None: everybody, also without signing in.

    `unlimited`: not those who are limited to some integrations. `by_itself`: the page is asked for again and again by a script, which
    does not keep a session alive. `secret_query`: what follows the ? is not carried along to the sign-in page.
    `most_bytes`: a form that brings a file, and may be so large; 0: as large as any form.
    """

    role: Role | None
    unlimited: bool = False
    by_itself: bool = False
    secret_query: bool = False
    most_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """A page in the menu, or in the tabs of an integration; `name` is its key in words/menu.toml."""

    name: str
    endpoint: str
    need: Need


@dataclass(slots=True)
class Pages:
    """The pages of one area."""

    name: str
    menu: list[Link] = field(default_factory=list)
    tabs: list[Link] = field(default_factory=list)
    blueprint: Blueprint = field(init=False)

    def __post_init__(self) -> None:
        self.blueprint = Blueprint(self.name, __name__)

    def get(
        self,
        address: str,
        *,
        needs: Role | None,
        unlimited: bool = False,
        by_itself: bool = False,
        secret_query: bool = False,
        menu: str = "",
        tab: str = "",
    ) -> Callable[[Page], Page]:
        """A page to look at. It changes nothing."""
        need = Need(role=needs, unlimited=unlimited, by_itself=by_itself, secret_query=secret_query)

        def declare(page: Page) -> Page:
            endpoint = f"{self.name}.{page.__name__}"
            self.menu += [Link(menu, endpoint, need)] if menu else []
            self.tabs += [Link(tab, endpoint, need)] if tab else []
            return self._add("GET", address, need, page)

        return declare

    def post(
        self, address: str, *, needs: Role | None, unlimited: bool = False, most_bytes: int = 0
    ) -> Callable[[Page], Page]:
        """An act. Its form carries `csrf()`."""
        need = Need(role=needs, unlimited=unlimited, most_bytes=most_bytes)
        return lambda page: self._add("POST", address, need, page)

    def _add(self, method: str, address: str, need: Need, page: Page) -> Page:
        @functools.wraps(page)
        def view(**parts: Any) -> Answer:
            here: Here = g.here
            if "integration" in parts:
                parts["integration"] = here.integration(parts["integration"])
            return page(here, **parts)

        view.need = need  # type: ignore[attr-defined] # read by `need_of`
        self.blueprint.add_url_rule(address, page.__name__, view, methods=[method], provide_automatic_options=False)
        return page


def need_of(app: Flask, endpoint: str) -> Need | None:
    """Who may use an endpoint; None when nobody declared it."""
    return getattr(app.view_functions[endpoint], "need", None)
