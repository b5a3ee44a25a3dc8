"""Integrations are added, changed and removed; every change is told who made it."""

from dataclasses import replace
from typing import Any

import pytest

from config.integrations import OptionsWrong
from config.keys import IntegrationKeys
from config.registry import UnknownIntegration
from config.settings import First
from workers import audit, connect, integrations
from workers.ledger import Cause, Claim
from workers.ledger.records import Outcome


def everything_in(store: Any) -> str:
    found = []
    for key in store.scan_iter():
        kind = store.type(key)
        value = {b"hash": store.hgetall, b"string": store.get, b"set": store.smembers}.get(kind, lambda _: "")(key)
        found.append(f"{key!r} {value!r}")
    return "\n".join(found)


def test_an_added_integration_waits_to_be_connected(scene):
    scene.add("bakery", label="The bakery", profile="123")

    made = scene.services.integration("bakery")
    assert (made.name, made.profile, made.cc_parameter) == ("The bakery", "123", "cc")
    assert scene.services.ledger("bakery").state() == "connecting"
    assert not scene.services.ledger("bakery").auto_update()


def test_no_secret_is_in_the_store_in_clear(scene):
    scene.add(twikey_key="canary-key", teamleader_client_id="own", teamleader_client_secret="canary-secret")

    assert scene.services.integration("bakery").twikey.api_token == "canary-key"
    assert "canary" not in everything_in(scene.services.store)


def test_all_that_is_wrong_is_named_and_nothing_is_added(scene):
    with pytest.raises(OptionsWrong) as wrong:
        integrations.add(scene.services, "bakery", {"twikey_url": "https://x.example", "profile": "x"}, by="cli:an")

    assert set(wrong.value.problems) == {"twikey_url", "twikey_key", "profile"}
    assert scene.services.integrations() == []


def test_every_mistake_is_named_at_once_also_what_only_mapping_and_clients_understand(scene):
    wrong_ones = {
        "profile": "12345",
        "cc_parameter": "email",
        "customer_number_prefix": "-x",
        "default_country": "ZZ",
        "twikey_url": "https://x:port/creditor",
    }

    with pytest.raises(OptionsWrong) as wrong:
        integrations.add(scene.services, "Bakery!", {**wrong_ones, "twikey_key": ""}, by="cli:an")

    assert wrong.value.problems.keys() == {*wrong_ones, "name", "twikey_key"}
    assert scene.services.registry.ids() == []


def test_a_change_that_rests_on_what_is_no_longer_so_is_refused(scene):
    scene.add()
    seen = scene.services.integration("bakery").revision
    integrations.change(scene.services, "bakery", {"profile": "1"}, by="cli:an")

    with pytest.raises(integrations.ChangedMeanwhile):
        integrations.change(scene.services, "bakery", {"label": "Bakery"}, by="cli:bo", revision=seen)
    integrations.change(scene.services, "bakery", {"label": "Bakery"}, by="cli:bo", revision=seen + 1)

    assert scene.services.integration("bakery").label == "Bakery"


@pytest.mark.parametrize("name", ["", "Bakery", "a b", "x" * 41, "a}", "-a"])
def test_a_name_that_would_not_fit_into_keys_and_addresses_is_refused(scene, name):
    with pytest.raises(ValueError, match="small letters"):
        scene.add(name)


def test_a_name_is_given_once(scene):
    scene.add()

    with pytest.raises(integrations.AlreadyThere):
        scene.add(profile="9")
    assert scene.services.integration("bakery").profile == ""


def test_a_change_is_told_with_who_from_and_to_and_secrets_are_hidden(scene):
    scene.add(profile="123")

    changes = integrations.change(scene.services, "bakery", {"profile": "7", "twikey_key": "new"}, by="operator:bo")

    assert {(one.option, one.before, one.after) for one in changes} == {
        ("profile", "123", "7"),
        ("twikey_key", "(secret)", "(secret)"),
    }
    told = [(one.by, one.what, one.before, one.after) for one in audit.entries(scene.services.store)]
    assert ("operator:bo", "profile", "123", "7") in told
    assert scene.services.integration("bakery").profile == "7"


