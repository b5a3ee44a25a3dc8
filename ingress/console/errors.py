"""Every failure is a page: what happened, what to do next, and an id under which the log knows more. Never a traceback."""

from typing import Any

import redis
import structlog
from flask import Flask, Response, current_app, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from ingress.console.cookies import Cookies
from ingress.console.gate import FormRefused, WrongAddress, arrive
from ingress.console.here import Here, NotAllowed
from ingress.console.page import need_of
from workers import operators
from workers.clients.errors import ApiFailure
from workers.operations import new_event_id
from workers.services import Services

# Areas of words/error.toml, each with title, sentence and next.
OF_STATUS = {404: "not_found", 405: "not_found", 413: "too_large"}

log = structlog.get_logger()


def answer_with_pages(app: Flask, services: Services) -> None:
    """Turns whatever goes wrong into a page."""
    cookies = Cookies(secure=services.settings.console_url.startswith("https:"))

    def here() -> Here:
        """As far as it is known: the failure may have come first."""
        if "here" not in g:
            g.here = arrive(services, cookies)
        found: Here = g.here
        return found

    @app.errorhandler(NotAllowed)
    def not_allowed(error: NotAllowed) -> ResponseReturnValue:
        event, words = new_event_id(), here().words
        log.warning("An operator may not do that.", event_id=event, by=here().by)
        able = operators.who_may(services.store, error.needs, integration=error.integration, unlimited=error.unlimited)
        sentence = words(
            f"error.not_allowed.{error.why(here().operator)}",
            role=words(f"role.{error.needs}"),
            integration=error.integration,
        )
        return _page(here(), 403, "not_allowed", event, sentence=sentence, able=able)

    @app.errorhandler(UnknownIntegration)
    def unknown_integration(_error: UnknownIntegration) -> ResponseReturnValue:
        return _expected(here(), 404, "not_found")

    @app.errorhandler(FormRefused)
    def form_refused(_error: FormRefused) -> ResponseReturnValue:
        return _expected(here(), 400, "form_refused")

    @app.errorhandler(WrongAddress)
    def wrong_address(_error: WrongAddress) -> ResponseReturnValue:
        return _expected(here(), 421, "wrong_address", address=services.settings.console_url)

    @app.errorhandler(ApiFailure)
    def api_failure(failure: ApiFailure) -> ResponseReturnValue:
        return _expected(here(), 502, "api", reason=failure.reason, said=failure.sentence)

    @app.errorhandler(redis.RedisError)
    def store_away(error: redis.RedisError) -> ResponseReturnValue:
        event = new_event_id()
        log.error("The store did not answer the console.", event_id=event, error=type(error).__name__)
        return _page(here(), 503, "store", event)

    @app.errorhandler(SecretUnreadable)
    def secret_unreadable(error: SecretUnreadable) -> ResponseReturnValue:
        event = new_event_id()
        log.error("A stored secret cannot be read.", event_id=event, error=str(error))
        return _page(here(), 500, "secret", event)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code >= 500:
            return unexpected(error)
        if error.code < 400:
            return error
        if error.code == 413 and (most := most_bytes()):
            return _expected(here(), 413, "file_too_large", most=here().words.size(most))
        return _expected(here(), error.code, OF_STATUS.get(error.code, "bad_request"))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        event = new_event_id()
        log.error("A page failed unexpectedly.", event_id=event, page=request.endpoint, exc_info=error)
        return _page(here(), 500, "unexpected", event)


def most_bytes() -> int:
    """How large a file the page takes that was asked for; 0 when it takes none."""
    need = need_of(current_app, request.endpoint) if request.endpoint else None
    return need.most_bytes if need else 0


def _expected(here: Here, status: int, area: str, *, reason: str = "", **values: Any) -> Response:
    """What is nobody's mistake in the code. Addresses are not logged: they hold what was searched for."""
    event = new_event_id()
    log.info("A request was answered with an error.", event_id=event, status=status, reason=reason or area)
    return _page(here, status, area, event, **values)


def _page(here: Here, status: int, area: str, event: str, **values: Any) -> Response:
    said: dict[str, Any] = {
        part: values.get(part) or here.words(f"error.{area}.{part}", **values) for part in ("title", "sentence", "next")
    }
    return here.page("error.html", status=status, event=event, able=values.get("able", ()), **said)
