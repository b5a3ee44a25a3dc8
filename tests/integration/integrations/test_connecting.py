"""Connecting: consent, account, Twikey key, webhook; each step says how it went, and nothing is connected twice."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from config.keys import ACCOUNTS, IntegrationKeys
from sandbox.twikey.office import DEFAULT_API_KEY
from tests.integration.integrations.conftest import BACK, BROWSER
from workers import audit, connect, integrations, operations
from workers.clients import locks
from workers.clients.teamleader import oauth
from workers.ledger import Cause, Claim
from workers.registration import EVENT_TYPES


def outcome(steps):
    return [(step.name, step.ok, step.reason) for step in steps]


ALL_WELL = [("account", True, ""), ("twikey", True, ""), ("webhook", True, "")]


def test_after_consent_every_step_is_done_and_the_integration_works(scene):
    scene.add()

    steps = scene.consent("bakery")

    assert outcome(steps) == ALL_WELL
    assert scene.services.ledger("bakery").state() == "active"
    (registered,) = scene.teamleader.world.default.registrations.values()
    assert registered == set(EVENT_TYPES)
    assert scene.services.tools("bakery").teamleader.me()


def test_the_consent_page_is_asked_as_teamleader_wants_it(scene):
    scene.add()

    address = connect.begin(scene.services, "bakery", by="cli:an", redirect_uri=BACK, binding=BROWSER)

    asked = parse_qs(urlsplit(address).query)
    assert urlsplit(address).path == "/oauth2/authorize"
    assert asked["redirect_uri"] == [BACK]
    assert len(asked["state"][0]) >= 43


def test_a_state_works_once(scene):
    scene.add()
    state = scene.begin("bakery")
    connect.take(scene.services, state, binding=BROWSER)

    with pytest.raises(connect.CannotConnect) as cannot:
        connect.take(scene.services, state, binding=BROWSER)
    assert cannot.value.reason == "consent_unknown"


def test_nobody_finishes_what_another_browser_began_and_it_can_still_be_finished_there(scene):
    scene.add()
    state = scene.begin("bakery")

    with pytest.raises(connect.CannotConnect) as cannot:
        connect.take(scene.services, state, binding="another browser")

    assert cannot.value.reason == "consent_elsewhere"
    assert connect.take(scene.services, state, binding=BROWSER).integration == "bakery"


def test_a_state_of_somebodys_own_making_is_unknown(scene):
    with pytest.raises(connect.CannotConnect, match="begin again"):
        connect.take(scene.services, "forged", binding=BROWSER)


def test_a_code_that_was_used_is_refused_in_a_sentence(scene):
    scene.add()
    code = scene.code()
    scene.services.tokens(scene.services.integration("bakery")).exchange(code, BACK)
    wanted = connect.take(scene.services, scene.begin("bakery"), binding=BROWSER)

    steps = connect.finish(scene.services, wanted, code=code)

    assert outcome(steps) == [("consent", False, "consent_refused")]
    assert scene.services.ledger("bakery").state() == "connecting"


def test_a_consent_waits_for_somebody_who_is_signing_in_however_long_that_may_take(scene):
    scene.add()
    lock = IntegrationKeys("bakery").lock("teamleader-token")
    scene.services.store.set(lock, "of a process that died", px=500)

    assert outcome(scene.consent("bakery")) == ALL_WELL
    assert oauth.WAIT_FOR_ANYBODY_SECONDS > locks.LEASE_SECONDS


def test_a_consent_that_could_not_be_kept_is_told_in_a_sentence(scene, monkeypatch):
    monkeypatch.setattr(oauth, "WAIT_FOR_ANYBODY_SECONDS", 0.1, raising=False)
    scene.add()
    scene.services.store.set(IntegrationKeys("bakery").lock("teamleader-token"), "somebody")

    (step,) = scene.consent("bakery")

    assert (step.ok, step.reason) == (False, "unavailable")
    assert "begin again" in step.sentence
    assert connect.last_look(scene.services, "bakery").steps == (step,)


def test_a_consent_for_an_integration_that_was_removed_meanwhile_leaves_nothing_of_it(scene):
    scene.add()
    wanted = connect.take(scene.services, scene.begin("bakery"), binding=BROWSER)
    scene.services.ledger("bakery").set_state("closed")

    steps = connect.finish(scene.services, wanted, code=scene.code())

    keys, store = IntegrationKeys("bakery"), scene.services.store
    assert outcome(steps) == [("consent", False, "reconnect_needed")]
    assert (store.get(keys.token), store.get(keys.account), store.hgetall(ACCOUNTS)) == (None, None, {})


def test_one_teamleader_account_is_connected_once(scene):
    scene.add("bakery")
    scene.add("copy")
    scene.consent("bakery")

    steps = scene.consent("copy")

    assert outcome(steps) == [("account", False, "account_taken")]
    assert scene.services.store.get(IntegrationKeys("copy").token) is None
    assert scene.services.ledger("copy").state() == "connecting"


def test_two_accounts_are_two_integrations(scene):
    scene.add("bakery")
    scene.add("garage")

    assert outcome(scene.consent("bakery")) == ALL_WELL
    assert outcome(scene.consent("garage", scene.account())) == ALL_WELL


def test_reconnecting_with_another_account_is_refused_and_the_connection_stays(scene):
    scene.add()
    scene.consent("bakery")
    token = scene.services.store.get(IntegrationKeys("bakery").token)

    steps = scene.consent("bakery", scene.account())

    assert outcome(steps) == [("account", False, "wrong_account")]
    assert scene.services.store.get(IntegrationKeys("bakery").token) == token
    assert scene.services.ledger("bakery").state() == "active"


def test_reconnecting_lets_what_was_held_run(scene):
    scene.add()
    scene.consent("bakery")
    ledger = scene.services.ledger("bakery")
    ledger.set_auto_update(True)
    scene.teamleader.world.tokens.revoke_all(scene.teamleader.world.default.id)
    ledger.change_state(before="active", after="reconnect_needed")
    ledger.mark("contact:c-1", frozenset({Cause.WEBHOOK}))

    assert outcome(scene.consent("bakery")) == ALL_WELL
    assert isinstance(ledger.claim("contact:c-1"), Claim)


def test_a_wrong_twikey_key_keeps_it_connecting_until_the_key_is_mended(scene):
    scene.add(twikey_key="wrong")

    steps = scene.consent("bakery")

    assert outcome(steps) == [("account", True, ""), ("twikey", False, "reconnect_needed"), ("webhook", True, "")]
    assert scene.services.ledger("bakery").state() == "connecting"

    integrations.change(scene.services, "bakery", {"twikey_key": DEFAULT_API_KEY}, by="cli:an")
    assert outcome(connect.complete(scene.services, "bakery", by="cli:an")) == ALL_WELL
    assert scene.services.ledger("bakery").state() == "active"


def test_an_integration_without_a_token_cannot_be_resumed_into_being_active(scene):
    scene.add()

    with pytest.raises(ValueError, match="not connected"):
        operations.resume(scene.services, "bakery", by="cli:an")


def test_a_deployment_without_client_id_says_so_before_anybody_is_sent_anywhere(scene):
    scene.add()
    bare = scene.services.settings.teamleader
    object.__setattr__(bare, "client_id", "")
    scene.pretend_changed("bakery")

    with pytest.raises(connect.CannotConnect) as cannot:
        connect.begin(scene.services, "bakery", by="cli:an", redirect_uri=BACK, binding=BROWSER)
    assert cannot.value.reason == "no_client"


def test_the_answer_to_a_refusal_at_teamleader_is_a_step_too_and_is_noted(scene):
    scene.add()

    for error in ("access_denied", "<b>server_error"):
        address = connect.begin(scene.services, "bakery", by="cli:an", redirect_uri=BACK, binding=BROWSER)
        state = parse_qs(urlsplit(address).query)["state"][0]
        connect.refused(scene.services, connect.take(scene.services, state, binding=BROWSER), error)

    noted = [(one.by, one.what, one.after) for one in audit.entries(scene.services.store, integration="bakery")]
    assert [note for note in noted if note[1] == "connecting finished"] == [
        ("cli:an", "connecting finished", "consent_refused"),
        ("cli:an", "connecting finished", "access_denied"),
    ]


def test_how_each_step_went_is_kept_until_somebody_looks_again(scene):
    scene.add(twikey_key="wrong")
    assert connect.last_look(scene.services, "bakery") is None

    steps = scene.consent("bakery")
    kept = connect.last_look(scene.services, "bakery")
    integrations.change(scene.services, "bakery", {"twikey_key": DEFAULT_API_KEY}, by="cli:an")
    connect.complete(scene.services, "bakery", by="cli:an")
    later = connect.last_look(scene.services, "bakery")

    assert list(kept.steps) == steps
    assert outcome(later.steps) == ALL_WELL
    assert later.at > kept.at


def test_who_comes_a_second_time_with_the_same_state_is_told_for_which_integration_and_nobody_else_is(scene):
    scene.add()
    state = scene.begin("bakery")
    connect.take(scene.services, state, binding=BROWSER)

    with pytest.raises(connect.CannotConnect) as again:
        connect.take(scene.services, state, binding=BROWSER)
    with pytest.raises(connect.CannotConnect) as elsewhere:
        connect.take(scene.services, state, binding="another browser")

    assert (again.value.reason, again.value.integration) == ("consent_unknown", "bakery")
    assert (elsewhere.value.reason, elsewhere.value.integration) == ("consent_elsewhere", "")


def test_of_many_who_finish_at_once_only_one_does(scene):
    scene.add()
    state = scene.begin("bakery")

    def take(_: int) -> bool:
        try:
            connect.take(scene.services, state, binding=BROWSER)
        except connect.CannotConnect:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_a_spent_state_is_forgotten_when_its_time_is_over(scene):
    scene.add()
    state = scene.begin("bakery")
    (key,) = scene.services.store.keys("tltw:consent:*")
    connect.take(scene.services, state, binding=BROWSER)

    assert 0 < scene.services.store.ttl(key) <= connect.CONSENT_LIVES.total_seconds()


def test_looking_again_tries_a_login_at_once_that_was_refused_a_moment_ago(scene):
    scene.add(twikey_key="mended-at-twikey")
    scene.consent("bakery")
    scene.twikey.office.default.api_key = "mended-at-twikey"

    assert outcome(connect.complete(scene.services, "bakery", by="cli:an")) == ALL_WELL


def test_a_client_secret_that_teamleader_does_not_know_is_a_reason_of_its_own(scene):
    scene.add(teamleader_client_id="sandbox-client", teamleader_client_secret="wrong")

    assert outcome(scene.consent("bakery")) == [("consent", False, "client_refused")]


def test_removing_takes_the_webhook_off_and_says_when_it_could_not(scene):
    scene.add("bakery")
    scene.add("garage")
    scene.consent("bakery")
    scene.consent("garage", other := scene.account())
    scene.teamleader.world.tokens.revoke_all(other.id)

    removed = connect.remove(scene.services, "bakery", by="cli:an")
    barely = connect.remove(scene.services, "garage", by="cli:an")

    assert removed.trouble == ""
    assert not any(scene.teamleader.world.default.registrations.values())
    assert "connect again" in barely.trouble
    assert scene.services.registry.ids() == []


def test_a_name_that_is_used_again_begins_without_what_was_seen_before(scene):
    scene.add()
    scene.consent("bakery")
    connect.remove(scene.services, "bakery", by="cli:an")
    scene.add()

    assert connect.last_look(scene.services, "bakery") is None


def test_what_is_not_connected_cannot_be_paused_so_nothing_resumes_it_into_being_active(scene):
    scene.add()

    with pytest.raises(ValueError, match="not connected yet"):
        operations.pause(scene.services, "bakery", by="cli:an")
    assert scene.services.ledger("bakery").state() == "connecting"
