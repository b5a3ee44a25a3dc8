"""One sweep later everything is right: after lost webhooks, and when the bulk process is killed again and again meanwhile."""

import os
import random
import signal
import time
from typing import Any

import pytest

from config.keys import BULK_TURNS, IntegrationKeys
from sandbox.deployment import Deployment, deploy, wait_for
from workers import operations_bulk

CUSTOMERS = 60
MANY = 420


def contacts(deployment: Deployment, number: int) -> list[str]:
    return [deployment.create("contact", first_name=f"P{n}", last_name="Begin") for n in range(number)]


def right(deployment: Deployment, ids: list[str], name: str) -> bool:
    """Whether Twikey has this name for all of them."""
    answer = deployment.twikey.get("/customers")["customers"]
    names = {customer["customerNumber"]: customer["profile"].get("lastname") for customer in answer}
    return all(names.get(one) == name for one in ids)


@pytest.mark.processes
def test_after_a_tenth_of_the_webhooks_was_lost_everything_is_right_one_sweep_later(
    deployment: Deployment, sweeps_rest, tltw
):
    ids = contacts(deployment, CUSTOMERS)
    for one in ids:
        deployment.edit("contact", one, last_name="Known")
    wait_for("everybody to be known", lambda: right(deployment, ids, "Known"), seconds=60)
    wait_for("the ledger to know it too", deployment.settled, seconds=60)
    time.sleep(1.1)  # of another second than the last sync
    for number, one in enumerate(ids):
        deployment.teamleader.patch("/settings", {"deliveries": {"drop": float(number % 10 == 5)}})
        deployment.edit("contact", one, last_name="Edited")
    deployment.teamleader.patch("/settings", {"deliveries": {"drop": 0.0}})
    wait_for("what was delivered", deployment.settled, seconds=60)
    dropped = sum(one["state"] == "dropped" for one in deployment.teamleader.get("/deliveries")["deliveries"])
    before = right(deployment, ids, "Edited")

    operations_bulk.turn(deployment.services, "default", "sweep", "cancel", by="test")
    result = tltw("sweep", "--json")

    assert result.code == 0, result
    assert (dropped, before) == (CUSTOMERS // 10, False)
    wait_for("everybody", lambda: right(deployment, ids, "Edited"), seconds=60)
    assert result.json["state"] == "done"


@pytest.mark.processes
@pytest.mark.timeout(300)
def test_a_sweep_whose_process_is_killed_at_random_leaves_neither_gaps_nor_doubles(tmp_path):
    chance = random.Random(20261125)
    limit = {"TLTW_TEAMLEADER_CALLS_PER_MINUTE": "100000", "TLTW_EXTRA_EVENT_TYPES": "contact.added"}
    with deploy(tmp_path, more_settings=limit) as deployment:
        deployment.teamleader.patch("/settings", {"settings": {"rate_limit": 100_000}})
        wait_for("the first sweep", lambda: job(deployment) and job(deployment).state == "done", seconds=90)
        ids, first = contacts(deployment, MANY), job(deployment).run
        deployment.teamleader.post("/gates", {"name": "page", "prefix": "/contacts.list"})
        deployment.services.store.hset(IntegrationKeys("default").job("sweep"), "started", 1)  # the next one is due
        wait_for("the second sweep", lambda: job(deployment).run != first, seconds=90)
        kill_in_the_middle_of_a_page(deployment)
        killed = 1
        while killed < 3 and not job(deployment).is_over:
            holder = wait_for(
                "somebody to work on it", lambda: working(deployment) or job(deployment).is_over, seconds=90
            )
            # Between its steps, which are short, nobody has it; on a quick machine it may be done before we strike again.
            time.sleep(chance.uniform(0.0, 0.2))
            if job(deployment).is_over or working(deployment) != holder:
                continue
            kill_bulk(deployment)
            killed += 1
            end_lease(deployment, holder)
            wait_for("it to be taken over", lambda: taken_over(deployment, holder), seconds=90)  # noqa: B023
        wait_for("the sweep to be done", lambda: job(deployment).state == "done", seconds=120)

        wait_for("everybody", lambda: right(deployment, ids, "Begin"), seconds=60)
        wait_for("nothing to be owed", deployment.settled, seconds=60)
        ended, books = job(deployment), deployment.services.ledger("default").books()

        assert ended.result["contacts"] - ended.result["marked"] < 100
        assert books.adds_up
        writes = [write["customer"] for write in deployment.twikey.get("/writes", accepted=1)["writes"]]
        assert sorted(set(writes)) == sorted(ids)
        assert len(writes) == len(ids), "nobody was written twice"


def kill_in_the_middle_of_a_page(deployment: Deployment) -> None:
    """At the gate, where it certainly works; its lease ends by itself, which takes 20 s."""
    wait_for("a page to be asked for", lambda: deployment.teamleader.get("/gates")["gates"][0]["waiting"])
    holder = working(deployment)
    kill_bulk(deployment)
    deployment.teamleader.delete("/gates")
    wait_for("it to be taken over", lambda: taken_over(deployment, holder), seconds=90)


def kill_bulk(deployment: Deployment) -> None:
    bulk = deployment.supervisor.pid("bulk")
    assert bulk is not None
    os.kill(bulk, signal.SIGKILL)
    wait_for("its death", lambda: deployment.supervisor.pid("bulk") != bulk)


def job(deployment: Deployment) -> Any:
    return operations_bulk.job(deployment.services, "default", "sweep")


def taken_over(deployment: Deployment, holder: bytes | None) -> bool:
    return job(deployment).is_over or working(deployment) not in (None, holder)


def end_lease(deployment: Deployment, holder: bytes) -> None:
    """As if the lease of one who died were over already."""
    if working(deployment) == holder:
        store = deployment.services.store
        store.hset(IntegrationKeys("default").job("sweep"), "lease", 1)
        store.zadd(BULK_TURNS, {"default sweep": 0})


def working(deployment: Deployment) -> bytes | None:
    """The token of the process that works on the sweep."""
    return deployment.services.store.hget(IntegrationKeys("default").job("sweep"), "token")
