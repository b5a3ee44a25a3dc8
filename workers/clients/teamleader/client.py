"""Calls Teamleader: takes a call from the budget, sends it with a token, and replays it with another after a 401."""

from collections.abc import Mapping
from dataclasses import replace

from config.integrations import TeamleaderConnection
from workers.clients.clock import Clock, utc_now
from workers.clients.errors import ReconnectNeeded
from workers.clients.http import Http
from workers.clients.teamleader import protocol
from workers.clients.teamleader.oauth import TokenStore
from workers.clients.teamleader.protocol import Unauthorized
from workers.clients.teamleader.rate_limit import CallBudget

# Two: a token that another process renewed meanwhile is taken from the store, and may be over as well by now.
RENEWALS = 2


class TeamleaderClient:
    """One Teamleader account. Safe for threads.

    `reserved=True` says that the ledger's claim has already taken this call from the budget. Every method raises an
    `ApiFailure`, or `redis.RedisError` when the store fails.
    """

    def __init__(
        self,
        http: Http,
        connection: TeamleaderConnection,
        tokens: TokenStore,
        budget: CallBudget,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._http = http
        self._connection = connection
        self._tokens = tokens
        self._budget = budget
        self._now = now

    def with_budget(self, budget: CallBudget) -> "TeamleaderClient":
        """The same account, its calls taken from another budget: bulk work gives way to live work."""
        return TeamleaderClient(self._http, self._connection, self._tokens, budget, now=self._now)

    def invoice(self, id: str, *, reserved: bool = False) -> dict[str, object]:  # noqa: A002 # Teamleader's own word
        return self.info("invoice", id, reserved=reserved)

    def customer(self, kind: str, id: str, *, reserved: bool = False) -> dict[str, object]:  # noqa: A002
        """A customer as the subjects name it: `contact` or `company`, and its id."""
        return self.info(kind, id, reserved=reserved)

    def info(self, kind: str, id: str, *, reserved: bool = False) -> dict[str, object]:  # noqa: A002
        """The record behind an id: `kind` is `contact`, `company` or `invoice`."""
        action = protocol.INFO_ACTIONS[kind]
        document = self.call(action, {"id": protocol.checked_id(id)}, reserved=reserved)
        return protocol.data(action, document)

    def me(self, *, reserved: bool = False) -> dict[str, object]:
        """The user who connected the account; `account.id` is the id that webhooks carry."""
        return protocol.data("users.me", self.call("users.me", {}, reserved=reserved))

    def rows(self, action: str, body: Mapping[str, object]) -> list[dict[str, object]]:
        """One page of a list. Whatever is not a list of records is `Unavailable`, never an empty page."""
        return protocol.rows(action, self.call(action, body))

    def call(self, action: str, body: Mapping[str, object], *, reserved: bool = False) -> dict[str, object]:
        """Any action; the answer's whole JSON object, empty after a 204."""
        token = self._tokens.access_token()
        for _ in range(RENEWALS):
            try:
                return self._send(action, body, token, reserved=reserved)
            except Unauthorized:
                token, reserved = self._tokens.renew(stale=token), False
        try:
            return self._send(action, body, token, reserved=False)
        except Unauthorized:
            sentence = "Teamleader refuses a token it has just given us: connect again"
            raise ReconnectNeeded("teamleader", sentence, status=401) from None

    def keep_signed_in(self) -> bool:
        """Renews tokens that nobody used for a day. True when it did."""
        return self._tokens.keep_alive()

    def _send(self, action: str, body: Mapping[str, object], token: str, *, reserved: bool) -> dict[str, object]:
        if not reserved:
            self._budget.take()
        answer = self._http.send(protocol.request(self._connection.api_url, action, body, token))
        seen = protocol.rate_limit(answer)
        # A 429 means that nothing is left, whatever the headers say.
        self._budget.observe(replace(seen, remaining=0) if answer.status == 429 else seen)
        return protocol.read(action, answer, now=self._now())
