"""The clock runs the rounds of alerts, beside everything else it does."""

import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest

from config.keys import CLOCK_TICKED
from sandbox.deployment import wait_for
from workers import clock as clock_module
from workers.alerts import decide
from workers.clock import Clock
from workers.ledger import Cause, Claim


@pytest.fixture(autouse=True)
def without_waiting(monkeypatch):
    monkeypatch.setattr(clock_module, "ALERT_EVERY", timedelta(seconds=0.1))
    monkeypatch.setattr(decide, "GATHER", timedelta(0))


@contextmanager
def ticking(services):
    """A clock in a thread; fails when it ended in any other way than by being stopped."""
    clock, ends = Clock(services), []

    def run():
        try:
            clock.run()
        except BaseException as error:  # noqa: BLE001 # the test looks at it
            ends.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        clock.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert ends == []


def with_mail(make_services, server):
    return make_services(alert_email_to="ops@example.com", alert_email_from="tltw@example.com", smtp_url=server.url)


def die(ledger):
    ledger.mark("contact:1", frozenset({Cause.WEBHOOK}))
    claim = ledger.claim("contact:1")
    assert isinstance(claim, Claim)
    ledger.fail(claim, "dead", reason="refused")


def test_a_dead_letter_becomes_a_mail(make_services, mail_server):
    server = mail_server()
    services = with_mail(make_services, server)

    with ticking(services):
        wait_for("the clock", lambda: services.store.exists(CLOCK_TICKED), seconds=60)
        die(services.ledger("acme"))
        wait_for("a mail", lambda: server.mails, seconds=60)

    assert server.mails[0]["Subject"] == "Dead letters: acme, 1 dead letter (sync.example.com)"
    assert "acme (Acme & Co), since" in server.mails[0].get_content()


def test_a_mail_server_that_hangs_delays_no_tick(make_services, mail_server):
    server = mail_server(drip_greeting=True)
    services = with_mail(make_services, server)
    die(services.ledger("acme"))

    with ticking(services):
        wait_for("the clock", lambda: services.store.exists(CLOCK_TICKED), seconds=60)
        wait_for("the alert to be told", lambda: services.store.exists("tltw:alerts:sending:email"), seconds=60)
        before = int(services.store.get(CLOCK_TICKED))
        wait_for("some ticks", lambda: int(services.store.get(CLOCK_TICKED)) - before >= 500, seconds=20)
        still_sending = services.store.exists("tltw:alerts:sending:email")

    assert still_sending
