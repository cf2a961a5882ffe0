"""Measures of the nearest neighbours: do the two spaces put the same objects next to each other?"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import as_pair, check_count, to_numpy
from helpers.similarity._distances import Points, approximate_squares, pair_distances, points, row_blocks
from helpers.similarity._engine.resources import available_threads
from helpers.similarity.streaming import WHOLE, Objects, Requirements, Streamed, Totals

__all__ = ["jaccard", "mutual_knn", "rank_similarity", "second_order_cosine"]

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
    again in float64. Of objects at equal distance the one with the lower index is the nearer, so that duplicates are
    neighbours of each other and the value does not depend on block sizes or threads. A row without a direction (zero
    for cosine, constant for correlation) is at distance 1 from every other.
    Invariant to orthogonal maps and isotropic scaling of either side; the Euclidean metric also to translation.
    Cost: O(n² (p + q)) time and blocks of some million distances.
    Wang et al. (2020), Towards understanding the instability of network embedding, IEEE TKDE 34.

    Examples
    --------
    >>> from helpers.similarity.neighbours import jaccard
    >>> round(jaccard([[0.0], [1.0], [3.0]], [[0.0], [1.0], [1.5]], k=1, metric="euclidean"), 4)
    0.6667
    """
    x, y = _checked(x, y, k, metric)
    if x.shape[0] > WHOLE:
        return STREAMED["jaccard"](x, y, k=k, metric=metric)
    _, _, a, b = _both(x, y, k, metric)
    shared = _shared(a, b)
    return float((shared / (2 * k - shared)).mean())


