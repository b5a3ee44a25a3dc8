"""All kinds of bulk job there are."""

from collections.abc import Mapping

from workers.bulk.csv_export import Export
from workers.bulk.csv_import import Import
from workers.bulk.drift import Drift
from workers.bulk.kinds import Kind
from workers.bulk.missed_invoices import MissedInvoices
from workers.bulk.replay import Replay
from workers.bulk.sweep import Sweep

KINDS: tuple[Kind, ...] = (Sweep(), Drift(), MissedInvoices(), Replay(), Export(), Import())


def by_name() -> Mapping[str, Kind]:
    return {kind.name: kind for kind in KINDS}
