"""One pair of representations of many objects, by the engine of whole matrices: blocks, compiled, in bounded memory."""

from __future__ import annotations

from typing import Any

__all__ = ["WHOLE", "streamed"]

WHOLE = 1024
"""Up to how many objects a measure follows its definition on everything at once."""


def streamed(measure: str, x: Any, y: Any, **options: Any) -> float | None:
    """The measure of two checked arrays, or None if they have no more than :data:`WHOLE` rows."""
    if x.shape[0] <= WHOLE:
        return None
    from helpers.similarity.matrices import similarity_matrix

    return float(similarity_matrix({"x": x, "y": y}, measure, progress=False, **options).loc["x", "y"])
