"""A worker that was not restarted meets an integration that was changed by others, and cannot read it: the customer waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.fernet import Fernet
from structlog.testing import capture_logs

from config.integrations import OptionsWrong
from config.keys import IntegrationKeys
from config.settings import load
from workers import integrations, upkeep
from workers.actors import declare
from workers.broker import ACTOR
from workers.ledger import Cause
from workers.secrets_at_rest import encrypt_anew
from workers.services import open_services
from workers.sync.run import work_on

WEBHOOK, SECOND = frozenset({Cause.WEBHOOK}), timedelta(seconds=1)
# More than the claims after which a customer is taken for one that kills workers.
OFTEN = 7


@pytest.fixture
def subject(desk):
    """A customer that is owed."""
    subject = f"company:{desk.create('company', name='Bakkerij Tarwe')}"
    desk.ledger.mark(subject, WEBHOOK)
    return subject


@pytest.fixture
def worker(desk):
    """What a worker knows that began before the change."""
    return desk.services.tools("acme")


@pytest.fixture
def restarted(desk, worker, subject):
    """A process with a new key in front of the old one; it changed a secret of the integration."""
    keys = f"{Fernet.generate_key().decode()},{desk.environment['TLTW_SECRET_KEY']}"
    services = open_services(load(desk.environment | {"TLTW_SECRET_KEY": keys, "TLTW_TWIKEY_API_TOKEN": "another"}))
    yield services
    services.close()


def that_raises(worker, error):
    """The worker, whose tools were those of a revision that is over and cannot be renewed."""

    def renewed():
        raise error

    return replace(worker, integration=replace(worker.integration, revision=0), renewed=renewed)


def test_a_worker_without_the_new_key_buries_nobody_and_says_what_to_do(worker, subject, restarted):
    with capture_logs() as logs:
        answers = [work_on(subject, worker) for _ in range(OFTEN)]

    state = restarted.ledger("acme").look(subject)
    assert answers == [None] * OFTEN
    assert (state.owed, state.story, state.attempts, state.leased_until) == (True, None, 0, None)
    assert [(turn.what, turn.reason, turn.times) for turn in state.past] == [("defer", "settings_unreadable", OFTEN)]
    said = [line for line in logs if line.get("reason") == "settings_unreadable"]
    assert len(said) == OFTEN
    assert "Restart this process with the TLTW_SECRET_KEY" in said[0]["event"]
    assert "TLTW_SECRET_KEY" in said[0]["problem"]


def test_after_the_first_it_claims_nothing_any_more_so_that_those_who_can_have_the_calls(
    desk, subject, worker, restarted
):
    declare(desk.services.broker, desk.services.tools_as_known)
    sync_subject = desk.services.broker.get_actor(ACTOR).fn

    with capture_logs() as logs:
        for _ in range(OFTEN):
            sync_subject("acme", subject)

    state = restarted.ledger("acme").look(subject)
    assert [(turn.what, turn.reason, turn.times) for turn in state.past] == [("defer", "settings_unreadable", 1)]
    assert sum(line.get("reason") == "settings_unreadable" for line in logs) == OFTEN


def test_it_waits_a_while_and_no_worker_that_can_read_them_is_kept_from_an_api(worker, desk, subject):
    began = datetime.now(UTC)
    work_on(subject, that_raises(worker, OptionsWrong({"profile": "is not known"})))
    ended = datetime.now(UTC)

    assert began + 29 * SECOND < desk.ledger.look(subject).due < ended + 31 * SECOND
    desk.work(subject)
    assert desk.ledger.look(subject).outcome == "synced"


@pytest.fixture
def rotated(desk, subject):
    """A process with a new key in front of the old one, which encrypted all anew; the settings were not changed."""
    desk.services.tools("acme").teamleader.me()
    keys = f"{Fernet.generate_key().decode()},{desk.environment['TLTW_SECRET_KEY']}"
    services = open_services(load(desk.environment | {"TLTW_SECRET_KEY": keys}))
    encrypt_anew(services)
    yield services
    services.close()


def that_forgot_its_token(desk):
    """The tools of a process that must read the token from the store. It knew the integration before the keys were rotated."""
    desk.services._tools.clear()
    return desk.services.tools("acme")


def test_tokens_that_only_this_worker_cannot_read_disconnect_nobody(desk, subject, rotated):
    worker = that_forgot_its_token(desk)

    with capture_logs() as logs:
        answers = [work_on(subject, worker) for _ in range(OFTEN)]

    state = rotated.ledger("acme").look(subject)
    assert answers == [None] * OFTEN
    assert rotated.ledger("acme").state() == "active"
    assert (state.owed, state.story, state.attempts) == (True, None, 0)
    assert [(turn.what, turn.reason, turn.times) for turn in state.past] == [("defer", "settings_unreadable", OFTEN)]
    assert all("TLTW_SECRET_KEY" in line["problem"] for line in logs if line["log_level"] == "error")
    work_on(subject, rotated.tools("acme"))
    assert rotated.ledger("acme").look(subject).outcome == "synced"


def test_nor_does_the_upkeep_of_such_a_process(desk, subject, rotated):
    that_forgot_its_token(desk)
    (keep_alive,) = [step for step in upkeep.steps() if step.do is upkeep.keep_token_alive]

    done = upkeep.attempt(keep_alive, desk.services, "acme")

    assert not done.ok
    assert rotated.ledger("acme").state() == "active"
    assert rotated.cipher.is_newest(rotated.store.get(IntegrationKeys("acme").token))


def test_an_error_that_nobody_foresaw_is_waited_for_as_well_and_its_text_is_not_told(worker, desk, subject):
    with capture_logs() as logs:
        for _ in range(OFTEN):
            work_on(subject, that_raises(worker, KeyError("Jan Peeters")))

    assert desk.ledger.look(subject).owed
    assert {line["error"] for line in logs if line["log_level"] == "error"} == {"KeyError"}
    assert "Peeters" not in str(logs)


def test_one_that_was_removed_meanwhile_is_no_fault(worker, desk, subject):
    def renewed():
        integrations.remove(desk.services, "acme", by="cli:an")
        return worker.renewed()

    with capture_logs() as logs:
        answer = work_on(subject, replace(worker, integration=replace(worker.integration, revision=0), renewed=renewed))

    assert answer is None
    assert [line["log_level"] for line in logs] == ["info"]
    assert desk.services.registry.ids() == []
