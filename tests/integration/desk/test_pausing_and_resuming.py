"""An integration is paused and resumed; what changes nothing is said to, and leaves no line in the history."""

from workers import operations


def history(desk):
    return [
        (entry.before, entry.after) for entry in operations.audit_log(desk.services, "acme") if entry.what == "state"
    ]


def test_resuming_what_runs_says_so_and_notes_nothing(desk, tltw):
    told, as_json = tltw("integration", "resume"), tltw("integration", "resume", "--json")

    assert (told.code, told.out) == (0, "acme is active already.\n")
    assert as_json.json == {"state": "active", "resumed": False}
    assert history(desk) == []


def test_resuming_what_was_paused_is_noted(desk, tltw):
    tltw("integration", "pause")

    told = tltw("integration", "resume")

    assert told.out == "acme: active.\n"
    assert history(desk) == [("paused", "active"), ("active", "paused")]
