"""Serves a simulated Twikey on loopback."""

import argparse
import contextlib

from sandbox.serve import Server
from sandbox.twikey.app import create_twikey
from sandbox.twikey.office import DEFAULT_API_KEY, TwikeySettings


def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    app = create_twikey(TwikeySettings(logins_allowed=options.logins_allowed), api_key=options.api_key)
    server = Server(app, options.port).start()
    print(f"Twikey sandbox on {server.base_url}/creditor, API key {options.api_key}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.wait()
    server.stop()
    app.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox.twikey", description=__doc__)
    parser.add_argument("--port", type=int, default=9002, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--api-key", default=DEFAULT_API_KEY, help="accepted at login (default: %(default)s)")
    parser.add_argument("--logins-allowed", type=int, help="logins per hour before it answers 429 (default: no limit)")
    return parser


if __name__ == "__main__":
    main()
