"""Export, import and shared files in the console: nothing without a yes, nothing twice, nothing for who may not."""

import io
import re
import zipfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingress.console import csrf
from ingress.console.pages import files as page
from tests.unit.console.conftest import text_of
from workers import audit, operations_files
from workers.bulk.jobs import Jobs, Step
from workers.files import SharedFile, SharedFiles
from workers.operators import Role

FILES = "/integrations/default/files"
ROWS = (
    "customerNumber,l,lastname,email\r\nK1,nl,Peeters,\r\nK2,xx,Fout,\r\nK3,nl,Janssens,geen adres\r\nK1,nl,Dubbel,\r\n"
)


@pytest.fixture
def house(build, tmp_path):
    house = build(TLTW_FILES_DIR=str(tmp_path / "files"))
    for role in Role:
        house.operator(f"the-{role}", role)
    house.operator("elsewhere", Role.OPERATOR, "another")
    return house


def shared(house) -> SharedFiles:
    return operations_files.files_of(house.services, "default")


def put(house, tmp_path: Path, content: bytes = b"a,b\r\n", name: str = "customers-1.zip") -> SharedFile:
    path = tmp_path / "made"
    path.write_bytes(content)
    made = {"file_id": "file_abc123", "name": name, "kind": "export", "rows": 1234}
    return shared(house).add(path, **made, by="operator:an", now=datetime.now(UTC))


def upload(browser, content: str | bytes = ROWS, name: str = "rows.csv"):
    sent = content.encode() if isinstance(content, str) else content
    return browser.post(f"{FILES}/import", {"file": (io.BytesIO(sent), name)})


def upload_large(browser, size: int):
    """As bytes: for a large body the test client would make a file that it never closes."""
    head = f'--x\r\nContent-Disposition: form-data; name="{csrf.FIELD}"\r\n\r\n{browser.token()}\r\n--x\r\n'
    head += 'Content-Disposition: form-data; name="file"; filename="large.csv"\r\n\r\n'
    body = head.encode() + b"x" * size + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    return browser.client.post(
        f"{FILES}/import", data=body, content_type=kind, base_url=browser.base, headers=browser.headers
    )


def notes(house) -> list[str]:
    return [f"{one.by} {one.what}" for one in audit.entries(house.store, integration="default")]


def job(house, kind: str = "import"):
    return Jobs(house.store).look("default", kind)


def done(house, **result: int) -> None:
    """The import under way ends."""
    jobs = Jobs(house.store)
    turn = jobs.take("default", "import")
    jobs.commit(turn, Step(cursor=None, done=1, result={"file": "file_r", **result}, finished=True), keep=False)


# -- shared files ----------------------------------------------------------------------------------------


def test_a_file_is_listed_with_size_rows_checksum_maker_and_end(house, tmp_path):
    file = put(house, tmp_path, b"x" * 12_345)

    shown = house.browser("the-viewer").get(FILES)

    assert file.sha256 in shown.text
    text = text_of(shown)
    for told in ("customers-1.zip", "1,234", "12.3 KB", "an", f"{file.expires_at:%Y-%m-%d %H:%M} UTC"):
        assert told in text
    assert "<form" not in shown.text.split("<main")[1].split("</main>")[0]


def test_an_operator_downloads_it_whole_as_an_attachment_and_that_is_noted(house, tmp_path):
    content = bytes(range(256)) * 4096
    file = put(house, tmp_path, content)

    answer = house.browser("the-operator").post(f"{FILES}/{file.id}/download", buffered=True)

    assert answer.data == content
    headers = answer.headers
    assert headers["Content-Disposition"] == "attachment; filename=customers-1.zip"
    assert headers["Content-Type"] == "application/zip"
    assert headers["Content-Length"] == str(len(content))
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert notes(house)[0] == "operator:the-operator file downloaded"


@pytest.mark.parametrize("name", ["the-viewer", "elsewhere"])
def test_who_may_not_gets_no_file_and_removes_none(house, tmp_path, name):
    file = put(house, tmp_path)
    browser = house.browser(name)

    answers = [browser.post(f"{FILES}/{file.id}/{act}").status_code for act in ("download", "remove")]

    assert answers == [403, 403]
    assert shared(house).all() == [file]
    assert not [note for note in notes(house) if "file" in note]


def test_a_file_is_removed_once_and_said_to_be_gone_after_that(house, tmp_path):
    file = put(house, tmp_path)
    browser = house.browser("the-operator")

    said = [
        text_of(browser.get(browser.post(f"{FILES}/{file.id}/{act}").location))
        for act in ("remove", "remove", "download")
    ]

    assert "customers-1.zip was deleted." in said[0]
    assert all("not there (any more)" in text for text in said[1:])
    assert shared(house).all() == []


