"""Clears away shared files that are too old, and what was left behind. The clock does it every hour."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from config.parse import INTEGRATION_ID
from workers import audit
from workers.bulk import csv_export, csv_import
from workers.bulk.jobs import Jobs
from workers.files import SharedFiles
from workers.services import Services

ENDED = frozenset({"done", "cancelled"})


def expire_files(services: Services, _: str = "") -> None:
    """Deletes what is too old, what was left behind, and what belongs to integrations that were removed."""
    known = {integration.id for integration in services.integrations()}
    for integration in known:
        working = _at_work(services, integration)
        for file in _files(services, integration).expire(datetime.now(UTC), is_alive=working.__contains__):
            audit.note(services.store, by="service", what="file expired", integration=integration, subject=file.id)
    if services.settings.files_dir.exists():
        _clear_removed(services.settings.files_dir, set(services.registry.ids()))


def _at_work(services: Services, integration: str) -> set[str]:
    """The workspaces of jobs that are under way, or failed and may be resumed."""
    jobs = [Jobs(services.store).look(integration, kind) for kind in (csv_export.NAME, csv_import.NAME)]
    alive = [job for job in jobs if job is not None and job.state not in ENDED]
    named = {str(job.parameters.get(name)) for job in alive for name in ("desk", "rows_of")}
    return {job.run for job in alive} | named


def _clear_removed(folder: Path, known: set[str]) -> None:
    for path in folder.iterdir():
        if path.is_dir() and re.fullmatch(INTEGRATION_ID, path.name) and path.name not in known:
            shutil.rmtree(path, ignore_errors=True)


def _files(services: Services, integration: str) -> SharedFiles:
    settings = services.settings
    return SharedFiles.of(services.store, settings.files_dir, integration, settings.files_kept)
