"""All qualities by name."""

from __future__ import annotations

from helpers.quality import clusters, coordinates, geometry, labelled, neighbours, others, spectrum, views
from helpers.quality.entry import Quality

__all__ = ["QUALITIES"]

QUALITIES: dict[str, Quality] = {
    name: entry
    for module in (spectrum, geometry, coordinates, neighbours, clusters, views, others, labelled)
    for name, entry in module.QUALITIES.items()
}
"""Qualities by name, those that need labels last; called, larger counts as better. Each module has its own."""
