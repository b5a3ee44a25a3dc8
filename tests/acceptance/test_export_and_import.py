"""All customers as files and back, as an operator would do it: on the command line, with the real processes."""

import csv
import io
import zipfile
from pathlib import Path

from mapping.csv_rows import COLUMNS
from sandbox.deployment import Deployment, wait_for
from sandbox.world import CHARACTERS, character
from workers.ledger import Cause


def export(tltw, path: Path, *words: str) -> dict[str, bytes]:
    result = tltw("export", "--json", "-o", str(path), *words)
    assert result.code == 0, result
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def profile(deployment: Deployment, customer_id: str) -> dict[str, str]:
    found = deployment.in_twikey(customer_id)
    assert found is not None
    return {name: found[name] for name in COLUMNS if found.get(name)}


def outcomes_of(tltw, file_id: str, path: Path) -> dict[str, str]:
    """What became of each customer number, as the result file has it line by line."""
    result = tltw("files", "get", file_id, "-o", str(path))
    assert result.code == 0, result
    with path.open(newline="", encoding="utf-8") as file:
        return {row["customerNumber"]: row["outcome"] for row in csv.DictReader(file)}


def test_a_round_trip_is_what_a_sync_would_have_done_for_every_awkward_customer(deployment: Deployment, tltw, tmp_path):
    contents = export(tltw, tmp_path / "all.zip", "--full", "--yes")
    for one in CHARACTERS:
        deployment.client.delete(f"{deployment.twikey.url}/_sandbox/customers/{one.id}")

    done = tltw("import", str(tmp_path / "all.zip"), "--yes", "--json")

    assert done.code == 0, done
    # Of these alone: other tests leave customers in the same Teamleader, some of whom nobody can import.
    outcomes = outcomes_of(tltw, done.json["job"]["result"]["file"], tmp_path / "result.csv")
    assert {outcomes.get(one.id, "not in it") for one in CHARACTERS} <= {"created", "updated", "unchanged"}
    imported = {one.id: profile(deployment, one.id) for one in CHARACTERS}
    ledger = deployment.services.ledger("default")
    for one in CHARACTERS:
        ledger.mark(f"{one.kind}:{one.id}", frozenset({Cause.OPERATOR}))
    wait_for("every customer to be synced", deployment.settled, seconds=60)
    for one in CHARACTERS:
        assert imported[one.id] == profile(deployment, one.id), one.slug
    assert b"rows" in contents["summary.txt"]


def test_shared_files_are_listed_fetched_and_removed(deployment: Deployment, tltw, tmp_path):
    file_id = tltw("export", "--json").json["job"]["result"]["file"]

    listed = tltw("files", "list", "--json").json
    fetched = tltw("files", "get", file_id, "-o", str(tmp_path / "one.zip"))
    again = tltw("files", "get", file_id, "-o", str(tmp_path / "one.zip"))
    removed = tltw("files", "remove", file_id)
    missing = tltw("files", "get", file_id)

    assert listed[0]["id"] == file_id
    assert fetched.code == 0, fetched
    assert zipfile.is_zipfile(tmp_path / "one.zip")
    assert (tmp_path / "one.zip").stat().st_mode & 0o077 == 0
    assert (again.code, removed.code, missing.code) == (1, 0, 3)
    entries = tltw("audit", "list", "--json").json
    assert {"export started", "file downloaded", "file removed"} <= {entry["what"] for entry in entries}


def test_a_dry_run_says_what_would_happen_and_nothing_does(deployment: Deployment, tltw, tmp_path):
    known = character("ordinary-person").id
    deployment.client.delete(f"{deployment.twikey.url}/_sandbox/customers/{known}")
    deployment.twikey.post("/customers", {"customerNumber": known, "profile": {"lastname": "Peeters", "l": "nl"}})
    path = tmp_path / "mine.csv"
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";")
    writer.writerows(
        [
            ("customerNumber", "lastname", "l", "Balance"),
            (known, "Peeters", "nl", "12"),
            ("K.77", "Nieuw", "", "0"),
            ("K.78", "Fout", "turkish", "0"),
        ]
    )
    path.write_text(out.getvalue(), newline="")

    result = tltw("import", str(path), "--dry-run", "--json")
    shown = tltw("import", str(path), "--dry-run")

    assert result.code == 0, result
    told = result.json
    assert told["checked"]["files"][0]["extra"] == ["Balance"]
    assert told["checked"]["refused"][0]["line"] == 4
    counts = {name: told["job"]["result"].get(name) for name in ("to_create", "unchanged", "refused")}
    assert counts == {"to_create": 1, "unchanged": 1, "refused": 1}
    assert deployment.in_twikey("K.77") is None
    assert "line 4: l: Twikey speaks" in shown.out
    assert "would be created" in shown.out


def test_a_file_that_is_none_of_ours_is_refused_in_words(deployment: Deployment, tltw, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("name,street\nTarwe,Markt 1\n")

    result = tltw("import", str(path), "--yes")

    assert result.code == 1
    assert "customerNumber" in result.err
    assert "Traceback" not in result.err
