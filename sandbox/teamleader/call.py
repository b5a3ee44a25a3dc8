"""One API call after the door: who calls, with what body; and how a handler refuses it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.request_log import RequestRecord
from sandbox.teamleader.account import Account
from sandbox.world import Fields


class CallRefused(Exception):
    """Becomes an answer with this status in the `errors[]` envelope."""

    def __init__(self, status: int, title: str, **meta: Any) -> None:
        super().__init__(title)
        self.status, self.title, self.meta = status, title, meta


@dataclass(frozen=True)
class Call:
    account: Account
    body: Fields
    record: RequestRecord
    # Where we were called, with a slash at the end: links in answers lead back to us.
    root: str = ""

    def text(self, name: str) -> str:
        """A required string."""
        value = self.body.get(name)
        if not isinstance(value, str) or not value:
            raise CallRefused(400, f"{name} must be a non-empty string", field=name)
        return value

    def mapping(self, name: str) -> Fields:
        """An optional object; empty when absent."""
        value = self.body.get(name) or {}
        if not isinstance(value, dict):
            raise CallRefused(400, f"{name} must be an object", field=name)
        return value

    def texts(self, name: str) -> list[str]:
        """A required list of strings."""
        return strings(self.body.get(name), name)


Answer = tuple[int, Fields | None]
Operation = Callable[[Call], Answer]

MAX_PAGE_SIZE = 100


def strings(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise CallRefused(400, f"{name} must be a list of strings", field=name)
    return value


def page_bounds(call: Call) -> slice:
    """Pages count from 1, hold 20 by default and at most 100; beyond that the real behaviour is unknown, so we refuse."""
    page = call.mapping("page")
    size, number = page.get("size", 20), page.get("number", 1)
    if not isinstance(size, int) or not 1 <= size <= MAX_PAGE_SIZE:
        raise CallRefused(400, f"page.size must be from 1 to {MAX_PAGE_SIZE}", field="page.size")
    if not isinstance(number, int) or number < 1:
        raise CallRefused(400, "page.number must be 1 or more", field="page.number")
    return slice((number - 1) * size, number * size)


def moment(value: Any, name: str) -> datetime:
    """A date-time with an offset and without fractions, as the real service demands."""
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise CallRefused(400, f"{name} must be an ISO 8601 date-time", field=name) from None
    if at.tzinfo is None or "." in value:
        raise CallRefused(400, f"{name} needs an offset and no fraction", field=name)
    return at
