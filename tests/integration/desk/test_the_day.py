"""`tltw integration day`: the last 24 hours as an operator reads them."""

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
