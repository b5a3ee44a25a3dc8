"""`tltw integration day` and `activity`: the last 24 hours, and the last happenings, as an operator reads them."""

from workers.ledger import Cause

WEBHOOK = frozenset({Cause.WEBHOOK})


def test_the_day_is_told_hour_by_hour(desk, tltw):
    company = f"company:{desk.create('company', name='Schilders Verf')}"
    desk.ledger.mark(company, WEBHOOK)
    desk.work(company)

    told, as_json = tltw("integration", "day"), tltw("integration", "day", "--json").json

    assert told.code == 0
    assert told.out.count(":00") == len(as_json) == 24
    assert sum(hour["synced"] for hour in as_json) == 1
    assert [bucket["edits"] for hour in as_json for bucket in hour["arrived"]] == [1]


def test_what_happened_lately_is_told_one_by_one(desk, tltw):
    company = f"company:{desk.create('company', name='Schilders Verf')}"
    before = tltw("integration", "activity")
    desk.ledger.mark(company, WEBHOOK, event_id="evt_1")
    desk.work(company)

    told, as_json = tltw("integration", "activity"), tltw("integration", "activity", "--json").json
    last = tltw("integration", "activity", "--number", "1", "--json").json

    assert "Nothing happened yet." in before.out
    assert [(one["subject"], one["what"], one["event_id"]) for one in as_json] == [
        (company, "marked", "evt_1"),
        (company, "synced", "evt_1"),
    ]
    assert [one["detail"] for one in as_json] == ["webhook", ""]
    assert company in told.out
    assert "evt_1" in told.out
    assert last == as_json[-1:]
