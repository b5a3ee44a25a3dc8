"""What is sent and what comes back, as plain records: bytes whose meaning only a `protocol` knows. No I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from workers.clients.errors import Api


@dataclass(frozen=True, slots=True)
class Request:
    """One request, ready to be sent. Its address, headers and body may hold secrets or a customer, so it hides them."""

    api: Api
    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, read to its end. The names of headers are in lower case."""

    api: Api
    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    def json_object(self) -> dict[str, object] | None:
        """The body as a JSON object; None when it is anything else."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):  # RecursionError: a megabyte of "[" is enough
            return None
        return document if isinstance(document, dict) else None
