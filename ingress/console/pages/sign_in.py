"""Signing in and out, and choosing a language: the pages for everybody."""

from datetime import timedelta

import structlog
from flask import Response, request

from ingress.console import browsers
from ingress.console.here import Here, local
from ingress.console.language import LANGUAGES
from ingress.console.page import Answer, Pages
from workers import operators, sessions, sign_in
from workers.operators import Operator, Role
from workers.sign_in import NotSignedIn

LANGUAGE_KEPT_FOR = timedelta(days=365)

pages = Pages("sign_in")
log = structlog.get_logger()


@pages.get("/login", needs=None)
def form(here: Here) -> Answer:
    """The form, or straight on for somebody who is signed in already."""
    if here.session is not None:
        return here.go_to(request.args.get("next", "/"))
    return show_form(here)


@pages.post("/login", needs=None)
def enter(here: Here) -> Answer:
    """Checks name and password. A new session has a new id, so that one that was planted before is worth nothing."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    known = here.cookies.read(request, here.cookies.browser)
    proved = sign_in.prove(
        here.services.store, name=name, password=password, address=request.remote_addr or "", browser_token=known
    )
    if isinstance(proved, NotSignedIn):
        return refuse(here, proved, name)
    log.info("An operator signed in.", operator=proved.name)
    response = here.go_to(request.form.get("next", "/"))
    if not sign_in.knows_browser(here.services.store, proved.name, known):
        token = sign_in.remember_browser(here.services.store, proved)
        here.cookies.write(response, here.cookies.browser, token, lasts=sign_in.BROWSER_KNOWN_FOR)
    begin_session(here, proved)
    return response


@pages.post("/logout", needs=Role.VIEWER)
def leave(here: Here) -> Answer:
    assert here.session is not None
    sessions.end(here.services.store, here.session)
    here.cookie = sessions.new_id()
    return here.go("sign_in.form", said="sign_in.signed_out")


@pages.post("/language", needs=None)
def language(here: Here) -> Answer:
    """Wins over the browser's languages from now on."""
    response = here.go_to(request.form.get("back", "/"))
    if (chosen := request.form.get("language", "")) in LANGUAGES:
        here.cookies.write(response, here.cookies.language, chosen, lasts=LANGUAGE_KEPT_FOR)
    return response


def begin_session(here: Here, operator: Operator) -> None:
    """Signs the operator in, in this browser; whoever was signed in here before no longer is."""
    if here.session is not None:
        sessions.end(here.services.store, here.session)
    browser = browsers.described(request.user_agent.string)
    # The answer carries it to the browser (`gate.keep_cookies`).
    here.cookie = sessions.begin(here.services.store, operator, browser=browser)


def refuse(here: Here, refused: NotSignedIn, name: str) -> Response:
    log.warning("A sign-in was refused.", why=refused.why, address=request.remote_addr)
    minutes = max(1, round(refused.again_in.total_seconds() / 60))
    response = show_form(
        here,
        status=429 if refused.why == "throttled" else 422,
        problem=here.words(f"sign_in.{refused.why}", count=minutes),
        name=name,
    )
    if refused.again_in:
        response.headers["Retry-After"] = str(round(refused.again_in.total_seconds()))
    return response


def show_form(here: Here, *, status: int = 200, problem: str = "", name: str = "") -> Response:
    return here.page(
        "sign_in.html",
        status=status,
        problem=problem,
        name=name,
        next=local(request.values.get("next", "/")),
        nobody=not operators.everybody(here.services.store),
    )
