"""The cookies of the console: their names and how they are set. What they hold is judged elsewhere."""

from dataclasses import dataclass
from datetime import timedelta

from flask import Request, Response


@dataclass(frozen=True, slots=True)
class Cookies:
    """`secure`: the console is used over https. Then the names begin with `__Host-`, and a browser takes them from us alone.

    On plain http, which is this machine only, a browser would refuse that prefix.
    https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis (looked up 2026-11-25)
    """

    secure: bool

    @property
    def session(self) -> str:
        """The id of a session; before signing in a random word that forms are bound to."""
        return self._name("session")

    @property
    def browser(self) -> str:
        """What tells a browser, in which somebody signed in before, from strangers."""
        return self._name("browser")

    @property
    def language(self) -> str:
        return self._name("language")

    @property
    def said(self) -> str:
        """What the next page says once."""
        return self._name("said")

    def read(self, request: Request, name: str) -> str:
        return request.cookies.get(name, "")

    def write(self, response: Response, name: str, value: str, *, lasts: timedelta | None = None) -> None:
        """Without `lasts` the browser forgets it when it is closed."""
        response.set_cookie(
            name, value, max_age=lasts, path="/", secure=self.secure, httponly=True, samesite="Lax", domain=None
        )

    def clear(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="Lax")

    def _name(self, what: str) -> str:
        return f"__Host-tltw-{what}" if self.secure else f"tltw-{what}"
