"""Why a request is refused: one short reason each, its status code, and what the sender can do about it.

The reasons are the same in the answer, in the log, in `openapi.yaml` and in the runbook.
"""

import enum
import random


class Reason(enum.StrEnum):
    """Why a request is refused."""

    BAD_HTTP = "bad_http"
    NOT_JSON = "not_json"
    NOT_UTF8 = "not_utf8"
    DUPLICATE_KEY = "duplicate_key"
    TOO_DEEP = "too_deep"
    WRONG_SHAPE = "wrong_shape"
    EVENTS_NOT_CONFIGURED = "events_not_configured"
    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_WRONG = "signature_wrong"
    TIMESTAMP_OUTSIDE_TOLERANCE = "timestamp_outside_tolerance"
    WRONG_ACCOUNT = "wrong_account"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    LENGTH_REQUIRED = "length_required"
    TOO_LARGE = "too_large"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    ACCOUNT_UNKNOWN = "account_unknown"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL = "internal"


STATUS: dict[Reason, int] = {
    Reason.BAD_HTTP: 400,
    Reason.NOT_JSON: 400,
    Reason.NOT_UTF8: 400,
    Reason.DUPLICATE_KEY: 400,
    Reason.TOO_DEEP: 400,
    Reason.WRONG_SHAPE: 400,
    Reason.EVENTS_NOT_CONFIGURED: 401,
    Reason.SIGNATURE_MISSING: 401,
    Reason.SIGNATURE_WRONG: 401,
    Reason.TIMESTAMP_OUTSIDE_TOLERANCE: 401,
    Reason.WRONG_ACCOUNT: 403,
    Reason.NOT_FOUND: 404,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.LENGTH_REQUIRED: 411,
    Reason.TOO_LARGE: 413,
    Reason.WRONG_CONTENT_TYPE: 415,
    Reason.ACCOUNT_UNKNOWN: 503,
    Reason.STORE_UNAVAILABLE: 503,
    Reason.INTERNAL: 503,
}


class Refused(Exception):
    """The request is refused, and nothing was changed. `field` names the part of the body that is wrong."""

    def __init__(self, reason: Reason, field: str = "") -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field

    @property
    def status(self) -> int:
        return STATUS[self.reason]

    def body(self) -> dict[str, str]:
        """What the sender reads."""
        said = {"status": "refused", "reason": self.reason.value}
        return said | ({"field": self.field} if self.field else {})


def retry_after_seconds() -> int:
    """When to come back after a 503; spread, so that senders do not all return at once."""
    return random.randint(20, 40)  # noqa: S311 # jitter
