"""What people read: who is concerned, how much, since when, what to do; the same in JSON for machines."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workers.alerts.decide import Alert, Notice
from workers.alerts.kinds import MEANINGS, Kind
from workers.alerts.messages import NAMED_AT_MOST, SHOWN_AT_MOST, Message, compose, rehearsal

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
LABELS = {"bakkerij-tarwe": "Bakkerij Tarwe"}
PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text(encoding="utf-8")


def alert(kind=Kind.UPDATES_LATE, integration="bakkerij-tarwe", *, number=3, detail="", told=None, ago=20):
    since = NOW - timedelta(minutes=ago)
    return Alert(
        kind=kind, integration=integration, since=since, noticed=NOW, seen=NOW, number=number, detail=detail, told=told
    )


def composed(*alerts, event="opened"):
    return compose(Notice(alerts[0].kind, event, alerts), deployment="sync.example.com", now=NOW, labels=LABELS)


def test_every_kind_says_what_happened_what_to_do_and_where_to_read_on():
    assert MEANINGS.keys() == set(Kind)
    for kind in Kind:
        message = composed(alert(kind))

        assert message.sentence.endswith(".")
        assert message.next.endswith(".")
        assert message.link == f"docs/runbook.md#{kind.value}"


def test_the_subject_says_what_who_how_much_and_where():
    one, many = composed(alert()), composed(alert(), alert(integration="other", number=4))

    assert one.subject == "Updates are late: bakkerij-tarwe, 3 updates owed (sync.example.com)"
    assert many.subject == "Updates are late: 2 integrations, 7 updates owed (sync.example.com)"


@pytest.mark.parametrize(
    ("number", "said"), [(1, "Dead letters: acme, 1 dead letter"), (2, "Dead letters: acme, 2 dead letters")]
)
def test_one_is_not_several(number, said):
    assert composed(alert(Kind.DEAD_LETTERS, "acme", number=number)).subject.startswith(said)


@pytest.mark.parametrize(
    ("event", "subject"),
    [
        ("more", "Update: Reconnect needed: acme (sync.example.com)"),
        ("still", "Still: Reconnect needed: acme (sync.example.com)"),
        ("recovered", "Recovered: Reconnect needed: acme (sync.example.com)"),
    ],
)
def test_the_subject_says_what_became_of_it(event, subject):
    assert composed(alert(Kind.RECONNECT_NEEDED, "acme"), event=event).subject == subject


def test_a_recovery_asks_for_nothing_and_counts_nothing():
    message = composed(alert(detail="Twikey fails"), event="recovered")

    assert (message.next, message.number, message.named[0].number, message.named[0].detail) == ("", 0, 0, "")
    assert message.sentence == MEANINGS[Kind.UPDATES_LATE].recovered


def test_what_concerns_the_deployment_names_no_integration():
    message = composed(alert(Kind.STORE_NOT_DURABLE, "", detail="Why."))

    assert message.subject == "The store is not durable (sync.example.com)"
    assert "- this deployment, since 2026-11-23 09:10 UTC: Why." in message.text


def test_of_very_many_the_new_ones_come_first_and_the_rest_is_a_number():
    known = [alert(integration=f"known-{number:03}", number=9, told=NOW) for number in range(299)]

    message = composed(*known, alert(integration="new", number=1))

    assert message.named[0].integration == "new"
    assert (message.integrations_total, len(message.named)) == (300, NAMED_AT_MOST)
    assert message.text.count("\n- ") == SHOWN_AT_MOST + 1
    assert "- and 280 more: tltw alerts list" in message.text


def test_a_message_survives_its_way_through_the_store():
    message = composed(alert(detail="cannot_map 3"), alert(integration="other"))

    assert Message.from_json(message.to_json()) == message


def test_a_rehearsal_says_that_nothing_is_wrong():
    assert "Nothing is wrong." in rehearsal(deployment="sync.example.com", now=NOW).text


def test_the_example_in_the_page_is_what_is_really_sent():
    trouble = "Teamleader fails or asks for a pause"
    message = composed(
        alert(number=12, detail=trouble, ago=21), alert(integration="schilders-verf", number=3, detail=trouble, ago=17)
    )

    assert f"```\n{message.text}```" in PAGE


def test_the_page_has_a_line_for_each_kind_with_its_severity():
    rows = re.findall(r"^\| \[`(\w+)`\]\(runbook\.md#(\w+)\) \| (\w+) \|.*\| (yes|no) \|$", PAGE, re.MULTILINE)

    assert rows == [
        (kind.value, kind.value, kind.meaning.severity, "yes" if kind.meaning.recovers else "no") for kind in Kind
    ]
