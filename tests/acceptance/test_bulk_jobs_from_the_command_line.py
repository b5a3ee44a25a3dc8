"""Sweep, comparison, missed invoices and the jobs behind them, as an operator types them."""

import csv
import io
import os
import signal
import subprocess
import sys
from functools import partial

import pytest

from sandbox.deployment import ROOT, Deployment, wait_for
from workers import operations_bulk


def test_a_sweep_says_what_it_found_and_jobs_show_it(deployment: Deployment, tltw):
    swept, listed, shown = tltw("sweep"), tltw("jobs", "list", "--json"), tltw("jobs", "show", "sweep")

    assert swept.code == 0, swept
    assert "calls to Teamleader" in swept.out
    assert [job["state"] for job in listed.json if job["kind"] == "sweep"] == ["done"]
    assert "sweep: done" in shown.out


def test_nothing_is_swept_while_auto_update_is_off(deployment: Deployment, tltw):
    deployment.services.ledger("default").set_auto_update(False)

    result = tltw("sweep")

    assert result.code == 1
    assert "tltw integration enable" in result.err


def test_a_comparison_says_first_what_it_takes_and_wants_to_be_told(deployment: Deployment, tltw):
    unasked = tltw("drift")

    assert unasked.code == 2
    assert "calls to Teamleader" in unasked.out
    assert "--yes" in unasked.err


def test_a_comparison_reports_as_table_json_and_csv(deployment: Deployment, tltw):
    company = deployment.create("company", name="Vergeleken BV", updated_at="2026-01-01T00:00:00+00:00")
    deployment.twikey.post(
        "/customers", {"customerNumber": company, "profile": {"companyName": "Anders BV", "l": "nl"}}
    )

    table = tltw("drift", "--yes")
    as_json, as_csv = tltw("drift", "--last", "--json"), tltw("drift", "--last", "--csv", "-")

    assert table.code == 0, table
    line = next(line for line in as_json.json["report"] if line["subject"] == f"company:{company}")
    assert (line["found"], line["fields"]) == ("different", ["companyName"])
    rows = {row["customer"]: row for row in csv.DictReader(io.StringIO(as_csv.out))}
    assert rows[f"company:{company}"] == {
        "customer": f"company:{company}",
        "found": "different",
        "details": "companyName",
    }
    file_id = as_json.json["job"]["result"]["file"]
    assert f"tltw files get {file_id}" in table.out
    shared = tltw("files", "get", file_id, "-o", "-")
    assert f"company:{company},different,companyName" in shared.out
    assert "Anders" not in table.out + as_json.out + as_csv.out + shared.out


def test_missed_invoices_end_in_a_summary(deployment: Deployment, tltw):
    contact = deployment.create("contact", first_name="Nora", last_name="Nieuw")
    deployment.services.ledger("default").set_auto_update(False)
    deployment.teamleader.post("/invoices", {"customer": {"type": "contact", "id": contact}})

    result = tltw("invoices", "import", "--days", "3")

    assert result.code == 0, result
    assert deployment.in_twikey(contact)
    assert "brought over" in result.out


def is_running(deployment: Deployment) -> bool:
    """That a call waits at the gate would not say it: a sweep lists invoices too."""
    job = operations_bulk.job(deployment.services, "default", "invoices")
    return job is not None and job.state == "running"


def test_a_job_is_paused_resumed_and_cancelled(deployment: Deployment, tltw):
    deployment.teamleader.post("/gates", {"name": "list", "prefix": "/invoices.list"})
    tltw("invoices", "import", "--no-wait")
    wait_for("the middle of it", lambda: is_running(deployment))

    pausing = tltw("jobs", "pause", "invoices")
    again = tltw("invoices", "import", "--no-wait", "--json")
    deployment.teamleader.delete("/gates/list")
    state = lambda: operations_bulk.job(deployment.services, "default", "invoices").state  # noqa: E731
    wait_for("the pause", lambda: state() == "paused")
    paused = tltw("jobs", "show", "invoices")
    resumed = tltw("jobs", "resume", "invoices")
    wait_for("the end", lambda: state() == "done", seconds=120)
    late = tltw("jobs", "cancel", "invoices")

    assert again.json["by"].startswith("cli:")
    # Where the command took longer than the call at the gate lives, no step is under way any more.
    assert "will pause" in pausing.out or "invoices is paused" in pausing.out
    assert "invoices: paused" in paused.out
    assert resumed.code == 0
    assert (late.code, "nothing to cancel" in late.out) == (1, True)


@pytest.mark.processes
def test_ctrl_c_only_stops_looking(deployment: Deployment):
    deployment.teamleader.post("/gates", {"name": "list", "prefix": "/invoices.list"})
    operations_bulk.start_invoices(deployment.services, "default", by="test")
    wait_for("the middle of it", lambda: is_running(deployment))
    command = subprocess.Popen(
        [sys.executable, "-m", "ingress.cli", "invoices", "import"],
        env={**os.environ, **deployment.environment},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Whoever runs the tests in the background makes their children deaf to Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    assert command.stdout
    said = command.stdout.readline()

    command.send_signal(signal.SIGINT)
    out, _ = command.communicate(timeout=60)
    running = operations_bulk.job(deployment.services, "default", "invoices")
    deployment.teamleader.delete("/gates/list")

    assert command.returncode == 0, out
    assert "tltw jobs show invoices --follow" in out
    assert running is not None
    assert "under way already" in said
    # Waiting, when this machine is so slow that the call at the gate was given up meanwhile.
    assert (running.state in ("running", "waiting"), running.asked) == (True, "")
    wait_for(
        "it to go on", lambda: operations_bulk.job(deployment.services, "default", "invoices").is_over, seconds=120
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("jobs", "show", "horoscope"), 3),
        (("jobs", "pause", "horoscope"), 3),
        (("invoices", "import", "--days", "0"), 2),
    ],
)
def test_what_makes_no_sense_is_a_sentence(deployment: Deployment, tltw, words, code):
    result = tltw(*words)

    assert result.code == code
    assert "Traceback" not in result.err
