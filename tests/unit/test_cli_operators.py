"""`tltw operator`: what one types, and what becomes of it."""

import io
import json

import fakeredis
import pytest
from click.testing import CliRunner, Result

from ingress.cli.main import main
from ingress.cli.operators import choose_password
from tests.unit.console.conftest import SETTINGS
from workers import audit, operators, passwords, services
from workers.operators import Role

PASSWORD = "correct horse battery"


@pytest.fixture
def store(monkeypatch):
    server = fakeredis.FakeServer()
    monkeypatch.setattr(services, "connect", lambda _url: fakeredis.FakeRedis(server=server))
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log2_n=4, r=8, p=1))
    return fakeredis.FakeRedis(server=server)


@pytest.fixture
def tltw(store, monkeypatch):
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("getpass.getuser", lambda: "root")

    def run(*words: str, stdin: str | None = None) -> Result:
        return CliRunner().invoke(main, ["--env", "/dev/null", "operator", *words], input=stdin)

    return run


def test_somebody_is_added_with_a_password_from_standard_input(tltw, store):
    result = tltw("add", "An", "--role", "admin", "--password-stdin", stdin=f"{PASSWORD}\n")

    an = operators.find(store, "an")
    assert result.exit_code == 0, result.output
    assert "an was added: admin, all integrations." in result.output
    assert "http://127.0.0.1:8001" in result.output
    assert PASSWORD not in result.output
    assert (an.role, an.created_by) == (Role.ADMIN, "cli:root")
    assert passwords.matches(PASSWORD, an.password)


def test_a_generated_password_is_printed_once_and_works(tltw, store):
    made = json.loads(tltw("add", "an", "--generate", "--json").output)

    assert passwords.matches(made["password"], operators.find(store, "an").password)
    assert made["password"] not in tltw("list", "--json").output


def test_without_a_terminal_the_password_must_come_from_somewhere(tltw, store):
    result = tltw("add", "an")

    assert result.exit_code == 2
    assert "--password-stdin or --generate" in result.output
    assert operators.everybody(store) == []


def test_on_a_terminal_the_password_is_asked_for_twice(monkeypatch):
    asked = []
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("click.prompt", lambda _text, **how: asked.append(how) or PASSWORD)

    assert choose_password(from_stdin=False, generate=False) == PASSWORD
    assert asked == [{"hide_input": True, "confirmation_prompt": "The same once more"}]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["add", "an", "--generate"], 1, "named an already"),
        (["add", "no space s", "--generate"], 1, "A name is at most 64"),
        (["add", "bo", "--generate", "--integration", "none"], 3, "no integration named none. There is: default."),
        (["limit", "an", "--integration", "none"], 3, "no integration named none. There is: default."),
        (["set-role", "nobody", "admin"], 3, "no operator named nobody"),
        (["remove", "nobody"], 3, "no operator named nobody"),
        (["set-role", "an", "king"], 2, "king"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(tltw, store, words, code, sentence):
    tltw("add", "an", "--generate")

    result = tltw(*words)

    assert result.exit_code == code, result.output
    assert sentence in result.output
    assert [one.name for one in operators.everybody(store)] == ["an"]


def test_too_short_a_password_is_refused(tltw, store):
    result = tltw("add", "an", "--password-stdin", stdin="eleven char\n")

    assert result.exit_code == 1
    assert "at least 12 characters" in result.output


def test_role_limit_password_disabling_and_removal_change_what_they_say_and_are_audited(tltw, store):
    tltw("add", "an", "--generate")

    said = [
        tltw("set-role", "an", "viewer").output,
        tltw("limit", "an", "--integration", "default").output,
        tltw("disable", "an").output,
        tltw("disable", "an", "--undo").output,
        tltw("limit", "an").output,
        tltw("set-password", "an", "--generate").output,
        tltw("remove", "an").output,
    ]

    assert said[0] == "an: viewer, all integrations.\n"
    assert said[1] == "an: viewer, only default.\n"
    assert said[4] == "an: viewer, all integrations.\n"
    assert operators.everybody(store) == []
    told = [(entry.what, entry.by) for entry in audit.entries(store) if entry.what.startswith("operator ")]
    assert told == [
        (f"operator {what}", "cli:root")
        for what in ("removed", "password", "limit", "enabled", "disabled", "limit", "role", "added")
    ]


def test_an_empty_list_says_how_to_begin(tltw, store):
    assert "tltw operator add NAME --role admin" in tltw("list").output


def test_the_list_shows_everybody_and_no_hash(tltw, store):
    tltw("add", "an", "--role", "admin", "--generate")

    text, data = tltw("list").output, json.loads(tltw("list", "--json").output)

    assert "an" in text
    assert "$scrypt" not in text + str(data)
    assert (data[0]["name"], data[0]["role"], data[0]["signed_in"]) == ("an", "admin", None)
