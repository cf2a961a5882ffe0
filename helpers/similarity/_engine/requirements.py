"""What a pass is asked for, and what it knows when it is finished."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Requirements", "Totals"]


@dataclass(frozen=True)
class Requirements:
    """What one pass must gather."""

    gram: bool = False
    distance: bool = False
    dissimilarity: str | None = None  # "correlation", "cosine", "euclidean" or "sqeuclidean"
    compare: str = "spearman"  # or "pearson"
    neighbours: int = 0
    metric: str = "cosine"

    def merged(self, other: Requirements) -> Requirements | None:
        """One pass for both, or None if they contradict each other."""
        if self.dissimilarity and other.dissimilarity:
            if (self.dissimilarity, self.compare) != (other.dissimilarity, other.compare):
                return None
        if self.neighbours and other.neighbours:
            if (self.neighbours, self.metric) != (other.neighbours, other.metric):
                return None
        rsa, knn = (self if self.dissimilarity else other), (self if self.neighbours else other)
        return Requirements(
            self.gram or other.gram,
            self.distance or other.distance,
            rsa.dissimilarity,
            rsa.compare,
            knn.neighbours,
            knn.metric,
        )

    @property
    def pairwise(self) -> bool:
        """Whether the pairs of objects are needed in any case."""
        return bool(self.distance or self.dissimilarity or self.neighbours)


@dataclass
class Totals:
    """What a finished pass knows; sums run over the pairs i < j."""

    n: int
    names: list[str]
    gram: np.ndarray | None = None
    gram_diagonal: np.ndarray | None = None  # (L, L): sums over i of K_ii K'_ii
    gram_trace: np.ndarray | None = None
    distance: np.ndarray | None = None
    distance_rows: np.ndarray | None = None  # (L, n)
    dissimilarity: np.ndarray | None = None
    dissimilarity_sum: np.ndarray | None = None
    rank_error: np.ndarray | None = None  # (L,): angle between the ranks used and the exact ranks
    neighbours: np.ndarray | None = None  # (L, n, k), nearest first
    distances: Callable[[int, np.ndarray, np.ndarray], np.ndarray] | None = None  # of a layer's pairs, in their metric
    info: dict[str, Any] = field(default_factory=dict)
