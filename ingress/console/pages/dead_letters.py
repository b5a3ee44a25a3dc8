"""Dead letters: what failed for good, why, and how to go on: try out, replay, give up. Whatever is pressed twice is harmless."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Response, abort, request

from config.integrations import Integration
from ingress.console.here import Here
from ingress.console.page import Answer, Pages
from workers import operations_bulk, operations_dead_letters, operations_find
from workers.dead_letters import AGES, KINDS, OLDER, Choice, NotAChoice
from workers.operations_dead_letters import TRIED_AT_MOST, Done, DryRun, Found
from workers.operations_find import Names
from workers.operators import Role

PAGE = 25
# What the words of a reason are made of (words/dead_reason.toml).
PARTS = ("title", "cause", "fix")
ACTS = ("replay", "discard")
CHOSEN_BY = ("reason", "kind", "age", "text")
WHY_LENGTH = 200
# A page waits no longer for the names of its customers.
NAMES_WITHIN = timedelta(seconds=2)
# What is said afterwards, by act and whether some were no longer dead.
SAID = {
    ("replay", False): "dead_letters.replay_said",
    ("replay", True): "dead_letters.replay_said_and_not",
    ("discard", False): "dead_letters.discard_said",
    ("discard", True): "dead_letters.discard_said_and_not",
}

pages = Pages("dead_letters")


@pages.get("/integrations/<integration>/dead-letters", needs=Role.VIEWER, tab="dead_letters")
def shown(here: Here, integration: Integration) -> Answer:
    given = {name: request.args.get(name, "").strip() for name in CHOSEN_BY}
    try:
        choice, problem = Choice(**given), ""
    except NotAChoice as wrong:
        if wrong.part != "text":
            abort(400)
        choice, problem = Choice(**{**given, "text": ""}), here.words("dead_letters.text_problem")
    found = operations_dead_letters.find(here.services, integration.id, choice)
    page = min(request.args.get("page", 1, type=int), _last_page(found))
    first = (max(page, 1) - 1) * PAGE
    letters = found.letters[first : first + PAGE]
    return here.page(
        "dead_letters.html",
        status=422 if problem else 200,
        found=found,
        letters=letters,
        names=_names(here, integration, [letter.subject for letter in letters]),
        choice=choice,
        given=given,
        problem=problem,
        page=max(page, 1),
        last_page=_last_page(found),
        kinds=KINDS,
        ages=(*AGES, OLDER),
        may_act=here.operator.may(Role.OPERATOR),
        parts=PARTS,
        **_under_way(here, integration),
    )


@pages.get("/integrations/<integration>/dead-letters/chosen", needs=Role.OPERATOR)
def chosen(here: Here, integration: Integration) -> Answer:
    """What was ticked, or all of a filter: how many they are, what will happen, and the button that does it."""
    act = request.args.get("act", "replay")
    return _ask(here, integration, act if act in ACTS else "replay")


@pages.post("/integrations/<integration>/dead-letters/dry-run", needs=Role.OPERATOR)
def dry_run(here: Here, integration: Integration) -> Answer:
    """Asks both APIs what a replay would change. A POST, for it uses up calls."""
    subjects = _subjects(here, integration)
    return _ask(
        here, integration, "replay", tried=operations_dead_letters.dry_run(here.services, integration.id, subjects)
    )


@pages.post("/integrations/<integration>/dead-letters/replay", needs=Role.OPERATOR)
def replay(here: Here, integration: Integration) -> Answer:
    """A few at once; all of a filter as a bulk job."""
    if _means_all():
        return _replay_all(here, integration)
    done = operations_dead_letters.replay_some(here.services, integration.id, _ticked(), by=here.by)
    return _told(here, integration, "replay", done)


@pages.post("/integrations/<integration>/dead-letters/discard", needs=Role.OPERATOR)
def discard(here: Here, integration: Integration) -> Answer:
    why = " ".join(request.form.get("why", "").split())[:WHY_LENGTH]
    if not why:
        return _ask(here, integration, "discard", problem=here.words("dead_letters.why_problem"))
    done = operations_dead_letters.discard_some(here.services, integration.id, _ticked(), why, by=here.by)
    return _told(here, integration, "discard", done)


@pages.get("/integrations/<integration>/dead-letters/<subject>", needs=Role.VIEWER)
def one(here: Here, integration: Integration, subject: str) -> Answer:
    states = operations_dead_letters.look(here.services, integration.id, [subject])
    if not states:
        return here.go("dead_letters.shown", integration=integration.id, said="dead_letters.no_longer", done=False)
    return here.page(
        "dead_letter.html",
        state=states[0],
        names=_names(here, integration, [subject]),
        parts=PARTS,
        may_act=here.operator.may(Role.OPERATOR),
    )


def _names(here: Here, integration: Integration, subjects: Sequence[str]) -> Names:
    """The ledger knows ids; people know names. Of this page only, and only if Teamleader tells them at once."""
    return operations_find.names_of(here.services, integration.id, subjects, most=NAMES_WITHIN)


# -- what was chosen -------------------------------------------------------------------------------------


def _means_all() -> bool:
    return request.values.get("all") == "1"


def _ticked() -> list[str]:
    """Each once; more than a page holds was not ticked on a page."""
    ticked = list(dict.fromkeys(request.values.getlist("subject")))
    if len(ticked) > PAGE:
        abort(400)
    return ticked


def _choice() -> Choice:
    try:
        return Choice(**{name: request.values.get(name, "").strip() for name in CHOSEN_BY})
    except NotAChoice:
        abort(400)


def _subjects(here: Here, integration: Integration) -> list[str]:
    """Those that are dead now: ticked, or of the filter."""
    if _means_all():
        found = operations_dead_letters.find(here.services, integration.id, _choice())
        return [letter.subject for letter in found.letters]
    return [state.subject for state in operations_dead_letters.look(here.services, integration.id, _ticked())]


def _ask(here: Here, integration: Integration, act: str, *, tried: DryRun | None = None, problem: str = "") -> Response:
    everything = _means_all() and act == "replay"
    # Giving up is for those that were looked at: never all of a filter, whatever an address says.
    subjects = _subjects(here, integration) if everything or not _means_all() else []
    if not subjects:
        return here.go(
            "dead_letters.shown",
            integration=integration.id,
            said="dead_letters.no_longer" if everything or _ticked() else "dead_letters.nothing_ticked",
            done=False,
        )
    choice = _choice() if everything else Choice()
    shown = [one.subject for one in tried.tried] if tried else [] if everything else subjects
    plan = operations_bulk.plan(here.services, integration.id, "replay", dict(choice.parts)) if everything else None
    return here.page(
        "dead_letters_chosen.html",
        status=422 if problem else 200,
        act=act,
        how_many=len(subjects),
        subjects=[] if everything else subjects,
        names=_names(here, integration, shown),
        choice=choice,
        plan=plan,
        tried=tried,
        most=TRIED_AT_MOST,
        problem=problem,
    )


# -- what became of it -----------------------------------------------------------------------------------


def _replay_all(here: Here, integration: Integration) -> Response:
    choice = _choice()
    total = len(operations_dead_letters.find(here.services, integration.id, choice).letters)
    if not total:
        return here.go("dead_letters.shown", integration=integration.id, said="dead_letters.no_longer", done=False)
    started = operations_bulk.start_replay(here.services, integration.id, choice, total=total, by=here.by)
    said = "jobs.replay_started" if started.is_new else "jobs.replay_under_way"
    with_ = {"count": total}
    return here.go(
        "jobs.one", integration=integration.id, kind="replay", said=said, said_with=with_, done=started.is_new
    )


def _told(here: Here, integration: Integration, act: str, done: Done) -> Response:
    """Says what was done, what somebody else had done already, and what the store kept from being done."""
    if done.left:
        return here.page("dead_letters_left.html", status=503, act=act, done=done)
    counts = {"count": len(done.done), "others": len(done.not_dead)}
    said = SAID[act, bool(done.not_dead)]
    return here.go("dead_letters.shown", integration=integration.id, said=said, said_with=counts, done=bool(done.done))


def _under_way(here: Here, integration: Integration) -> dict[str, Any]:
    job = operations_bulk.job(here.services, integration.id, "replay")
    return {"job": job if job and not job.is_over else None}


def _last_page(found: Found) -> int:
    return max(1, -(-len(found.letters) // PAGE))
