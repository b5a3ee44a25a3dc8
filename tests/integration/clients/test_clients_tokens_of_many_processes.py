"""Sixteen real processes over a real Redis, one Teamleader connection: one refresh, and no kill -9 that is not recognised."""

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection as Pipe
from multiprocessing.process import BaseProcess
from typing import Any

import pytest
from cryptography.fernet import Fernet

from config.keys import IntegrationKeys
from config.store import connect
from sandbox.deployment import wait_for
from sandbox.gates import Gate
from sandbox.serve import serve
from sandbox.teamleader import world as worlds
from sandbox.teamleader.account import Account
from sandbox.teamleader.app import Teamleader, create_teamleader
from tests.integration.clients import token_process
from workers.clients.teamleader import oauth

PROCESSES = 16
# So long a head start everybody gets, so that all act at the same moment.
SOON_SECONDS = 0.3
TWO_HOURS = 7200.0
AT_80_PERCENT = 0.83 * 3600
# Forked from a process that has everything imported: sixteen starts would take half a minute.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([token_process.__name__])

pytestmark = pytest.mark.processes


@dataclass
class Child:
    """One process of ours."""

    process: BaseProcess
    pipe: Pipe

    def tell(self, **told: Any) -> None:
        self.pipe.send(told)

    def hear(self) -> dict[str, str]:
        assert self.pipe.poll(60), "the process says nothing"
        answer: dict[str, str] = self.pipe.recv()
        return answer

    def end(self) -> None:
        self.pipe.close()
        self.process.join(20)
        self.process.close()


@dataclass
class Many:
    """The processes, the simulated Teamleader they sign in to, and their store."""

    teamleader: Teamleader
    url: str
    store: Any
    given: tuple[str, str]
    children: list[Child] = field(default_factory=list)

    def start(self, number: int) -> list[Child]:
        new = []
        for _ in range(number):
            ours, theirs = CONTEXT.Pipe()
            process = CONTEXT.Process(target=token_process.serve, args=(theirs, *self.given))
            process.start()
            theirs.close()
            new.append(Child(process, ours))
        self.children += new
        for child in new:
            assert child.hear() == {"answer": "ready"}
        return new

    def kill(self, *children: Child) -> None:
        """kill -9; others take their places."""
        for child in children:
            child.process.kill()
            child.end()
            self.children.remove(child)
        self.start(len(children))


@dataclass
class Connection:
    """One integration that all processes use: an account of its own at Teamleader."""

    many: Many
    name: str
    account: Account
    told: dict[str, str]

    def everywhere(self, do: str, *, ahead: float = 0.0, **more: str) -> list[dict[str, str]]:
        """Every process does it, all at the same moment."""
        at = time.time() + SOON_SECONDS
        for child in self.many.children:
            self.tell(child, do, ahead=ahead, at=at, **more)
        return [child.hear() for child in self.many.children]

    def one(self, number: int, do: str, *, ahead: float = 0.0, **more: str) -> dict[str, str]:
        self.tell(self.many.children[number], do, ahead=ahead, **more)
        return self.many.children[number].hear()

    def tell(self, child: Child, do: str, *, ahead: float = 0.0, at: float = 0.0, **more: str) -> None:
        child.tell(do=do, integration=self.name, connection=self.told, ahead=ahead, at=at, **more)

    def expire(self) -> None:
        self.many.teamleader.world.tokens.expire_access_tokens(self.account.id)

    @property
    def refreshes(self) -> tuple[int, int]:
        """Refreshes that were granted and refused, since the test began."""
        book = self.many.teamleader.world.tokens
        return book.refreshes, book.refused_refreshes

    def works(self, token: str) -> bool:
        world = self.many.teamleader.world
        return world.tokens.account_of(token, world.clock()) == self.account.id

    def forget_the_lock(self) -> None:
        """As if the half minute were over that a killed process holds it."""
        self.many.store.delete(IntegrationKeys(self.name).lock("teamleader-token"))


@pytest.fixture(scope="module")
def many(redis_url: str) -> Iterator[Many]:
    app = create_teamleader()
    with serve(app) as url, connect(redis_url) as store:
        many = Many(app, url, store, (redis_url, Fernet.generate_key().decode()))
        many.start(PROCESSES)
        yield many
        for child in many.children:
            child.end()


names = itertools.count(1)


@pytest.fixture
def connection(many: Many) -> Iterator[Connection]:
    """A connection that every process has a token of, refreshed once."""
    world, name = many.teamleader.world, f"merchant-{next(names)}"
    account = world.add_account(characters=())
    told = {
        "api_url": many.url,
        "auth_url": many.url,
        "client_id": worlds.DEFAULT_CLIENT_ID,
        "client_secret": worlds.DEFAULT_CLIENT_SECRET,
        "refresh_token": world.issue_tokens(account).refresh_token,
    }
    connection = Connection(many, name, account, told)
    connection.everywhere("token")
    world.tokens.refreshes = world.tokens.refused_refreshes = 0
    yield connection
    many.teamleader.gates.release()


