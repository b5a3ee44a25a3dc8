"""`TLTW_SECRET_KEY` is rotated as docs/operate.md says: new key in front, and once doctor says so the old one is taken out."""

from dataclasses import replace

import pytest
from cryptography.fernet import Fernet

from config.keys import IntegrationKeys
from config.registry import Registry
from config.secrets import Cipher, SecretUnreadable
from ingress.cli.doctor import secret_key
from workers import connect, integrations
from workers.services import Services
from workers.upkeep import attempt, steps

NEW, LOST = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def restarted(scene, *keys: str) -> Services:
    """The services of a process that was started with these keys."""
    cipher = Cipher(keys)
    registry = Registry(scene.services.store, cipher, scene.services.settings.teamleader)
    return replace(scene.services, cipher=cipher, registry=registry, _known={}, _revision=-1, _tools={})


def old_key(scene) -> str:
    (key,) = scene.services.settings.secret_keys
    return key


def upkeep_of_the_deployment(services: Services) -> None:
    for step in steps():
        if not step.for_each:
            assert attempt(step, services, "").ok


def connected(scene, name: str = "bakery", **options: str) -> None:
    scene.add(name, teamleader_client_id="", teamleader_client_secret="own-secret", **options)
    scene.consent(name, scene.account())
    scene.services.tools(name).twikey.check()


@pytest.mark.parametrize("state", ["active", "paused", "reconnect_needed", "connecting"])
def test_after_a_round_of_upkeep_the_old_key_can_be_taken_out_whatever_the_state(scene, state):
    connected(scene)
    scene.services.ledger("bakery").set_state(state)
    token = scene.services.tokens(scene.services.integration("bakery")).access_token()

    upkeep_of_the_deployment(restarted(scene, NEW, old_key(scene)))

    after = restarted(scene, NEW)
    made = after.integration("bakery")
    assert made.twikey.api_token == scene.services.integration("bakery").twikey.api_token
    assert after.tokens(made).access_token() == token
    assert after.registry.options_of("bakery")["teamleader_client_secret"] == "own-secret"
    after.tools("bakery").twikey.check()
    assert scene.twikey.office.login_count == 1


def test_doctor_says_when_the_old_key_may_go(scene):
    connected(scene)
    both = restarted(scene, NEW, old_key(scene))

    before = secret_key(both)
    upkeep_of_the_deployment(both)
    after = secret_key(both)

    assert (before.ok, "do not take it out" in before.sentence) == (False, True)
    assert (after.ok, "may go" in after.sentence) == (True, True)
    assert secret_key(restarted(scene, NEW)).ok
    assert not secret_key(restarted(scene, LOST)).ok


def test_what_is_encrypted_with_the_newest_key_is_left_alone(scene):
    connected(scene)
    keys, store = IntegrationKeys("bakery"), scene.services.store
    both = restarted(scene, NEW, old_key(scene))
    upkeep_of_the_deployment(both)
    before = (store.hgetall(keys.record), store.get(keys.token), store.get(keys.session))

    upkeep_of_the_deployment(both)

    assert (store.hgetall(keys.record), store.get(keys.token), store.get(keys.session)) == before


def test_a_twikey_session_still_ends_when_it_would_have(scene):
    connected(scene)
    keys = IntegrationKeys("bakery")
    scene.services.store.expire(keys.session, 100)

    upkeep_of_the_deployment(restarted(scene, NEW, old_key(scene)))

    assert 90 < scene.services.store.ttl(keys.session) <= 100


def test_a_change_at_the_same_moment_is_not_overwritten(scene, monkeypatch):
    connected(scene)
    both, raced = restarted(scene, NEW, old_key(scene)), []
    decrypt = both.cipher.decrypt

    def slowly(stored):
        text = decrypt(stored)
        if not raced:
            raced.append(True)
            integrations.change(scene.services, "bakery", {"twikey_key": "entered meanwhile"}, by="cli:bo")
        return text

    monkeypatch.setattr(both.cipher, "decrypt", slowly)
    upkeep_of_the_deployment(both)

    assert raced
    assert restarted(scene, NEW).integration("bakery").twikey.api_token == "entered meanwhile"


def test_a_token_pair_that_is_renewed_at_the_same_moment_is_not_overwritten(scene, monkeypatch):
    connected(scene)
    keys = IntegrationKeys("bakery")
    scene.services.store.hdel(keys.record, "twikey_key", "teamleader_client_secret")
    both, newer = restarted(scene, NEW, old_key(scene)), []
    decrypt = both.cipher.decrypt

    def slowly(stored):
        text = decrypt(stored)
        if not newer:
            newer.append(scene.services.cipher.encrypt('{"refresh": "newer"}'))
            scene.services.store.set(keys.token, newer[0])
        return text

    monkeypatch.setattr(both.cipher, "decrypt", slowly)
    upkeep_of_the_deployment(both)

    assert restarted(scene, NEW).cipher.decrypt(scene.services.store.get(keys.token)) == '{"refresh": "newer"}'


def test_one_that_no_key_opens_stops_nobody_elses(scene):
    connected(scene)
    scene.add("garage")
    scene.services.store.hset(IntegrationKeys("bakery").record, "twikey_key", "nobody can read this")

    upkeep_of_the_deployment(restarted(scene, NEW, old_key(scene)))

    assert restarted(scene, NEW).integration("garage")
    assert scene.services.store.hget(IntegrationKeys("bakery").record, "twikey_key") == b"nobody can read this"


# -- the old key is lost ---------------------------------------------------------------------------------------------


def test_after_the_key_was_lost_each_secret_can_be_entered_anew(scene):
    connected(scene, teamleader_refresh_token="to start with", profile="7")
    after = restarted(scene, LOST)
    with pytest.raises(SecretUnreadable):
        after.integration("bakery")

    changes = [
        integrations.change(after, "bakery", {option: text}, by="cli:an")
        for option, text in (
            ("twikey_key", "new-key"),
            ("teamleader_client_secret", "new-secret"),
            ("teamleader_refresh_token", ""),
        )
    ]

    assert [[(one.option, one.before) for one in made] for made in changes] == [
        [("twikey_key", "(secret)")],
        [("teamleader_client_secret", "(secret)")],
        [("teamleader_refresh_token", "(secret)")],
    ]
    made = after.integration("bakery")
    assert (made.twikey.api_token, made.profile) == ("new-key", "7")
    with pytest.raises(ValueError, match="cannot be changed"):
        integrations.change(after, "bakery", {"teamleader_refresh_token": "x"}, by="cli:an")


def test_an_integration_whose_secrets_cannot_be_read_can_be_removed(scene):
    connected(scene)
    after = restarted(scene, LOST)

    removed = connect.remove(after, "bakery", by="cli:an")

    assert "TLTW_SECRET_KEY" in removed.trouble
    assert after.registry.ids() == []
