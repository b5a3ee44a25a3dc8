"""The pages say what the code does: settings, reasons, commands and links are compared with the code itself."""

import ast
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from dotenv import dotenv_values
from fakeredis import FakeRedis

from config import document
from config.settings import TABLE, SettingsWrong, load
from ingress.cli.main import main as tltw
from ingress.health import readiness
from ingress.webhooks.refusals import Reason
from mapping.remarks import SENTENCES
from workers.alerts.kinds import MEANINGS, Kind
from workers.clients.errors import ApiFailure

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "CHANGELOG.md", ROOT / "README.md"])
RUNBOOK = DOCS / "runbook.md"
SOURCES = [path for package in ("ingress", "mapping", "workers") for path in sorted((ROOT / package).rglob("*.py"))]
SCRIPTS = sorted((ROOT / "workers").rglob("*.lua"))

# Who takes a reason, and as which positional argument.
TAKES_A_REASON = {
    "CannotConnect": 0,
    "End": 1,
    "Ignore": 0,
    "JobFailed": 0,
    "JobStopped": 0,
    "Problem": 1,
    "Skip": 0,
    "Stop": 0,
    "Step": 3,
    "Story": 0,
    "Verdict": 1,
    "Wait": 0,
    "Written": 0,
    "ignored": 0,
    "set_state": 0,
}
# The state of an integration that is well.
NO_REASON = {"active", ""}


def test_the_page_of_settings_is_what_the_table_says_today() -> None:
    written = (DOCS / "configuration.md").read_text(encoding="utf-8")

    assert written == document.page(), f"docs/configuration.md is out of date; refresh it with: {document.COMMAND}"


def test_the_example_env_is_what_the_table_says_today() -> None:
    written = (ROOT / "config" / "example.env").read_text(encoding="utf-8")

    assert written == document.example_env(), f"config/example.env is out of date; refresh it with: {document.COMMAND}"


def test_the_example_env_leaves_exactly_the_required_variables_to_fill_in() -> None:
    values = dotenv_values(stream=io.StringIO(document.example_env()))

    with pytest.raises(SettingsWrong) as wrong:
        load({name: value or "" for name, value in values.items()})

    assert values.keys() == wrong.value.problems.keys() == {v.name for v in TABLE if v.default is None}


def test_every_default_of_the_example_env_may_be_uncommented() -> None:
    uncommented = re.sub(r"^# (?=TLTW_\w+=)", "", document.example_env(), flags=re.MULTILINE)
    values = dotenv_values(stream=io.StringIO(uncommented))

    with pytest.raises(SettingsWrong) as wrong:
        load({name: value or "" for name, value in values.items()})

    assert values.keys() == {variable.name for variable in TABLE}
    assert wrong.value.problems.keys() == {variable.name for variable in TABLE if variable.default is None}


def test_every_group_of_settings_begins_with_a_variable_that_exists() -> None:
    assert document.GROUPS.keys() <= {variable.name for variable in TABLE}


def test_the_runbook_has_one_heading_for_each_reason_and_no_other() -> None:
    headings = re.findall(r"^### `(\w+)`$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    reasons = {*_reasons_in_python(), *_reasons_in_lua(), *_reasons_by_import()} - NO_REASON

    assert sorted(reasons - set(headings)) == [], "docs/runbook.md lacks these"
    assert sorted(set(headings) - reasons) == [], "no code gives these reasons of docs/runbook.md (any more)"
    assert sorted(headings) == sorted(set(headings))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_pages_exists(page: Path) -> None:
    unknown = [command for command in _commands(page) if not _is_a_command(shlex.split(command))]

    assert unknown == []


def test_every_command_in_an_alert_exists() -> None:
    said = " ".join(f"{meaning.sentence} {meaning.next}" for meaning in MEANINGS.values())
    commands = re.findall(r"tltw ([a-z-]+(?: [a-z]+\b)?(?: --[a-z]+)?)", said)

    assert len(commands) > 5
    assert [command for command in commands if not _is_a_command(command.split())] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_in_the_pages_exists(page: Path) -> None:
    named = {name.removesuffix("_FILE") for name in re.findall(r"TLTW_[A-Z][A-Z_]+[A-Z]", page.read_text())}

    assert sorted(named - {variable.name for variable in TABLE}) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if "://" not in link]

    assert [link for link in links if not _leads_somewhere(page, link)] == []


def _reasons_by_import() -> Iterator[str]:
    yield from (failure.reason for failure in ApiFailure.__subclasses__())
    yield from (reason.value for reason in Reason)
    yield from SENTENCES
    yield from (kind.value for kind in Kind)
    yield from readiness(FakeRedis())


def _reasons_in_lua() -> Iterator[str]:
    for path in SCRIPTS:
        yield from re.findall(r"\b(?:refused|bury)\('(\w+)'\s*[,)]", path.read_text())
        yield from re.findall(r"\bfinish\('\w+', '(\w+)'", path.read_text())


def _reasons_in_python() -> Iterator[str]:
    trees = [ast.parse(path.read_text()) for path in SOURCES]
    constants = {name: value for tree in trees for name, value in _constants(tree)}
    for tree in trees:
        known = constants | dict(_constants(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield from (_text(given, known) for given in _given_as_reason(node))


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                yield name, text


def _given_as_reason(call: ast.Call) -> Iterator[ast.expr]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    position = TAKES_A_REASON.get(name)
    if position is not None and len(call.args) > position:
        yield call.args[position]
    yield from (keyword.value for keyword in call.keywords if keyword.arg in ("reason", "state"))


def _text(given: ast.expr, constants: dict[str, str]) -> str:
    """The reason when it is written down or a constant; one that is handed on was found where it came from."""
    if isinstance(given, ast.Name):
        return constants.get(given.id, "")
    return given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""


def _commands(page: Path) -> Iterator[str]:
    for span in re.findall(r"`([^`\n]+)`|^([^`\n]*\btltw .*)$", page.read_text(), re.MULTILINE):
        code = span[0] or span[1]
        if found := re.search(r"(?:^|[\s/])tltw ([a-z].*)", code):
            yield re.split(r"\s{2,}|\s[#>|&…]|[;()]", found[1])[0].strip()


def _is_a_command(words: list[str]) -> bool:
    command: click.Command = tltw
    while isinstance(command, click.Group) and words:
        found = command.get_command(click.Context(command), words[0])
        if found is None:
            return False
        command, words = found, words[1:]
    options = {option for parameter in command.params for option in parameter.opts}
    return all(word in options for word in words if word.startswith("--") and word != "--help")


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