def test_sixteen_processes_that_begin_at_the_same_moment_refresh_once(many: Many, connection: Connection) -> None:
    many.store.flushall()
    fresh = many.teamleader.world.issue_tokens(connection.account).refresh_token
    begun = Connection(many, f"{connection.name}-anew", connection.account, connection.told | {"refresh_token": fresh})

    tokens = {answer["answer"] for answer in begun.everywhere("token")}

    assert connection.refreshes == (1, 0)
    assert len(tokens) == 1
    assert all(map(connection.works, tokens))


@pytest.mark.parametrize("ahead", [AT_80_PERCENT, TWO_HOURS], ids=["at 80 %", "expired"])
def test_sixteen_processes_at_the_moment_of_expiry_refresh_once(connection: Connection, ahead: float) -> None:
    answers = connection.everywhere("token", ahead=ahead)

    assert connection.refreshes == (1, 0)
    assert all(connection.works(answer["answer"]) for answer in answers)


def test_sixteen_processes_whose_token_is_refused_refresh_once_and_every_call_succeeds(connection: Connection) -> None:
    for _ in range(5):
        connection.expire()
        answers = connection.everywhere("call")
        assert all("answer" in answer for answer in answers), answers

    assert connection.refreshes == (5, 0)


def test_a_kill_between_teamleaders_answer_and_our_storing_is_recognised(many: Many, connection: Connection) -> None:
    gate = many.teamleader.gates.set(Gate("grant", "/oauth2/access_token", when="after", count=1))
    connection.tell(many.children[0], "token", ahead=TWO_HOURS)
    wait_for("the refresh to be granted", lambda: gate.waiting == 1)

    many.kill(many.children[0])
    many.teamleader.gates.release()
    connection.forget_the_lock()

    at_once = connection.one(1, "token", ahead=TWO_HOURS)
    later = connection.one(1, "token", ahead=TWO_HOURS + oauth.HOLDER_IS_BACK_WITHIN.total_seconds())
    assert at_once["failure"] == "Unavailable"
    assert later["failure"] == "ReconnectNeeded"
    assert "its answer never arrived" in later["sentence"]
    assert connection.refreshes == (1, 2)


def test_a_kill_before_teamleader_acted_costs_nothing(many: Many, connection: Connection) -> None:
    gate = many.teamleader.gates.set(Gate("grant", "/oauth2/access_token", count=1))
    connection.tell(many.children[0], "token", ahead=TWO_HOURS)
    wait_for("the refresh to be asked for", lambda: gate.waiting == 1)

    # The simulated server goes on with a call whose caller has gone; here it must never have arrived.
    fault = many.teamleader.faults.set("reset", prefix="/oauth2")
    many.kill(many.children[0])
    many.teamleader.gates.release()
    wait_for("the call to end", lambda: fault.hits)
    many.teamleader.faults.clear()
    connection.forget_the_lock()

    assert connection.works(connection.one(1, "token", ahead=TWO_HOURS)["answer"])
    assert connection.refreshes == (1, 0)


def test_a_kill_between_storing_and_first_use_loses_nothing(many: Many, connection: Connection) -> None:
    gate = many.teamleader.gates.set(Gate("use", "/users.me", account=connection.account.id, count=1))
    connection.tell(many.children[0], "call", ahead=TWO_HOURS)
    wait_for("the first use", lambda: gate.waiting == 1)
    assert connection.refreshes == (1, 0)

    many.kill(many.children[0])
    many.teamleader.gates.release()

    answers = connection.everywhere("token", ahead=TWO_HOURS)
    assert all(connection.works(answer["answer"]) for answer in answers)
    assert connection.refreshes == (1, 0)


def test_who_lost_the_race_uses_what_the_winner_stored(many: Many, connection: Connection) -> None:
    stale = connection.one(0, "token")["answer"]
    gate = many.teamleader.gates.set(Gate("slow", "/oauth2/access_token", count=1))
    connection.tell(many.children[0], "renew", stale=stale)
    wait_for("the loser's refresh to be on its way", lambda: gate.waiting == 1)
    # It was stopped for longer than it may hold the lock.
    connection.forget_the_lock()

    won = connection.one(1, "renew", stale=stale)
    many.teamleader.gates.release()
    lost = many.children[0].hear()

    assert lost == won
    assert connection.works(won["answer"])
    assert connection.refreshes == (1, 1)


def test_after_access_was_revoked_every_process_says_that_a_person_is_needed(
    many: Many, connection: Connection
) -> None:
    many.teamleader.world.tokens.revoke_all(connection.account.id)

    answers = connection.everywhere("call")

    assert {answer["failure"] for answer in answers} == {"ReconnectNeeded"}
    assert connection.refreshes[0] == 0


def test_after_a_person_configured_another_refresh_token_every_process_goes_on(
    many: Many, connection: Connection
) -> None:
    many.teamleader.world.tokens.revoke_all(connection.account.id)
    connection.one(0, "call")

    connection.told["refresh_token"] = many.teamleader.world.issue_tokens(connection.account).refresh_token
    answers = connection.everywhere("call")

    assert all("answer" in answer for answer in answers)
    # One look whether the old refresh token works again, then the new one.
    assert connection.refreshes == (1, 1 + 1)


def test_reading_the_store_is_all_that_another_process_needs(many: Many, connection: Connection) -> None:
    token = connection.one(0, "token")["answer"]

    (child,) = many.start(1)
    connection.tell(child, "token")

    assert child.hear() == {"answer": token}
    assert connection.refreshes == (0, 0)
