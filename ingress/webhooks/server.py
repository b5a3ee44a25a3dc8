"""Runs the web process: gunicorn with two workers, gevent where it exists; each worker builds its own application."""

import importlib.util
from collections.abc import Callable
from typing import Any, Literal

import structlog
from flask import Flask

from config.settings import Settings
from config.store import connect_ingress, queue_url
from ingress.in_time import InTimeStore, best_limit
from ingress.serving import Gunicorn, StandardLogging, bind, end_when_told, say_if_taken
from ingress.webhooks.app import create_app
from ingress.webhooks.door import Door
from ingress.webhooks.signature import EventSecrets, RelayHmac
from workers.broker import make_broker, wake
from workers.ledger import Scripts

WORKERS = 2
THREADS_WITHOUT_GEVENT = 32

log = structlog.get_logger()


def run(settings: Settings, store_url: str) -> None:
    """Serves the webhooks of this deployment until told to stop; ends the process."""
    say_if_taken(settings.web_host, settings.web_port, "TLTW_WEB_PORT")
    serve(lambda: create_app(make_door(settings, store_url)), host=settings.web_host, port=settings.web_port)


def make_door(settings: Settings, store_url: str) -> Door:
    """The composition root of one web worker. Opens no connection."""
    store, queue = (
        connect_ingress(url, InTimeStore) for url in (store_url, queue_url(store_url, settings.queue_redis_url))
    )
    store.limit = queue.limit = best_limit(THREADS_WITHOUT_GEVENT)
    broker = make_broker(queue)
    return Door(
        scripts=Scripts(store),
        expected=frozenset({settings.first.id} if settings.first else ()),
        webhook_keys=settings.webhook_keys,
        event_secrets=EventSecrets(settings.event_secrets),
        relay=_relay(settings),
        wake=lambda integration, subject: wake(broker, integration, subject),
    )


def serve(app_factory: Callable[[], Flask], *, host: str, port: int, workers: int = WORKERS) -> None:
    """Runs gunicorn. The factory is called in each worker, after the fork and after gevent has patched the sockets."""
    Gunicorn(app_factory, options(host, port, workers)).run()


def options(host: str, port: int, workers: int) -> dict[str, Any]:
    """gunicorn's settings, by its own names. https://docs.gunicorn.org/en/stable/settings.html (2026-11-23)"""
    gevent = importlib.util.find_spec("gevent") is not None
    return {
        "bind": bind(host, port),
        "workers": workers,
        "worker_class": f"ingress.webhooks.{'gevent' if gevent else 'thread'}_worker.Worker",
        "threads": 1 if gevent else THREADS_WITHOUT_GEVENT,
        "worker_connections": 1000,
        "backlog": 2048,
        "timeout": 15,
        # Less than the 20 s in which every process of ours ends; a request takes at most 10.
        "graceful_timeout": 15,
        "keepalive": 5,
        "limit_request_line": 2048,
        "limit_request_fields": 50,
        "limit_request_field_size": 4096,
        "preload_app": False,
        # Paths hold tokens.
        "accesslog": None,
        "logger_class": StandardLogging,
        # By default all gunicorns of a user share one control socket, and it needs a writable home.
        "control_socket_disable": True,
        "proc_name": "tltw-web",
        "post_fork": end_when_told,
        "when_ready": lambda _server: log.info("Listening for webhooks.", host=host, port=port),
    }


def _relay(settings: Settings) -> RelayHmac | None:
    if not settings.relay_hmac_header:
        return None
    encoding: Literal["hex", "base64"] = "base64" if settings.relay_hmac_encoding == "base64" else "hex"
    return RelayHmac(settings.relay_hmac_header, settings.relay_hmac_secret, encoding)