def mutual_knn(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""Mean share of common k nearest neighbours, :math:`\frac1n \sum_i |N_i \cap N'_i| / k`.

    Parameters
    ----------
    x, y, k, metric
        As in :func:`jaccard`.

    Returns
    -------
    float
        A similarity in [0, 1]. For independent data its expectation is k / (n - 1).

    Raises
    ------
    ValueError
        As :func:`jaccard`.

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
    x, y = _checked(x, y, k, metric)
    if x.shape[0] > WHOLE:
        return STREAMED["mutual_knn"](x, y, k=k, metric=metric)
    _, _, a, b = _both(x, y, k, metric)
    return float(_shared(a, b).mean() / k)


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
        As in :func:`jaccard`.

    Returns
    -------
    float
        A similarity in [0, 1]; 1 if all lists of neighbours are equal. It looks at common neighbours only: one in
        common, the first on both sides, already gives 1. Read it beside :func:`jaccard`.

    Raises
    ------
    ValueError
        As :func:`jaccard`.

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
    x, y = _checked(x, y, k, metric)
    if x.shape[0] > WHOLE:
        return STREAMED["rank_similarity"](x, y, k=k, metric=metric)
    _, _, a, b = _both(x, y, k, metric)
    n = a.shape[0]
    _, left, right = np.intersect1d(_keys(a), _keys(b), assume_unique=True, return_indices=True)
    r, s = left % k + 1, right % k + 1
    total = np.bincount(left // k, weights=2 / ((1 + np.abs(r - s)) * (r + s)), minlength=n)
    harmonic = np.concatenate([[1.0], np.cumsum(1 / np.arange(1, k + 1))])
    return float((total / harmonic[np.bincount(left // k, minlength=n)]).mean())


def second_order_cosine(x: Any, y: Any, *, k: int = 10, metric: str = "cosine", of: str = "distance") -> float:
    r"""Second-order cosine: do the objects stand in the same relation to their neighbours?

    For each object i, the vectors of its distances to the union :math:`N_i \cup N'_i` of its k nearest neighbours in
    the two spaces are compared by their cosine; the value is the mean.

    Parameters
    ----------
    x, y, k, metric
        As in :func:`jaccard`; ``metric`` finds the neighbours and measures the distances to them.
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
        As :func:`jaccard`; if ``of`` is neither of the two, or ``"similarity"`` with the Euclidean metric.

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
    if of not in ("distance", "similarity"):
        raise ValueError(f"of is {of!r}; it must be 'distance' or 'similarity'")
    if of == "similarity" and metric == "euclidean":
        raise ValueError("of='similarity' needs metric 'cosine' or 'correlation'")
    p, q, a, b = _both(*_checked(x, y, k, metric), k, metric)
    n = a.shape[0]
    keys = np.union1d(_keys(a), _keys(b))
    i, j = keys // n, keys % n
    if is_torch_array(p.rows):
        pairs = [array_namespace(p.rows).asarray(z, device=device(p.rows)) for z in (i, j)]
    else:
        pairs = [i, j]
    u, v = (to_numpy(pair_distances(z, *pairs)) for z in (p, q))
    if of == "similarity":
        u, v = 1 - u, 1 - v
    else:
        u, v = (w / (w.max() or 1.0) for w in (u, v))
    uv, uu, vv = (np.bincount(i, weights=w, minlength=n) for w in (u * v, u * u, v * v))
    length = np.sqrt(uu * vv)
    cosine = np.where(length > 0, uv / np.where(length > 0, length, 1.0), (uu == vv).astype(float))
    return float(np.clip(cosine, -1.0, 1.0).mean())


def nearest(of: Points, k: int) -> np.ndarray:
    """Indices (n, k) of the k nearest other objects, nearest first, ties by index.

    A Gram matrix gives every squared distance with an error bound; whatever can be among the k nearest within it is a
    candidate, and its distance is computed again from differences in float64.
    """
    n = of.near.shape[0]
    out = np.empty((n, k), dtype=np.int64)
    for start, stop in row_blocks(n):
        out[start:stop] = _nearest_block(of, k, start, stop)
    return out


def _nearest_block(of: Points, k: int, start: int, stop: int) -> np.ndarray:
    xp = array_namespace(of.near)
    squares, error = approximate_squares(of, (start, stop))
    rows = xp.arange(stop - start, device=device(squares))
    squares[rows, rows + start] = float("inf")
    if is_torch_array(squares):
        kth = (squares + error).kthvalue(k, dim=1).values
    else:
        kth = np.partition(squares + error, k - 1, axis=1)[:, k - 1]
    i, j = xp.nonzero(squares - error <= kth[:, None])
    exact = to_numpy(pair_distances(of, i + start, j))
    i, j = to_numpy(i), to_numpy(j)
    order = np.lexsort((j, exact, i))
    first = np.searchsorted(i, np.arange(stop - start))
    return j[order[first[:, None] + np.arange(k)]]


def _check_metric(metric: str) -> None:
    if metric not in NEIGHBOUR_METRICS:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, NEIGHBOUR_METRICS))}")


def _checked(x: Any, y: Any, k: int, metric: str) -> tuple[Array, Array]:
    _check_metric(metric)
    x, y, _ = as_pair(x, y)
    check_count(k, "k", most=x.shape[0] - 1, why=f"(x has {x.shape[0]} rows, and none is its own neighbour)")
    return x, y


def _both(x: Any, y: Any, k: int, metric: str) -> tuple[Points, Points, np.ndarray, np.ndarray]:
    """Points and neighbours of both sides."""
    p, q = points(x, metric), points(y, metric)
    return p, q, nearest(p, k), nearest(q, k)


def _keys(neighbours: np.ndarray) -> np.ndarray:
    """One number for each pair of an object and its neighbour."""
    n = neighbours.shape[0]
    return (neighbours + n * np.arange(n)[:, None]).ravel()


def _shared(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many neighbours each object has in common."""
    return np.isin(_keys(a), _keys(b), assume_unique=True).reshape(a.shape).sum(axis=1)


def _requires(objects: Objects, k: int, metric: str) -> Requirements:
    """The k nearest neighbours."""
    _check_metric(metric)
    why = f"({objects.name} has {objects.n} rows, and none is its own neighbour)"
    return Requirements(neighbours=check_count(k, "k", most=objects.n - 1, why=why), metric=metric)


def _of_pairs(of: Callable[[np.ndarray, np.ndarray], float], near: np.ndarray) -> np.ndarray:
    """The symmetric matrix of a value of two tables of neighbours (n, k)."""
    out = np.empty((len(near), len(near)))
    pairs = list(itertools.combinations_with_replacement(range(len(near)), 2))
    with ThreadPoolExecutor(available_threads()) as pool:
        for (i, j), value in zip(pairs, pool.map(lambda pair: of(near[pair[0]], near[pair[1]]), pairs), strict=True):
            out[i, j] = out[j, i] = value
    return out


def _overlap(which: int) -> Callable[..., np.ndarray]:
    def finish(totals: Totals, **_: Any) -> np.ndarray:
        from helpers.similarity._engine.compiled import overlaps  # compiles

        near = np.sort(totals.neighbours, axis=2)
        return _of_pairs(lambda a, b: overlaps(a, b)[which] / totals.n, near)

    return finish


def _rank_agreement(totals: Totals, **_: Any) -> np.ndarray:
    from helpers.similarity._engine.compiled import rank_agreement

    return _of_pairs(rank_agreement, totals.neighbours)


STREAMED = {
    "jaccard": Streamed(_requires, _overlap(0)),
    "mutual_knn": Streamed(_requires, _overlap(1)),
    "rank_similarity": Streamed(_requires, _rank_agreement),
}
