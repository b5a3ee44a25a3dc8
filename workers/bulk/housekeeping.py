"""Clears away shared files that are too old, and what was left behind. The clock does it every hour.

That this store does not know a folder is no reason to delete it: it may be another deployment's, or the store a wrong or an
empty one. Of a removed integration the store keeps a tombstone; only that lets its files go.
"""

from contextlib import suppress
from datetime import UTC, datetime

from config.parse import INTEGRATION_ID
from workers import audit
from workers.bulk import csv_export, csv_import, drift
from workers.bulk.jobs import Jobs
from workers.files import SharedFiles
from workers.integrations import was_removed
from workers.services import Services

ENDED = frozenset({"done", "cancelled"})


def expire_files(services: Services, _: str = "") -> None:
    """Deletes what is too old, what was left behind, and what belongs to integrations that were removed."""
    known = {integration.id for integration in services.integrations()}
    for integration in known:
        working = _at_work(services, integration)
        for file in _files(services, integration).expire(datetime.now(UTC), is_alive=working.__contains__):
            audit.note(services.store, by="service", what="file expired", integration=integration, subject=file.id)
    _clear_removed(services)


def _at_work(services: Services, integration: str) -> set[str]:
    """The workspaces of jobs that are under way, or failed and may be resumed."""
    jobs = [Jobs(services.store).look(integration, kind) for kind in (csv_export.NAME, csv_import.NAME, drift.NAME)]
    alive = [job for job in jobs if job is not None and job.state not in ENDED]
    named = {str(job.parameters.get(name)) for job in alive for name in ("desk", "rows_of")}
    return {job.run for job in alive} | named


def _clear_removed(services: Services) -> None:
    """Done every hour, not by the removal: that may run on another machine, or die before it comes to the files."""
    folder = services.settings.files_dir
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and INTEGRATION_ID.fullmatch(path.name) and was_removed(services.store, path.name):
            with suppress(FileNotFoundError):  # the clock of another machine was faster
                _files(services, path.name).clear()


def _files(services: Services, integration: str) -> SharedFiles:
    settings = services.settings
    return SharedFiles.of(services.store, settings.files_dir, integration, settings.files_kept)
