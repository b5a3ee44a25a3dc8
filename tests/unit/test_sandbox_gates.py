"""Gates hold calls exactly before or after the work, until they are released."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from sandbox.serve import serve
from sandbox.twikey.app import Twikey, create_twikey


@pytest.fixture
def twikey() -> Iterator[tuple[Twikey, httpx.Client]]:
    app = create_twikey()
    app.office.default.add("one", {"city": "Gent"})
    with serve(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers["Authorization"] = app.office.open_session(app.office.default)
        yield app, client


def wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held(client: httpx.Client) -> int:
    return sum(gate["waiting"] for gate in client.get("/_sandbox/gates").json()["gates"])


@pytest.mark.parametrize(("when", "city"), [("before", "Gent"), ("after", "Brugge")])
def test_a_gate_holds_a_write_before_or_after_it_happened(
    twikey: tuple[Twikey, httpx.Client], when: str, city: str
) -> None:
    app, client = twikey
    client.post("/_sandbox/gates", json={"name": "g", "prefix": "/creditor/customer", "when": when})
    with ThreadPoolExecutor(1) as pool:
        write = pool.submit(client.patch, "/creditor/customer/one", params={"city": "Brugge"})
        wait_until(lambda: held(client) == 1)
        while_held = app.office.default.customers["one"].profile["city"]
        released = client.delete("/_sandbox/gates/g").json()

        assert write.result().status_code == 204

    assert while_held == city
    assert released == {"released": 1}
    assert app.office.default.customers["one"].profile["city"] == "Brugge"


def test_a_gate_with_a_count_lets_later_calls_pass(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey
    client.post("/_sandbox/gates", json={"name": "g", "prefix": "/creditor/customer", "count": 1})
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.get, "/creditor/customer/one")
        wait_until(lambda: held(client) == 1)

        second = client.get("/creditor/customer/one")

        assert not first.done()
        client.delete("/_sandbox/gates")
    assert (first.result().status_code, second.status_code) == (200, 200)


def test_a_gate_without_a_prefix_is_refused(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey

    assert client.post("/_sandbox/gates", json={"name": "g"}).status_code == 400
