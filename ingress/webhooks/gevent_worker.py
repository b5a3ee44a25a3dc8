"""gunicorn's gevent worker, with an end to every request: half-sent ones cannot pile up.

gunicorn already gives the headers five seconds (`keepalive`), but lets a body take for ever.
"""

import warnings
from typing import Any

import gevent  # type: ignore[import-untyped] # it has no types
from gevent.monkey import MonkeyPatchWarning  # type: ignore[import-untyped] # it has no types
from gunicorn import util
from gunicorn.workers.ggevent import GeventWorker

from ingress.webhooks.bad_http import AnswersBadHttp

# Body, work and answer together. The store's part of it takes 2 s at most (ingress/in_time.py).
REQUEST_SECONDS = 10
# How much of a refused body is still read, so that its sender sees the answer and not a reset connection.
DRAIN_BYTES = 1024 * 1024


class Worker(AnswersBadHttp, GeventWorker):  # type: ignore[misc] # gunicorn has no types
    def patch(self) -> None:
        with warnings.catch_warnings():
            # It names `redis.asyncio`, which nothing here uses; no client exists before this moment.
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        try:
            with gevent.Timeout(REQUEST_SECONDS, False):
                super().handle_request(listener_name, req, sock, addr)
                return
        except StopIteration:
            # The answer is out and the connection ends, perhaps with unread bytes.
            util.close_graceful(sock, max_drain=DRAIN_BYTES)
            raise
        raise StopIteration
