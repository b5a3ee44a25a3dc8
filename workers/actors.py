"""The Dramatiq actors: unpack the ids, call the step with its tools handed in, let errors fly."""

from collections.abc import Callable

import dramatiq
import structlog

from config.integrations import OptionsWrong
from config.registry import UnknownIntegration
from config.secrets import SecretUnreadable
from workers.broker import ACTOR, QUEUE, WakeUpBroker
from workers.sync.failure_policy import SETTINGS_UNREADABLE
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
        except (SecretUnreadable, OptionsWrong) as unreadable:
            # Before the claim: another worker may be able to, and the customer is woken again within seconds.
            log.error(
                "The settings of an integration cannot be read here; its customers wait for a worker that can.",
                integration=integration,
                reason=SETTINGS_UNREADABLE,
                problem=str(unreadable),
            )
            return
        answered = work_on(subject, tools)
        if answered is not None and broker.lines:
            broker.lines.tell(answered=answered)

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(sync_subject)
