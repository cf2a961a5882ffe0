"""All label-free qualities by name."""

from __future__ import annotations

from helpers.quality import clusters, geometry, others, spectrum, views
from helpers.quality.entry import Quality

__all__ = ["QUALITIES"]

QUALITIES: dict[str, Quality] = {
    name: entry for module in (spectrum, geometry, clusters, views, others) for name, entry in module.QUALITIES.items()
}
"""Label-free qualities by name; called, larger counts as better. Each module says what it has at its end."""
