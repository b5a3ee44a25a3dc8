"""Says what becomes of a job whose step failed. Pure; the bulk counterpart of `workers.sync.failure_policy`.

| what failed                        | then                                                                       |
|------------------------------------|----------------------------------------------------------------------------|
| our own budget of calls            | on at the next free call; that is only the pace                            |
| 429                                | on at the time it names; no try used up                                    |
| no usable answer                   | again, full-jitter backoff up to 15 min; a job never gives up on an outage |
| our credentials are refused        | the integration needs reconnecting; the job waits for that                 |
| the settings cannot be read here   | waits: this process has an old key, or is of an old release                |
| there is no reason to go on        | cancelled                                                                  |
| the disk of the files refuses      | failed; it goes on from there when somebody made room and resumes it       |
| anything else                      | failed, with a sentence; a person resumes or cancels it                    |
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from config.integrations import OptionsWrong
from config.secrets import SecretUnreadable
from mapping import CannotMap
from workers.bulk.workspace import DISK_REFUSES, disk_refuses
from workers.clients.errors import ApiFailure, CredentialsUnreadable, ReconnectNeeded, Throttled, Unavailable
from workers.sync.failure_policy import INTERNAL, RECONNECT_NEEDED, SETTINGS_UNREADABLE, backoff, pause_after

# How soon it is looked whether the integration works again.
LOOK_AGAIN = timedelta(seconds=5)


class JobFailed(Exception):
    """A kind cannot go on. `reason` is the short word, `sentence` what a person reads."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


class JobStopped(JobFailed):
    """A kind has no reason to go on; nobody needs to do anything."""


class UnknownKind(Exception):
    """This process is older than the kind; a newer one will take the job."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Later, from the same cursor. `reconnect`: the API for which a person must reconnect the integration first."""

    reason: str
    sentence: str
    delay: timedelta
    failed: bool = False
    reconnect: Literal["teamleader", "twikey"] | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """It does not go on; when it `failed` a person is needed."""

    reason: str
    sentence: str
    state: Literal["failed", "cancelled"] = "failed"


def judge(failure: Exception, failures: int, *, now: datetime, jitter: float) -> Wait | Stop:
    """What to do about a step that failed after so many failed tries in a row. `jitter` is a random number from 0 to 1."""
    match failure:
        case Throttled(status=None, api="teamleader", until=datetime() as until):
            return Wait("", "", max(until - now, timedelta(milliseconds=1)))
        case Throttled():
            return Wait("throttled", failure.sentence, pause_after(failure, now=now, jitter=jitter))
        case ReconnectNeeded():
            return Wait(RECONNECT_NEEDED, failure.sentence, LOOK_AGAIN, reconnect=failure.api)
        case Unavailable():
            return Wait("unavailable", failure.sentence, backoff(failures, jitter), failed=True)
        case UnknownKind():
            sentence = "The bulk process that runs does not know this kind of job: is it an older version?"
            return Wait("unknown_kind", sentence, LOOK_AGAIN)
        case SecretUnreadable() | OptionsWrong() | CredentialsUnreadable():
            sentence = "The bulk process that runs cannot read the settings of the integration: restart it with the TLTW_SECRET_KEY and the release that made the change."
            return Wait(SETTINGS_UNREADABLE, sentence, LOOK_AGAIN)
        case JobStopped():
            return Stop(failure.reason, failure.sentence, "cancelled")
        case JobFailed() | ApiFailure():
            return Stop(failure.reason, failure.sentence)
        case CannotMap():
            return Stop("cannot_map", str(failure))
        case _ if disk_refuses(failure):
            return Stop("disk_refuses", f"{DISK_REFUSES} Make room, then resume the job: it goes on from where it was.")
        case _:
            sentence = f"A mistake of our own ({type(failure).__name__}); the log of the bulk process has the place."
            return Stop(INTERNAL, sentence)