@pytest.mark.parametrize("file_id", ["..%2f..%2fetc%2fpasswd", "x", "work"])
def test_only_what_is_listed_is_handed_out(house, file_id):
    assert house.browser("the-operator").post(f"{FILES}/{file_id}/download").status_code in (303, 404)


def test_names_in_the_list_are_escaped(house, tmp_path):
    file = put(house, tmp_path)
    evil = file.to_json().replace("operator:an", "operator:<script>alert(1)</script>")
    house.store.hset(shared(house).keys.files, file.id, evil)

    assert "<script>alert" not in house.browser("the-viewer").get(FILES).text


# -- export ----------------------------------------------------------------------------------------------


def test_an_export_is_planned_first_and_started_once(house, monkeypatch):
    plan = operations_files.csv_import.plan_of(4000, dry_run=True, calls_per_minute=100)
    monkeypatch.setattr(operations_files, "plan_export", lambda services, integration, *, full: plan)
    browser = house.browser("the-operator")

    asked = browser.post(f"{FILES}/export/plan", {"full": "yes"})
    before = job(house, "export")
    said = [
        text_of(browser.get(browser.post(f"{FILES}/export/start", {"full": "yes", "about": "4000"}).location))
        for _ in "12"
    ]

    assert "4,000" in text_of(asked)
    assert "about 40 minutes" in text_of(asked)
    assert 'name="full" value="yes"' in asked.text
    assert "for_excel" not in asked.text
    assert 'name="for_excel" value="yes"' in browser.post(f"{FILES}/export/plan", {"for_excel": "yes"}).text
    assert before is None
    assert "It has begun." in said[0]
    assert "under way already" in said[1]
    assert dict(job(house, "export").parameters) == {"full": True, "byte_order_mark": False, "about": 4000}
    assert 'data-news="' in browser.get(FILES).text


# -- import ----------------------------------------------------------------------------------------------


def test_every_row_is_checked_and_nothing_is_begun(house):
    browser = house.browser("the-operator")

    answer = upload(browser)
    text = text_of(browser.get(answer.location))

    assert answer.status_code == 303
    assert "4 rows to import" in text
    assert "3 rows are refused" in text
    for line, what in (
        ("3", "l: Twikey speaks"),
        ("4", "email: "),
        ("5", "customerNumber: It stands in the files more than once"),
    ):
        assert f"rows.csv {line} K" in text
        assert what in text
    assert "Import 1 row" in text
    assert job(house) is None
    assert not [note for note in notes(house) if "import" in note]


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("nl", ("l: Twikey spreekt", "geen bruikbaar e-mailadres", "meer of minder cellen", "meer dan eens")),
        ("fr", ("l: Twikey parle", "adresse e-mail utilisable", "plus ou moins de cellules", "plus d’une fois")),
    ],
)
def test_what_is_wrong_with_a_row_is_said_in_the_language_of_the_page(house, language, said):
    browser = house.browser("the-operator")
    browser.headers = {**browser.headers, "Accept-Language": language}

    page = browser.get(upload(browser, f"{ROWS}K5,nl\r\n").location)

    assert [words for words in said if words not in text_of(page)] == []


