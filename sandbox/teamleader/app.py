"""Puts the simulated Teamleader together; `create_teamleader()` is all most tests need."""

import json
from datetime import timedelta

from flask import Flask

from sandbox.control import control_blueprint
from sandbox.faults import Fault, Switchboard
from sandbox.misbehave import Answer
from sandbox.serve import Environ, Headers, reason
from sandbox.simulator import Manners, Simulator
from sandbox.teamleader import world as worlds
from sandbox.teamleader.api import api_blueprint, bearer_token
from sandbox.teamleader.control import teamleader_control
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.oauth import oauth_blueprint
from sandbox.teamleader.pages import teamleader_pages
from sandbox.teamleader.rate_limit import render_reset
from sandbox.teamleader.shapes import errors
from sandbox.teamleader.webhooks import DeliverySettings
from sandbox.teamleader.world import TeamleaderSettings, World
from sandbox.world import CHARACTERS, Character


class Teamleader(Simulator):
    """A WSGI app; `world` is everything behind it."""

    def __init__(self, world: World, *, faults: Switchboard | None = None) -> None:
        flask = Flask("sandbox")
        super().__init__(flask, Manners(self._failure, self._account_of), faults=faults)
        self.world = world
        flask.register_blueprint(oauth_blueprint(world))
        flask.register_blueprint(control_blueprint(self))
        flask.register_blueprint(teamleader_control(world))
        flask.register_blueprint(teamleader_pages(self))
        flask.register_blueprint(api_blueprint(world))

    def close(self) -> None:
        super().close()
        self.world.postman.close()

    def _account_of(self, environ: Environ) -> str | None:
        return self.world.tokens.owner_of(bearer_token(environ.get("HTTP_AUTHORIZATION", "")))

    def _failure(self, fault: Fault) -> Answer:
        """Gateways answer with a page, Teamleader itself with its envelope."""
        if fault.status in (502, 503, 504):
            return reason(fault.status), [("Content-Type", "text/html")], b"<h1>Bad gateway</h1>"
        headers: Headers = [("Content-Type", "application/json")]
        if fault.status == 429:
            headers += self._reset_header(fault)
        return reason(fault.status), headers, json.dumps(errors(fault.status, "Simulated failure")).encode()

    def _reset_header(self, fault: Fault) -> Headers:
        now, away = self.world.clock(), timedelta(seconds=fault.retry_seconds)
        style = self.world.settings.reset_format
        values = {
            "future": render_reset(now + away, style),
            "past": render_reset(now - away, style),
            "garbage": "soon",
        }
        value = values.get(fault.retry)
        return [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", value)] if value else []


def create_teamleader(
    settings: TeamleaderSettings | None = None,
    deliveries: DeliverySettings | None = None,
    *,
    faults: Switchboard | None = None,
    characters: tuple[Character, ...] = CHARACTERS,
    generated: GeneratedWorld | None = None,
    refresh_token: str = worlds.DEFAULT_REFRESH_TOKEN,
) -> Teamleader:
    """A server with the default account (`worlds.DEFAULT_…`), whose refresh token is known beforehand."""
    world = World(settings, deliveries)
    account = world.add_account(
        worlds.DEFAULT_ACCOUNT, characters=characters, generated=generated, name=worlds.DEFAULT_ACCOUNT_NAME
    )
    world.issue_tokens(account, refresh=refresh_token)
    return Teamleader(world, faults=faults)
