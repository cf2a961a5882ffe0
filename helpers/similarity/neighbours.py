"""Measures of the nearest neighbours: do the two spaces put the same objects next to each other?

One rule orders neighbours everywhere, in a function of two representations and in a matrix of many, for any block size,
precision, number of threads and device: the nearer object first, and of objects at equal distance the one with the
lower index. Distances are those of the given numbers in double precision by one fixed order of operations
(:mod:`helpers.similarity._engine.exact`), rounded to about twelve digits, so that distances that differ by rounding
alone are equal. Matrix products in single or double precision only find the candidates, with bounds of their errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from helpers.arrays import as_matrix, as_pair, check_count
from helpers.similarity._engine.resources import available_threads
from helpers.similarity._engine.state import Serial
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals, totals_of

__all__ = ["jaccard", "mutual_knn", "nearest", "rank_similarity", "second_order_cosine"]

Array = Any
NEIGHBOUR_METRICS = ("cosine", "correlation", "euclidean")


def jaccard(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""Mean Jaccard similarity of the sets of k nearest neighbours.

    .. math:: \frac1n \sum_i \frac{|N_i \cap N'_i|}{|N_i \cup N'_i|}

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    k
        How many neighbours, at most n - 1. An object is not its own neighbour.
    metric
        ``"cosine"``, ``"euclidean"`` or ``"correlation"``.

    Returns
    -------
    float
        A similarity in [0, 1]. For independent data about k / (2n) (k much smaller than n).

    Raises
    ------
    ValueError
        If k is not between 1 and n - 1, or ``metric`` is none of the three.

    Notes
    -----
    Neighbours are exact: candidates come from float32 or float64 matrix products, their order from distances computed
    again in float64 and compared to about twelve digits. Of objects at equal distance the one with the lower index is
    the nearer, so that duplicates are neighbours of each other and the value is the same to the last bit in a matrix
    of many representations, for any block size, precision, number of threads and device. A row without a direction
    (zero for cosine, constant for correlation) is at distance 1 from every other.
    Invariant to orthogonal maps and isotropic scaling of either side; the Euclidean metric also to translation.
    Cost: O(n² (p + q)) time and blocks of some million distances. Where more objects than a few are tied for the last
    place among the neighbours, as on a lattice, all distances are looked at twice.
    Wang et al. (2020), Towards understanding the instability of network embedding, IEEE TKDE 34.

    Examples
    --------
    >>> from helpers.similarity.neighbours import jaccard
    >>> round(jaccard([[0.0], [1.0], [3.0]], [[0.0], [1.0], [1.5]], k=1, metric="euclidean"), 4)
    0.6667
    """
    return STREAMED["jaccard"](*_checked(x, y, k, metric), k=k, metric=metric)


def mutual_knn(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""Mean share of common k nearest neighbours, :math:`\frac1n \sum_i |N_i \cap N'_i| / k`.

    Parameters
    ----------
    x, y, k, metric
        Same meaning as in :func:`jaccard`.

    Returns
    -------
    float
        A similarity in [0, 1]. For independent data its expectation is k / (n - 1).

    Raises
    ------
    ValueError
        In the same cases as :func:`jaccard`.

    Notes
    -----
    Neighbours, ties, invariances and cost as in :func:`jaccard`.
    Huh, Cheung, Wang and Isola (2024), The platonic representation hypothesis, ICML.

    Examples
    --------
    >>> from helpers.similarity.neighbours import mutual_knn
    >>> round(mutual_knn([[0.0], [1.0], [3.0]], [[0.0], [1.0], [1.5]], k=1, metric="euclidean"), 4)
    0.6667
    """
    return STREAMED["mutual_knn"](*_checked(x, y, k, metric), k=k, metric=metric)


def rank_similarity(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""Agreement of the ranks of the common k nearest neighbours.

    With :math:`r, r'` the ranks (from 1) of the object v among the neighbours of i in the two spaces, each object
    contributes

    .. math:: \frac{1}{H_m} \sum_{v \in N_i \cap N'_i} \frac{2}{(1 + |r - r'|)(r + r')},
              \qquad m = |N_i \cap N'_i|,\quad H_m = \sum_{j=1}^m \frac1j,

    or 0 without common neighbours; the value is the mean.

    Parameters
    ----------
    x, y, k, metric
        Same meaning as in :func:`jaccard`.

    Returns
    -------
    float
        A similarity in [0, 1]; 1 if all lists of neighbours are equal. It looks at common neighbours only: one in
        common, the first on both sides, already gives 1. Read it beside :func:`jaccard`.

    Raises
    ------
    ValueError
        In the same cases as :func:`jaccard`.

    Notes
    -----
    Neighbours, ties, invariances and cost as in :func:`jaccard`.
    Wang et al. (2020), Towards understanding the instability of network embedding, IEEE TKDE 34.

    Examples
    --------
    >>> from helpers.similarity.neighbours import rank_similarity
    >>> round(rank_similarity([[0.0], [1.0], [3.0]], [[0.0], [1.0], [1.5]], k=1, metric="euclidean"), 4)
    0.6667
    """
    return STREAMED["rank_similarity"](*_checked(x, y, k, metric), k=k, metric=metric)


def second_order_cosine(x: Any, y: Any, *, k: int = 10, metric: str = "cosine", of: str = "distance") -> float:
    r"""Second-order cosine: do the objects stand in the same relation to their neighbours?

    For each object i, the vectors of its distances to the union :math:`N_i \cup N'_i` of its k nearest neighbours in
    the two spaces are compared by their cosine; the value is the mean.

    Parameters
    ----------
    x, y, k, metric
        Same meaning as in :func:`jaccard`; ``metric`` finds the neighbours and measures the distances to them.
    of
        ``"distance"`` compares vectors of distances, ``"similarity"`` vectors of similarities 1 - distance, as in the
        paper (for ``"cosine"`` and ``"correlation"`` only).

    Returns
    -------
    float
        A similarity, in [0, 1] for distances and in [-1, 1] for similarities. Distances are not negative, so that it
        is far above 0 also for independent data.

    Raises
    ------
    ValueError
        In the same cases as :func:`jaccard`; if ``of`` is neither of the two, or ``"similarity"`` with the Euclidean
        metric.

    Notes
    -----
    The cosine of two zero vectors (duplicates only, on both sides) counts as 1, of one as 0.
    Neighbours, ties, invariances and cost as in :func:`jaccard`.
    Hamilton, Leskovec and Jurafsky (2016), Cultural shift or linguistic drift?, EMNLP.

    Examples
    --------
    >>> from helpers.similarity.neighbours import second_order_cosine
    >>> x = [[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [2.0, 3.0]]
    >>> round(second_order_cosine(x, x, k=2), 12)
    1.0
    """
    x, y = _checked(x, y, k, metric)
    return STREAMED["second_order_cosine"](x, y, k=k, metric=metric, of=of)


def nearest(x: Any, k: int, metric: str = "cosine") -> np.ndarray:
    """Indices of the k nearest other objects of every object.

    Parameters
    ----------
    x
        Representation of shape (n, p).
    k, metric
        Same meaning as in :func:`jaccard`.

    Returns
    -------
    ndarray of shape (n, k)
        Row i holds the neighbours of object i, the nearest first, equal distances by index.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`jaccard`.

    Examples
    --------
    >>> from helpers.similarity.neighbours import nearest
    >>> nearest([[0.0], [1.0], [3.0], [4.0]], 2, "euclidean").tolist()
    [[1, 2], [0, 2], [3, 1], [2, 1]]
    """
    _check_metric(metric)
    x = as_matrix(x)
    return totals_of({"x": x}, _requires(Objects(x.shape[0], "x"), k, metric)).neighbours[0]


def _check_metric(metric: str) -> None:
    if metric not in NEIGHBOUR_METRICS:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, NEIGHBOUR_METRICS))}")


