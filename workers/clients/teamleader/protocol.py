"""Teamleader's API in bytes: builds its requests and understands its answers. No I/O.

POST with JSON: https://developer.focus.teamleader.eu. Of errors its OpenAPI 1.112 says nothing; their shape is that of
github.com/teamleadercrm/api, src/*.apib (both looked up 2026-11-22).
The OAuth side is `oauth_protocol`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from workers.clients.errors import ApiFailure, NotFound, Refused, Throttled, Unavailable
from workers.clients.messages import Answer, Request

# Every integration is born with a dated version; naming the newest makes all of them behave alike.
API_VERSION = "2023-09-26"
INFO_ACTIONS = {"contact": "contacts.info", "company": "companies.info", "invoice": "invoices.info"}
ID = re.compile(r"[0-9A-Za-z-]{1,64}")
# The window slides over 60 s; a reset further away than this comes from a clock that is wrong.
LONGEST_RESET = timedelta(minutes=5)
LONGEST_WORDS = 200
QUOTED = re.compile(r"\S*(?:://|@)\S*|\S*[\w-]{20,}\S*")


class Unauthorized(Exception):
    """401: the access token is expired or revoked. Never leaves this package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What Teamleader counts, as every answer says it; None where it did not."""

    limit: int | None = None
    remaining: int | None = None
    reset: datetime | None = None


def checked_id(value: str) -> str:
    """The id, when it looks like one. Raises `Refused` before anything odd is sent anywhere.

    Not a UUID check: Teamleader's ids look like UUIDs but have arbitrary version digits.
    """
    if not ID.fullmatch(value):
        raise Refused(
            "teamleader", "this is not a Teamleader id: only letters, digits and hyphens, at most 64", field="id"
        )
    return value


def request(api_url: str, action: str, body: Mapping[str, object], access_token: str) -> Request:
    """A call of an action like `contacts.info`."""
    return Request(
        "teamleader",
        "POST",
        f"{api_url}/{action}",
        {
            "Authorization": f"Bearer {access_token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "X-Api-Version": API_VERSION,
        },
        json.dumps(body).encode(),
    )


def read(action: str, answer: Answer, *, now: datetime) -> dict[str, object]:
    """The answer's JSON object, empty for a 204. Raises `Unauthorized` or an `ApiFailure`."""
    if answer.status == 204:
        return {}
    if answer.status == 401:
        raise Unauthorized
    document = answer.json_object()
    if answer.status in (200, 201) and document is not None:
        return document
    raise _failure(action, answer, document, now)


def data(action: str, document: Mapping[str, object]) -> dict[str, object]:
    """What an `.info` answer is about. Raises `Unavailable` when it is not there."""
    found = document.get("data")
    if not isinstance(found, dict):
        raise Unavailable("teamleader", f"Teamleader's answer to {action} holds no data")
    return found


def rows(action: str, document: Mapping[str, object]) -> list[dict[str, object]]:
    """The records of a `.list` answer. Raises `Unavailable` when they are not there: an error is not an empty page."""
    found = document.get("data")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise Unavailable("teamleader", f"Teamleader's answer to {action} holds no list")
    return found


def rate_limit(answer: Answer) -> RateLimit:
    """The three `X-RateLimit-` headers; what cannot be read is None."""
    return RateLimit(
        limit=_whole_number(answer.headers.get("x-ratelimit-limit")),
        remaining=_whole_number(answer.headers.get("x-ratelimit-remaining")),
        reset=_moment(answer.headers.get("x-ratelimit-reset", "")),
    )


def throttled(answer: Answer, *, now: datetime) -> Throttled:
    """A 429, with the time it names: when the oldest counted call leaves the window, else `Retry-After`, else none."""
    reset = rate_limit(answer).reset
    until = min(max(reset, now), now + LONGEST_RESET) if reset else _retry_after(answer, now)
    return Throttled("teamleader", "Teamleader asks us to call less often", until=until)


def first_error(document: Mapping[str, object]) -> tuple[str, str]:
    """The title and the field of the first of `errors`; empty where missing (only a title is promised)."""
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return "", ""
    meta = first.get("meta")
    return _words(first.get("title")), _words(meta.get("field")) if isinstance(meta, dict) else ""


def _failure(action: str, answer: Answer, document: dict[str, object] | None, now: datetime) -> ApiFailure:
    status = answer.status
    if status == 429:
        return throttled(answer, now=now)
    title, field = first_error(document or {})
    if status == 403:
        return Refused("teamleader", _missing_right(action, title), status=status)
    # A 404 without Teamleader's JSON is some proxy's, or a wrong address: that customer is not known to be gone.
    if status in (404, 410) and document is not None:
        kind = next((kind for kind, info in INFO_ACTIONS.items() if info == action), "such thing")
        return NotFound("teamleader", f"Teamleader has no {kind} with this id (any more)", status=status)
    if 400 <= status < 500 and status not in (404, 408, 410, 425):
        return Refused(
            "teamleader", f"Teamleader refuses {action}: {title or 'no reason given'}", status=status, field=field
        )
    return Unavailable("teamleader", f"Teamleader gave no usable answer to {action} (HTTP {status})", status=status)


def _missing_right(action: str, title: str) -> str:
    scope = action.partition(".")[0]
    said = f" ({title})" if title else ""
    return (
        f"Teamleader does not allow {action}{said}: tick the scope “{scope}” of the integration in its marketplace, "
        "let the user who connected it see these records, and connect again"
    )


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"[0-9]{1,9}", text) else None


def _moment(text: str) -> datetime | None:
    """`2021-06-15T10:51:23.035+0100` and `2026-02-08T11:09:08+00:00` both occur."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _retry_after(answer: Answer, now: datetime) -> datetime | None:
    text = answer.headers.get("retry-after", "")
    if (seconds := _whole_number(text)) is not None:
        return now + timedelta(seconds=min(seconds, 86_400))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(value: object) -> str:
    """The API's own words on one line, not too long, without what may be an address, a token or somebody's e-mail.

    A registration carries the secret address of our webhook, and an error may quote it.
    """
    return QUOTED.sub("‹…›", " ".join(value.split()))[:LONGEST_WORDS] if isinstance(value, str) else ""
