"""`tltw jobs show` tells what a job came to in words, the same as those of the console."""

import pytest

from ingress.cli.job_result import WORDS
from ingress.console.language import Words, catalogue
from workers.bulk.drift import FOUND
from workers.bulk.jobs import Jobs, Step

FILE = {"file": "file_1", "name": "customers.zip", "size": 12345, "sha256": "abc"}
SAID = "jobs.result_of."
# A sweep and an import of missed invoices have sentences of their own; the size stands beside the file.
TOLD_OTHERWISE = {
    "marked",
    "invoices",
    "invoice_paid",
    "invoice_zero",
    "invoice_draft",
    "invoice_without_customer",
    "same_customer",
    "size",
}


@pytest.fixture
def ended(desk):
    """A job of a kind that ended with a result."""

    def ended(kind, result):
        jobs = Jobs(desk.services.store)
        jobs.start("acme", kind, {}, by="cli:els")
        turn = jobs.take("acme", kind)
        jobs.commit(turn, Step(cursor=None, done=3, result=result, finished=True), keep=False)

    return ended


@pytest.mark.parametrize(
    ("kind", "result", "lines"),
    [
        (
            "export",
            {"rows": 2139, "contacts": 0, "left_out": 1, "calls": 22} | FILE,
            [
                "2,139  rows",
                "1  left out: Twikey could not know them",
                "22  calls to Teamleader",
                "customers.zip, 12,345 bytes: fetch it with: tltw files get file_1",
                "its SHA-256 checksum: abc",
            ],
        ),
        (
            "import",
            {"to_create": 2, "refused": 1} | FILE,
            [
                "2  would be created",
                "1  refused, the file says why",
                "customers.zip, 12,345 bytes: fetch it with: tltw files get file_1",
                "its SHA-256 checksum: abc",
            ],
        ),
        (
            "drift",
            dict.fromkeys(FOUND, 0) | {"equal": 3, "calls": 4, "file": "file_1", "name": "x", "json_file": "file_2"},
            [
                "3  equal",
                "4  calls to Teamleader",
                "every line of the report, as CSV: tltw files get file_1",
                "and as JSON: tltw files get file_2",
            ],
        ),
        (
            "replay",
            {"replayed": 3, "not_dead": 0, "customers": {"synced": 2, "dead": 1}},
            ["3  replayed", "2  brought over", "1  dead letters (again)"],
        ),
    ],
)
def test_a_job_is_shown_in_words(ended, tltw, kind, result, lines):
    ended(kind, result)

    told = tltw("jobs", "show", kind)

    shown = [line.strip() for line in told.out.splitlines()]
    assert (told.code, shown[-len(lines) :]) == (0, lines)


def test_the_words_are_those_of_the_console():
    console = {key.removeprefix(SAID) for key in catalogue() if key.startswith(SAID)}

    assert console == WORDS.keys() | TOLD_OTHERWISE
    assert {name: str(Words("en")(SAID + name)) for name in WORDS} == WORDS
