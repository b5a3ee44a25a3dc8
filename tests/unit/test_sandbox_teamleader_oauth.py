"""OAuth 2 at the simulated Teamleader: consent, codes, and refresh tokens that work once."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.teamleader.world import TeamleaderSettings

BACK = "http://127.0.0.1:8001/oauth/callback"
CLIENT = {"client_id": worlds.DEFAULT_CLIENT_ID, "client_secret": worlds.DEFAULT_CLIENT_SECRET}
ASKED = {
    "client_id": worlds.DEFAULT_CLIENT_ID,
    "redirect_uri": BACK,
    "response_type": "code",
    "state": "s t&ate",
}


@pytest.fixture
def teamleader() -> Iterator[tuple[Teamleader, httpx.Client]]:
    app = create_teamleader(TeamleaderSettings(redirect_uris=(BACK,), access_token_life=1234))
    with serve(app) as url, httpx.Client(base_url=url) as client:
        yield app, client


def refresh(client: httpx.Client, token: str, **more: str) -> httpx.Response:
    form = {**CLIENT, "grant_type": "refresh_token", "refresh_token": token, **more}
    return client.post("/oauth2/access_token", data=form)


def who(client: httpx.Client, access_token: str) -> httpx.Response:
    return client.post("/users.me", json={}, headers={"Authorization": f"Bearer {access_token}"})


def decide(client: httpx.Client, decision: str) -> dict[str, list[str]]:
    answer = client.post("/oauth2/authorize", data={**ASKED, "decision": decision})
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(BACK)
    return parse_qs(urlsplit(answer.headers["Location"]).query)


def test_allowing_leads_to_tokens_that_work(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader
    page = client.get("/oauth2/authorize", params=ASKED)
    back = decide(client, "allow")

    form = {**CLIENT, "grant_type": "authorization_code", "code": back["code"][0], "redirect_uri": BACK}
    tokens = client.post("/oauth2/access_token", json=form)
    again = client.post("/oauth2/access_token", json=form)

    assert "Allow" in page.text
    assert back["state"] == ["s t&ate"]
    assert tokens.json()["token_type"] == "Bearer"
    assert tokens.json()["expires_in"] == 1234
    assert who(client, tokens.json()["access_token"]).json()["data"]["account"]["id"] == worlds.DEFAULT_ACCOUNT
    assert again.status_code == 400


def test_denying_leads_back_without_a_code(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader

    assert decide(client, "deny") == {"error": ["access_denied"], "state": ["s t&ate"]}


@pytest.mark.parametrize("change", [{"redirect_uri": "http://127.0.0.1/elsewhere"}, {"client_id": "nobody"}])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_consent_that_may_not_be_asked_redirects_nowhere(
    teamleader: tuple[Teamleader, httpx.Client], method: str, change: dict[str, str]
) -> None:
    _, client = teamleader

    answer = client.request(
        method, "/oauth2/authorize", params=ASKED | change, data=ASKED | change if method == "POST" else None
    )

    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_refresh_token_works_once(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader

    first = refresh(client, worlds.DEFAULT_REFRESH_TOKEN)
    again = refresh(client, worlds.DEFAULT_REFRESH_TOKEN)
    next_one = refresh(client, first.json()["refresh_token"])

    assert first.status_code == next_one.status_code == 200
    assert again.status_code == 400
    assert again.json()["errors"][0]["title"] == "invalid_grant"
    assert client.get("/_sandbox/tokens").json() == {"refreshes": 2, "refused_refreshes": 1}


def test_a_refusal_can_be_worded_as_rfc_6749(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader
    client.patch("/_sandbox/settings", json={"settings": {"oauth_error_shape": "rfc6749"}})

    assert refresh(client, "never issued").json()["error"] == "invalid_grant"


def test_a_wrong_client_secret_does_not_spend_the_refresh_token(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader

    wrong = refresh(client, worlds.DEFAULT_REFRESH_TOKEN, client_secret="wrong")

    assert wrong.json()["errors"][0]["title"] == "invalid_client"
    assert refresh(client, worlds.DEFAULT_REFRESH_TOKEN).status_code == 200


def test_expired_and_revoked_tokens_are_refused(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader
    tokens = refresh(client, worlds.DEFAULT_REFRESH_TOKEN).json()

    client.post("/_sandbox/tokens/expire")
    expired = who(client, tokens["access_token"])
    renewed = refresh(client, tokens["refresh_token"])
    client.post("/_sandbox/tokens/revoke")

    assert expired.status_code == 401
    assert renewed.status_code == 200
    assert refresh(client, renewed.json()["refresh_token"]).status_code == 400


def test_accounts_keep_their_customers_tokens_and_webhooks_apart(teamleader: tuple[Teamleader, httpx.Client]) -> None:
    _, client = teamleader
    made = client.post("/_sandbox/accounts", json={"client_id": "second", "client_secret": "s", "empty": True}).json()
    headers = {"Authorization": f"Bearer {made['access_token']}"}

    client.post("/webhooks.register", json={"url": "http://127.0.0.1/x", "types": ["contact.updated"]}, headers=headers)
    contacts = client.post("/contacts.list", json={}, headers=headers).json()["data"]

    assert who(client, made["access_token"]).json()["data"]["account"]["id"] == made["id"]
    assert contacts == []
    assert client.get("/_sandbox/webhooks").json() == {"webhooks": []}
    assert refresh(client, made["refresh_token"]).status_code == 400
