"""Finding and adding on the command line: what is shown, what is written, and what is said when an API does not help."""

import tomllib
from importlib import resources

from ingress.cli.find_and_add import HERE
from workers import audit, operations
from workers.ledger import Cause
from workers.ledger.records import Story

PERSON = {"first_name": "An", "last_name": "Zonnewijzer"}


def test_what_is_found_is_told_also_when_teamleader_is_away_for_one_kind(desk, tltw):
    company = desk.create("company", name="Zonnewijzer bv")
    desk.create("contact", **PERSON)
    desk.teamleader.faults.set("status", status=503, prefix="/contacts.list")

    answer = tltw("find", "zonnewijzer", "--json")

    assert answer.code == 5
    assert [hit["subject"] for hit in answer.json["hits"]] == [f"company:{company}"]
    assert "Teamleader gave no usable answer" in answer.result.stderr


def test_what_is_found_says_how_the_ledger_left_it(desk, tltw):
    company = desk.create("company", name="Zonnewijzer bv")
    operations.refresh(desk.services, "acme", f"company:{company}", by="cli:an")
    desk.work(f"company:{company}")

    assert "brought over" in tltw("find", f"company:{company}").out


def test_what_is_found_is_told_as_the_console_tells_it(desk, tltw):
    company = desk.create("company", name="Zonnewijzer bv")
    operations.refresh(desk.services, "acme", f"company:{company}", by="cli:an")
    desk.work(f"company:{company}")
    desk.ledger.set_auto_update(False)
    desk.ledger.mark(f"company:{company}", frozenset({Cause.WEBHOOK}))

    assert "changed while auto-update is off" in " ".join(tltw("find", f"company:{company}").out.split())


def test_every_state_that_the_console_has_a_word_for_has_one_on_the_command_line():
    words = tomllib.loads(resources.files("ingress.console").joinpath("words", "customers.toml").read_text("utf-8"))

    assert HERE.keys() == words["state"].keys()


def test_without_yes_nothing_is_written_or_noted(desk, tltw):
    person = desk.create("contact", **PERSON)

    answer = tltw("add", "contact", person)

    assert answer.code == 0
    assert "Zonnewijzer" in answer.out
    assert "Teamleader has no primary e-mail" in answer.out
    assert desk.in_twikey(person) is None
    assert [entry for entry in audit.entries(desk.services.store) if entry.what == "add"] == []


def test_with_yes_it_is_added_and_noted_with_who_it_was(desk, tltw):
    person = desk.create("contact", **PERSON)

    answer = tltw("add", "contact", person, "--set", "firstname=Anna", "--set", "country=", "--yes", "--json")

    assert (answer.code, answer.json["outcome"]) == (0, "added")
    assert desk.in_twikey(person)["firstname"] == "Anna"
    entry = next(entry for entry in audit.entries(desk.services.store) if entry.what == "add")
    assert entry.by.startswith("cli:")
    assert "add" in tltw("story", "contact", person).out


def test_every_mistake_is_named_and_nothing_is_written(desk, tltw):
    person = desk.create("contact", **PERSON)

    answer = tltw("add", "contact", person, "--set", "email=x", "--set", "mobile=y", "--yes", "--json")

    assert (answer.code, answer.json["outcome"]) == (1, "wrong")
    assert {problem["field"] for problem in answer.json["problems"]} == {"email", "mobile"}
    assert desk.in_twikey(person) is None


def test_an_unknown_field_is_refused_with_the_ones_there_are(desk, tltw):
    person = desk.create("contact", **PERSON)

    answer = tltw("add", "contact", person, "--set", "companyName=x", "--yes")

    assert answer.code == 2
    assert "There is no field companyName. There are: firstname, lastname" in answer.result.stderr
    assert desk.in_twikey(person) is None


def test_one_that_twikey_knows_is_left_alone_and_the_command_that_updates_is_named(desk, tltw):
    person = desk.create("contact", **PERSON)
    desk.twikey.office.default.add(person, {"lastname": "Other"})

    answer = tltw("add", "contact", person, "--yes")

    assert answer.code == 1
    assert f"tltw sync contact {person}" in answer.result.stderr
    assert desk.in_twikey(person)["lastname"] == "Other"


def test_one_that_teamleader_no_longer_has_is_not_found(desk, tltw):
    assert tltw("add", "contact", "2a39e420-3ba3-4384-8024-fa702ef99c9f", "--yes").code == 3


def bury(desk, subject):
    desk.ledger.mark(subject, frozenset({Cause.WEBHOOK}))
    desk.ledger.fail(desk.ledger.claim(subject), "dead", reason="refused", story=Story("refused", sentence="no"))


def test_dead_letters_are_listed_with_names_when_that_is_asked_for(desk, tltw):
    company = f"company:{desk.create('company', name='Zonnewijzer [b]bv')}"
    bury(desk, company)

    listed, plain = tltw("dead-letters", "list", "--names"), tltw("dead-letters", "list")
    as_json = tltw("dead-letters", "list", "--names", "--json").json

    assert "Zonnewijzer [b]bv" in listed.out
    assert "Zonnewijzer" not in plain.out
    assert [(one["subject"], one["name"], one["story"]["reason"]) for one in as_json] == [
        (company, "Zonnewijzer [b]bv", "refused")
    ]


def test_the_list_is_there_without_the_names_too(desk, tltw):
    bury(desk, "company:1")
    desk.teamleader.faults.set("status", status=503)

    answer = tltw("dead-letters", "list", "--names")

    assert answer.code == 0
    assert "company:1" in answer.out
    assert "Teamleader does not tell all the names just now." in answer.result.stderr
