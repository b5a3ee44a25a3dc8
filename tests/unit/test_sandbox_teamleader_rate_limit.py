"""The simulated rate limit: a sliding window per account, told in three headers."""

from datetime import UTC, datetime, timedelta

import httpx

from sandbox.serve import serve
from sandbox.teamleader.app import create_teamleader
from sandbox.teamleader.rate_limit import SlidingWindow, render_reset
from sandbox.teamleader.world import TeamleaderSettings

NOW = datetime(2026, 2, 8, 11, 9, 8, 35_000, tzinfo=UTC)


def test_a_call_is_refused_until_the_oldest_leaves_the_window() -> None:
    window = SlidingWindow(2, timedelta(seconds=60))

    admitted = [window.admit(NOW + timedelta(seconds=n)) for n in (0, 10, 59, 60, 61)]

    assert admitted == [True, True, False, True, False]


def test_the_reset_is_when_the_oldest_call_leaves_the_window() -> None:
    window = SlidingWindow(2, timedelta(seconds=60))
    window.admit(NOW)
    window.admit(NOW + timedelta(seconds=5))

    assert window.reset_at(NOW + timedelta(seconds=6)) == NOW + timedelta(seconds=60)
    assert window.remaining(NOW + timedelta(seconds=6)) == 0


def test_the_reset_can_be_written_in_both_known_ways() -> None:
    assert render_reset(NOW, "seconds") == "2026-02-08T11:09:08+00:00"
    assert render_reset(NOW, "fractional") == "2026-02-08T12:09:08.035+0100"
    assert datetime.fromisoformat(render_reset(NOW, "fractional")) == NOW


def test_each_account_has_its_own_limit_and_every_answer_tells_it() -> None:
    app = create_teamleader(TeamleaderSettings(rate_limit=3))
    tokens = [
        app.world.issue_tokens(account).access_token
        for account in (app.world.default, app.world.add_account(characters=()))
    ]
    with serve(app) as url, httpx.Client() as client:
        answers = [
            client.post(f"{url}/users.me", json={}, headers={"Authorization": f"Bearer {token}"})
            for token in (*[tokens[0]] * 4, tokens[1])
        ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0", "2"]
    assert answers[3].json()["errors"][0]["status"] == 429
    assert "Retry-After" not in answers[3].headers
    assert datetime.fromisoformat(answers[3].headers["X-RateLimit-Reset"]) > datetime.now(UTC)
