"""One contract, every store: each test of this folder runs over all of them, and leaves books that add up (P5) and a right
number of customers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from workers.ledger import Claim, Ledger, Scripts, glances

ClaimIt = Callable[..., Claim]


@pytest.fixture
def scripts(store: "redis.Redis") -> Scripts:
    return Scripts(store)


@pytest.fixture
def ledger(scripts: Scripts) -> Ledger:
    """The ledger of an integration with auto-update on."""
    ledger = Ledger(scripts, "acme")
    ledger.begin(auto_update=True)
    return ledger


@pytest.fixture
def hasty(scripts: Scripts, ledger: Ledger) -> Ledger:
    """The same ledger for workers that die or stall: their leases are over almost at once."""
    return Ledger(scripts, "acme", lease=timedelta(milliseconds=1))


@pytest.fixture
def now(store: "redis.Redis") -> Callable[[], datetime]:
    """What the store's clock says, in milliseconds as the ledger writes moments. However slow the machine is, what is due in
    a minute is due between `before + MINUTE` and `now() + MINUTE`."""

    def now() -> datetime:
        seconds, microseconds = store.time()
        return datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=microseconds // 1000)

    return now


@pytest.fixture
def claimed() -> ClaimIt:
    """Claims a subject that must be free."""

    def claimed(ledger: Ledger, subject: str = "contact:1") -> Claim:
        claim = ledger.claim(subject)
        assert isinstance(claim, Claim), claim
        return claim

    return claimed


@pytest.fixture(autouse=True)
def books_add_up(scripts: Scripts) -> Iterator[None]:
    yield
    for key in scripts.store.scan_iter("{tltw:*}:counts"):
        integration = key.decode().removeprefix("{tltw:").removesuffix("}:counts")
        account = Ledger(scripts, integration).books()
        assert account.adds_up, (integration, account)
        (glance,) = glances(scripts, [integration])
        assert glance.customers == brought_over(scripts.store, integration)


def brought_over(store: "redis.Redis", integration: str) -> int:
    """The customers that were brought over and are not gone, found by looking at all of them."""
    found = [key for key in store.scan_iter(f"{{tltw:{integration}}}:s:*") if b":s:invoice:" not in key]
    return sum(bool(store.hexists(key, "s")) for key in found)
