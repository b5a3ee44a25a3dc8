"""`tltw sync`: what its exit code tells a script."""

import pytest

from workers import operations_customers

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


def test_a_customer_that_could_not_be_brought_over_is_a_failure(desk, worker, tltw):
    assert tltw("sync", "company", desk.create("company", name="")).code == 1
