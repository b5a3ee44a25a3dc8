"""Logging: one sentence a person can read plus fields a machine can filter; never a name, an e-mail, a token or a webhook path."""

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor

# These libraries log whole addresses or message arguments at INFO.
QUIET = ("httpx", "httpcore", "dramatiq", "gunicorn", "werkzeug")


def setup(
    log_format: str, *, process: str, stream: Literal["stdout", "stderr"] = "stdout", level: int = logging.INFO
) -> None:
    """Routes structlog and the standard library's logging to one stream, as JSON or for the eye, from `level` up."""
    out = sys.stdout if stream == "stdout" else sys.stderr
    as_json = log_format == "json" or (log_format == "auto" and not out.isatty())

    def add_process(_logger: object, _method: str, event: EventDict) -> EventDict:
        # Not a context variable: those do not reach the worker's threads.
        event["process"] = process
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_process,
    ]
    # Plain tracebacks: the pretty ones print local variables, and those can hold a customer.
    render: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render]
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
