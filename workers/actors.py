"""The Dramatiq actors: unpack the ids, call the step with its tools handed in, let errors fly."""

from collections.abc import Callable

import dramatiq
import structlog

from config.registry import UnknownIntegration
from workers.broker import ACTOR, QUEUE, WakeUpBroker
from workers.sync.run import Tools, work_on

log = structlog.get_logger()


def declare(broker: WakeUpBroker, tools_of: Callable[[str], Tools]) -> None:
    """Declares the actors on a broker.

    An error that flies is the store's, or came before the claim; it costs nothing: a lease ends and the clock wakes again.
    """

    def sync_subject(integration: str, subject: str) -> None:
        try:
            tools = tools_of(integration)
        except UnknownIntegration:
            log.info("A wake-up for an integration that was removed.", integration=integration)
            return
        answered = work_on(subject, tools)
        if answered is not None and broker.lines:
            broker.lines.tell(answered=answered)

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(sync_subject)
