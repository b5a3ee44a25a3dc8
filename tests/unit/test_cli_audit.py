"""`tltw audit`: what one types, and what comes out."""

import csv
import io

import fakeredis
import pytest
from click.testing import CliRunner

from ingress.cli.main import main
from tests.unit.console.conftest import SETTINGS
from workers import audit, services


@pytest.fixture
def store(monkeypatch):
    server = fakeredis.FakeServer()
    monkeypatch.setattr(services, "connect", lambda _url: fakeredis.FakeRedis(server=server))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return fakeredis.FakeRedis(server=server)


def test_no_spreadsheet_runs_what_stands_in_the_exported_log(store):
    evil = '=HYPERLINK("http://evil.example")'
    audit.note(store, by="operator:an", what="discard", integration="default", subject="company:1", after=evil)
    audit.note(store, by="operator:an", what="option", integration="default", before="a;@SUM(1)", after="plain")

    result = CliRunner().invoke(main, ["--env", "/dev/null", "audit", "export"])

    assert result.exit_code == 0, result.output
    rows = {row["what"]: row for row in csv.DictReader(io.StringIO(result.output, newline=""))}
    assert rows["discard"]["after"] == f"'{evil}"
    assert (rows["option"]["before"], rows["option"]["after"]) == ("a;'@SUM(1)", "plain")
    assert rows["discard"]["at"].startswith("20")