def test_a_change_that_changes_nothing_is_not_told(scene):
    scene.add(profile="123")
    before = scene.services.integration("bakery").revision

    assert integrations.change(scene.services, "bakery", {"profile": "123", "cc_parameter": "cc"}, by="cli:an") == []
    assert scene.services.integration("bakery").revision == before


def test_a_change_that_is_wrong_changes_nothing(scene):
    scene.add(profile="123")

    with pytest.raises(OptionsWrong):
        integrations.change(scene.services, "bakery", {"profile": "7", "default_language": "klingon"}, by="cli:an")
    assert scene.services.integration("bakery").profile == "123"


def test_what_was_only_for_the_beginning_cannot_be_set_later(scene):
    scene.add()

    with pytest.raises(ValueError, match="auto_update"):
        integrations.change(scene.services, "bakery", {"auto_update": "on"}, by="cli:an")


def test_two_changes_at_once_both_count(scene, monkeypatch):
    """Another process changes the record between our reading and our writing."""
    scene.add(profile="123")
    readable, raced = scene.services.registry.readable_texts, []

    def slowly(record):
        if not raced:
            raced.append(True)
            integrations.change(scene.services, "bakery", {"default_language": "fr"}, by="cli:bo")
        return readable(record)

    monkeypatch.setattr(scene.services.registry, "readable_texts", slowly)
    integrations.change(scene.services, "bakery", {"profile": "7"}, by="cli:an")

    made = scene.services.integration("bakery")
    assert (made.profile, made.default_language) == ("7", "fr")


def test_the_calls_per_minute_reach_the_scripts_of_the_ledger(scene):
    scene.add()
    integrations.change(scene.services, "bakery", {"teamleader_calls_per_minute": "50"}, by="cli:an")

    assert scene.services.store.hget(IntegrationKeys("bakery").options, "calls_per_minute") == b"50"
    assert scene.services.ledger("bakery").calls_per_minute == 50


def test_the_environment_describes_the_first_integration_and_wins_at_each_start(scene):
    options = {"twikey_url": f"{scene.twikey_url}/creditor", "twikey_key": "key", "profile": "1", "auto_update": "on"}
    integrations.describe(scene.services, First(id="default", options=options))
    scene.services.ledger("default").set_auto_update(False)

    integrations.describe(scene.services, First(id="default", options=options | {"profile": "2"}))

    assert scene.services.integration("default").profile == "2"
    assert scene.services.ledger("default").state() == "active"
    assert not scene.services.ledger("default").auto_update()  # an operator's choice stays


def described(scene, **options):
    """The services of a process whose environment describes the integration `default`."""
    needed = {"twikey_url": f"{scene.twikey_url}/creditor", "twikey_key": "key"}
    first = First(id="default", options=needed | options)
    services = replace(scene.services, settings=replace(scene.services.settings, first=first))
    integrations.describe(services, first)
    return services


def test_what_the_environment_describes_is_not_removed_for_it_would_be_back_at_the_next_start(scene):
    services = described(scene)

    with pytest.raises(integrations.DescribedByEnvironment, match="TLTW_"):
        connect.remove(services, "default", by="cli:an")

    assert services.ledger("default").state() == "active"


def test_once_the_environment_describes_it_no_longer_it_can_be_removed(scene):
    described(scene)

    connect.remove(scene.services, "default", by="cli:an")

    assert scene.services.registry.ids() == []


def test_one_that_was_removed_and_is_described_again_begins_afresh(scene):
    described(scene)
    scene.services.ledger("default").set_auto_update(True)
    integrations.remove(scene.services, "default", by="cli:an")

    services = described(scene, auto_update="off")

    ledger = services.ledger("default")
    assert (ledger.state(), ledger.auto_update()) == ("active", False)
    assert not ledger.mark("contact:c-1", frozenset({Cause.WEBHOOK})).closed


