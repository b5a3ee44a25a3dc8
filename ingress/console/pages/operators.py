"""The people who may sign in: for admins. Nobody changes their own rights here, so there is always another admin left."""

from typing import Any

from flask import Response, request

from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operators, passwords
from workers.operators import Operator, Refused, Role

pages = Pages("operators")


@pages.get("/operators", needs=Role.ADMIN, unlimited=True, menu="operators")
def shown(here: Here) -> Answer:
    return show_all(here)


@pages.post("/operators", needs=Role.ADMIN, unlimited=True)
def add(here: Here) -> Answer:
    """Adds somebody. The password is made here, shown once, and kept nowhere."""
    name, password = request.form.get("name", ""), passwords.generated()
    try:
        added = operators.add(
            here.services.store, name, password=password, role=chosen_role(), limit=chosen_limit(here), by=here.by
        )
    except Refused as refused:
        return show_all(here, status=422, problem=here.words(f"operators.{refused.why}"), name=name)
    return here.page("operator_password.html", operator=added, password=password, added=True)


@pages.get("/operators/<name>", needs=Role.ADMIN, unlimited=True)
def one(here: Here, name: str) -> Answer:
    return show_one(here, name)


@pages.post("/operators/<name>/rights", needs=Role.ADMIN, unlimited=True)
def rights(here: Here, name: str) -> Answer:
    """Role and limits; they hold from the next click of that person on."""
    try:
        not_oneself(here, name)
        operators.set_rights(here.services.store, name, role=chosen_role(), limit=chosen_limit(here), by=here.by)
    except Refused as refused:
        return show_one(here, name, refused=refused)
    return changed(here, name)


@pages.post("/operators/<name>/password", needs=Role.ADMIN, unlimited=True)
def password(here: Here, name: str) -> Answer:
    """A new password, shown once; the old one and all sessions end."""
    new = passwords.generated()
    try:
        not_oneself(here, name)
        operator = operators.set_password(here.services.store, name, new, by=here.by)
    except Refused as refused:
        return show_one(here, name, refused=refused)
    return here.page("operator_password.html", operator=operator, password=new, added=False)


@pages.post("/operators/<name>/disabled", needs=Role.ADMIN, unlimited=True)
def disabled(here: Here, name: str) -> Answer:
    try:
        not_oneself(here, name)
        operators.set_disabled(here.services.store, name, request.form.get("disabled") == "yes", by=here.by)
    except Refused as refused:
        return show_one(here, name, refused=refused)
    return changed(here, name)


@pages.post("/operators/<name>/remove", needs=Role.ADMIN, unlimited=True)
def remove(here: Here, name: str) -> Answer:
    try:
        not_oneself(here, name)
        operators.remove(here.services.store, name, by=here.by)
    except Refused as refused:
        return show_one(here, name, refused=refused)
    return here.go("operators.shown", said="operators.removed", said_with={"name": name})


def not_oneself(here: Here, name: str) -> None:
    if name == here.operator.name:
        raise Refused("oneself", "Nobody changes their own rights: ask another admin, or use tltw operator.")


def chosen_role() -> Role:
    """What the form says; a form that was tampered with gives the least."""
    given = request.form.get("role", "")
    return Role(given) if given in list(Role) else Role.VIEWER


def chosen_limit(here: Here) -> frozenset[str] | None:
    if request.form.get("scope") != "some":
        return None
    known = [integration.id for integration in here.integrations()]
    limit = operators.usable_limit(request.form.getlist("integration"), known)
    if limit is None:
        raise Refused("no_integration", "Choose at least one integration, or all.")
    return limit


def changed(here: Here, name: str) -> Response:
    return here.go("operators.one", name=name, said="operators.changed", said_with={"name": name})


def show_all(here: Here, *, status: int = 200, problem: str = "", name: str = "") -> Response:
    return here.page(
        "operators.html",
        status=status,
        operators=operators.everybody(here.services.store),
        signed_in=operators.last_signed_in(here.services.store),
        problem=problem,
        name=name,
        **choices(here),
    )


def show_one(here: Here, name: str, *, refused: Refused | None = None) -> Answer:
    operator: Operator | None = operators.find(here.services.store, name)
    if operator is None:
        return here.go("operators.shown", said="operators.unknown_operator", done=False)
    return here.page(
        "operator.html",
        status=422 if refused else 200,
        operator=operator,
        signed_in=operators.last_signed_in(here.services.store).get(name),
        problem=here.words(f"operators.{refused.why}") if refused else "",
        **choices(here),
    )


def choices(here: Here) -> dict[str, Any]:
    return {
        "roles": list(Role),
        "integrations": {integration.id: integration.name for integration in here.integrations()},
    }
