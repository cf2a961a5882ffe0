"""Measures of minimum spanning trees: in which order, and at which scales, do the objects join into groups?"""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_pair, check_count
from helpers.metrics import spearman
from helpers.similarity.topology import DistanceBlocks, GraphOptions, SpanningForest

__all__ = ["max_rtd_lite", "nts", "srtd_lite"]

VALUES = ("merge", "distance")


def nts(x: Any, y: Any, *, values: str = "merge", distance: str = "euclidean", max_memory: int = 1 << 29) -> float:
    r"""Normalised topological similarity: rank correlation of the scales at which objects join.

    The pairs compared are the edges of the two minimum spanning trees, each counted once. Of every pair either side
    tells the scale at which the two objects get into one component, which is the longest edge between them in its tree
    (NTS-M), or their distance (NTS-E); the value is Spearman's correlation.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects.
    values
        ``"merge"`` for NTS-M, ``"distance"`` for NTS-E.
    distance
        ``"euclidean"``, ``"sqeuclidean"``, ``"cosine"`` or ``"correlation"``.
    max_memory
        Bytes for blocks of distances. If all of them fit, each is computed once, else twice.

    Returns
    -------
    float
        A similarity in [-1, 1], 1 if the objects join in the same order. It does not depend on scale, nor grow with n.
        For independent data it is **not** 0: an edge of one tree is short on that side and any pair on the other, which
        makes it negative. Read it beside chance.

    Raises
    ------
    TypeError, ValueError
        If the input is no pair of finite real matrices of at least three objects, an option is unknown, or all values
        of one side are equal.

    Notes
    -----
    Invariant to orthogonal maps, translation (of Euclidean distances) and isotropic scaling of either side. The trees
    are those of :func:`~helpers.similarity.topology.rtd_lite`. Cost: O(n² (p + q)) time.

    References
    ----------
    Wang, Hu (2026), "Symmetric divergence and normalized similarity: a unified topological framework for representation
    analysis", TMLR; algorithms 1 and 2.

    Examples
    --------
    >>> from helpers.similarity.spanning import nts
    >>> x = [[0.0], [1.0], [3.0], [7.0]]  # each joins those before it, at 1, 2 and 4
    >>> round(nts(x, [[0.0], [2.0], [5.0], [9.0]]), 2), round(nts(x, [[0.0], [4.0], [6.0], [7.0]]), 2)
    (1.0, -1.0)
    """
    x, y, _ = as_pair(x, y, rows=3)
    return between_trees(*(Tree(of, name, values, distance, max_memory) for of, name in ((x, "x"), (y, "y"))))


def srtd_lite(
    x: Any,
    y: Any,
    *,
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    max_memory: int = 1 << 29,
) -> float:
    r"""SRTD-lite: by how much the tree of the larger of two distances is longer than that of the smaller.

    :math:`T(\max(r_x, r_y)) - T(\min(r_x, r_y))`, where T is the total length of the minimum spanning tree.

    Parameters
    ----------
    x, y, normalize, quantile, distance, max_memory
        Same meaning as in :func:`~helpers.similarity.topology.rtd_lite`.

    Returns
    -------
    float
        A **distance** in [0, ∞), symmetric, 0 for representations with proportional distances; no metric. It grows
        with n. It is the sum of :func:`max_rtd_lite` and :func:`~helpers.similarity.topology.rtd_lite`, and half of it
        lies between the two.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`~helpers.similarity.topology.rtd_lite`.

    Notes
    -----
    Components in the union of two graphs and in their intersection are together no fewer than in the two, so that
    T(max) + T(min) ≥ T(r_x) + T(r_y): the order Max-RTD-lite ≥ SRTD-lite / 2 ≥ RTD-lite. (Corollary 3.5 of the paper
    has the order without the half, which contradicts its corollary 3.4.) O(n² (p + q)) time.

    References
    ----------
    Wang, Hu (2026), "Symmetric divergence and normalized similarity: a unified topological framework for representation
    analysis", TMLR; definition 3.2 and corollary 3.4.

    Examples
    --------
    >>> from helpers.similarity.spanning import srtd_lite
    >>> srtd_lite([[0.0], [1.0], [9.0]], [[0.0], [8.0], [9.0]], normalize="mean")  # (2 + 2) - (0.25 + 0.25)
    3.5
    """
    shorter, _, longer = _lengths(x, y, normalize, quantile, distance, max_memory)
    return max(0.0, longer - shorter)


