"""Is this process alive, and can it keep its promises? For load balancers and monitors; tells nothing secret."""

import time
from dataclasses import dataclass, replace
from typing import Any, cast

import redis
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from config.keys import CLOCK_TICKED
from config.store import CLOCK_SILENT_AFTER, clock_problem, durability_problems

PROBE = "tltw:probe"
PROBE_SCRIPT = "return redis.call('SET', KEYS[1], '1', 'PX', 60000)"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold, in a sentence for people."""

    ok: bool
    sentence: str
    # Whether we are ready at all depends on it. Else it is only said.
    decides: bool = True


def routes(store: "redis.Redis") -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/livez", provide_automatic_options=False)
    def livez() -> ResponseReturnValue:
        return jsonify(status="alive")

    @blueprint.get("/readyz", provide_automatic_options=False)
    def readyz() -> ResponseReturnValue:
        checks = readiness(store)
        ready = all(check.ok or not check.decides for check in checks.values())
        said = {name: {"ok": check.ok, "sentence": check.sentence} for name, check in checks.items()}
        return jsonify(status="ready" if ready else "not ready", checks=said), 200 if ready else 503

    return blueprint


def readiness(store: "redis.Redis") -> dict[str, Check]:
    """Looks at everything in two round trips. A store that answers too late is one that does not answer."""
    try:
        asked = time.time()
        writable, ticked, now = _probe(store)
        answered = time.time()
    except redis.RedisError as error:
        away = f"The store does not answer ({type(error).__name__})."
        unknown = Check(False, "Not known: the store does not answer.")
        named = {"store_durable": unknown, "clock": unknown, "machine_clock": replace(unknown, decides=False)}
        return {"store_writable": Check(False, away)} | named
    return {
        "store_writable": _writable(writable),
        "store_durable": _durable(store),
        "clock": _clock(ticked, now),
        "machine_clock": _machine_clock(now, asked, answered),
    }


def _probe(store: "redis.Redis") -> tuple[Any, Any, Any]:
    pipeline = store.pipeline(transaction=False)
    # A script and not a plain SET: marking an event is a script too, and a store can refuse just those.
    pipeline.eval(PROBE_SCRIPT, 1, PROBE)
    pipeline.get(CLOCK_TICKED)
    pipeline.time()
    writable, ticked, now = pipeline.execute(raise_on_error=False)
    return writable, ticked, now


def _writable(answer: object) -> Check:
    if isinstance(answer, Exception):
        return Check(False, f"The store refuses to write ({type(answer).__name__}).")
    return Check(True, "The store takes what we write.")


def _durable(store: "redis.Redis") -> Check:
    try:
        problems = durability_problems(store)
    except redis.RedisError as error:
        return Check(False, f"Not known: the store does not answer ({type(error).__name__}).")
    if problems:
        return Check(False, " ".join(problems))
    return Check(True, "Nothing known against the store's durability.")


def _clock(ticked: object, now: object) -> Check:
    if isinstance(ticked, Exception) or isinstance(now, Exception):
        return Check(False, "Not known: the store does not say.")
    if ticked is None:
        return Check(False, "No clock has ticked yet: is the clock process running?")
    seconds, microseconds = cast(tuple[int, int], now)
    silent = seconds + microseconds / 1e6 - int(cast(bytes, ticked)) / 1000
    if silent > CLOCK_SILENT_AFTER.total_seconds():
        return Check(False, f"The clock last ticked {silent:.0f} s ago: is the clock process running?")
    return Check(True, "The clock ticks.")


def _machine_clock(now: object, asked: float, answered: float) -> Check:
    """Never a reason to be taken out of service: what is owed goes by the store's clock, and a webhook refused is worse."""
    if isinstance(now, Exception):
        return Check(False, "Not known: the store does not say.", decides=False)
    problem = clock_problem(cast(tuple[int, int], now), asked=asked, answered=answered)
    return Check(not problem, problem or "This machine and the store agree on the time.", decides=False)
