"""Asymmetric measures: does one representation hold what the other one holds?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, as_pair, centred, check_count, svd, to_numpy
from helpers.similarity._distances import Points, distance_block, points, rescaled, row_blocks
from helpers.similarity.neighbours import nearest

__all__ = ["information_imbalance", "probe_transfer"]

Array = Any
#: Ridge penalties of the probe, in units of the mean variance of a feature of x.
PENALTIES = 10.0 ** np.arange(-10, 5)


def information_imbalance(x: Any, y: Any, *, k: int = 1, metric: str = "euclidean") -> float:
    r"""Information imbalance from x to y: how far away, in y, the nearest neighbours in x are.

    .. math:: \Delta(x \to y) = \frac{2 \bar r - k - 1}{n - k - 1}

    where :math:`\bar r` is the mean rank, among the n - 1 other objects by their distance in y (from 1), of the k
    nearest neighbours in x.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    k
        How many neighbours, between 1 and n - 2.
    metric
        ``"euclidean"``, ``"cosine"`` or ``"correlation"``.

    Returns
    -------
    float
        A **distance** in [0, 2], **not symmetric**: 0 if neighbours in x are neighbours in y, so that x holds what y
        knows of nearness; 1 on average for independent data. Where ``information_imbalance(x, y)`` is small and
        ``information_imbalance(y, x)`` is not, y can go.

    Raises
    ------
    ValueError
        If k is not between 1 and n - 2, or ``metric`` is none of the three.

    Notes
    -----
    Glielmo et al. define :math:`2 \bar r / n` with k = 1, which is (k + 1) / n at least and 1 on average for
    independent data; here the least value is 0. Neighbours in x are exact, of equally near ones the one with the lower
    index; objects in y whose distances differ by no more than the rounding of double precision are taken for equally
    near. Invariant to orthogonal maps and isotropic scaling of either side; the Euclidean metric also to translation.
    Cost: O(n² (p + q)) time, blocks of some million distances. A matrix of many computes the distances of each
    representation once.

    References
    ----------
    Glielmo, Zeni, Cheng, Csányi, Laio (2022), "Ranking the information content of distance measures", PNAS Nexus 1.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.containment import information_imbalance
    >>> both = np.random.default_rng(0).normal(size=(200, 2))
    >>> one = both[:, :1]  # what it knows, both know; the other way round much is missing
    >>> round(information_imbalance(both, one), 2), round(information_imbalance(one, both), 2)
    (0.09, 0.57)
    """
    x, y, _ = as_pair(x, y, rows=3)
    return float(imbalances([_neighbours(x, "x", k, metric)], _Ranked(y, metric))[0])


def probe_transfer(x: Any, y: Any) -> float:
    r"""Share of the variance of y that ridge regressions on x explain, each object predicted by a fit to the others.

    .. math:: 1 - \sum_i \|y_i - \hat y_{-i}\|^2 \Big/ \sum_i \|y_i - \bar y_{-i}\|^2

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q): x predicts, y is predicted.

    Returns
    -------
    float
        A **similarity** of at most 1, **not symmetric**: 1 if y is a linear map of x, so that y can go; about 0 for
        independent data (it may be negative), whatever the widths. In-sample,
        :func:`~helpers.similarity.subspace.linear_regression` grows with p / n.

    Raises
    ------
    ValueError
        If the shapes do not fit, n < 3, an entry is NaN or infinite, or every feature of a representation is constant.

    Notes
    -----
    The penalty is the one of 15 between 10⁻¹⁰ and 10⁴ mean variances of a feature with the best generalised
    cross-validation, one for all features of y. Invariant to orthogonal maps, translation and isotropic scaling of
    either side. Cost: O(np·min(n, p)) once for x, O(npq) for a pair.

    References
    ----------
    Golub, Heath, Wahba (1979), "Generalized cross-validation as a method for choosing a good ridge parameter",
    Technometrics 21.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.containment import probe_transfer
    >>> both = np.random.default_rng(0).normal(size=(200, 2))
    >>> round(probe_transfer(both, both[:, :1]), 2), round(probe_transfer(both[:, :1], both), 2)
    (1.0, 0.48)
    """
    x, y, _ = as_pair(x, y, rows=3)
    return _between_probe(_probe(x, "x"), _probe(y, "y"))


def _neighbours(x: Array, name: str, k: int, metric: str) -> np.ndarray:
    n = x.shape[0]
    check_count(k, "k", most=n - 2, why=f"({name} has {n} rows, and one more neighbour must be left to compare with)")
    return nearest(x, k, metric)


class _Ranked:
    """The distances in one representation by rank, a block of rows at a time."""

    def __init__(self, y: Array, metric: str) -> None:
        y = rescaled(np.asarray(to_numpy(y), dtype=np.float64))[0]
        self.of: Points = points(y, metric)
        self.n, self.p = y.shape

    def blocks(self) -> Any:
        """First row and ranks (rows, n) from 1, of equally near objects the lowest index first; 0 for itself."""
        for start, stop in row_blocks(self.n):
            block = distance_block(self.of, (start, stop)) ** (2 if self.of.metric == "euclidean" else 1)
            # What rounding leaves is far below these steps, and equal distances fall on one of them.
            step = 2.0 ** np.floor(np.log2(max(float(block.max()), 1e-300) * 64 * (self.p + 8) * 2.0**-53))
            block = np.round(block / step)
            block[np.arange(stop - start), np.arange(start, stop)] = -1
            order = np.argsort(block, axis=1, kind="stable")
            ranks = np.empty(order.shape, np.int32)
            np.put_along_axis(ranks, order, np.arange(self.n, dtype=np.int32)[None, :], axis=1)
            yield start, ranks


def imbalances(neighbours: list[np.ndarray], ranked: _Ranked, orders: list[np.ndarray] | None = None) -> np.ndarray:
    """Imbalances of several representations towards one, (L,), or of that one in several orders, (orders, L)."""
    n, k = neighbours[0].shape
    given = [np.arange(n)] if orders is None else orders
    places = [np.argsort(order) for order in given]
    total = np.zeros((len(given), len(neighbours)))
    for start, ranks in ranked.blocks():
        rows = np.arange(len(ranks))[:, None]
        for m, (order, place) in enumerate(zip(given, places, strict=True)):
            objects = place[start : start + len(ranks)]
            for number, near in enumerate(neighbours):
                total[m, number] += ranks[rows, order[near[objects]]].sum()
    found = (2 * total / (n * k) - k - 1) / (n - k - 1)
    return found[0] if orders is None else found


class _Probe(NamedTuple):
    """A centred representation (n, p), its left singular vectors and squared singular values."""

    array: np.ndarray
    basis: np.ndarray
    squares: np.ndarray
    width: int


def _probe(x: Array, name: str = "x") -> _Probe:
    x = np.asarray(to_numpy(as_matrix(x, name, rows=3)), dtype=np.float64)
    x = centred(rescaled(x)[0], name)
    u, s, _ = svd(x)
    kept = s > s[0] * max(x.shape) * np.finfo(float).eps
    return _Probe(x, u[:, kept], s[kept] ** 2, x.shape[1])


def _between_probe(x: _Probe, y: _Probe) -> float:
    n, whole = len(x.array), float(np.sum(y.array**2))
    coefficients = x.basis.T @ y.array
    explained = np.sum(coefficients**2, axis=1)
    # A fit that leaves next to no degree of freedom predicts the object that it has seen: 0/0 when that is left out.
    shrinkage = [f for f in (x.squares / (x.squares + c * x.squares.sum() / x.width) for c in PENALTIES)]
    shrinkage = [f for f in shrinkage if n - 1 - f.sum() > 1e-3 * n] or shrinkage[-1:]
    scores = [(whole - float((2 * f - f**2) @ explained)) / (n - 1 - f.sum()) ** 2 for f in shrinkage]
    f = shrinkage[int(np.argmin(scores))]
    left = 1 - 1 / n - (x.basis**2) @ f
    residuals = (y.array - x.basis @ (f[:, None] * coefficients)) / left[:, None]
    return 1 - float(np.sum(residuals**2)) / (whole / (1 - 1 / n) ** 2)


def _all_imbalances(
    named: Mapping[str, Any], *, checkpoint: Any = None, progress: bool = False, k: int = 1, metric: str = "euclidean"
) -> np.ndarray:
    """All pairs, the distances of each representation ranked once."""
    near = [_neighbours(as_matrix(x, name, rows=3), name, k, metric) for name, x in named.items()]
    return np.stack([imbalances(near, _Ranked(as_matrix(y, name), metric)) for name, y in named.items()], axis=1)


_PARTS = {"probe_transfer": (_probe, _between_probe)}
_MATRIX = {"information_imbalance": _all_imbalances}
