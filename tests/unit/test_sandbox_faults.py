"""Every fault of the sandbox does to a caller what it says."""

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from sandbox.faults import Fault, Switchboard
from sandbox.request_log import RequestLog
from sandbox.serve import serve
from sandbox.twikey.app import Twikey, create_twikey

RECORD = RequestLog().begin("GET", "/creditor/customer/one", "", b"", "creditor-1")


@pytest.fixture
def twikey() -> Iterator[tuple[Twikey, httpx.Client]]:
    app = create_twikey()
    app.office.default.add("one", {"city": "Gent"})
    with serve(app) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers["Authorization"] = app.office.open_session(app.office.default)
        yield app, client


def read(client: httpx.Client, **options: Any) -> httpx.Response:
    return client.get("/creditor/customer/one", **options)


def test_a_status_fault_answers_without_doing_the_work(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("status", prefix="/creditor/customer", status=503)

    answer = client.patch("/creditor/customer/one", params={"city": "Brugge"})

    assert answer.status_code == 503
    assert app.office.default.customers["one"].profile["city"] == "Gent"


@pytest.mark.parametrize(("retry", "header"), [("future", "7"), ("past", "-7"), ("garbage", "soon"), ("missing", None)])
def test_a_throttle_can_name_any_moment_or_none(
    twikey: tuple[Twikey, httpx.Client], retry: str, header: str | None
) -> None:
    app, client = twikey
    app.faults.set("status", status=429, retry=retry, retry_seconds=7)

    answer = read(client)

    assert (answer.status_code, answer.content) == (429, b"")
    assert answer.headers.get("X-Rate-Limit-Retry-After-Seconds") == header


def test_a_lost_answer_does_the_work_first(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("lost_answer", count=1)

    with pytest.raises(httpx.TransportError):
        client.patch("/creditor/customer/one", params={"city": "Brugge"})

    assert app.office.default.customers["one"].profile["city"] == "Brugge"


def test_a_reset_does_not_do_the_work(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("reset", count=1)

    with pytest.raises(httpx.TransportError):
        client.patch("/creditor/customer/one", params={"city": "Brugge"})

    assert app.office.default.customers["one"].profile["city"] == "Gent"


def test_a_hanging_call_never_answers_and_drops_when_cleared(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("hang")

    with pytest.raises(httpx.ReadTimeout):
        read(client, timeout=0.3)

    app.faults.clear()
    assert read(client).status_code == 200


def test_a_hanging_call_is_over_when_its_caller_gives_up(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("hang")
    with pytest.raises(httpx.ReadTimeout):
        client.get("/creditor/customer/1", timeout=0.1)

    deadline = time.monotonic() + 60
    while not all(record.ended for record in app.log.records()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_dripping_answer_never_leaves_a_gap_long_enough_for_a_read_timeout(
    twikey: tuple[Twikey, httpx.Client],
) -> None:
    app, client = twikey
    app.faults.set("drip", count=1, seconds=0.0001)

    answer = read(client)

    assert answer.json()["city"] == "Gent"


def test_a_web_page_wrong_json_and_half_an_answer_all_say_200(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    answers = {}
    for kind in ("html", "wrong_type", "truncated"):
        app.faults.set(kind, count=1)
        answers[kind] = read(client)

    assert {answer.status_code for answer in answers.values()} == {200}
    assert "<h1>" in answers["html"].text
    assert isinstance(answers["wrong_type"].json(), list)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answers["truncated"].json()


def test_a_huge_answer_is_twenty_megabytes(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("huge", count=1)

    assert len(read(client).content) > 20_000_000


def test_a_redirect_leads_to_itself(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("redirect")

    with pytest.raises(httpx.TooManyRedirects):
        read(client, follow_redirects=True)


def test_a_delay_is_waited_before_the_work(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("delay", seconds=0.2)

    answer = read(client)

    assert answer.elapsed.total_seconds() >= 0.2


def test_a_fault_can_be_meant_for_one_customer_method_or_account() -> None:
    board = Switchboard()
    for wanted in ({"customer": "two"}, {"method": "PUT"}, {"account": "creditor-2"}, {"prefix": "/other"}):
        board.set("reset", **wanted)
    missed = board.pick(RECORD)

    board.set("hang", customer="one", method="GET", account="creditor-1", prefix="/creditor")
    hit = board.pick(RECORD)

    assert missed is None
    assert hit is not None
    assert hit.kind == "hang"


def test_a_probability_hits_the_same_calls_for_the_same_seed() -> None:
    boards = [Switchboard(Fault("reset", probability=0.3), seed=5) for _ in range(2)]

    hits = [[board.pick(RECORD) is not None for _ in range(200)] for board in boards]

    assert hits[0] == hits[1]
    assert 30 < sum(hits[0]) < 90


def test_a_fault_ends_after_its_count_or_its_time() -> None:
    board = Switchboard(Fault("reset", count=2), Fault("hang", for_seconds=-1))

    assert [board.pick(RECORD) is not None for _ in range(3)] == [True, True, False]


def test_faults_are_set_listed_and_cleared_over_http(twikey: tuple[Twikey, httpx.Client]) -> None:
    _, client = twikey

    made = client.post("/_sandbox/faults", json={"kind": "status", "status": 502, "prefix": "/creditor/customer"})
    listed = client.get("/_sandbox/faults").json()["faults"]
    broken = read(client).status_code
    cleared = client.delete(f"/_sandbox/faults/{made.json()['id']}").json()

    assert made.status_code == 201
    assert [fault["status"] for fault in listed] == [502]
    assert broken == 502
    assert cleared == {"cleared": 1}
    assert read(client).status_code == 200


@pytest.mark.parametrize("wanted", [{"kind": "explode"}, {"kind": "reset", "colour": "red"}, {}])
def test_a_fault_that_makes_no_sense_is_refused(twikey: tuple[Twikey, httpx.Client], wanted: Any) -> None:
    _, client = twikey

    answer = client.post("/_sandbox/faults", json=wanted)

    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_log_tells_which_call_suffered_what(twikey: tuple[Twikey, httpx.Client]) -> None:
    app, client = twikey
    app.faults.set("status", status=500, count=1)
    before = datetime.now().timestamp()

    read(client)
    read(client)

    records = client.get("/_sandbox/requests", params={"prefix": "/creditor/customer"}).json()["requests"]
    assert [(record["status"], record["fault"]) for record in records] == [(500, "status"), (200, None)]
    assert all(before <= record["started"] <= record["ended"] for record in records)
    assert {record["account"] for record in records} == {"creditor-1"}
