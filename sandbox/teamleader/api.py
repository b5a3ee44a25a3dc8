"""The door of the API: bearer token, rate limit, JSON body, then the operation, in that order."""

from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request

from sandbox.teamleader import customers, invoices, registrations
from sandbox.teamleader.account import Account
from sandbox.teamleader.call import Call, CallRefused
from sandbox.teamleader.rate_limit import render_reset
from sandbox.teamleader.shapes import errors
from sandbox.teamleader.world import World

OPERATIONS = customers.OPERATIONS | invoices.OPERATIONS | registrations.OPERATIONS


def bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def api_blueprint(world: World) -> Blueprint:
    api = Blueprint("api", __name__)

    @api.post("/<operation>")
    def call(operation: str) -> Response:
        token = bearer_token(request.headers.get("Authorization", ""))
        account_id = world.tokens.account_of(token, world.clock())
        if account_id is None:
            return _dressed(world, jsonify(errors(401, "The access token is invalid or has expired")), 401)
        account = world.accounts[account_id]
        if not account.limiter.admit(world.clock()):
            return _dressed(world, jsonify(errors(429, "Too many requests")), 429, account)
        status, body = _perform(account, operation)
        answer = make_response("") if body is None else jsonify(body)
        return _dressed(world, answer, status, account)

    return api


def _perform(account: Account, operation: str) -> tuple[int, Any]:
    try:
        if operation not in OPERATIONS:
            raise CallRefused(404, "Unknown operation")
        return OPERATIONS[operation](Call(account, _json_body(), request.environ["sandbox.record"], request.host_url))
    except CallRefused as refusal:
        return refusal.status, errors(refusal.status, refusal.title, **refusal.meta)


def _json_body() -> dict[str, Any]:
    body = request.get_json(silent=True) if request.data else {}
    if not isinstance(body, dict):
        raise CallRefused(400, "The body must be a JSON object, with its Content-Type")
    return body


def _dressed(world: World, answer: Response, status: int, account: Account | None = None) -> Response:
    answer.status_code = status
    if status == 204:
        answer.headers.remove("Content-Type")
    version = request.headers.get("X-Api-Version", world.settings.default_api_version)
    answer.headers["X-Api-Version"] = version
    if account is not None:
        now = world.clock()
        answer.headers["X-RateLimit-Limit"] = str(account.limiter.limit)
        answer.headers["X-RateLimit-Remaining"] = str(account.limiter.remaining(now))
        reset = render_reset(account.limiter.reset_at(now), world.settings.reset_format)
        answer.headers["X-RateLimit-Reset"] = reset
    return answer
