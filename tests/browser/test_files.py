"""An export is planned, started, followed and downloaded, and its file imported again, in a real browser."""

import csv
import io
import zipfile

import pytest
from playwright.sync_api import Page, expect

from sandbox.deployment import wait_for
from tests.browser.harness import PHONE, held, said, sticks_out, troubles
from workers import audit

FILES = "/integrations/default/files"


@pytest.fixture
def company(console):
    """A company that Twikey has just as Teamleader has it."""
    deployment = console.deployment
    made = deployment.create("company", name="=Bakkerij, Tarwe", emails=[{"type": "primary", "email": "t@example.com"}])
    deployment.edit("company", made, remarks="x")
    wait_for("the customer", lambda: deployment.in_twikey(made))
    wait_for("the end", deployment.settled)
    return made


def downloaded(page: Page, name: str) -> bytes:
    """What a browser saves that presses the button of the newest file of such a name."""
    row = page.get_by_role("row", name=name).first
    with page.expect_download() as waiting:
        row.get_by_role("button", name="Download").click()
    return waiting.value.path().read_bytes()


def choose(page: Page, name: str, content: bytes) -> None:
    page.goto(FILES)
    page.set_input_files("#f-file", {"name": name, "mimeType": "text/csv", "buffer": content})
    page.get_by_role("button", name="Check the rows").click()


def table(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_an_export_is_downloaded_and_imported_again_and_changes_nothing(visit, console, company):
    page = visit("the-operator", FILES)
    page.get_by_role("button", name="See what it takes").first.click()
    expect(page.get_by_role("heading", name="Export")).to_be_visible()
    assert troubles(page) == []
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#job .status")).to_contain_text("done")
    page.get_by_role("link", name="customers-default").click()
    expect(page.get_by_role("heading", name="Shared files")).to_be_visible()
    content = downloaded(page, "customers-default")

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        rows = table(archive.read("customers-0001.csv"))
        assert {"summary.txt", "problems.csv"} <= set(archive.namelist())
    ours = next(row for row in rows if row["customerNumber"] == company)
    assert ours["companyName"] == "'=Bakkerij, Tarwe"
    assert page.locator(f"[id='{page.url.partition('#')[2]}']").get_by_text(f"{len(rows):,}", exact=True).count() == 1

    choose(page, "customers.zip", content)
    expect(page.get_by_role("heading", name="rows to import")).to_be_visible()
    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("#job .status")).to_contain_text("done", timeout=120_000)
    page.get_by_role("link", name="import-default").click()
    told = {row["customerNumber"]: row["outcome"] for row in table(downloaded(page, "import-default"))}
    assert told[company] == "unchanged"

    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ours.keys())
    writer.writeheader()
    writer.writerow(ours)
    writes = len(console.deployment.writes(company))
    choose(page, "one.csv", out.getvalue().encode())
    page.get_by_role("button", name="Import 1 row").click()

    expect(page.locator("#job .status")).to_contain_text("done")
    assert len(console.deployment.writes(company)) == writes
    assert "as they should be already" in page.inner_text("#job")
    noted = [one.what for one in audit.entries(console.deployment.services.store, integration="default")]
    assert noted.count("file downloaded") >= 2


def test_wrong_rows_are_shown_line_by_line_and_the_dry_run_leads_on_to_the_import(visit, console):
    page = visit("the-operator", size=PHONE)
    choose(page, "mine.csv", b"customerNumber;lastname;l;Balance\r\nK.901;Nieuw;nl;3\r\nK.902;Fout;turkish;0\r\n")

    refused = page.locator("#refused")
    expect(refused).to_contain_text("K.902")
    assert "l: Twikey speaks" in refused.inner_text()
    assert "Balance" in page.inner_text("main")
    assert (troubles(page), sticks_out(page)) == ([], [])

    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("link", name="Go on to importing these rows").click(timeout=60_000)
    expect(page.get_by_role("row", name="would be created")).to_contain_text("1")
    assert console.deployment.in_twikey("K.901") is None
    page.get_by_role("button", name="Import 1 row").click()

    expect(page.locator("#job .status")).to_contain_text("done")
    assert console.deployment.in_twikey("K.901")["lastname"] == "Nieuw"
    assert console.deployment.in_twikey("K.902") is None


def test_two_operators_who_import_the_same_rows_get_one_import(visit, console):
    first = visit("the-operator")
    choose(first, "both.csv", b"customerNumber,lastname,l\r\nK.903,Samen,nl\r\n")
    second = visit("the-admin", first.url.removeprefix(console.url))

    with held(console.deployment):
        for page in (first, second):
            page.get_by_role("button", name="Import 1 row").click()
        told = said(first, second)

    wait_for("the customer", lambda: console.deployment.in_twikey("K.903"))
    expect(first.locator("#job .status")).to_contain_text("done")
    assert sum("It has begun." in one for one in told) == 1, told
    assert sum("under way already" in one for one in told) == 1, told
    assert len(console.deployment.writes("K.903")) == 1


def test_a_file_that_is_too_large_says_so(visit):
    page = visit("the-operator")

    choose(page, "large.csv", b"x" * 17_000_000)

    expect(page.get_by_role("heading", name="That file is too large")).to_be_visible()
    assert "16\u00a0MB" in page.inner_text("main")


def test_a_viewer_sees_the_files_and_can_fetch_none(visit):
    page = visit("the-viewer", FILES)

    expect(page.get_by_text("Only operators can fetch them.")).to_be_visible()
    assert page.locator("main form").count() == 0