def test_several_files_and_a_zip_come_in_together(house):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil.csv", "customerNumber,lastname\r\nZ1,Zip\r\n")
    browser = house.browser("the-operator")
    given = [(io.BytesIO(b"customerNumber,lastname\r\nA1,Een\r\n"), name) for name in ("../one.csv", "C:\\two\\..")]

    text = text_of(
        browser.get(
            browser.post(f"{FILES}/import", {"file": [*given, (io.BytesIO(packed.getvalue()), "<b>.zip")]}).location
        )
    )

    assert "3 rows to import" in text
    assert "one.csv: 1 row" in text
    assert "<b>.zip/evil.csv: 1 row" in text
    assert "1 row is refused" in text  # A1 stands in two of them


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"name,street\r\nTarwe,Markt 1\r\n", "other.csv", "customerNumber"),
        (b"customerNumber,l\r\n1,nl\r\n2,\xe9", "latin.csv", "line 2"),
        (b"PK\x03\x04 not really", "broken.zip", "broken.zip is a zip that cannot be opened"),
        (b"", "empty.csv", "customerNumber"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_in_words_and_leaves_nothing(house, content, name, why):
    answer = upload(house.browser("the-operator"), content, name)

    assert answer.status_code == 422
    assert "Nothing was taken in" in text_of(answer)
    assert why in text_of(answer)
    assert list((shared(house).folder / "work").iterdir()) == []


def test_what_excel_saves_without_utf8_is_explained_in_the_language_of_the_reader(house):
    browser = house.browser("the-operator")
    browser.headers["Accept-Language"] = "nl-BE"

    answer = upload(browser, ROWS.replace("Peeters", "Müller").encode("cp1252"), "klanten.csv")

    assert answer.status_code == 422
    assert "klanten.csv is niet in UTF-8" in text_of(answer)
    assert re.search('<a href="[^"]+/files" aria-current="true">Export en import</a>', answer.text)
    assert "In Excel: Opslaan als" in text_of(answer)


def test_a_zip_that_unpacks_to_too_much_is_refused(house):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", b"customerNumber\r\n" + b"1" * page.UPLOAD_BYTES)

    answer = upload(house.browser("the-operator"), packed.getvalue(), "bomb.zip")

    assert answer.status_code == 422
    assert "With bomb.zip it is more than can come in at once, 16,000,000 bytes, unpacked. Split it" in text_of(answer)


def small(row: bytes, times: int) -> bytes:
    """A zip of a few kilobytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.csv", b"customerNumber,l\n" + row * times)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        pytest.param(
            [small(b"1" * 999 + b"\n", page.UPLOAD_BYTES // 3000)] * 4, "16,000,000 bytes, unpacked", id="bytes"
        ),
        pytest.param([small(b"1\n", 125_001)] * 2, "250,000 rows", id="rows"),
        pytest.param([b"customerNumber,l" + b"," * 300_000], "names 300,002 columns", id="columns"),
        pytest.param([b"customerNumber,l\n"] * 51, "at most 50 come in at once", id="files"),
    ],
)
def test_an_upload_that_would_fill_the_disk_is_refused_whole_and_leaves_nothing(house, contents, why):
    given = [(io.BytesIO(content), f"{number}.csv") for number, content in enumerate(contents)]

    answer = house.browser("the-operator").post(f"{FILES}/import", {"file": given}, buffered=True)

    assert answer.status_code == 422
    assert "Nothing was taken in" in text_of(answer)
    assert why in text_of(answer)
    assert not list((shared(house).folder / "work").glob("*"))


@pytest.mark.parametrize("name", ["\N{PARTY POPPER}" * 70 + ".csv", "a." + "é" * 300, "x" * 300 + ".zip"])
def test_a_name_that_is_too_long_for_the_disk_keeps_its_end(house, name):
    browser = house.browser("the-operator")

    answer = upload(browser, "customerNumber,lastname\r\nA1,Een\r\n", name)

    assert answer.status_code == 303
    assert f"{name[-20:]}: 1 row" in text_of(browser.get(answer.location))


def test_a_file_that_is_too_large_is_refused_with_the_limit(house):
    answer = upload_large(house.browser("the-operator"), page.UPLOAD_BYTES)

    assert answer.status_code == 413
    assert "At most 16 MB" in text_of(answer)
    assert not (shared(house).folder / "work").exists()


def test_who_may_not_import_cannot_send_large_things_at_all(house):
    assert upload_large(house.browser("the-viewer"), 100_000).status_code == 413
    assert upload(house.browser("the-viewer")).status_code == 403


def test_no_file_is_said(house):
    answer = house.browser("the-operator").post(f"{FILES}/import", {"file": (io.BytesIO(b""), "")})

    assert answer.status_code == 422
    assert "Choose a file first." in text_of(answer)


def test_a_dry_run_keeps_the_rows_and_its_counts_are_the_plan(house):
    browser = house.browser("the-operator")
    path = upload(browser).location

    begun = browser.post(f"{path}/start", {"act": "dry_run"})
    meanwhile = browser.get(path)
    parameters = dict(job(house).parameters)
    done(house, to_create=1, refused=3)
    leads = browser.get("/integrations/default/jobs/import")
    text = text_of(browser.get(path))

    assert begun.location == meanwhile.location == "/integrations/default/jobs/import"
    assert parameters["dry_run"] is True
    assert path.endswith(str(parameters["rows_of"]))
    assert parameters["desk"] != parameters["rows_of"]
    assert f'href="{path}"' in leads.text
    assert "would be created 1" in text
    assert "refused, the file says why 3" in text
    assert "Dry run: compare" not in text


def test_pressing_import_twice_is_one_import_and_loses_no_rows(house):
    browser, other = house.browser("the-operator"), house.browser("the-admin")
    path = upload(browser).location

    said = [
        text_of(one.get(one.post(f"{path}/start", {"act": "import"}).location)) for one in (browser, browser, other)
    ]

    assert "It has begun." in said[0]
    assert "under way already" in said[1]
    assert "under way already" in said[2]
    found = job(house)
    assert (found.by, found.parameters["dry_run"]) == ("operator:the-operator", False)
    assert operations_files.checked_before(house.services, "default", str(found.parameters["desk"])).good == 1
    assert notes(house).count("operator:the-operator import started") == 1


def test_while_another_import_runs_ones_rows_wait(house):
    browser = house.browser("the-operator")
    first, second = upload(browser).location, upload(browser).location
    browser.post(f"{first}/start", {"act": "import"})

    said = text_of(browser.get(browser.post(f"{second}/start", {"act": "import"}).location))
    dry = text_of(browser.get(browser.post(f"{second}/start", {"act": "dry_run"}).location))

    assert "yours was not begun" in said
    assert "yours was not begun" in dry
    assert browser.get(second).status_code == 200
    # The copy that the dry run would have worked on is gone again.
    assert len(list((shared(house).folder / "work").iterdir())) == 2


def test_rows_are_forgotten_and_then_gone(house):
    browser = house.browser("the-operator")
    path = upload(browser).location

    said = [text_of(browser.get(browser.post(f"{path}/{act}").location)) for act in ("forget", "forget", "start")]

    assert "rows were forgotten" in said[0]
    assert "no longer wait" in said[1]
    assert "no longer wait" in said[2]
    assert browser.get(path).location == FILES
    assert list((shared(house).folder / "work").iterdir()) == []
    assert job(house) is None


def test_rows_of_a_running_import_are_not_forgotten(house):
    browser = house.browser("the-operator")
    path = upload(browser).location
    browser.post(f"{path}/start", {"act": "import"})

    browser.post(f"{path}/forget")

    assert operations_files.checked_before(house.services, "default", path.rpartition("/")[2])


@pytest.mark.parametrize("act", ["import", "dry_run"])
def test_rows_of_a_failed_import_are_kept_for_its_resume(house, act):
    browser = house.browser("the-operator")
    path = upload(browser).location
    browser.post(f"{path}/start", {"act": act})
    jobs = Jobs(house.store)
    jobs.end(jobs.take("default", "import"), "failed", reason="refused", sentence="No.")

    said = text_of(browser.get(browser.post(f"{path}/forget").location))

    assert "belong to an import that failed" in said
    assert operations_files.checked_before(house.services, "default", path.rpartition("/")[2])
    jobs.cancel("default", "import")
    assert "rows were forgotten" in text_of(browser.get(browser.post(f"{path}/forget").location))


def test_the_page_leads_back_to_rows_that_wait(house):
    browser = house.browser("the-operator")
    running, waits = upload(browser).location, upload(browser, name="<b>wachters.csv").location
    before = text_of(browser.get(FILES))
    browser.post(f"{running}/start", {"act": "import"})

    shown = browser.get(FILES)
    others = [house.browser("the-viewer").get(FILES).text, house.browser("the-viewer").get(f"{FILES}/news").text]

    assert before.count("4 rows") == 2
    assert f'href="{waits}"' in shown.text
    assert f'href="{running}"' not in shown.text
    assert "<b>wachters.csv" in text_of(shown)
    assert "&lt;b&gt;wachters.csv" in shown.text
    assert not [text for text in others if "wachters" in text or waits in text]
    browser.post(f"{waits}/forget")
    assert "Rows that wait" not in browser.get(FILES).text


@pytest.mark.parametrize("desk", ["job_abcdef", "..", "import_", "import_nobody", "upload_abcdef"])
def test_only_rows_that_wait_are_shown(house, desk):
    with pytest.raises(operations_files.NoSuchRows):
        operations_files.checked_before(house.services, "default", desk)


def test_planted_scripts_in_rows_do_not_get_through(house):
    browser = house.browser("the-operator")
    evil = "<script>alert(1)</script>"

    page = browser.get(
        upload(browser, f'customerNumber,lastname,{evil}\r\n"{evil}",Peeters,\r\n', f"{evil}.csv").location
    )

    assert page.status_code == 200
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_uploads_are_on_the_disk_only_while_they_are_looked_at(house):
    with operations_files.taken_in(
        house.services, "default", [("a/b\\c.csv", io.BytesIO(b"x")), ("..", io.BytesIO(b"y"))]
    ) as paths:
        seen = [(path.name, path.read_bytes()) for path in paths]
        with closing(paths[0].open("rb")):
            modes = {parent.stat().st_mode & 0o777 for parent in (paths[0].parent, paths[0].parent.parent)}

    assert seen == [("c.csv", b"x"), ("file", b"y")]
    assert modes == {0o700}
    assert list((shared(house).folder / "work").iterdir()) == []
