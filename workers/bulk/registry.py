"""All kinds of bulk job there are."""

from collections.abc import Mapping

from workers.bulk.kinds import Kind
from workers.bulk.sweep import Sweep

KINDS: tuple[Kind, ...] = (Sweep(),)


def by_name() -> Mapping[str, Kind]:
    return {kind.name: kind for kind in KINDS}