def test_describing_the_same_again_changes_nothing(scene):
    options = {"twikey_url": f"{scene.twikey_url}/creditor", "twikey_key": "key"}
    integrations.describe(scene.services, First(id="default", options=options))
    before = scene.services.registry.revision()

    integrations.describe(scene.services, First(id="default", options=options))

    assert scene.services.registry.revision() == before
    assert len(list(audit.entries(scene.services.store))) == 1


def test_one_integration_that_cannot_be_read_does_not_hide_the_others(scene):
    scene.add("bakery")
    scene.add("garage")
    scene.services.store.hset(IntegrationKeys("bakery").record, "twikey_key", "not encrypted with our key")
    scene.pretend_changed("bakery")

    assert [one.id for one in scene.services.integrations()] == ["garage"]


def test_a_removed_integration_leaves_nothing_but_the_audit_log(scene):
    scene.add()
    ledger = scene.services.ledger("bakery")
    ledger.set_auto_update(True)
    ledger.mark("contact:c-1", frozenset({Cause.WEBHOOK}))

    integrations.remove(scene.services, "bakery", by="cli:an")

    with pytest.raises(UnknownIntegration):
        scene.services.integration("bakery")
    left = [key.decode() for key in scene.services.store.scan_iter(match="{tltw:bakery}*")]
    assert left == ["{tltw:bakery}:options"]
    assert next(audit.entries(scene.services.store, integration="bakery")).what == "integration removed"


def test_a_worker_that_is_still_at_it_brings_nothing_back_after_a_removal(scene):
    scene.add()
    ledger = scene.services.ledger("bakery")
    ledger.set_state("active")
    ledger.set_auto_update(True)
    ledger.mark("contact:c-1", frozenset({Cause.WEBHOOK}))
    claim = ledger.claim("contact:c-1")
    assert isinstance(claim, Claim)

    integrations.remove(scene.services, "bakery", by="cli:an")

    assert ledger.still_mine(claim, "twikey", automatic=True, writes=True) == "lost"
    assert ledger.commit(claim, Outcome.SYNCED) == "lost"
    assert ledger.fail(claim, "retry", reason="unavailable") == "lost"
    assert ledger.mark("contact:c-2", frozenset({Cause.WEBHOOK})).closed
    assert [key.decode() for key in scene.services.store.scan_iter(match="{tltw:bakery}*")] == ["{tltw:bakery}:options"]


def test_a_name_may_be_used_again_after_a_removal(scene):
    scene.add()
    integrations.remove(scene.services, "bakery", by="cli:an")

    scene.add()

    assert scene.services.ledger("bakery").state() == "connecting"


def test_what_the_environment_still_describes_after_a_removal_begins_anew_and_works(scene):
    first = First(id="default", options={"twikey_url": f"{scene.twikey_url}/creditor", "twikey_key": "key"})
    integrations.describe(scene.services, first)
    integrations.remove(scene.services, "default", by="cli:an")

    integrations.describe(scene.services, first)

    assert scene.services.ledger("default").state() == "active"


def test_after_a_change_only_the_changed_one_is_read_again(scene, monkeypatch):
    for number in range(5):
        scene.add(f"merchant-{number}", profile="1")
    scene.services.integrations()
    read = []
    decrypt = scene.services.cipher.decrypt
    monkeypatch.setattr(type(scene.services.cipher), "decrypt", lambda _, data: read.append(data) or decrypt(data))

    integrations.change(scene.services, "merchant-3", {"profile": "2"}, by="cli:an")
    read.clear()
    profiles = [one.profile for one in scene.services.integrations()]

    assert profiles == ["1", "1", "1", "2", "1"]
    assert len(read) == 1


def test_a_name_that_was_removed_and_added_again_is_not_taken_for_the_former(scene):
    scene.add(profile="1")
    scene.services.integrations()

    integrations.remove(scene.services, "bakery", by="cli:an")
    scene.add(profile="2")

    assert [one.profile for one in scene.services.integrations()] == ["2"]
