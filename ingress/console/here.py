"""All that a page gets: who asks, in which language, what the service can do, and how to answer."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from markupsafe import Markup

from config.integrations import Integration
from ingress.console import csrf
from ingress.console.cookies import Cookies
from ingress.console.language import Words
from workers.operators import Operator, Role
from workers.services import Services
from workers.sessions import Session


class NotAllowed(Exception):
    """This operator may not; `needs`, `unlimited` and `integration` tell who could."""

    def __init__(self, *, needs: Role, unlimited: bool = False, integration: str = "") -> None:
        super().__init__("not allowed")
        self.needs, self.unlimited, self.integration = needs, unlimited, integration

    def why(self, operator: Operator) -> str:
        """What this operator lacks, as the last part of a key in words/error.toml."""
        if self.integration:
            return "other"
        return "whole" if operator.role.includes(self.needs) else "role"


@dataclass(slots=True, kw_only=True)
class Here:
    """One request. `cookie`: what the browser's session cookie holds, or will hold after this answer."""

    services: Services
    cookies: Cookies
    words: Words
    cookie: str
    session: Session | None = None
    chosen: Integration | None = None
    form_targets: tuple[str, ...] = ()
    said_now: bool = False

    @property
    def operator(self) -> Operator:
        """Who asks. Only for pages that need a role."""
        assert self.session is not None, "a page that needs no role has no operator"
        return self.session.operator

    @property
    def by(self) -> str:
        """How the audit log names who asks."""
        return f"operator:{self.operator.name}"

    @property
    def form_token(self) -> str:
        return csrf.token(self.cookie)

    # -- the integrations of this operator: no page gets them elsewhere --------------------------------

    def integrations(self) -> list[Integration]:
        return [one for one in self.services.integrations() if self.operator.may_see(one.id)]

    def integration(self, name: str) -> Integration:
        """Raises `UnknownIntegration`, or `NotAllowed` when the operator is limited to others."""
        if not self.operator.may_see(name):
            raise NotAllowed(needs=Role.VIEWER, integration=name)
        self.chosen = self.services.integration(name)
        return self.chosen

    # -- answers ---------------------------------------------------------------------------------------

    def page(self, template: str, *, status: int = 200, form_targets: Iterable[str] = (), **values: Any) -> Response:
        """Renders a page. `form_targets`: other origins that its forms may lead to."""
        self.form_targets = tuple(form_targets)
        return make_response(render_template(template, here=self, **values), status)

    def go(
        self, endpoint: str, *, said: str = "", said_with: dict[str, Any] | None = None, done: bool = True, **parts: Any
    ) -> Response:
        """Leads on after an act, to a page that says once what was done: `said` is a key of the words, with what goes into it.

        `done`: False when nothing was done, so that it does not look like a success.
        """
        response = self.go_to(url_for(endpoint, **parts))
        if said:
            level = "well" if done else "off"
            self.cookies.write(response, self.cookies.said, json.dumps([said, said_with or {}, level]))
        return response

    def go_to(self, path: str) -> Response:
        """Leads on to an address of ours; anything else leads to the first page."""
        return make_response(redirect(local(path), code=303))

    def said(self) -> tuple[str, Markup] | None:
        """What the page before wanted to have said, and how it is marked: well, or off when nothing was done.

        It comes from a cookie, so whatever is wrong with it is ignored.
        """
        try:
            key, values, level = json.loads(self.cookies.read(request, self.cookies.said))
            self.said_now = True
            return "well" if level == "well" else "off", self.words(key, **values)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None


def local(path: str) -> str:
    """The path, if it leads nowhere but to this console, else `/`."""
    # Browsers read \ as /, and leave out tabs and line ends.
    ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if ours else "/"
