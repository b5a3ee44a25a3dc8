"""One process of several that use the same Teamleader connection: does what it is told through a pipe."""

import contextlib
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from typing import Any

import redis

from config.integrations import TeamleaderConnection
from config.keys import IntegrationKeys
from config.secrets import Cipher
from config.store import connect
from workers.clients.errors import ApiFailure
from workers.clients.http import Http
from workers.clients.teamleader.client import TeamleaderClient
from workers.clients.teamleader.oauth import TokenStore
from workers.clients.teamleader.rate_limit import CallBudget


class Process:
    """The parts of one of our processes that sign in to Teamleader, by integration and by the settings they were made with."""

    def __init__(self, store: "redis.Redis", cipher: Cipher) -> None:
        self.store, self.cipher, self.http = store, cipher, Http(lambda _origin: True)
        self.ahead = timedelta(0)
        self.known: dict[tuple[str, str], tuple[TokenStore, TeamleaderClient]] = {}

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def of(self, integration: str, connection: dict[str, str]) -> tuple[TokenStore, TeamleaderClient]:
        made_for = integration, connection["refresh_token"]
        if made_for not in self.known:
            keys, made = IntegrationKeys(integration), TeamleaderConnection(**connection)
            tokens = TokenStore(self.store, keys, self.cipher, made, self.http, now=self.now)
            budget = CallBudget(self.store, keys, calls_per_minute=10_000)
            self.known[made_for] = tokens, TeamleaderClient(self.http, made, tokens, budget, now=self.now)
        return self.known[made_for]

    def do(self, told: dict[str, Any]) -> str:
        tokens, client = self.of(told["integration"], told["connection"])
        self.ahead = timedelta(seconds=told["ahead"])
        time.sleep(max(0.0, told["at"] - time.time()))
        match told["do"]:
            case "token":
                return tokens.access_token()
            case "renew":
                return tokens.renew(told["stale"])
            case _:
                return str(client.me()["id"])


def serve(pipe: Pipe, redis_url: str, secret_key: str) -> None:
    """Until the pipe is closed."""
    process = Process(connect(redis_url), Cipher([secret_key]))
    pipe.send({"answer": "ready"})
    with contextlib.suppress(EOFError):
        while told := pipe.recv():
            try:
                pipe.send({"answer": process.do(told)})
            except ApiFailure as failure:
                pipe.send({"failure": type(failure).__name__, "sentence": failure.sentence})
