"""`tltw export -o`: a file that could not be written in the end is refused in the beginning."""

from workers import operations_bulk, operations_files


def test_a_file_that_is_there_is_not_replaced_and_nothing_is_started(desk, tltw, tmp_path):
    there = tmp_path / "customers.zip"
    there.write_text("of last week")

    answered = tltw("export", "-o", str(there))

    assert answered.code == 1
    assert "is there already, and nothing was started" in answered.result.stderr
    assert there.read_text() == "of last week"
    assert operations_bulk.job(desk.services, "acme", "export") is None


def test_a_folder_that_is_not_there_is_said_before_anything_is_started(desk, tltw, tmp_path):
    answered = tltw("export", "-o", str(tmp_path / "no" / "customers.zip"))

    assert answered.code == 1
    assert "There is no folder" in answered.result.stderr
    assert operations_bulk.job(desk.services, "acme", "export") is None


def test_how_a_job_was_started_is_told_in_words(desk, tltw):
    operations_files.start_export(desk.services, "acme", full=True, byte_order_mark=False, about=7, by="operator:an")

    for words in (("integration", "history"), ("audit", "list")):
        told = tltw(*words).out
        assert "→ full, about=7" in told
        assert "{" not in told


def test_the_history_names_the_customer(desk, tltw):
    subject = f"company:{desk.create('company', name='')}"
    tltw("sync", "company", subject.partition(":")[2], "--no-wait")

    assert f"refresh {subject}" in tltw("integration", "history").out