def max_rtd_lite(
    x: Any,
    y: Any,
    *,
    normalize: str = "quantile",
    quantile: float = 0.9,
    distance: str = "euclidean",
    max_memory: int = 1 << 29,
) -> float:
    r"""Max-RTD-lite: by how much the tree of the larger of two distances is longer than those of the two.

    :math:`T(\max(r_x, r_y)) - \frac12 (T(r_x) + T(r_y))`, where T is the total length of the minimum spanning tree.

    Parameters
    ----------
    x, y, normalize, quantile, distance, max_memory
        Same meaning as in :func:`~helpers.similarity.topology.rtd_lite`.

    Returns
    -------
    float
        A **distance** in [0, ∞), symmetric, 0 for representations with proportional distances; no metric. It grows
        with n, and is not smaller than :func:`~helpers.similarity.topology.rtd_lite`; see :func:`srtd_lite`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`~helpers.similarity.topology.rtd_lite`.

    References
    ----------
    Wang, Hu (2026), "Symmetric divergence and normalized similarity: a unified topological framework for representation
    analysis", TMLR.

    Examples
    --------
    >>> from helpers.similarity.spanning import max_rtd_lite
    >>> max_rtd_lite([[0.0], [1.0], [9.0]], [[0.0], [8.0], [9.0]], normalize="mean")  # (2 + 2) - (0.25 + 2)
    1.75
    """
    _, own, longer = _lengths(x, y, normalize, quantile, distance, max_memory)
    return max(0.0, longer - own)


def _lengths(x: Any, y: Any, normalize: str, quantile: float, distance: str, max_memory: int) -> tuple[float, ...]:
    """Total lengths of the trees of the smaller distance, of the two (their mean), and of the larger."""
    options = GraphOptions("both", normalize, quantile, distance)
    x, y, _ = as_pair(x, y)
    check_count(max_memory, "max_memory", least=1 << 20, why="bytes")
    x, y = (DistanceBlocks(of, name, options, max_memory) for of, name in ((x, "x"), (y, "y")))
    least, most, first, second = SpanningForest(x, y), SpanningForest(x, x), SpanningForest(x, x), SpanningForest(y, y)
    most.scales = 1.0, 1.0
    for (start, a), (_, b) in zip(x, y, strict=True):
        least.add(start, a, b)
        first.add(start, a, a)
        second.add(start, b, b)
        larger = np.maximum(a * a.dtype.type(1 / x.unit), b * b.dtype.type(1 / y.unit))
        most.add(start, larger, larger)
    of_least = float(np.minimum(x.lengths(least.ends), y.lengths(least.ends)).sum())
    of_most = float(np.maximum(x.lengths(most.ends), y.lengths(most.ends)).sum())
    return of_least, float(x.lengths(first.ends).sum() + y.lengths(second.ends).sum()) / 2, of_most


class Tree:
    """The minimum spanning tree of one representation, and what the measures of joining ask of it."""

    def __init__(self, x: Any, name: str, values: str, distance: str, max_memory: int) -> None:
        if values not in VALUES:
            raise ValueError(f"values is {values!r}; it must be one of {', '.join(map(repr, VALUES))}")
        from helpers.similarity._cone import join_components

        check_count(max_memory, "max_memory", least=1 << 20, why="bytes")
        blocks = DistanceBlocks(x, name, GraphOptions("xy", "mean", 0.9, distance), max_memory)
        forest = SpanningForest(blocks, blocks)
        for start, block in blocks:
            forest.add(start, block, block)
        blocks.kept = None
        self.blocks, self.values, self.name = blocks, values, name
        lengths = blocks.lengths(forest.ends)
        order = np.argsort(lengths, kind="stable")
        self.ends, self.n = forest.ends[order].astype(np.int64), blocks.n
        self.links = join_components(self.ends, lengths[order], blocks.n)

    def scales(self, pairs: np.ndarray) -> np.ndarray:
        """What this side tells of pairs (m, 2) of objects."""
        if self.values == "distance":
            # In one order, so that a pair is the same number from either side.
            return self.blocks.lengths(np.sort(pairs, axis=1))
        from helpers.similarity._cone import joined_at

        return joined_at(*self.links, pairs)


def between_trees(a: Tree, b: Tree, order: np.ndarray | None = None) -> float:
    """Rank correlation over the edges of both trees; the objects of ``b`` may be taken in another order."""
    order = np.arange(b.n) if order is None else order
    places = np.empty_like(order)
    places[order] = np.arange(b.n)
    edges = np.sort(np.concatenate([a.ends, places[b.ends]]), axis=1)
    keys = np.unique(edges[:, 0] * a.n + edges[:, 1])
    pairs = np.stack(np.divmod(keys, a.n), axis=1)
    found = a.scales(pairs), b.scales(order[pairs])
    for of, values in zip((a, b), found, strict=True):
        if values.min() == values.max():
            raise ValueError(f"{of.name}: all scales are equal; the order in which objects join is undefined")
    return float(np.clip(spearman(*found), -1.0, 1.0))


def _tree(
    x: Any, name: str = "x", values: str = "merge", distance: str = "euclidean", max_memory: int = 1 << 29
) -> Tree:
    return Tree(x, name, values, distance, max_memory)


_PARTS = {"nts": (_tree, between_trees)}
