"""Webhooks of the simulated Teamleader: what is told to whom, and what happens when the listener is unwell."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import Teamleader, create_teamleader
from sandbox.teamleader.webhooks import DeliverySettings
from sandbox.world import character

PERSON = character("ordinary-person").id
COMPANY = character("two-emails").id


class Listener:
    """A WSGI app that keeps what it is sent, and refuses the first few."""

    def __init__(self, refusing: int = 0) -> None:
        self.heard: list[dict[str, Any]] = []
        self.refusing = refusing
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        with self.lock:
            self.refusing -= 1
            accepted = self.refusing < 0
            if accepted:
                self.heard.append(json.loads(environ["wsgi.input"].read()))
        start_response("202 Accepted" if accepted else "503 Service Unavailable", [])
        return [b""]


def wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def registered(app: Teamleader, url: str, *types: str) -> None:
    app.world.default.registrations[url] = set(types)


@pytest.fixture
def teamleader() -> Iterator[Teamleader]:
    app = create_teamleader(deliveries=DeliverySettings(timeout=60, retry_after=(0.02, 0.02, 0.02)))
    yield app
    app.close()


def test_an_edit_over_http_is_told_to_who_registered_for_it(teamleader: Teamleader) -> None:
    listener = Listener()
    with serve(listener) as hook, serve(teamleader) as url, httpx.Client(base_url=url) as client:
        registered(teamleader, f"{hook}/secret", "contact.updated")
        edited = client.patch(f"/_sandbox/customers/contact/{PERSON}", json={"last_name": "Anders"})
        client.patch(f"/_sandbox/customers/company/{COMPANY}", json={"name": "Anders"})
        wait_until(lambda: len(listener.heard) == 1)

    assert edited.json()["version"] == 2
    assert listener.heard == [
        {
            "type": "contact.updated",
            "subject": {"type": "contact", "id": PERSON},
            "account": {"type": "account", "id": worlds.DEFAULT_ACCOUNT},
        }
    ]


def test_everything_a_person_does_causes_its_event(teamleader: Teamleader) -> None:
    account, told = teamleader.world.default, []
    account.announce = lambda event: told.append(event.type)

    account.edit("company", COMPANY, {"name": "Anders"})
    invoice = account.add_invoice("company", COMPANY)
    account.change_invoice(invoice["id"], {"paid": True})
    account.create("contact", {"last_name": "Nieuw"})
    account.delete("contact", PERSON)
    account.edit("company", COMPANY, {"name": "Stil"}, silent=True)

    assert told == [
        "company.updated", "invoice.drafted", "invoice.booked", "invoice.updated", "contact.added", "contact.deleted",
    ]  # fmt: skip


def test_a_refused_delivery_is_tried_again(teamleader: Teamleader) -> None:
    listener = Listener(refusing=2)
    with serve(listener) as hook:
        registered(teamleader, hook, "contact.updated")
        teamleader.world.default.edit("contact", PERSON, {})
        wait_until(teamleader.world.postman.is_idle)

    (delivery,) = teamleader.world.postman.deliveries()
    assert [attempt["outcome"] for attempt in delivery.attempts] == ["503", "503", "202"]
    assert delivery.state == "delivered"


def test_a_delivery_is_given_up_after_the_last_retry(teamleader: Teamleader) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # and never listens; nobody else can take its port meanwhile
        registered(teamleader, f"http://127.0.0.1:{silent.getsockname()[1]}", "contact.updated")

        teamleader.world.default.edit("contact", PERSON, {})
        wait_until(teamleader.world.postman.is_idle)

    (delivery,) = teamleader.world.postman.deliveries()
    assert [attempt["outcome"] for attempt in delivery.attempts] == ["ConnectError"] * 4
    assert delivery.state == "given up"


def test_deliveries_can_be_lost_and_doubled() -> None:
    settings = DeliverySettings(drop=0.5, duplicate=0.5, shuffle=0.05, timeout=60, seed=2)
    app, listener = create_teamleader(deliveries=settings), Listener()
    with serve(listener) as hook:
        registered(app, hook, "contact.updated")
        for _ in range(40):
            app.world.default.edit("contact", PERSON, {})
        wait_until(app.world.postman.is_idle)
        app.close()

    states = [delivery.state for delivery in app.world.postman.deliveries()]
    assert len(states) > 45
    assert 15 < states.count("dropped") < 45
    assert len(listener.heard) == states.count("delivered")


def test_nothing_is_ever_sent_to_another_machine(teamleader: Teamleader) -> None:
    registered(teamleader, "https://hooks.example.com/x", "contact.updated")

    teamleader.world.default.edit("contact", PERSON, {})

    (delivery,) = teamleader.world.postman.deliveries()
    assert delivery.state.startswith("refused")


def test_the_log_tells_which_version_of_a_customer_an_answer_carried(teamleader: Teamleader) -> None:
    token = teamleader.world.issue_tokens(teamleader.world.default).access_token
    with serve(teamleader) as url, httpx.Client(base_url=url) as client:
        for _ in range(2):
            client.post("/contacts.info", json={"id": PERSON}, headers={"Authorization": f"Bearer {token}"})
            client.patch(f"/_sandbox/customers/contact/{PERSON}", json={"remarks": "x"})
        requests = client.get("/_sandbox/requests", params={"customer": PERSON}).json()["requests"]
        versions = client.get(f"/_sandbox/customers/contact/{PERSON}/versions").json()["versions"]

    assert [request["version"] for request in requests] == [1, 2]
    assert [version["version"] for version in versions] == [1, 2, 3]
