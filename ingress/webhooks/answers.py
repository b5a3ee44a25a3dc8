"""What the ways in answer when they do not refuse."""

from flask import jsonify
from flask.typing import ResponseReturnValue

from workers.ledger import Marked


def accepted(event_id: str) -> ResponseReturnValue:
    return jsonify(status="accepted", event=event_id), 202


def ignored(reason: str) -> ResponseReturnValue:
    return jsonify(status="ignored", reason=reason), 200


def of_mark(marked: Marked, event_id: str) -> ResponseReturnValue:
    """The answer to an event that the ledger has taken."""
    if marked.duplicate:
        return ignored("duplicate")
    if marked.skipped_reason:
        return jsonify(status="skipped", reason=marked.skipped_reason), 200
    return accepted(event_id)
