"""Teamleader's records through the whole client, on good days and bad ones."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.teamleader.world import DEFAULT_ACCOUNT
from sandbox.world import CHARACTERS, character
from workers.clients.errors import ApiFailure, NotFound, ReconnectNeeded, Refused, Throttled, Unavailable

AtOnce = Callable[[int, Callable[[], object]], list[object]]
COMPANY = character("dotted-vat").id


@pytest.mark.parametrize("one", CHARACTERS, ids=lambda one: one.slug)
def test_every_character_can_be_read(at_teamleader: Any, one: Any) -> None:
    data = at_teamleader.client().customer(one.kind, one.id)

    assert data["id"] == one.id


def test_contacts_companies_and_invoices_have_their_own_calls(at_teamleader: Any) -> None:
    client = at_teamleader.client()
    contact = next(one.id for one in CHARACTERS if one.kind == "contact")
    invoice = at_teamleader.app.world.default.add_invoice("company", COMPANY)

    assert client.customer("contact", contact)["id"] == contact
    assert client.customer("company", COMPANY)["id"] == COMPANY
    assert client.invoice(invoice["id"])["invoicee"]["customer"]["id"] == COMPANY


def test_the_account_is_known_by_the_user_who_connected(at_teamleader: Any) -> None:
    assert at_teamleader.client().me()["account"]["id"] == DEFAULT_ACCOUNT


def test_any_action_can_be_called(at_teamleader: Any) -> None:
    client = at_teamleader.client()

    registered = client.call("webhooks.register", {"url": "https://x.example.com/y", "types": ["contact.updated"]})
    listed = client.call("webhooks.list", {})

    assert registered == {}
    assert listed["data"] == [{"url": "https://x.example.com/y", "types": ["contact.updated"]}]


def test_a_record_that_is_gone_is_not_found(at_teamleader: Any) -> None:
    with pytest.raises(NotFound):
        at_teamleader.client().customer("contact", "00000000-0000-0000-0000-000000000000")


def test_an_odd_id_is_sent_nowhere(at_teamleader: Any) -> None:
    with pytest.raises(Refused):
        at_teamleader.client().customer("contact", "../users.me")

    assert at_teamleader.app.log.last(5) == []
    assert at_teamleader.counted == 0


def test_a_call_is_taken_from_the_budget_unless_it_was_reserved(at_teamleader: Any) -> None:
    client = at_teamleader.client()

    client.customer("company", COMPANY, reserved=True)
    assert at_teamleader.counted == 0

    client.customer("company", COMPANY)
    assert at_teamleader.counted == 1


def test_without_budget_teamleader_is_not_asked(at_teamleader: Any) -> None:
    client = at_teamleader.client(calls_per_minute=1)
    client.customer("company", COMPANY)

    with pytest.raises(Throttled) as caught:
        client.customer("company", COMPANY)

    assert caught.value.status is None
    assert at_teamleader.calls("/companies.info") == 1


def test_an_expired_token_is_renewed_and_the_call_replayed_once(at_teamleader: Any) -> None:
    client = at_teamleader.client()
    client.customer("company", COMPANY, reserved=True)
    at_teamleader.app.world.tokens.expire_access_tokens(DEFAULT_ACCOUNT)

    data = client.customer("company", COMPANY, reserved=True)

    assert data["id"] == COMPANY
    assert at_teamleader.refreshes == 2
    # The reservation paid for the first try; the replay took one more.
    assert at_teamleader.counted == 1


def test_sixteen_calls_with_an_expired_token_refresh_once(at_teamleader: Any, everywhere_at_once: AtOnce) -> None:
    client = at_teamleader.client()
    client.me()
    at_teamleader.app.world.tokens.expire_access_tokens(DEFAULT_ACCOUNT)

    answers = everywhere_at_once(16, lambda: client.customer("company", COMPANY)["id"])

    assert answers == [COMPANY] * 16
    assert at_teamleader.refreshes == 2


def test_tokens_that_are_refused_one_after_the_other_need_a_person(at_teamleader: Any) -> None:
    at_teamleader.app.faults.set("status", prefix="/companies.info", status=401)

    with pytest.raises(ReconnectNeeded):
        at_teamleader.client().customer("company", COMPANY)

    assert at_teamleader.calls("/companies.info") == 3
    assert at_teamleader.refreshes == 3


def test_a_process_that_missed_a_renewal_does_not_take_the_next_expiry_for_a_refusal(at_teamleader: Any) -> None:
    """It holds a token that is over, finds another one in the store, and that is over as well by now."""
    idle, busy = at_teamleader.client(), at_teamleader.client()
    idle.me()
    for client in (busy, idle):
        at_teamleader.app.world.tokens.expire_access_tokens(DEFAULT_ACCOUNT)
        assert client.customer("company", COMPANY)["id"] == COMPANY

    assert at_teamleader.refreshes == 3
    assert at_teamleader.app.world.tokens.refused_refreshes == 0


@pytest.mark.parametrize("style", ["fractional", "seconds"])
def test_a_429_names_its_time_and_stops_everybody(at_teamleader: Any, style: str) -> None:
    at_teamleader.app.world.settings.reset_format = style
    at_teamleader.app.world.set_rate_limit(2, 60)
    client = at_teamleader.client()
    # Calls whose budget was reserved before Teamleader said how few are left.
    client.me(reserved=True)
    client.me(reserved=True)

    with pytest.raises(Throttled) as caught:
        client.me(reserved=True)

    assert caught.value.status == 429
    assert caught.value.until is not None
    assert timedelta(seconds=20) < caught.value.until - datetime.now(UTC) <= timedelta(seconds=60)
    with pytest.raises(Throttled):
        at_teamleader.budget().take()
    assert at_teamleader.calls("/users.me") == 3


@pytest.mark.parametrize("retry", ["past", "garbage", "missing"])
def test_a_429_with_an_odd_time_is_still_a_429(at_teamleader: Any, retry: str) -> None:
    at_teamleader.app.faults.set("status", prefix="/users.me", status=429, retry=retry)

    before = datetime.now(UTC)

    with pytest.raises(Throttled) as caught:
        at_teamleader.client().me()

    until, some = caught.value.until, timedelta(seconds=5)
    assert until is None if retry != "past" else until is not None
    assert until is None or before - some < until < datetime.now(UTC) + some


def test_what_others_use_of_the_account_is_not_ours_to_use(at_teamleader: Any) -> None:
    at_teamleader.app.world.set_rate_limit(200, 60)
    account = at_teamleader.app.world.default
    for _ in range(194):
        account.limiter.admit(at_teamleader.app.world.clock())
    client = at_teamleader.client()

    outcomes = [outcome(client.me) for _ in range(10)]

    assert outcomes == ["ok"] * 6 + [Throttled] * 4
    assert at_teamleader.calls("/users.me") == 6


def outcome(call: Callable[[], object]) -> object:
    try:
        call()
    except ApiFailure as failure:
        return type(failure)
    return "ok"


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_failing_teamleader_is_unavailable(at_teamleader: Any, status: int) -> None:
    at_teamleader.app.faults.set("status", prefix="/companies", status=status)

    with pytest.raises(Unavailable) as caught:
        at_teamleader.client().customer("company", COMPANY)

    assert caught.value.status == status
    assert at_teamleader.calls("/companies.info") == 1


@pytest.mark.parametrize("kind", ["html", "truncated", "wrong_type", "huge", "redirect", "reset", "lost_answer"])
def test_garbage_from_teamleader_is_unavailable(at_teamleader: Any, kind: str) -> None:
    at_teamleader.app.faults.set(kind, prefix="/companies")

    with pytest.raises(Unavailable):
        at_teamleader.client().customer("company", COMPANY)


def test_a_missing_right_is_refused_and_named(at_teamleader: Any) -> None:
    at_teamleader.app.faults.set("status", prefix="/companies", status=403)

    with pytest.raises(Refused, match="scope “companies”"):
        at_teamleader.client().customer("company", COMPANY)


def test_a_teamleader_that_is_gone_is_unavailable(at_teamleader: Any) -> None:
    tokens = at_teamleader.tokens()
    tokens.access_token()
    at_teamleader.connection = replace(at_teamleader.connection, api_url="http://127.0.0.1:1")

    with pytest.raises(Unavailable, match="could not be reached"):
        at_teamleader.client(tokens).me()
