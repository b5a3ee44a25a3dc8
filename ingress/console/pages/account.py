"""One's own account: the password, and the browsers in which one is signed in."""

from flask import Response, request

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from ingress.console.pages.sign_in import begin_session
from workers import operators, sessions, sign_in
from workers.operators import Refused, Role
from workers.sign_in import NotSignedIn

pages = Pages("account")


@pages.get("/account", needs=Role.VIEWER)
def shown(here: Here) -> Answer:
    return show(here)


@pages.post("/account/password", needs=Role.VIEWER)
def password(here: Here) -> Answer:
    """Asks for the current one first: an open browser alone must not be enough. Ends all other sessions."""
    new, again = request.form.get("new", ""), request.form.get("again", "")
    if new != again:
        return show(here, again=here.words("account.not_the_same"))
    if problem := _current_problem(here):
        return show(here, current=problem)
    try:
        operator = operators.set_password(here.services.store, here.operator.name, new, by=here.by)
    except Refused as refused:
        return show(here, new=here.words(f"operators.{refused.why}"))
    begin_session(here, operator)
    return here.go("account.shown", said="account.password_changed")


@pages.post("/account/sign-out-everywhere", needs=Role.VIEWER)
def sign_out_everywhere(here: Here) -> Answer:
    operators.sign_out_everywhere(here.services.store, here.operator.name, by=here.by)
    here.cookie = sessions.new_id()
    return here.go("sign_in.form", said="sign_in.signed_out_everywhere")


def _current_problem(here: Here) -> str:
    """Guessing it is slowed down like signing in is."""
    proved = sign_in.prove(
        here.services.store,
        name=here.operator.name,
        password=request.form.get("current", ""),
        address=request.remote_addr or "",
        browser_token=here.cookies.read(request, here.cookies.browser),
    )
    if not isinstance(proved, NotSignedIn):
        return ""
    minutes = max(1, round(proved.again_in.total_seconds() / 60))
    return here.words("account.wrong") if proved.why == "wrong" else here.words(f"sign_in.{proved.why}", count=minutes)


def show(here: Here, **problems: str) -> Response:
    return here.page(
        "account.html",
        status=422 if problems else 200,
        problems=problems,
        sessions=sessions.of(here.services.store, here.operator.name),
    )
