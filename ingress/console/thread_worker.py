"""gunicorn's threaded worker; what is no HTTP at all is refused without a line in the log that holds an address."""

from gunicorn.workers.gthread import ThreadWorker

from ingress.webhooks.bad_http import AnswersBadHttp


class Worker(AnswersBadHttp, ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    pass
