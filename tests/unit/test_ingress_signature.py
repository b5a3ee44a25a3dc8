"""Tokens, signed events and the relay's HMAC."""

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from config.webhook_address import version_of, webhook_token
from ingress.webhooks.refusals import Reason, Refused
from ingress.webhooks.signature import EventSecrets, RelayHmac, verify_token

OLD_KEY, NEW_KEY = "o" * 40, "n" * 40
SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
NEXT_SECRET = "whsec_" + base64.b64encode(b"t" * 32).decode()
BODY = b'{"type":"invoice.imported"}'
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def signed(body: bytes = BODY, *, secret: str = SECRET, event_id: str = "msg_1", age: float = 0) -> dict[str, str]:
    at = datetime.fromtimestamp(time.time() - age, UTC)
    signature = Webhook(secret).sign(event_id, at, body.decode())
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def refusal(secrets: tuple[str, ...], body: bytes, headers: dict[str, str]) -> Reason:
    with pytest.raises(Refused) as caught:
        EventSecrets(secrets).verify(body, headers)
    return caught.value.reason


def test_a_token_made_with_any_of_our_keys_is_ours_whatever_their_order():
    token = webhook_token(OLD_KEY, "default")

    assert verify_token((NEW_KEY, OLD_KEY), "default", token)
    assert verify_token((OLD_KEY, NEW_KEY), "default", token)


def test_the_token_of_another_version_of_the_address_names_it_and_cannot_be_forged():
    token = webhook_token(NEW_KEY, "default", 7)

    assert verify_token((NEW_KEY,), "default", token)
    assert version_of(token) == 7
    assert not verify_token((NEW_KEY,), "default", token.replace("7.", "8.", 1))
    assert not verify_token((NEW_KEY,), "default", webhook_token(NEW_KEY, "default").join(("7.", "")))


def test_a_token_of_a_key_that_was_taken_out_is_not_ours():
    assert not verify_token((NEW_KEY,), "default", webhook_token(OLD_KEY, "default"))


def test_a_token_is_good_for_its_own_integration_only():
    assert not verify_token((NEW_KEY,), "other", webhook_token(NEW_KEY, "default"))


def test_without_keys_no_token_is_ours():
    assert not verify_token((), "default", "")


@given(st.text(), st.text())
def test_no_text_passes_for_a_token_and_none_breaks_the_check(integration: str, token: str):
    assert not verify_token((NEW_KEY, OLD_KEY), integration, token)


@given(st.integers(0, 42), st.characters(codec="ascii"))
def test_a_token_with_one_character_changed_is_not_ours(position: int, character: str):
    token = webhook_token(NEW_KEY, "default")
    changed = token[:position] + character + token[position + 1 :]

    assert verify_token((NEW_KEY,), "default", changed) == (changed == token)


def test_an_event_signed_with_any_of_the_secrets_is_believed():
    assert EventSecrets((NEXT_SECRET, SECRET)).verify(BODY, signed()) == "msg_1"


def test_one_good_signature_among_several_is_enough():
    headers = signed()
    headers["webhook-signature"] = "v1,AAAA v1a,BBBB " + headers["webhook-signature"]

    assert EventSecrets((SECRET,)).verify(BODY, headers) == "msg_1"


@pytest.mark.parametrize("age", [301, -302])
@time_machine.travel(NOW, tick=False)
def test_an_event_more_than_five_minutes_old_or_early_is_refused_by_that_name(age: int):
    assert refusal((SECRET,), BODY, signed(age=age)) is Reason.TIMESTAMP_OUTSIDE_TOLERANCE


@pytest.mark.parametrize("age", [290, -290])
@time_machine.travel(NOW, tick=False)
def test_an_event_within_five_minutes_is_believed(age: int):
    assert EventSecrets((SECRET,)).verify(BODY, signed(age=age)) == "msg_1"


def test_a_changed_body_a_changed_id_and_a_foreign_secret_are_wrong_signatures():
    assert refusal((SECRET,), BODY + b" ", signed()) is Reason.SIGNATURE_WRONG
    assert refusal((SECRET,), BODY, signed() | {"webhook-id": "msg_2"}) is Reason.SIGNATURE_WRONG
    assert refusal((SECRET,), BODY, signed(secret=NEXT_SECRET)) is Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_needed(header: str):
    headers = signed()
    del headers[header]

    assert refusal((SECRET,), BODY, headers) is Reason.SIGNATURE_MISSING


def test_without_secrets_nobody_is_believed():
    assert refusal((), BODY, signed()) is Reason.EVENTS_NOT_CONFIGURED


@pytest.mark.parametrize("event_id", ["x" * 129, "has space", "a.b", "naïve"])
def test_an_id_that_would_not_make_a_good_key_is_refused_by_name(event_id: str):
    with pytest.raises(Refused) as caught:
        EventSecrets((SECRET,)).verify(BODY, signed(event_id=event_id))

    assert (caught.value.reason, caught.value.field) == (Reason.WRONG_SHAPE, "webhook-id")


HEADERS = st.fixed_dictionaries(
    {"webhook-id": st.text(), "webhook-timestamp": st.text() | st.just("1e999"), "webhook-signature": st.text()}
)


@given(st.binary(), HEADERS | HEADERS.map(lambda headers: headers | {"webhook-timestamp": str(int(time.time()))}))
def test_no_bytes_pass_for_a_signed_event_and_none_break_the_check(body: bytes, headers: dict[str, str]):
    with pytest.raises(Refused) as caught:
        EventSecrets((SECRET, NEXT_SECRET)).verify(body, headers)

    assert caught.value.status == 401


@pytest.mark.parametrize("encoding", ["hex", "base64"])
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_the_relays_hmac_is_believed_in_either_encoding(encoding, prefix: str):
    digest = hmac.new(b"relay", BODY, hashlib.sha256).digest()
    given_ = digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()

    RelayHmac("X-Signature", "relay", encoding).verify(BODY, prefix + given_)


@given(st.text(min_size=1), st.sampled_from(["hex", "base64"]))
def test_no_text_passes_for_the_relays_hmac_and_none_breaks_the_check(given_: str, encoding):
    with pytest.raises(Refused) as caught:
        RelayHmac("X-Signature", "relay", encoding).verify(BODY, given_)

    assert caught.value.reason is Reason.SIGNATURE_WRONG


def test_nothing_secret_shows_when_these_are_printed():
    assert "whsec_" not in repr(EventSecrets((SECRET,)))
    assert "relay-secret" not in repr(RelayHmac("X-Signature", "relay-secret"))
