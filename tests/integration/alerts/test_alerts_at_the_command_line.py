"""`tltw alerts`: what an operator types, and what it answers."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workers.alerts import book, deliver
from workers.alerts.conditions import Finding
from workers.alerts.decide import decide
from workers.alerts.kinds import Kind
from workers.alerts.messages import compose

pytestmark = [pytest.mark.processes, pytest.mark.parametrize("store", ["valkey"], indirect=True)]

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


@pytest.fixture
def tltw(store, valkey_url, required):
    def tltw(*words, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TLTW_")}
        ours = required | {"TLTW_REDIS_URL": valkey_url, "TLTW_ENV_FILE": os.devnull, "COLUMNS": "200"}
        ours |= {f"TLTW_{name.upper()}": value for name, value in variables.items()}
        return subprocess.run(
            [sys.executable, "-m", "ingress.cli", "alerts", *words],
            env=environment | ours,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return tltw


def open_an_alert(store):
    def deciding(now):
        def decided(before, _raised):
            finding = Finding(Kind.DEAD_LETTERS, "acme", True, 4, "cannot_map 4", NOW - timedelta(minutes=5))
            after, notices = decide(before, [finding], ["acme"], now)
            return after, [compose(notice, deployment="here", now=now, labels={}) for notice in notices]

        return decided

    for now in (NOW, NOW + timedelta(minutes=1)):
        book.keep(store, deciding(now))


def test_test_sends_over_every_channel_and_says_which_worked(tltw, mail_server, receiver):
    mail, slack = mail_server(), receiver(status=500)

    done = tltw(
        "test",
        "--json",
        alert_email_to="ops@example.com",
        alert_email_from="tltw@example.com",
        smtp_url=mail.url,
        alert_slack_url=slack.url,
    )

    assert done.returncode == 1, done
    assert json.loads(done.stdout) == [
        {"channel": "log", "sent": True, "why": ""},
        {"channel": "email", "sent": True, "why": ""},
        {"channel": "slack", "sent": False, "why": "The receiver answered 500."},
    ]
    assert mail.mails[0]["Subject"] == "Test of the alerts (sync.example.com)"


def test_test_of_the_log_alone_says_that_nobody_gets_a_mail(tltw):
    done = tltw("test")

    assert done.returncode == 0, done
    assert "✓ log: sent" in done.stdout
    assert "docs/alerts.md" in done.stdout


def test_list_says_so_when_nothing_is_wrong(tltw):
    done = tltw("list")

    assert done.returncode == 0, done
    assert "Nothing is wrong." in done.stdout


def test_list_shows_what_is_open_how_channels_fare_and_what_was_told(tltw, store):
    deliver.begin(store, ["log"])
    open_an_alert(store)

    shown = tltw("list").stdout
    as_json = json.loads(tltw("list", "--json").stdout)

    for word in ("acme", "dead_letters", "cannot_map 4", "tltw dead-letters list", "channel log", "Dead letters: acme"):
        assert word in shown, shown
    (alert,), (told,) = as_json["open"], as_json["told"]
    assert (alert["kind"], alert["integration"], alert["number"]) == ("dead_letters", "acme", 4)
    assert (told["event"], told["at"]) == ("opened", "2026-11-23T09:01:00+00:00")
    assert [channel["name"] for channel in as_json["channels"]] == ["log"]
