"""gunicorn's threaded worker, for systems without gevent. A slow client holds one of its threads: put a proxy in front."""

from gunicorn.workers.gthread import ThreadWorker

from ingress.webhooks.bad_http import AnswersBadHttp


class Worker(AnswersBadHttp, ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    pass
