"""Runs the console: gunicorn with one worker of many threads. It is never a part of the public web process.

A slow client holds one of its threads: whoever offers it beyond this machine puts a proxy in front, which also brings https.
"""

from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask

from config.settings import Settings
from ingress.serving import Gunicorn, StandardLogging, bind, end_when_told, say_if_taken

THREADS = 16

log = structlog.get_logger()


def run(settings: Settings, app_factory: Callable[[], Flask]) -> None:
    """Serves the console until told to stop; ends the process. The factory is called after the fork."""
    say_if_taken(settings.console_host, settings.console_port, "TLTW_CONSOLE_PORT")
    Gunicorn(app_factory, options(settings)).run()


def options(settings: Settings) -> dict[str, Any]:
    """gunicorn's settings, by its own names. https://docs.gunicorn.org/en/stable/settings.html (2026-11-25)"""
    return {
        "bind": bind(settings.console_host, settings.console_port),
        "workers": 1,
        "worker_class": "ingress.console.thread_worker.Worker",
        "threads": THREADS,
        "worker_connections": 200,
        "timeout": 60,
        # Less than the 20 s in which every process of ours ends.
        "graceful_timeout": 15,
        "keepalive": 5,
        "limit_request_line": 4094,
        "preload_app": False,
        # Addresses hold what was searched for.
        "accesslog": None,
        "logger_class": StandardLogging,
        "control_socket_disable": True,
        "proc_name": "tltw-console",
        # We believe X-Forwarded-* ourselves, and only when the settings say so.
        "forwarded_allow_ips": "",
        "post_fork": end_when_told,
        "when_ready": lambda _server: log.info("The console is open.", address=settings.console_url),
    }
