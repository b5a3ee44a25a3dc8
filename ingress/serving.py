"""What our two HTTP processes share of gunicorn: no command line, no configuration file, our logging."""

import signal
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from ingress.ports import is_taken

log = structlog.get_logger()


def bind(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def say_if_taken(host: str, port: int, setting: str) -> None:
    """gunicorn tries for some seconds and ends, and names no setting. Whatever else is wrong with an address it says itself."""
    if is_taken(host, port):
        log.error("Another program listens on this port: stop it, or choose another port.", port=port, setting=setting)


def end_when_told(_arbiter: object, _worker: object) -> None:
    """Until a worker is up it has its parent's handler, which swallows SIGTERM: the stop would take all of its time."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


class Gunicorn(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn without its command line: it reads no configuration file and no environment."""

    def __init__(self, app_factory: Callable[[], Flask], settings: dict[str, Any]) -> None:
        self._app_factory = app_factory
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._app_factory()


class StandardLogging(Logger):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's log goes where ours goes, from warnings up."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True
        self.error_log.setLevel("WARNING")
