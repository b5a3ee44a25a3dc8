"""One contract, every store: each test of this folder runs over all of them, and leaves books that add up (P5)."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import redis

from workers.ledger import Claim, Ledger, Scripts

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
        account = Ledger(scripts, integration).account()
        assert account.adds_up, (integration, account)
