"""The options of an integration: what they are now, who changed them, changing them, and removing the whole integration."""

from collections.abc import Mapping
from itertools import islice

from flask import Response, request

from config.integrations import Integration, OptionsWrong
from ingress.console import options
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import connect, integrations, operations
from workers.integrations import Change, ChangedMeanwhile, DescribedByEnvironment
from workers.operators import Role

LATEST = 20

pages = Pages("settings")


@pages.get("/integrations/<integration>/settings", needs=Role.VIEWER, tab="settings")
def shown(here: Here, integration: Integration) -> Answer:
    return show(here, integration)


@pages.post("/integrations/<integration>/settings", needs=Role.ADMIN)
def save(here: Here, integration: Integration) -> Answer:
    """Changes what differs, and says exactly what that was."""
    typed = options.given(request.form, options.CHANGEABLE)
    try:
        changes = integrations.change(here.services, integration.id, typed, by=here.by, revision=seen_revision())
    except DescribedByEnvironment:
        return show(here, integration, status=409)
    except ChangedMeanwhile:
        # With what stands there now, and with the revision of now: saving again is then a choice.
        return show(here, here.integration(integration.id), status=409, typed=typed, changed_meanwhile=True)
    except OptionsWrong as wrong:
        return show(here, integration, status=422, typed=typed, problems=wrong.problems)
    return told(here, integration, changes)


@pages.post("/integrations/<integration>/remove", needs=Role.ADMIN)
def remove(here: Here, integration: Integration) -> Answer:
    """For good; whoever does it types the name, so that no slip of the mouse does."""
    if integrations.described_by_environment(here.services, integration.id):
        # It would be there again at the next start.
        return show(here, integration, status=409)
    if request.form.get("confirm", "").strip() != integration.id:
        return show(here, integration, status=422, not_confirmed=True)
    trouble = connect.remove(here.services, integration.id, by=here.by).trouble
    said = "settings.removed_but" if trouble else "settings.removed"
    return here.go("overview.shown", said=said, said_with={"name": integration.name})


def seen_revision() -> int:
    """Which state of the settings the form showed; one that was tampered with is none."""
    text = request.form.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def told(here: Here, integration: Integration, changes: list[Change]) -> Response:
    if not changes:
        return here.go("settings.shown", integration=integration.id, said="settings.nothing", done=False)
    words = {"changes": str(options.told(changes, here.words).unescape())}
    if options.OF_THE_CONNECTION.isdisjoint(change.option for change in changes):
        return here.go("settings.shown", integration=integration.id, said="settings.saved", said_with=words)
    return here.go("connection.shown", integration=integration.id, said="settings.saved_look", said_with=words)


def show(
    here: Here,
    integration: Integration,
    *,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
    changed_meanwhile: bool = False,
    not_confirmed: bool = False,
) -> Response:
    texts = operations.options_shown(here.services, integration.id)
    groups = {
        group: options.fields(names, texts, words=here.words, problems=problems, typed=typed, compare=changed_meanwhile)
        for group, names in options.GROUPS.items()
    }
    from_environment = integrations.described_by_environment(here.services, integration.id)
    return here.page(
        "settings.html",
        status=status,
        groups=groups,
        texts=texts,
        told=lambda name: options.value_told(name, texts.get(name, ""), here.words),
        view=operations.view(here.services, integration.id),
        revision=integration.revision,
        from_environment=from_environment,
        may_change=not from_environment and here.operator.may(Role.ADMIN),
        wrong=len(problems or {}),
        changed_meanwhile=changed_meanwhile,
        not_confirmed=not_confirmed,
        entries=list(islice(operations.audit_log(here.services, integration.id), LATEST)),
    )
