"""The tables of the command line: what one copies from them stands whole on one line."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.text import Text

from ingress.cli.shared import table_of
from workers import integrations, operations, operations_files
from workers.bulk.append import make_private

# As long as people really have them: at 80 columns none of these tables has room for all of it.
NAME = "Bakkerij Koen Vandenbroucke en Zonen bv"
EMAIL = "boekhouding@bakkerij-vandenbroucke.example"
MERCHANT = "taxi-brussel-en-de-rand"


def share(desk, file_id: str) -> None:
    files = operations_files.files_of(desk.services, "acme")
    source = files.workspace("job_of_test") / "made.zip"
    make_private(source.parent)
    source.write_bytes(b"content")
    name = "customers-acme-2026-11-26-0324.zip"
    files.add(source, file_id=file_id, name=name, kind="export", rows=3, by="operator:els", now=datetime.now(UTC))


def is_whole(wanted: str, out: str) -> bool:
    return any(wanted in line for line in out.splitlines())


def test_find_shows_each_id_whole_in_a_pipe(desk, tltw):
    company = desk.create("company", name=NAME, emails=[{"type": "primary", "email": EMAIL}])

    out = tltw("find", "Vandenbroucke").out

    assert is_whole(f"company {company}", out), out
    assert is_whole(NAME, out)


def test_dead_letters_show_each_subject_whole_in_a_pipe(desk, tltw):
    subject = f"company:{desk.create('company', name='')}"
    operations.refresh(desk.services, "acme", subject, by="cli:an")
    desk.work(subject)

    out = tltw("dead-letters", "list").out

    assert is_whole(subject, out), out
    assert is_whole("fill it in there", out)


def test_shared_files_show_each_id_whole_in_a_pipe(desk, tltw):
    share(desk, "file_mxZub313IrggQ0aXvT7Lk2")

    assert is_whole("file_mxZub313IrggQ0aXvT7Lk2", tltw("files", "list").out)


def test_integrations_show_each_name_and_state_whole_in_a_pipe(desk, tltw):
    options = {"twikey_url": "https://acme.twikey.com/api/creditor", "twikey_key": "token", "label": "Taxi " * 9}
    integrations.add(desk.services, MERCHANT, options, by="cli:an")

    out = tltw("integration", "list").out

    assert is_whole(MERCHANT, out), out
    assert is_whole("waiting since", out)


@pytest.mark.parametrize("command", [("add",), ("preview",)])
def test_whom_a_preview_is_about_stands_whole_above_it(desk, tltw, command):
    company = desk.create("company", name="Ko")

    out = tltw(*command, "company", company).out

    assert is_whole(f"company:{company}  →  Twikey customer {company}", out), out


def test_in_a_narrow_window_only_what_nobody_copies_is_folded():
    subject = "company:e82f3d6b-5a1b-0d5e-9d71-5d2a8d5a0d5e"
    table = table_of("died", "subject", "reason", "what happened", whole=("subject",))
    table.add_row(*map(Text, ("2026-11-26 03:24:42", subject, "customer_incomplete", "The company has no name. " * 4)))
    window = Console(file=io.StringIO(), width=80, color_system=None)

    window.print(table)

    told = window.file.getvalue()
    assert is_whole(subject, told), told
    assert max(map(len, told.splitlines())) <= 80
