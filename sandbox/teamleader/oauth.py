"""The consent page and the token endpoint: refresh tokens work once, and a spent one is `invalid_grant`."""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.teamleader.account import Account
from sandbox.teamleader.shapes import errors
from sandbox.teamleader.tokens import TokenPair, TokenRefused
from sandbox.teamleader.world import World


class GrantRefused(Exception):
    """Why no token is given: an RFC 6749 word, and a hint for people."""

    def __init__(self, code: str, hint: str) -> None:
        super().__init__(hint)
        self.code, self.hint = code, hint


def oauth_blueprint(world: World) -> Blueprint:
    pages = Blueprint("oauth", __name__, url_prefix="/oauth2")

    @pages.get("/authorize")
    def ask() -> str | Response:
        problem = _problem_with(world, request.args)
        if problem:
            return make_response(render_template("refused.html", problem=problem), 400)
        accounts = world.accounts_of(request.args["client_id"])
        return render_template("consent.html", asked=request.args, accounts=accounts)

    @pages.post("/authorize")
    def decide() -> AnyResponse:
        problem = _problem_with(world, request.form)
        if problem:
            return make_response(render_template("refused.html", problem=problem), 400)
        back = {"state": request.form["state"]} if request.form.get("state") else {}
        if request.form.get("decision") == "allow":
            back["code"] = _code_for(world, request.form)
        else:
            back["error"] = "access_denied"
        uri = request.form["redirect_uri"]
        return redirect(f"{uri}{'&' if '?' in uri else '?'}{urlencode(back)}")

    @pages.post("/access_token")
    def token() -> tuple[Response, int]:
        body = request.get_json(silent=True) if request.is_json else request.form
        try:
            pair = _grant(world, body if isinstance(body, Mapping) else {})
        except GrantRefused as refusal:
            return _refused(world, refusal)
        life = int(world.settings.access_token_life)
        return jsonify({"token_type": "Bearer", "expires_in": life} | vars(pair)), 200

    return pages


def _problem_with(world: World, asked: Mapping[str, str]) -> str | None:
    """Why this consent may not even be asked; such a caller is never redirected anywhere."""
    if not world.accounts_of(asked.get("client_id", "")):
        return "Unknown client_id."
    if asked.get("redirect_uri") not in world.settings.redirect_uris:
        return "The redirect_uri is not on the list of this integration."
    if asked.get("response_type") != "code":
        return "The response_type must be code."
    return None


def _code_for(world: World, form: Mapping[str, str]) -> str:
    accounts = {account.id: account for account in world.accounts_of(form["client_id"])}
    chosen = accounts.get(form.get("account", "")) or next(iter(accounts.values()))
    return world.tokens.issue_code(chosen.id, chosen.client_id, form["redirect_uri"], world.clock())


def _grant(world: World, body: Mapping[str, Any]) -> TokenPair:
    client_id = str(body.get("client_id"))
    _check_client(world, client_id, str(body.get("client_secret")))
    try:
        match body.get("grant_type"):
            case "authorization_code":
                code, uri = str(body.get("code")), str(body.get("redirect_uri"))
                account_id = world.tokens.redeem_code(code, client_id, uri, world.clock())
            case "refresh_token":
                account_id = world.tokens.spend_refresh_token(str(body.get("refresh_token")), client_id)
            case _:
                raise GrantRefused("unsupported_grant_type", "Check the `grant_type` parameter")
    except TokenRefused as refusal:
        raise GrantRefused("invalid_grant", str(refusal)) from refusal
    return world.issue_tokens(world.accounts[account_id])


def _check_client(world: World, client_id: str, client_secret: str) -> None:
    accounts: list[Account] = world.accounts_of(client_id)
    if not accounts or not hmac.compare_digest(accounts[0].client_secret.encode(), client_secret.encode()):
        raise GrantRefused("invalid_client", "Client authentication failed")


def _refused(world: World, refusal: GrantRefused) -> tuple[Response, int]:
    if world.settings.oauth_error_shape == "rfc6749":
        return jsonify(error=refusal.code, error_description=refusal.hint), 400
    return jsonify(errors(400, refusal.code, hint=refusal.hint)), 400
