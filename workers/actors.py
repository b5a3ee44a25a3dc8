"""The Dramatiq actors: unpack the ids, call the step with its tools handed in, let errors fly."""

from collections.abc import Callable

import dramatiq

from workers.broker import ACTOR, QUEUE, WakeUpBroker
from workers.sync.run import Tools, work_on


def declare(broker: WakeUpBroker, tools_of: Callable[[str], Tools]) -> None:
    """Declares the actors on a broker. An error that flies costs nothing: the lease ends and the clock wakes again."""

    def sync_subject(integration: str, subject: str) -> None:
        work_on(subject, tools_of(integration))

    dramatiq.actor(actor_name=ACTOR, queue_name=QUEUE, broker=broker)(sync_subject)
