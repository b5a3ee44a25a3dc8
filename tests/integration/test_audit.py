from workers import audit


def test_changes_are_told_newest_first_and_by_integration(store):
    audit.note(store, by="cli:an", what="auto_update", integration="one", before="off", after="on")
    audit.note(store, by="operator:bo", what="paused", integration="two")

    assert [(entry.by, entry.what) for entry in audit.entries(store)] == [
        ("operator:bo", "paused"),
        ("cli:an", "auto_update"),
    ]
    (only,) = audit.entries(store, integration="one")
    assert (only.before, only.after) == ("off", "on")


def test_more_than_a_page_is_told_without_gaps(store, monkeypatch):
    monkeypatch.setattr(audit, "PAGE", 3)
    for number in range(8):
        audit.note(store, by="service", what=str(number))

    assert [entry.what for entry in audit.entries(store)] == [str(number) for number in reversed(range(8))]
