"""Is this really that operator? Passwords are checked here and nowhere else, and guessing them is slowed down.

Tries are counted before the password is looked at, so that a thousand at once are no more than a thousand in a row. Strangers
share a bucket by name, so that many addresses cannot guess one name. That bucket is not asked of a browser in which this operator
signed in before: nobody can lock somebody out of their own browser by guessing
(https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies, looked up 2026-11-25).
"""

import functools
import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, Literal, cast

import redis

from config.keys import known_browser, sign_in_tries
from workers import operators, passwords
from workers.operators import Operator

WINDOW = timedelta(minutes=15)
TRIES_IN_A_KNOWN_BROWSER = 10
TRIES_OF_STRANGERS = {"name and address": 5, "name": 20, "address": 50}
BROWSER_KNOWN_FOR = timedelta(days=180)


@dataclass(frozen=True, slots=True)
class NotSignedIn:
    """`wrong`: name or password, which of them is not told. `throttled`: too many tries, again after a while."""

    why: Literal["wrong", "disabled", "throttled"]
    again_in: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where tries are counted, and how many it takes in a `WINDOW`."""

    key: str
    takes: int


def prove(
    store: "redis.Redis", *, name: str, password: str, address: str, browser_token: str = ""
) -> Operator | NotSignedIn:
    """The operator, if name and password belong together. `browser_token`: what `remember_browser` gave this browser before."""
    name = name.strip().lower()
    buckets = _buckets(store, name, address, browser_token)
    this_try = secrets.token_urlsafe(9)
    if wait := _wait(store, buckets, this_try):
        return NotSignedIn("throttled", wait)
    operator = operators.find(store, name)
    if not _matches(operator, password) or operator is None:
        return NotSignedIn("wrong")
    if operator.disabled:
        return NotSignedIn("disabled")
    _forget(store, buckets, this_try)
    if passwords.outdated(operator.password):
        operators.renew_hash(store, name, password, operator.password)
    return operator


def remember_browser(store: "redis.Redis", operator: Operator) -> str:
    """What a browser keeps to be told from strangers. It opens nothing; only its hash is stored."""
    token = secrets.token_urlsafe(32)
    store.set(known_browser(_hash(token)), operator.name, ex=BROWSER_KNOWN_FOR)
    return token


def knows_browser(store: "redis.Redis", name: str, browser_token: str) -> bool:
    """Whether this operator signed in with that browser before."""
    found = cast(bytes | None, store.get(known_browser(_hash(browser_token)))) if browser_token else None
    return found is not None and found.decode() == name


def _buckets(store: "redis.Redis", name: str, address: str, browser_token: str) -> list[Bucket]:
    if knows_browser(store, name, browser_token):
        return [_bucket(TRIES_IN_A_KNOWN_BROWSER, "browser", name, browser_token)]
    network = _network(address)
    return [
        _bucket(TRIES_OF_STRANGERS["name and address"], "name and address", name, network),
        _bucket(TRIES_OF_STRANGERS["name"], "name", name),
        _bucket(TRIES_OF_STRANGERS["address"], "address", network),
    ]


def _bucket(takes: int, *words: str) -> Bucket:
    # Hashed: people type passwords into the field for the name.
    return Bucket(sign_in_tries(_hash("\0".join(words))), takes)


def _network(address: str) -> str:
    """Who has one address of IPv6 has a whole network of them."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _wait(store: "redis.Redis", buckets: list[Bucket], this_try: str) -> timedelta:
    script = store.register_script(_script())
    window_ms = round(WINDOW.total_seconds() * 1000)
    args: list[Any] = [window_ms, this_try, *(bucket.takes for bucket in buckets)]
    return timedelta(milliseconds=int(script(keys=[bucket.key for bucket in buckets], args=args)))


def _forget(store: "redis.Redis", buckets: list[Bucket], this_try: str) -> None:
    """Only tries that failed count."""
    pipeline = store.pipeline()
    for bucket in buckets:
        pipeline.zrem(bucket.key, this_try)
    pipeline.execute()


def _matches(operator: Operator | None, password: str) -> bool:
    if operator is None:
        return passwords.matches_nobody(password)
    return passwords.matches(password, operator.password)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _script() -> str:
    return resources.files("workers").joinpath("sign_in_try.lua").read_text()