def _checked(x: Any, y: Any, k: int, metric: str) -> tuple[Array, Array]:
    _check_metric(metric)
    x, y, _ = as_pair(x, y)
    _check_k(k, Objects(x.shape[0], "x"))
    return x, y


def _check_k(k: int, objects: Objects) -> int:
    why = f"({objects.name} has {objects.n} rows, and none is its own neighbour)"
    return check_count(k, "k", most=objects.n - 1, why=why)


def _requires(objects: Objects, k: int, metric: str) -> Requirements:
    """The k nearest neighbours."""
    _check_metric(metric)
    return Requirements(neighbours=_check_k(k, objects), metric=metric)


def _requires_distances(objects: Objects, k: int, metric: str, of: str) -> Requirements:
    """The k nearest neighbours, whose distances are asked for at the end."""
    if of not in ("distance", "similarity"):
        raise ValueError(f"of is {of!r}; it must be 'distance' or 'similarity'")
    if of == "similarity" and metric == "euclidean":
        raise ValueError("of='similarity' needs metric 'cosine' or 'correlation'")
    return _requires(objects, k, metric)


def _of_pairs(count: int, of: Callable[[int, int], float]) -> np.ndarray:
    """The symmetric matrix of a value of two representations, several pairs at a time."""
    out = np.empty((count, count))
    pairs = list(itertools.combinations_with_replacement(range(count), 2))
    with ThreadPoolExecutor(available_threads()) as executor:
        pool = executor if count > 2 else Serial()
        for (i, j), value in zip(pairs, pool.map(lambda pair: of(*pair), pairs), strict=True):
            out[i, j] = out[j, i] = value
    return out


def _overlap(which: int) -> Callable[..., np.ndarray]:
    """Finisher of the mean share of common neighbours, of all (0) or of k (1)."""

    def finish(totals: Totals, **_: Any) -> np.ndarray:
        from helpers.similarity._engine.compiled import overlaps  # compiles

        near = np.sort(totals.neighbours, axis=2)
        return _of_pairs(len(near), lambda i, j: overlaps(near[i], near[j])[which] / totals.n)

    return finish


def _rank_agreement(totals: Totals, **_: Any) -> np.ndarray:
    from helpers.similarity._engine.compiled import rank_agreement

    near = totals.neighbours
    return _of_pairs(len(near), lambda i, j: rank_agreement(near[i], near[j]))


def _second_order(totals: Totals, of: str, **_: Any) -> np.ndarray:
    n = totals.n
    keys = [np.sort((near + n * np.arange(n)[:, None]).ravel()) for near in totals.neighbours]

    def value(first: int, second: int) -> float:
        i, j = np.divmod(np.union1d(keys[first], keys[second]), n)
        u, v = (totals.distances(number, i, j) for number in (first, second))
        if of == "similarity":
            u, v = 1 - u, 1 - v
        else:
            u, v = (w / (w.max() or 1.0) for w in (u, v))
        uv, uu, vv = (np.bincount(i, weights=w, minlength=n) for w in (u * v, u * u, v * v))
        length = np.sqrt(uu * vv)
        cosine = np.where(length > 0, uv / np.where(length > 0, length, 1.0), (uu == vv).astype(float))
        return float(np.clip(cosine, -1.0, 1.0).mean())

    return _of_pairs(len(keys), value)


STREAMED = {
    "jaccard": Streamed(_requires, _overlap(0)),
    "mutual_knn": Streamed(_requires, _overlap(1)),
    "rank_similarity": Streamed(_requires, _rank_agreement),
    "second_order_cosine": Streamed(_requires_distances, _second_order),
}
