"""Connecting a merchant: a form, the way to Teamleader's consent page, and the way back from it."""

import hashlib
import hmac
from collections.abc import Mapping

from flask import Response, request

from config.integrations import OPTIONS, Integration, OptionsWrong
from ingress.console import options
from ingress.console.gate import host_of, name_in
from ingress.console.here import Here
from ingress.console.language import Words
from ingress.console.page import Answer, Pages
from workers import connect, integrations
from workers.connect import CALLBACK, CannotConnect
from workers.integrations import AlreadyThere
from workers.operators import Role

PURPOSE = b"tltw connect"
# What Teamleader sends back: a code, or why there is none.
SENT_BACK = ("state", "code", "error")

pages = Pages("connect")


@pages.get("/connect", needs=Role.ADMIN, unlimited=True)
def form(here: Here) -> Answer:
    return show_form(here, typed={"twikey_url": options.USUAL_TWIKEY_URL})


@pages.post("/connect", needs=Role.ADMIN, unlimited=True)
def add(here: Here) -> Answer:
    """Adds the integration; what is left is a person's consent."""
    name, typed = request.form.get("name", "").strip(), options.given(request.form, OPTIONS)
    try:
        added = integrations.add(here.services, name, typed, by=here.by)
    except AlreadyThere:
        return show_form(here, typed=typed, name=name, problems={"name": "taken"})
    except OptionsWrong as wrong:
        return show_form(here, typed=typed, name=name, problems=wrong.problems)
    return here.go("connection.shown", integration=added.id, said="connect.added", said_with={"name": added.name})


@pages.post("/integrations/<integration>/connect", needs=Role.ADMIN)
def begin(here: Here, integration: Integration) -> Answer:
    """Leads to Teamleader's consent page.

    Not by a redirect: `form-action` of our policy would have to allow every address on that way, and where Teamleader leads
    somebody who must sign in first is documented nowhere. A page that leads on is no form, so the policy stays as it is
    (docs/decisions/0016).
    """
    if host_of(request) != name_in(here.services.settings.console_url):
        # `localhost` and `127.0.0.1` are one machine, but each has cookies of its own: the way back would find nobody.
        return show_cannot(here, "other_name", integration=integration.id)
    try:
        address = connect.begin(
            here.services,
            integration.id,
            by=here.by,
            redirect_uri=here.services.settings.console_url + CALLBACK,
            binding=binding(here),
        )
    except CannotConnect as cannot:
        return show_cannot(here, cannot.reason, integration=integration.id)
    response = here.page("connect_leading.html", address=address)
    response.headers["Refresh"] = f"0; url={address}"
    return response


@pages.get(CALLBACK, needs=Role.ADMIN, secret_query=True)
def back(here: Here) -> Answer:
    """Where Teamleader sends the browser back to.

    Finishing changes things, and a GET of ours changes nothing: a mail program that looks at addresses, a browser that opens
    them ahead, or a page of others that leads here must not be able to. So this shows a form, which the script sends at once
    and a button sends without scripts. It is only good in the browser that began (`binding`).

    The code is a secret for as long as it lives: no Referer tells this address to anybody, ourselves included.
    """
    sent = {name: request.args[name] for name in SENT_BACK if name in request.args}
    if "state" not in sent:
        # Somebody opened the bare address, or had to sign in first: then what Teamleader sent is not carried along.
        return show_cannot(here, "nothing", status=200)
    response = here.page("connect_finish.html", sent=sent)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@pages.post(CALLBACK, needs=Role.ADMIN)
def finish(here: Here) -> Answer:
    """Does every step. How each went stands on the page of the connection, for everybody and also later."""
    try:
        wanted = connect.take(here.services, request.form.get("state", ""), binding=binding(here))
    except CannotConnect as cannot:
        if not cannot.integration:
            return show_cannot(here, cannot.reason)
        # Pressed twice: the first press is at it, or done.
        return here.go("connection.shown", integration=cannot.integration, said="connect.at_it", done=False)
    # The limits of whoever finishes are asked for as well: they may have changed since it was begun.
    integration = here.integration(wanted.integration)
    code = request.form.get("code", "")
    if not code:
        step = connect.refused(here.services, wanted, request.form.get("error", ""))
        return here.go("connection.shown", integration=integration.id, refused=step.reason)
    steps = connect.finish(here.services, wanted, code=code)
    well = all(step.ok for step in steps)
    return here.go("connection.shown", integration=integration.id, said="connect.connected" if well else "")


def binding(here: Here) -> str:
    """What only this browser knows: derived from its session, which a new sign-in replaces."""
    return hmac.digest(here.cookie.encode(), PURPOSE, hashlib.sha256).hex()


def show_form(
    here: Here, *, typed: Mapping[str, str], name: str = "", problems: Mapping[str, str] | None = None
) -> Response:
    found = problems or {}
    drawn = [
        options.fields(names, {}, words=here.words, problems=found, typed=typed)
        for names in (options.FIRST, options.REST)
    ]
    return here.page(
        "connect.html",
        status=422 if found else 200,
        name=name,
        name_problem=_name_problem(name, found["name"], here.words) if "name" in found else "",
        first=drawn[0],
        rest=drawn[1],
        open_rest=any(field.problem for field in drawn[1]),
        wrong=len(found),
    )


def _name_problem(name: str, problem: str, words: Words) -> str:
    if not name:
        return words("option.missing")
    return words("connect.name_taken" if problem == "taken" else "connect.name_wrong")


def show_cannot(here: Here, reason: str, *, status: int = 422, integration: str = "") -> Response:
    console_url = here.services.settings.console_url
    return here.page(
        "connect_cannot.html", status=status, reason=reason, integration=integration, console_url=console_url
    )
