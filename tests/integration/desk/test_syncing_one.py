"""`tltw sync`: what its exit code tells a script."""

import pytest

from workers import operations, operations_customers

NOBODY = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def worker(desk, monkeypatch):
    """A worker that does what is owed while the command waits for it."""
    wait = operations_customers.wait_for_end

    def work_and_wait(services, integration, subject, *, most):
        desk.work(subject)
        return wait(services, integration, subject, most=most)

    monkeypatch.setattr(operations_customers, "wait_for_end", work_and_wait)


def test_a_customer_that_teamleader_does_not_have_is_not_found(desk, worker, tltw):
    answer = tltw("sync", "company", NOBODY)

    assert "no longer exists in Teamleader" in answer.out
    assert answer.code == 3


def test_a_customer_that_was_brought_over_is_fine(desk, worker, tltw):
    company = desk.create("company", name="Bakkerij Tarwe")

    answer = tltw("sync", "company", company)

    assert "Twikey has the customer as it is in Teamleader now." in answer.out
    assert answer.code == 0


def test_what_is_left_out_while_updates_are_off_is_said(desk, worker, tltw):
    emails = [{"type": "primary", "email": "a@example.com"}, {"type": "invoicing", "email": "b@example.com"}]
    company = desk.create("company", name="Bakkerij Tarwe", emails=emails)
    operations.set_auto_update(desk.services, "acme", on=False, by="cli:test")

    answer = tltw("sync", "company", company)

    assert "Brought over, but for CC or the invoicing address" in answer.out
    assert answer.code == 0


def test_the_doctor_says_that_nobody_is_woken_while_only_the_log_gets_alerts(desk, tltw):
    assert "nobody is woken (docs/alerts.md); none is open" in " ".join(tltw("doctor").out.split())


def test_a_customer_that_could_not_be_brought_over_is_a_failure(desk, worker, tltw):
    assert tltw("sync", "company", desk.create("company", name="")).code == 1
