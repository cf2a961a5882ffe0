"""From an old embedding model to a new one without embedding everything again.

:func:`migrate` fits a map on objects that both models have embedded, measures on held-out ones how much of the new
model's search it keeps, and maps the rest; ``python -m helpers migrate OLD NEW`` does so with files.
"""

from helpers.migration.judging import SearchKept, search_kept
from helpers.migration.maps import MAPS, LowRankMap, Map, ProcrustesMap, ResidualMap, load_map
from helpers.migration.migrating import Migration, migrate, migrate_files

__all__ = [
    "MAPS",
    "LowRankMap",
    "Map",
    "Migration",
    "ProcrustesMap",
    "ResidualMap",
    "SearchKept",
    "load_map",
    "migrate",
    "migrate_files",
    "search_kept",
]
