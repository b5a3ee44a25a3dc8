"""Which Teamleader account an integration is connected to: learned from `users.me`, and no account twice."""

from collections.abc import Callable
from typing import cast

import structlog
from redis.client import Pipeline

from config.keys import ACCOUNTS, IntegrationKeys
from workers.clients.errors import ReconnectNeeded
from workers.integrations import CLOSED, PAUSED
from workers.services import Services

WRONG_ACCOUNT = "wrong_account"
ACCOUNT_TAKEN = "account_taken"

log = structlog.get_logger()


def learn_account(services: Services, name: str, *, again: bool = False) -> str:
    """The id of the integration's Teamleader account (`users.me`), kept because webhooks must name it.

    Asked when it is not known, or `again`: somebody may have connected another account.
    """
    keys = IntegrationKeys(name)
    known = (cast(bytes | None, services.store.get(keys.account)) or b"").decode()
    if known and not again:
        return known
    account = account_in(services.tools(name).teamleader.me())
    if not account:
        return known
    if known and known != account:
        # Two accounts must not mix under one set of customer numbers (docs/runbook.md, wrong_account).
        services.ledger(name).set_state(PAUSED, WRONG_ACCOUNT)
        log.error(
            "The token is of another Teamleader account than before; the integration is paused.", integration=name
        )
        return known
    if not claim_account(services, name, account):
        services.ledger(name).set_state(PAUSED, ACCOUNT_TAKEN)
        log.error(
            "This Teamleader account belongs to another integration already; this one is paused.", integration=name
        )
        return known
    if not known:
        log.info("Connected to Teamleader.", integration=name)
    return account


def claim_account(services: Services, name: str, account: str) -> bool:
    """Makes the account this integration's; False when another integration has it. One account, one integration.

    Raises `ReconnectNeeded` for an integration that was removed meanwhile: the account must be free for the next one.
    """
    keys = IntegrationKeys(name)

    def attempt(pipeline: Pipeline) -> bool:
        owner = cast(bytes | None, pipeline.hget(ACCOUNTS, account))
        before = cast(bytes | None, pipeline.get(keys.account))
        state = cast(bytes | None, pipeline.hget(keys.options, "state"))
        pipeline.multi()
        if state == CLOSED.encode():
            raise ReconnectNeeded("teamleader", "The integration was removed")
        if owner and owner.decode() != name:
            return False
        if before and before.decode() != account:
            pipeline.hdel(ACCOUNTS, before.decode())
        pipeline.hset(ACCOUNTS, account, name)
        pipeline.set(keys.account, account)
        return True

    done = services.store.transaction(
        cast(Callable[[Pipeline], None], attempt), ACCOUNTS, keys.account, keys.options, value_from_callable=True
    )
    return bool(done)


def account_in(me: dict[str, object]) -> str:
    """The account's id in an answer of `users.me`, or an empty string."""
    account = me.get("account")
    found = account.get("id") if isinstance(account, dict) else None
    return found if isinstance(found, str) else ""
