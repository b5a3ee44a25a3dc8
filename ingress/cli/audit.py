"""Commands about the audit log: what people, and the service on its own, changed."""

import csv
import itertools
import sys

import click

from ingress.cli.shared import answer, command, json_option, noted, when
from mapping.csv_rows import defuse
from workers import operations
from workers.services import Services

COLUMNS = ("at", "by", "what", "integration", "subject", "before", "after")


@click.group()
def audit() -> None:
    """See who changed what. The log is append-only."""


@audit.command("list")
@click.option("--integration", "only", default="", help="Only what concerns this one.")
@click.option("--newest", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@json_option
@command
def list_(services: Services, only: str, newest: int, as_json: bool) -> None:
    """List the newest changes, newest first."""
    entries = list(itertools.islice(operations.audit_log(services, only), newest))
    lines = [
        f"{when(one.at)}  {one.by}  {one.integration}  {one.what} {one.subject}"
        + (f"  {noted(one.before) or '–'} → {noted(one.after) or '–'}" if one.before or one.after else "")
        for one in entries
    ]
    answer(entries, as_json=as_json, text="\n".join(lines) or "Nothing was changed yet.")


@audit.command()
@click.option("--integration", "only", default="", help="Only what concerns this one.")
@command
def export(services: Services, only: str) -> None:
    """Write the whole log as CSV to standard output, newest first.

    What a spreadsheet would run as a formula has an apostrophe in front, as in all our files.
    """
    writer = csv.writer(sys.stdout)
    writer.writerow(COLUMNS)
    for one in operations.audit_log(services, only):
        cells = (one.at.isoformat(), one.by, one.what, one.integration, one.subject, one.before, one.after)
        writer.writerow(map(defuse, cells))
