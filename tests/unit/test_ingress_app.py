"""The web application over a ledger in memory: what it answers, and what it leaves behind."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import fakeredis
import pytest
import redis
import structlog
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from config.keys import ALERTS_RAISED, IntegrationKeys
from config.webhook_address import webhook_token
from ingress.webhooks.app import create_app
from ingress.webhooks.door import Door
from ingress.webhooks.signature import EventSecrets, RelayHmac
from workers.alerts.kinds import Kind
from workers.alerts.raised import field_of
from workers.ledger import Cause, Ledger, Scripts

KEY = "k" * 40
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
TOKEN = webhook_token(KEY, "default")
WEBHOOK = {
    "type": "company.updated",
    "subject": {"type": "company", "id": "178d8326-793a-0374"},
    "account": {"type": "account", "id": "acc-1"},
}
SUBJECT = "company:178d8326-793a-0374"
IMPORTED = {"type": "invoice.imported", "trigger": "automatic", "invoice": {"id": "inv-1"}}
DOCUMENTED = {200, 202, 400, 401, 403, 404, 405, 411, 413, 415, 503}


@dataclass
class House:
    """A web application, the ledger behind it, and the wake-ups that it sent."""

    store: fakeredis.FakeRedis
    ledger: Ledger
    client: FlaskClient
    woken: list[tuple[str, str]] = field(default_factory=list)

    def webhook(self, body: object = WEBHOOK, *, token: str = TOKEN, **more: Any) -> TestResponse:
        return self.client.post(f"/webhooks/teamleader/default/{token}", json=body, **more)

    def imported(
        self, body: object = IMPORTED, *, event_id: str = "msg_1", integration: str = "default"
    ) -> TestResponse:
        raw, now = json.dumps(body), datetime.now(UTC)
        headers = {
            "webhook-id": event_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(SECRET).sign(event_id, now, raw),
        }
        return self.client.post(
            f"/events/invoice-imported/{integration}", data=raw, headers=headers, content_type="application/json"
        )

    def marks(self) -> int:
        return self.ledger.account().accepted


def build(*, relay: RelayHmac | None = None, wake: Any = None, **record: Any) -> House:
    store = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    scripts = Scripts(store)
    ledger = Ledger(scripts, "default")
    ledger.begin(auto_update=True)
    store.hset(ledger.keys.record, mapping={"twikey_url": "https://api.twikey.com/creditor", **record})
    woken: list[tuple[str, str]] = []
    door = Door(
        scripts=scripts,
        expected=frozenset({"expected"}),
        webhook_keys=(KEY,),
        event_secrets=EventSecrets((SECRET,)),
        relay=relay,
        wake=wake or (lambda integration, subject: woken.append((integration, subject))),
    )
    store.set(IntegrationKeys("default").account, "acc-1")
    return House(store, ledger, create_app(door).test_client(), woken)


@pytest.fixture
def house() -> Iterator[House]:
    structlog.reset_defaults()
    return build()


def answer(response: TestResponse) -> tuple[int, dict[str, str]]:
    return response.status_code, response.get_json()


def test_an_accepted_webhook_is_in_the_ledger_before_the_answer_and_one_wake_up_is_sent(house: House):
    response = house.webhook()

    state = house.ledger.look(SUBJECT)
    assert answer(response) == (202, {"status": "accepted", "event": state.event_id})
    assert state.owed
    assert state.causes == {Cause.WEBHOOK}
    assert house.woken == [("default", SUBJECT)]


def test_a_second_webhook_for_an_owed_customer_is_accepted_without_another_wake_up(house: House):
    house.webhook()

    response = house.webhook()

    assert response.status_code == 202
    assert house.woken == [("default", SUBJECT)]
    assert house.ledger.account().coalesced == 1


def test_with_auto_update_off_a_webhook_is_recorded_as_skipped_and_held(house: House):
    house.webhook()
    house.ledger.set_auto_update(False)

    response = house.webhook(WEBHOOK | {"type": "contact.updated", "subject": {"type": "contact", "id": "c-1"}})

    assert answer(response) == (200, {"status": "skipped", "reason": "auto_update_off"})
    assert house.ledger.look("contact:c-1").held


def test_an_integration_that_was_removed_takes_nothing_in(house: House):
    house.webhook()
    before = house.marks()
    house.ledger.set_state("closed")

    response = house.webhook()

    assert answer(response) == (404, {"status": "refused", "reason": "not_found"})
    assert house.marks() == before


def test_the_senders_of_an_integration_that_is_about_to_be_there_are_asked_to_come_back(house: House):
    response = house.client.post(f"/webhooks/teamleader/expected/{webhook_token(KEY, 'expected')}", json=WEBHOOK)

    assert answer(response) == (503, {"status": "refused", "reason": "account_unknown"})
    assert int(response.headers["Retry-After"]) > 0


def test_a_new_address_is_taken_at_once_though_the_one_before_was_used_a_moment_ago(house: House):
    assert house.webhook().status_code == 202
    rotated = {"address_version": 1, "rotated": round(datetime.now(UTC).timestamp() * 1000)}
    house.store.hset(house.ledger.keys.record, mapping=rotated)

    answers = [house.webhook(token=token).status_code for token in (webhook_token(KEY, "default", 1), TOKEN)]

    assert answers == [202, 202]


def test_whoever_knows_a_former_address_cannot_make_us_look_it_up_each_time(monkeypatch: pytest.MonkeyPatch):
    house, looked = build(address_version=5), []
    hmget = house.store.hmget
    monkeypatch.setattr(house.store, "hmget", lambda *asked: looked.append(asked) or hmget(*asked))
    former = webhook_token(KEY, "default", 2)

    answers = {house.webhook(token=token).status_code for token in (former, TOKEN) * 5}

    assert answers == {404}
    assert len(looked) == 1


def test_after_a_rotation_the_new_address_and_for_a_day_the_old_one_are_taken():
    yesterday = round((datetime.now(UTC) - timedelta(hours=25)).timestamp() * 1000)
    now = round(datetime.now(UTC).timestamp() * 1000)
    old, new, newer = (webhook_token(KEY, "default", version) for version in (1, 2, 3))

    just_rotated = build(address_version=2, rotated=now)
    long_ago = build(address_version=2, rotated=yesterday)

    assert [just_rotated.webhook(token=token).status_code for token in (old, new, newer, TOKEN)] == [202, 202, 404, 404]
    assert [long_ago.webhook(token=token).status_code for token in (old, new)] == [404, 202]


def test_a_deleted_customer_is_looked_at_even_with_auto_update_off(house: House):
    house.ledger.set_auto_update(False)

    response = house.webhook(WEBHOOK | {"type": "company.deleted"})

    assert response.status_code == 202
    assert house.ledger.look(SUBJECT).causes == {Cause.DELETED}


def test_an_added_customer_is_looked_at_only_when_the_integration_asks_for_it(house: House):
    added = WEBHOOK | {"type": "company.added"}

    assert answer(house.webhook(added)) == (200, {"status": "ignored", "reason": "event_type_not_wanted"})
    assert build(extra_event_types="company.added").webhook(added).status_code == 202


def test_an_unknown_event_type_is_ignored_and_leaves_nothing(house: House):
    response = house.webhook(WEBHOOK | {"type": "deal.moved"})

    assert answer(response) == (200, {"status": "ignored", "reason": "unknown_event_type"})
    assert house.marks() == 0


def test_an_account_that_goes_away_pauses_the_integration_and_is_told_to_the_operator(house: House):
    with capture_logs() as logs:
        response = house.webhook(WEBHOOK | {"type": "account.deactivated", "subject": None})

    assert response.status_code == 202
    assert house.ledger.state() == "paused"
    assert [line["log_level"] for line in logs] == ["error"]


def test_a_webhook_of_another_account_is_refused_and_is_an_error_in_the_log(house: House):
    with capture_logs() as logs:
        response = house.webhook(WEBHOOK | {"account": {"type": "account", "id": "acc-2"}})

    assert answer(response) == (403, {"status": "refused", "reason": "wrong_account"})
    assert [(line["log_level"], line["reason"]) for line in logs] == [("error", "wrong_account")]
    assert house.marks() == 0


def test_when_an_operator_connects_another_account_its_webhooks_are_accepted_at_once(house: House):
    house.webhook()
    house.store.set(IntegrationKeys("default").account, "acc-2")

    assert house.webhook(WEBHOOK | {"account": {"type": "account", "id": "acc-2"}}).status_code == 202
    assert house.webhook().status_code == 403


def test_before_the_account_is_known_webhooks_are_asked_to_come_again(house: House):
    house.store.delete(IntegrationKeys("default").account)

    response = house.webhook()

    assert answer(response) == (503, {"status": "refused", "reason": "account_unknown"})
    assert 20 <= int(response.headers["Retry-After"]) <= 40
    assert house.marks() == 0


def test_webhooks_of_a_foreign_account_raise_an_alert(house: House):
    house.webhook(WEBHOOK | {"account": {"type": "account", "id": "acc-2"}})
    house.webhook(WEBHOOK | {"account": {"type": "account", "id": "acc-3"}})
    house.webhook()

    raised = {name.decode(): int(number) for name, number in house.store.hgetall(ALERTS_RAISED).items()}
    assert raised == {field_of(Kind.FOREIGN_ACCOUNT, "default"): 2}


def test_a_wrong_token_an_unknown_integration_and_an_unknown_path_look_the_same(house: House):
    wrong = house.webhook(token="x" * 43)
    short = house.webhook(token="x")
    unknown = house.client.post(f"/webhooks/teamleader/nobody/{webhook_token(KEY, 'nobody')}", json=WEBHOOK)
    nowhere = house.client.post("/nowhere", json=WEBHOOK)

    assert wrong.status_code == 404
    assert {response.data for response in (wrong, short, unknown, nowhere)} == {wrong.data}
    assert {str(response.headers) for response in (wrong, short, unknown, nowhere)} == {str(wrong.headers)}


def test_a_wrong_token_is_not_told_what_else_is_wrong(house: House):
    response = house.client.post("/webhooks/teamleader/default/x", data=b"\xff" * 100_000, content_type="text/plain")

    assert response.status_code == 404


def test_no_log_line_holds_the_token_or_the_body(house: House):
    with capture_logs() as logs:
        house.webhook()
        house.webhook({"type": "canary"})
        house.client.post("/webhooks/teamleader/default/wrong-canary", json=WEBHOOK)
        house.webhook(WEBHOOK | {"type": "canary.updated"})

    assert logs
    assert TOKEN not in str(logs)
    assert "canary" not in str(logs)


def test_a_signed_event_is_accepted_under_its_own_id(house: House):
    response = house.imported()

    assert answer(response) == (202, {"status": "accepted", "event": "msg_1"})
    assert house.ledger.look("invoice:inv-1").event_id == "msg_1"


def test_an_event_delivered_twice_is_ignored_the_second_time(house: House):
    house.imported()

    response = house.imported()

    assert answer(response) == (200, {"status": "ignored", "reason": "duplicate"})
    assert house.marks() == 1


def test_an_event_refused_for_its_shape_can_be_sent_again_under_the_same_id(house: House):
    refused = house.imported({"type": "invoice.imported", "trigger": "automatic"})

    assert answer(refused) == (400, {"status": "refused", "reason": "wrong_shape", "field": "invoice"})
    assert house.imported().status_code == 202


def test_a_manual_import_runs_with_auto_update_off_and_an_automatic_one_is_held(house: House):
    house.ledger.set_auto_update(False)

    manual = house.imported(IMPORTED | {"trigger": "manual"}, event_id="m")
    automatic = house.imported(IMPORTED | {"invoice": {"id": "inv-2"}}, event_id="a")

    assert manual.status_code == 202
    assert answer(automatic) == (200, {"status": "skipped", "reason": "auto_update_off"})


def test_an_event_that_names_its_customer_marks_the_customer(house: House):
    house.imported(IMPORTED | {"customer": {"type": "contact", "id": "c-1"}})

    assert house.ledger.look("contact:c-1").causes == {Cause.INVOICE}
    assert house.ledger.look("invoice:inv-1") is None


def test_a_signed_event_for_an_unknown_integration_is_not_found_and_an_unsigned_one_unauthorised(house: House):
    assert house.imported(integration="nobody").status_code == 404
    assert house.client.post("/events/invoice-imported/nobody", json=IMPORTED).status_code == 401


def test_when_a_relay_is_configured_a_webhook_needs_its_hmac():
    house = build(relay=RelayHmac("X-Relay", "relay"))

    assert answer(house.webhook()) == (401, {"status": "refused", "reason": "signature_missing"})
    assert answer(house.webhook(headers={"X-Relay": "00"})) == (401, {"status": "refused", "reason": "signature_wrong"})
    assert house.marks() == 0


@pytest.mark.parametrize(
    "failure",
    [redis.ConnectionError("gone"), redis.TimeoutError("slow"), redis.ResponseError("OOM"), redis.ReadOnlyError()],
)
def test_a_store_that_fails_means_come_again_and_never_a_2xx(house: House, monkeypatch, failure: redis.RedisError):
    def fail(*_args: object, **_named: object) -> None:
        raise failure

    monkeypatch.setattr(house.store, "evalsha", fail)

    response = house.webhook()

    assert answer(response) == (503, {"status": "refused", "reason": "store_unavailable"})
    assert 20 <= int(response.headers["Retry-After"]) <= 40


def test_an_event_that_the_store_refused_is_no_duplicate_when_it_comes_again(house: House, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(house.store, "evalsha", lambda *_, **__: (_ for _ in ()).throw(redis.ConnectionError()))
        assert house.imported().status_code == 503

    assert house.imported().status_code == 202


def test_a_wake_up_that_fails_does_not_unmake_an_accepted_event():
    def broken(_integration: str, _subject: str) -> None:
        raise redis.ConnectionError("the queue is away")

    house = build(wake=broken)

    assert house.webhook().status_code == 202
    assert house.ledger.look(SUBJECT).owed


def test_a_mistake_of_ours_is_a_503_with_a_traceback_that_shows_no_path(house: House, monkeypatch):
    monkeypatch.setattr("ingress.webhooks.teamleader.read_teamleader", lambda _body: 1 / 0)

    with capture_logs() as logs:
        response = house.webhook()

    assert answer(response) == (503, {"status": "refused", "reason": "internal"})
    assert "Retry-After" in response.headers
    assert isinstance(logs[0]["exc_info"], ZeroDivisionError)
    assert TOKEN not in str(logs)


@pytest.mark.parametrize("path", ["/nowhere", "//livez", "/livez/", f"//webhooks/teamleader/default/{TOKEN}"])
def test_an_unknown_path_is_refused_and_never_redirected(house: House, path: str):
    assert answer(house.client.get(path)) == (404, {"status": "refused", "reason": "not_found"})


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [f"/webhooks/teamleader/default/{TOKEN}", "/events/invoice-imported/default"])
def test_only_post_is_a_way_in(house: House, method: str, path: str):
    response = house.client.open(path, method=method)

    assert answer(response) == (405, {"status": "refused", "reason": "method_not_allowed"})
    assert response.headers["Allow"] == "POST"


def test_every_answer_forbids_caching_and_sniffing(house: House):
    for response in (house.webhook(), house.client.get("/livez"), house.client.get("/nowhere")):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Content-Type-Options"] == "nosniff"


BODIES = st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["type", "subject", "account", "id"]), inner),
).map(lambda value: json.dumps(value).encode())
KINDS = st.sampled_from(["application/json", "application/json; charset=utf-8", "text/plain", ""])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    raw=BODIES,
    kind=KINDS,
    path=st.sampled_from([f"/webhooks/teamleader/default/{'x' * 43}", "/events/invoice-imported/default"]),
)
def test_without_a_valid_signature_nothing_is_ever_marked(house: House, raw: bytes, kind: str, path: str):
    response = house.client.post(path, data=raw, content_type=kind)

    assert response.status_code in (401, 404, 411, 415)
    assert house.store.keys("*:s:*") == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=BODIES, kind=KINDS)
def test_with_the_right_address_any_body_gets_a_documented_answer(house: House, raw: bytes, kind: str):
    response = house.client.post(f"/webhooks/teamleader/default/{TOKEN}", data=raw, content_type=kind)

    assert response.status_code in DOCUMENTED - {503}
    assert response.get_json()["status"] in ("accepted", "ignored", "skipped", "refused")
