"""The web process as a Flask application: its routes, and one shape for every refusal. Reads no settings."""

import secrets
from importlib import resources

import redis
import structlog
from flask import Flask, Response, jsonify
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from ingress import health
from ingress.webhooks import invoice_imported, teamleader
from ingress.webhooks.door import Door
from ingress.webhooks.refusals import Reason, Refused, retry_after_seconds

# Every other mistake of HTTP that Flask finds.
OF_STATUS = {404: Reason.NOT_FOUND, 405: Reason.METHOD_NOT_ALLOWED, 411: Reason.LENGTH_REQUIRED, 413: Reason.TOO_LARGE}

log = structlog.get_logger()


def create_app(door: Door) -> Flask:
    """The application; `door` is all it can reach."""
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined] # Flask's own provider has it
    # A redirect would send the signed path back in a header.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.register_blueprint(teamleader.routes(door))
    app.register_blueprint(invoice_imported.routes(door))
    app.register_blueprint(health.routes(door.store))
    _serve_openapi(app)
    _refuse_in_one_shape(app)
    app.after_request(_secure)
    return app


def openapi() -> str:
    """The description of this process' HTTP interface, as YAML."""
    return resources.files("ingress.webhooks").joinpath("openapi.yaml").read_text(encoding="utf-8")


def _serve_openapi(app: Flask) -> None:
    document = openapi()

    @app.get("/openapi.yaml", provide_automatic_options=False)
    def openapi_yaml() -> ResponseReturnValue:
        return Response(document, mimetype="application/yaml")


def _refuse_in_one_shape(app: Flask) -> None:
    @app.errorhandler(Refused)
    def refused(error: Refused) -> ResponseReturnValue:
        _note(error)
        return _answer(error)

    @app.errorhandler(redis.RedisError)
    def store_unavailable(error: redis.RedisError) -> ResponseReturnValue:
        log.error("The store did not take a request; the sender was asked to come back.", error=type(error).__name__)
        return _answer(Refused(Reason.STORE_UNAVAILABLE))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code >= 500:
            return unexpected(error)
        answer = _answer(Refused(OF_STATUS.get(error.code, Reason.BAD_HTTP)))
        if error.code == 405:
            answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
        return answer

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        # The path is a secret and the body is not ours to keep: only where it went wrong is logged.
        log.error("A request failed unexpectedly.", event_id=secrets.token_hex(6), exc_info=error)
        return _answer(Refused(Reason.INTERNAL))


def _answer(refusal: Refused) -> Response:
    answer = jsonify(refusal.body())
    answer.status_code = refusal.status
    if refusal.status == 503:
        answer.headers["Retry-After"] = str(retry_after_seconds())
    return answer


def _note(refusal: Refused) -> None:
    if refusal.reason is Reason.WRONG_ACCOUNT:
        log.error("A webhook came over the right address for another account.", reason=refusal.reason.value)
    elif refusal.status not in (404, 405):  # scanners are no news
        log.warning("A request was refused.", reason=refusal.reason.value, status=refusal.status)


def _secure(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
