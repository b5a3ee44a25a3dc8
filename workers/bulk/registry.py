"""All kinds of bulk job there are."""

from collections.abc import Mapping

from workers.bulk.csv_export import Export
from workers.bulk.csv_import import Import
from workers.bulk.kinds import Kind

KINDS: tuple[Kind, ...] = (Export(), Import())


def by_name(kinds: tuple[Kind, ...] = KINDS) -> Mapping[str, Kind]:
    return {kind.name: kind for kind in kinds}
