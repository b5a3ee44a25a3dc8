"""Calls Twikey: sends a request with the shared session and replays it once after a new login."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from config.integrations import TwikeyConnection
from workers.clients.clock import Clock, utc_now
from workers.clients.errors import ReconnectNeeded, Refused, Throttled, Unavailable, UnknownCustomer
from workers.clients.http import Http
from workers.clients.messages import Answer, Request
from workers.clients.twikey import protocol
from workers.clients.twikey.session import Session

# A number no customer has; asking for it shows whether our session works.
NOBODY = "tltw-check"
SUSPECT_PAUSE = timedelta(seconds=5)


def _nothing() -> None: ...


BeforeSend = Callable[[], object]


class TwikeyClient:
    """The customers of one Twikey account. Safe for threads.

    Every method raises an `ApiFailure`, or `redis.RedisError` when the store fails. `before_send` is called immediately before
    each request of a customer goes out, after any login that it needs: whoever must not write any more raises in it.
    """

    def __init__(
        self,
        http: Http,
        connection: TwikeyConnection,
        session: Session,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._http = http
        self._api_url = connection.api_url
        self._session = session
        self._now = now

    def update(self, number: str, fields: Mapping[str, str], *, before_send: BeforeSend = _nothing) -> None:
        """Changes these fields of a customer. Raises `UnknownCustomer` when there is none with this number."""
        answer = self._call(
            lambda session: protocol.update_request(self._api_url, session, number, fields), before_send
        )
        protocol.check(answer, fields, now=self._now())

    def create(self, number: str, fields: Mapping[str, str], *, before_send: BeforeSend = _nothing) -> None:
        """Creates a customer; one that exists would be overwritten whole. Raises `CreateUnavailable`."""
        answer = self._call(
            lambda session: protocol.create_request(self._api_url, session, number, fields), before_send
        )
        protocol.check(answer, fields, now=self._now(), creating=True)

    def get(self, number: str, *, before_send: BeforeSend = _nothing) -> dict[str, object] | None:
        """What Twikey knows of a customer; None when it knows none. Raises `Refused` when it cannot be asked."""
        answer = self._call(lambda session: protocol.get_request(self._api_url, session, number), before_send)
        if answer.status in (404, 405):
            raise Refused("twikey", "this Twikey account does not let us read customers", status=answer.status)
        try:
            protocol.check(answer, {}, now=self._now())
        except UnknownCustomer:
            return None
        # Seen for numbers that Twikey could not resolve: 200 and nothing.
        if not answer.body.strip():
            return None
        found = answer.json_object()
        if found is None:
            raise Unavailable("twikey", "Twikey's answer about a customer is not a JSON object", status=answer.status)
        return found

    def check(self) -> None:
        """Proves that our API key works, with a login only when there is no session that does."""
        try:
            self.get(NOBODY)
        except Refused:
            return  # understood and refused: then we were let in

    def _call(self, build: Callable[[str], Request], before_send: BeforeSend) -> Answer:
        session = self._session.token()
        before_send()
        answer = self._http.send(build(session))
        if protocol.session_is_dead(answer):
            session = self._session.renew(stale=session)
            before_send()
            answer = self._http.send(build(session))
        if protocol.session_is_dead(answer):
            sentence = "Twikey refuses a session it has just given us: check the API key"
            raise ReconnectNeeded("twikey", sentence, status=answer.status, code=protocol.error_code(answer))
        if protocol.session_is_suspect(answer):
            self._session.forget(session)
            until = protocol.throttled(answer, now=self._now()).until or self._now() + SUSPECT_PAUSE
            raise Throttled("twikey", "Twikey no longer knows our session and wants a pause first", until=until)
        return answer
