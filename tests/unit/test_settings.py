"""Settings are read once, checked together, and every mistake is named."""

import os

import pytest

from config import settings
from config.integrations import Integration, integration_from

REQUIRED = {
    "TLTW_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    "TLTW_WEBHOOK_KEY": "k" * 43,
    "TLTW_PUBLIC_URL": "https://sync.example.com",
}
GOOD = REQUIRED | {
    "TLTW_TEAMLEADER_CLIENT_ID": "id",
    "TLTW_TEAMLEADER_CLIENT_SECRET": "secret",
    "TLTW_TEAMLEADER_REFRESH_TOKEN": "refresh",
    "TLTW_TWIKEY_API_URL": "https://acme.twikey.com/api/creditor/",
    "TLTW_TWIKEY_API_TOKEN": "token",
}


def first(environment: dict[str, str]) -> Integration:
    loaded = settings.load(environment)
    assert loaded.first
    return integration_from(loaded.first.id, loaded.first.options, loaded.teamleader)


def test_the_required_settings_suffice():
    loaded = settings.load(REQUIRED)

    assert loaded.embedded
    assert loaded.first is None


def test_the_environment_can_describe_the_first_integration():
    described = first(GOOD)

    assert described.id == "default"
    assert not described.auto_update
    assert described.twikey.api_url == "https://acme.twikey.com/api/creditor"
    assert described.teamleader.api_url == "https://api.focus.teamleader.eu"


def test_half_a_first_integration_is_a_mistake():
    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(REQUIRED | {"TLTW_TEAMLEADER_REFRESH_TOKEN": "refresh"})

    assert set(wrong.value.problems) == {"TLTW_TWIKEY_API_URL", "TLTW_TWIKEY_API_TOKEN"}


def test_all_mistakes_are_named_at_once():
    mistakes = {
        "TLTW_SECRET_KEY": "short",
        "TLTW_WEBHOOK_KEY": ",",
        "TLTW_EVENTS_SECRET": "whsec_!",
        "TLTW_REDIS_URL": "localhost:6379",
        "TLTW_PUBLIC_URL": "http://sync.example.com",
        "TLTW_WEB_PORT": "99999",
        "TLTW_INTEGRATION": "No Spaces",
        "TLTW_AUTO_UPDATE": "maybe",
        "TLTW_TWIKEY_API_URL": "https://acme.twikey.com/api",
        "TLTW_DEFAULT_LANGUAGE": "xx",
        "TLTW_TWIKEY_PROFILE": "abc",
    }

    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | mistakes)

    assert set(wrong.value.problems) == set(mistakes)
    assert all(name in str(wrong.value) for name in mistakes)


@pytest.mark.parametrize("prefix", ["-x", ".x", "_", "tl/", "p" * 15])
def test_a_prefix_that_no_customer_number_may_begin_with_is_refused(prefix):
    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | {"TLTW_CUSTOMER_NUMBER_PREFIX": prefix})

    assert "a letter or digit first" in wrong.value.problems["TLTW_CUSTOMER_NUMBER_PREFIX"]


def test_nothing_set_names_every_required_setting():
    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load({})

    assert set(wrong.value.problems) == set(REQUIRED)


def test_a_secret_can_come_from_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("from-a-file\n")

    described = first({**GOOD, "TLTW_TWIKEY_API_TOKEN": "", "TLTW_TWIKEY_API_TOKEN_FILE": str(file)})

    assert described.twikey.api_token == "from-a-file"


def test_a_secret_file_that_cannot_be_read_is_named_without_its_content(tmp_path):
    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | {"TLTW_SECRET_KEY_FILE": str(tmp_path / "missing")})

    assert list(wrong.value.problems) == ["TLTW_SECRET_KEY"]


def test_no_secret_shows_in_the_representation():
    loaded = settings.load(GOOD | {"TLTW_TWIKEY_API_TOKEN": "canary-1", "TLTW_TEAMLEADER_REFRESH_TOKEN": "canary-2"})

    shown = repr(loaded)

    assert "canary" not in shown
    assert GOOD["TLTW_SECRET_KEY"] not in shown


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9002/creditor", "http://localhost/creditor", "http://[::1]/creditor"]
)
def test_plain_http_is_allowed_on_this_machine_only(url):
    assert first(GOOD | {"TLTW_TWIKEY_API_URL": url}).twikey.api_url == url


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://app.example.com/c/{customerNumber}",
        "https://app.example.com/#/c?n={customerNumber}&tab=1",
        "http://127.0.0.1:9002/ui/customers/{customerNumber}",
    ],
)
def test_the_address_of_a_customer_in_twikey_is_kept_as_it_is(address):
    assert settings.load(GOOD | {"TLTW_TWIKEY_CUSTOMER_URL": address}).twikey_customer_url == address


@pytest.mark.parametrize(
    "address",
    [
        "https://app.example.com/c/1",
        "https://{customerNumber}.example.com/",
        "https://app.example.com/{customerNumber}/{customerNumber}",
        "https://app.example.com/{customer}/{customerNumber}",
        'https://app.example.com/"{customerNumber}',
        "http://app.example.com/{customerNumber}",
        "javascript:alert({customerNumber})",
        "https://an:secret@app.example.com/{customerNumber}",
        "app.example.com/{customerNumber}",
    ],
)
def test_what_cannot_be_the_address_of_a_customer_in_twikey_is_refused(address):
    with pytest.raises(settings.SettingsWrong) as wrong:
        settings.load(GOOD | {"TLTW_TWIKEY_CUSTOMER_URL": address})

    assert set(wrong.value.problems) == {"TLTW_TWIKEY_CUSTOMER_URL"}
    assert "secret" not in str(wrong.value)


def test_the_cc_parameter_can_be_switched_off():
    assert first(GOOD | {"TLTW_TWIKEY_CC_PARAMETER": "off"}).cc_parameter == ""


def test_env_file_does_not_override_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("TLTW_WEB_PORT", "8100")
    monkeypatch.delenv("TLTW_DEFAULT_COUNTRY", raising=False)
    file = tmp_path / ".env"
    file.write_text("TLTW_WEB_PORT=8200\nTLTW_DEFAULT_COUNTRY=NL\n")

    settings.read_env_file(file)

    assert (os.environ["TLTW_WEB_PORT"], os.environ.pop("TLTW_DEFAULT_COUNTRY")) == ("8100", "NL")
