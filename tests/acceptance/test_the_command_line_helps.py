"""What an operator types, and what it answers."""

import os
import subprocess
import sys

from sandbox.deployment import ROOT, Deployment, wait_for

COMPANY = {"name": "Schilders Verf", "emails": [{"type": "primary", "email": "info@verf.example.com"}]}
REQUIRED = ("TLTW_SECRET_KEY", "TLTW_WEBHOOK_KEY", "TLTW_PUBLIC_URL")


def test_run_without_settings_names_every_missing_one_and_exits_2(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TLTW_")}
    (tmp_path / ".env").write_text("")
    (tmp_path / "Procfile").write_text((ROOT / "Procfile").read_text())

    done = subprocess.run(
        [sys.executable, "-m", "ingress.cli", "run"],
        env=environment | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert [name for name in REQUIRED if f"{name}:" not in done.stderr] == []
    assert "Traceback" not in done.stderr


def test_doctor_is_content_with_a_healthy_deployment(deployment: Deployment, tltw):
    wait_for("what other tests left owed", deployment.settled, seconds=120)
    for letter in deployment.services.ledger("default").dead_letters():
        tltw("dead-letters", "discard", letter.subject, "--why", "left by another test")

    result = tltw("doctor", "--integration", "default", "--json")

    assert result.code == 0, result
    assert {check["name"] for check in result.json} >= {"settings", "store", "alerts", "teamleader", "twikey", "books"}


def test_preview_shows_the_difference_and_writes_nothing(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY)
    deployment.twikey.post("/customers", {"customerNumber": company, "profile": {"companyName": "Old Name"}})

    result = tltw("preview", "company", company, "--json")

    assert result.code == 0, result
    differences = {item["field"]: (item["twikey"], item["ours"]) for item in result.json["differences"]}
    assert differences["companyName"] == ("Old Name", "Schilders Verf")
    assert deployment.writes(company) == []


def test_preview_shows_brackets_in_a_name_as_they_are(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY | {"name": "ACME [/NL] [bold]bv"})

    result = tltw("preview", "company", company)

    assert result.code == 0, result
    assert "ACME [/NL] [bold]bv" in result.out


def test_webhook_address_prints_the_registered_address(deployment: Deployment, tltw):
    printed = tltw("webhook-address").out.strip()

    assert [webhook["url"] for webhook in deployment.teamleader.get("/webhooks")["webhooks"]] == [printed]


def test_an_unknown_customer_is_a_sentence_and_not_a_traceback(deployment: Deployment, tltw):
    result = tltw("preview", "company", "2a39e420-3ba3-4384-8024-fa702ef99c9f")

    assert result.code == 3
    assert "Traceback" not in result.err


def test_a_command_without_a_running_store_says_how_to_start_it(deployment: Deployment, tmp_path):
    environment = {**os.environ, **deployment.environment, "TLTW_DATA_DIR": str(tmp_path / "elsewhere")}

    done = subprocess.run(
        [sys.executable, "-m", "ingress.cli", "integration", "show"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 4
    assert "tltw run" in done.stderr


def test_no_log_line_holds_a_name_an_email_a_token_or_a_webhook_path(deployment: Deployment, tltw):
    company = deployment.create(
        "company", name="Canary Kanarie BV", emails=[{"type": "primary", "email": "canary@kanarie.example.com"}]
    )
    failure = {"kind": "status", "status": 500, "prefix": "/creditor/customer", "customer": company, "count": 1}
    deployment.twikey.post("/faults", failure)
    deployment.edit("company", company, remarks="x")
    wait_for("the customer", lambda: deployment.in_twikey(company))
    token = tltw("webhook-address").out.strip().rsplit("/", 1)[1]
    files = [deployment.folder / "logs" / f"{name}.log" for name in ("web", "worker", "clock")]
    wait_for("the log to tell of it", lambda: company in files[1].read_text())

    logs = "".join(file.read_text() for file in files)

    secrets = [deployment.environment["TLTW_TWIKEY_API_TOKEN"], token]
    assert company in logs
    assert [word for word in ("Kanarie", "canary@", *secrets) if word in logs] == []


def test_find_lists_people_and_companies_with_what_is_known_of_them(deployment: Deployment, tltw):
    company = deployment.create("company", name="Zonnewijzer [bold] bv")
    person = deployment.create("contact", first_name="An", last_name="Zonnewijzer")

    listed, told = tltw("find", "zonnewijzer"), tltw("find", "zonnewijzer", "--json")
    nobody = tltw("find", "zzz", "nobody")

    assert (listed.code, told.code, nobody.code) == (0, 0, 1)
    assert "[bold]" in listed.out
    assert [hit["subject"] for hit in told.json["hits"]] == [f"contact:{person}", f"company:{company}"]
    assert "Try a shorter part" in nobody.err


def test_add_shows_first_and_writes_only_when_told(deployment: Deployment, tltw):
    company = deployment.create("company", **COMPANY)

    shown = tltw("add", "company", company, "--set", "email=other@verf.example.com", "--json")
    wrong = tltw("add", "company", company, "--set", "email=nonsense", "--yes")
    unknown = tltw("add", "company", company, "--set", "customerNumber=7", "--yes")
    assert (shown.code, wrong.code, unknown.code) == (0, 1, 2)
    assert (shown.json["outcome"], deployment.in_twikey(company)) == ("preview", None)
    added = tltw("add", "company", company, "--set", "email=other@verf.example.com", "--yes", "--json")
    again = tltw("add", "company", company, "--yes")

    assert (added.code, added.json["outcome"], again.code) == (0, "added", 1)
    assert deployment.in_twikey(company)["email"] == "other@verf.example.com"
    assert f"tltw sync company {company}" in again.err
    assert len(deployment.writes(company)) == 1
