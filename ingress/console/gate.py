"""Who comes in: asked before every request, in this order: the right address, a session, a form of ours, the right role."""

import structlog
from flask import Flask, Request, Response, current_app, g, request, url_for
from werkzeug.exceptions import HTTPException

from ingress.console import csrf
from ingress.console.cookies import Cookies
from ingress.console.here import Here, NotAllowed
from ingress.console.language import LANGUAGES, Words, best
from ingress.console.page import Need, need_of
from workers import sessions
from workers.services import Services

# What anybody may fetch, and what asks for nothing: no session is looked up for it.
OPEN = frozenset({"static", "livez"})

log = structlog.get_logger()


class WrongAddress(HTTPException):
    """The console was asked for under a host name that is not its own: a mistake of the proxy, or another page reaching for it."""

    code = 421


class FormRefused(HTTPException):
    """A form that did not come from a page of ours in this browser, or from one that is too old."""

    code = 400


def guard(app: Flask, services: Services) -> None:
    """Puts the gate in front of every page."""
    cookies = Cookies(secure=services.settings.console_url.startswith("https:"))
    hosts = allowed_hosts(services.settings.console_url)

    @app.before_request
    def come_in() -> Response | None:
        if request.endpoint in OPEN:
            return None
        here = g.here = arrive(services, cookies)
        if host_of(request) not in hosts:
            raise WrongAddress
        need = need_of(app, request.endpoint) if request.endpoint else None
        here.session = sessions.look(services.store, here.cookie, active=need is None or not need.by_itself)
        # Without an address there is no page: Flask answers 404 or 405 next.
        return check(here, need) if request.endpoint else None

    @app.after_request
    def leave(response: Response) -> Response:
        here: Here | None = g.get("here")
        if here is not None:
            keep_cookies(here, response)
        return response


def arrive(services: Services, cookies: Cookies) -> Here:
    """A request of which only cookies and headers are known yet."""
    cookie = cookies.read(request, cookies.session)
    return Here(
        services=services,
        cookies=cookies,
        words=Words(language_of(request, cookies)),
        cookie=cookie if sessions.ID.fullmatch(cookie) else sessions.new_id(),
    )


def check(here: Here, need: Need | None) -> Response | None:
    """Lets in, leads to the sign-in page, or raises. A page that nobody declared is for nobody."""
    if need is None:
        raise RuntimeError(f"the page {request.endpoint} does not say who may use it: declare it with Pages")
    if need.role is not None and here.session is None:
        return sign_in_first(here, need)
    may = need.role is None or here.operator.may(need.role, unlimited=need.unlimited)
    if may and need.most_bytes:
        # Before the form is read, and only for whoever may send a file.
        request.max_content_length = need.most_bytes
    if request.method not in ("GET", "HEAD"):
        check_form(here)
    if need.role is not None and not may:
        raise NotAllowed(needs=need.role, unlimited=need.unlimited)
    return None


def check_form(here: Here) -> None:
    given = request.form.get(csrf.FIELD) or request.headers.get("X-Form-Token", "")
    if not csrf.same_site(request.headers.get("Sec-Fetch-Site", "")) or not csrf.valid(here.cookie, given):
        raise FormRefused


def sign_in_first(here: Here, need: Need) -> Response:
    """To the sign-in page, and from there back. What was sent with a POST is not repeated: it leads to the page it belongs to."""
    if request.method == "POST":
        return here.go("sign_in.form", said="sign_in.session_ended", next=_if_not_first(page_above()))
    return here.go(
        "sign_in.form", next=_if_not_first(request.path if need.secret_query else request.full_path.rstrip("?"))
    )


def page_above() -> str:
    """The page on which a form stood: the nearest one at or above the address it is sent to."""
    looks = {rule.rule: rule for rule in current_app.url_map.iter_rules() if "GET" in (rule.methods or ())}
    rule = request.url_rule.rule if request.url_rule else ""
    while rule:
        if found := looks.get(rule):
            given = request.view_args or {}
            return url_for(found.endpoint, **{name: given[name] for name in found.arguments})
        rule = rule.rpartition("/")[0]
    return url_for("overview.shown")


def _if_not_first(path: str) -> str | None:
    """Signing in leads to the first page by itself."""
    return path if path != url_for("overview.shown") else None


def allowed_hosts(console_url: str) -> frozenset[str]:
    """The host names the console answers to. On this machine: all of its own, so that no name of others leads here."""
    host = name_in(console_url)
    loopback = frozenset({"localhost", "127.0.0.1", "::1"})
    return loopback if host in loopback else frozenset({host})


def name_in(address: str) -> str:
    """The host name of an address."""
    return _hostname(address.split("://", 1)[1])


def host_of(asked: Request) -> str:
    return _hostname(asked.host)


def language_of(asked: Request, cookies: Cookies) -> str:
    """The language that was chosen, else the first of the browser's that we speak."""
    chosen = cookies.read(asked, cookies.language)
    return chosen if chosen in LANGUAGES else best(asked.accept_languages.values())


def keep_cookies(here: Here, response: Response) -> None:
    """A browser keeps its cookie for as long as it is valid, and hears once what there was to say."""
    names = here.cookies
    if names.read(request, names.session) != here.cookie:
        names.write(response, names.session, here.cookie)
    if here.said_now:
        names.clear(response, names.said)


def _hostname(host: str) -> str:
    """Without the port: it may differ between us and a proxy."""
    if host.startswith("["):
        return host[1:].split("]")[0]
    return host.rsplit(":", 1)[0].lower()
