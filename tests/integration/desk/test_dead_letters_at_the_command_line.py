"""`tltw dead-letters`: what is mistyped is said, and never read as *nothing is wrong*."""

import pytest

from workers.ledger import Cause


@pytest.fixture
def nameless(desk):
    """A company that died of `cannot_map`."""
    subject = f"company:{desk.create('company', name='')}"
    desk.ledger.mark(subject, frozenset({Cause.WEBHOOK}))
    desk.work(subject)
    return subject


@pytest.mark.parametrize("words", [("list",), ("replay",), ("replay", "--dry-run")])
def test_a_reason_that_nobody_died_of_is_not_taken_for_nothing_being_wrong(tltw, nameless, words):
    told = tltw("dead-letters", *words, "--reason", "canot_map").out

    assert "No dead letter died of canot_map. There are: 1 cannot_map." in told
    assert "Nothing needs you" not in told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--reason", "refused"), []),
        (("replay", "--reason", "refused"), {"replayed": []}),
        (("replay", "--all", "--dry-run"), {"would_replay": []}),
    ],
)
def test_a_machine_is_told_of_none_as_an_empty_list(tltw, desk, words, said):
    assert tltw("dead-letters", *words, "--json").json == said


def test_where_nobody_died_nothing_needs_anybody(tltw, desk):
    for words in (("list",), ("list", "--reason", "refused"), ("replay", "--all")):
        assert "No dead letters. Nothing needs you." in tltw("dead-letters", *words).out


@pytest.mark.parametrize("words", [("show",), ("discard", "--why", "gone")])
def test_an_id_alone_is_no_subject_and_is_told_how_to_be_one(tltw, nameless, words):
    answered = tltw("dead-letters", *words, nameless.partition(":")[2])

    assert answered.code == 3
    assert "for example company:ID" in answered.result.stderr


def test_a_machine_is_told_of_as_many_attempts_as_a_person(tltw, nameless):
    text, told = tltw("dead-letters", "show", nameless), tltw("dead-letters", "show", nameless, "--json").json
    (listed,) = tltw("dead-letters", "list", "--json").json

    assert "attempts: 1 " in text.out
    assert (told["state"]["attempts"], told["state"]["story"]["attempts"], listed["story"]["attempts"]) == (1, 1, 1)


def test_a_subject_that_is_not_dead_is_said_to_be_not_dead(tltw, nameless):
    answered = tltw("dead-letters", "show", "company:11111111-2222-4333-8444-555555555555")

    assert answered.code == 3
    assert "is not a dead letter (any more)." in answered.result.stderr


def test_who_is_looked_up_in_vain_is_named_in_words_of_an_operator(tltw, desk):
    answered = tltw("preview", "company", "11111111-2222-4333-8444-555555555555")

    assert answered.code == 3
    assert answered.result.stderr.strip() == "Teamleader has no company with this id (any more)"
