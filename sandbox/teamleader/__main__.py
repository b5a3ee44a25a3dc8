"""Serves a simulated Teamleader Focus on loopback."""

import argparse
import contextlib

from sandbox.serve import Server
from sandbox.teamleader import world as worlds
from sandbox.teamleader.app import create_teamleader
from sandbox.teamleader.generated import GeneratedWorld
from sandbox.teamleader.webhooks import DeliverySettings
from sandbox.teamleader.world import TeamleaderSettings


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    settings = TeamleaderSettings(
        access_token_life=options.token_life,
        rate_limit=options.rate_limit,
        redirect_uris=tuple(options.redirect_uri),
    )
    generated = GeneratedWorld(options.generate, options.seed) if options.generate else None
    app = create_teamleader(settings, DeliverySettings(delay=options.webhook_delay), generated=generated)
    server = Server(app, options.port).start()
    print(f"Teamleader sandbox on {server.base_url}", flush=True)
    print(f"  client id {worlds.DEFAULT_CLIENT_ID}, client secret {worlds.DEFAULT_CLIENT_SECRET}")
    print(f"  refresh token {worlds.DEFAULT_REFRESH_TOKEN}, account {worlds.DEFAULT_ACCOUNT}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.wait()
    server.stop()
    app.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.teamleader", description=__doc__)
    parser.add_argument("--port", type=int, default=9001, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--redirect-uri", action="append", default=[], help="allowed after consent; may be repeated")
    parser.add_argument("--rate-limit", type=int, default=200, help="calls a minute (default: %(default)s)")
    parser.add_argument("--token-life", type=float, default=3600, help="seconds (default: %(default)s)")
    parser.add_argument("--webhook-delay", type=float, default=0, help="seconds (default: %(default)s)")
    parser.add_argument("--generate", type=int, default=0, help="so many made up customers on top of the usual ones")
    parser.add_argument("--seed", type=int, default=0, help="of the made up customers (default: %(default)s)")
    return parser


if __name__ == "__main__":
    main()
