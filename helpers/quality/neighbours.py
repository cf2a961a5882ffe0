"""Qualities of who is near whom: hubs, distances that are all alike, intrinsic dimension, connection, duplicates."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number, generator, to_numpy
from helpers.quality._space import Neighbours, Space, metric_rows
from helpers.quality.entry import Quality

__all__ = [
    "antihubs",
    "distance_concentration",
    "duplicate_share",
    "equal_groups",
    "hubness",
    "knn_connectivity",
    "mle_dimension",
    "outlyingness",
    "two_nn",
]

EQUAL = 1e-6
"""Distance, over the root mean squared distance, below which rows count as equal: rounding of float32."""

CONNECTED = 800  # objects whose graph is decomposed


def hubness(
    x: Any, *, k: int = 10, metric: str = "cosine", n_objects: int | None = 4000, rng: int | np.random.Generator = 0
) -> float:
    r"""Hubness: the skewness of the k-occurrence, which is how often an object is among the k nearest of another one.

    .. math:: \frac{\operatorname{mean}_i (N_k(i) - k)^3}{\operatorname{sd}(N_k)^3}

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation of n objects.
    k
        Number of neighbours.
    metric
        ``"cosine"``, ``"euclidean"``, ``"dot"`` or, for two values, ``"hamming"``.
    n_objects
        How many rows are drawn if there are more; None takes all. Values of different numbers are not comparable.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        Any number; near 0 where every object is equally often a neighbour, which counts as better, above 0 where few
        objects are neighbours of many. For cosine unchanged by rotation and by the scale of single rows.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, k is not below n, or a row is zero with ``"cosine"``.

    Notes
    -----
    O(m² p) for m rows, in blocks. Radovanović, Nanopoulos and Ivanović (2010), Hubs in space: popular nearest neighbors
    in high-dimensional data, JMLR 11.

    Examples
    --------
    A star, whose middle is the nearest of all:

    >>> import numpy as np
    >>> from helpers.quality import hubness
    >>> round(hubness(np.vstack([np.eye(9), np.full((1, 9), 0.1)]), k=1), 2)
    2.61
    """
    return _hubness(Space(x, k=k, metric=metric, n_objects=n_objects, rng=rng))


def _hubness(space: Space) -> float:
    apart = space.neighbours.occurrence - space.k
    sd = float(np.sqrt(np.mean(apart**2)))
    return float(np.mean(apart.astype(float) ** 3)) / sd**3 if sd > 0 else 0.0


def antihubs(
    x: Any, *, k: int = 10, metric: str = "cosine", n_objects: int | None = 4000, rng: int | np.random.Generator = 0
) -> float:
    """Share of antihubs: objects that are among the k nearest of no other one, and are never found by a search.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation of n objects.
    k, metric, n_objects, rng
        Same meaning as in :func:`hubness`.

    Returns
    -------
    float
        In [0, 1]; smaller is better. Invariances are those of :func:`hubness`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`hubness`.

    Notes
    -----
    Radovanović, Nanopoulos and Ivanović (2010), JMLR 11.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import antihubs
    >>> antihubs(np.vstack([np.eye(9), np.full((1, 9), 0.1)]), k=1)
    0.8
    """
    return _antihubs(Space(x, k=k, metric=metric, n_objects=n_objects, rng=rng))


def _antihubs(space: Space) -> float:
    return float(np.mean(space.neighbours.occurrence == 0))


def distance_concentration(x: Any, *, n_objects: int | None = 4000, rng: int | np.random.Generator = 0) -> float:
    """Spread of distances: the standard deviation of the Euclidean distances of pairs over their mean.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    n_objects
        How many rows are drawn if there are more; None takes all.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        At least 0; larger is better: near 0 all objects are equally far from each other and "nearest" says little. For
        normal entries about 1 / √(2p). Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or all rows are the same.

    Notes
    -----
    O(m² p) for m rows, in blocks. Beyer, Goldstein, Ramakrishnan and Shaft (1999), When is "nearest neighbor"
    meaningful?, ICDT, whose relative variance is this squared.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import distance_concentration
    >>> round(distance_concentration(np.eye(4)), 6)
    0.0
    """
    return _concentration(Space(x, k=1, n_objects=n_objects, rng=rng))


def _concentration(space: Space) -> float:
    found = space.euclidean
    if found.mean == 0:
        raise ValueError("x: all rows are the same; there is no distance between them")
    return found.sd / found.mean


def two_nn(x: Any, *, discard: float = 0.1, n_objects: int | None = 4000, rng: int | np.random.Generator = 0) -> float:
    r"""TwoNN: the intrinsic dimension, from how much farther the second neighbour is than the first.

    If the density is even as far as the second neighbour, the ratio :math:`\mu = r_2 / r_1` has
    :math:`P(\mu > t) = t^{-d}`. The slope of :math:`-\log(1 - i/m)` on :math:`\log\mu_{(i)}` through 0 is d.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation, compared by Euclidean distances; equal rows count once.
    discard
        Share of the largest ratios that is left out of the fit, at least 0 and below 1.
    n_objects
        How many rows are drawn if there are more; None takes all. Fewer rows look at a coarser scale.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        Above 0; neither end is good. Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or fewer than three rows differ.

    Notes
    -----
    O(m² p) for m rows, in blocks. It looks at the smallest scale, where noise lives; it falls behind the true number
    from about 20 dimensions on, because the edge of the data is near everywhere.
    Facco, d'Errico, Rodriguez and Laio (2017), Estimating the intrinsic dimension of datasets by a minimal neighborhood
    information, Scientific Reports 7.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import two_nn
    >>> plane = np.random.default_rng(0).random((2000, 2)) @ np.ones((2, 5))  # a line in the end
    >>> round(two_nn(plane))
    1
    """
    check_number(discard, "discard", lambda share: 0 <= share < 1, "a number of at least 0 and below 1")
    return _two_nn(Space(x, k=2, n_objects=n_objects, rng=rng), discard)


def _two_nn(space: Space, discard: float = 0.1) -> float:
    check_count(space.k, "k", least=2)
    first, second = space.distinct.distance[:, :2].T
    ratio = np.sort(np.log(second / first))
    m = len(ratio)
    kept = max(1, min(int(m * (1 - discard)), m - 1))  # the last has the height infinity
    ratio, height = ratio[:kept], -np.log1p(-np.arange(1, kept + 1) / m)
    return float(ratio @ height / max(float(ratio @ ratio), np.finfo(float).tiny))


def mle_dimension(x: Any, *, k: int = 10, n_objects: int | None = 4000, rng: int | np.random.Generator = 0) -> float:
    r"""Intrinsic dimension by maximum likelihood: how fast balls around objects fill.

    With distances :math:`T_j` to the j-th neighbour, and means of the inverse as MacKay and Ghahramani take them,

    .. math:: \Big(\operatorname{mean}_i\ \frac{1}{k-1}\sum_{j<k}\log\frac{T_k(i)}{T_j(i)}\Big)^{-1}

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation, compared by Euclidean distances; equal rows count once.
    k
        Number of neighbours, at least 3.
    n_objects
        How many rows are drawn if there are more; None takes all.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        Above 0; neither end is good. Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or k is not below the number of different rows.

    Notes
    -----
    O(m² p) for m rows, in blocks. It averages over a larger scale than :func:`two_nn` and lies lower in many
    dimensions. Levina and Bickel (2004), Maximum likelihood estimation of intrinsic dimension, NIPS 17.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import mle_dimension
    >>> round(mle_dimension(np.random.default_rng(0).normal(size=(2000, 3))))
    3
    """
    return _mle(Space(x, k=check_count(k, "k", least=3), n_objects=n_objects, rng=rng))


def _mle(space: Space) -> float:
    check_count(space.k, "k", least=3)
    distance = np.log(space.distinct.distance)
    each = (distance[:, -1:] - distance[:, :-1]).mean(axis=1)
    return 1 / max(float(each.mean()), np.finfo(float).tiny)


def knn_connectivity(
    x: Any, *, k: int = 10, metric: str = "cosine", n_objects: int = CONNECTED, rng: int | np.random.Generator = 0
) -> float:
    """How well the graph of nearest neighbours holds together: the second smallest eigenvalue of its Laplacian.

    Objects are joined if one of them is among the k nearest of the other; the Laplacian is I - D^(-1/2) A D^(-1/2).

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation of n objects.
    k, metric
        Same meaning as in :func:`hubness`.
    n_objects
        How many rows are drawn if there are more.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        In [0, n/(n-1)]: 0 if the graph falls apart, larger where no bottleneck divides it, which counts as better.
        Invariances are those of :func:`hubness`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`hubness`.

    Notes
    -----
    O(m² p + m³) for m rows. Chung (1997), Spectral graph theory, AMS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import knn_connectivity
    >>> abs(round(knn_connectivity(np.vstack([np.eye(4), -np.eye(4)]), k=2), 6)) < 1
    True
    """
    return _connectivity(Space(x, k=k, metric=metric, n_objects=n_objects, rng=rng))


def _connectivity(space: Space) -> float:
    from scipy.linalg import eigvalsh

    index, m = space.neighbours.index, len(space.rows)
    if m > CONNECTED:
        keep = np.linspace(0, m - 1, CONNECTED).astype(int)
        rows = metric_rows(space.sample, space.metric)[keep]
        index, m = Neighbours(rows, space.k, dot=space.metric == "dot").index, CONNECTED
    joined = np.zeros((m, m))
    joined[np.arange(m)[:, None], index] = 1
    joined = np.maximum(joined, joined.T)
    root = np.sqrt(joined.sum(axis=1))
    found = eigvalsh(np.eye(m) - joined / np.outer(root, root), subset_by_index=[1, 1])
    return max(float(found[0]), 0.0)


def outlyingness(
    x: Any, *, k: int = 10, metric: str = "cosine", n_objects: int | None = 4000, rng: int | np.random.Generator = 0
) -> float:
    """How far out the farthest object is: the largest distance to the k-th neighbour over the median of these.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > k
        The representation of n objects.
    k, metric, n_objects, rng
        Same meaning as in :func:`hubness`, without ``"dot"``, which is no distance.

    Returns
    -------
    float
        At least 1; smaller is better. Invariances are those of :func:`hubness`.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`hubness`; if half of the objects have k others at the same place.

    Notes
    -----
    Ramaswamy, Rastogi and Shim (2000), Efficient algorithms for mining outliers from large data sets, SIGMOD.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import outlyingness
    >>> round(outlyingness(np.array([[0.0], [1.0], [2.0], [3.0], [13.0]]), k=1, metric="euclidean"), 6)
    10.0
    """
    if metric == "dot":
        raise ValueError("metric is 'dot', which is no distance; 'cosine', 'euclidean' or 'hamming' is needed")
    return _outlyingness(Space(x, k=k, metric=metric, n_objects=n_objects, rng=rng))


def _outlyingness(space: Space) -> float:
    near = space.euclidean if space.metric == "dot" else space.neighbours
    last = near.distance[:, -1]
    middle = float(np.median(last))
    if middle == 0:
        raise ValueError(
            f"x: half of the objects have {space.k} others at the same place; nothing is the usual distance"
        )
    return float(last.max()) / middle


def duplicate_share(x: Any) -> float:
    """Share of objects that have a duplicate: another row that is equal but for rounding.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation. Rows count as equal if their distance is below a millionth of the root mean squared one.

    Returns
    -------
    float
        In [0, 1]; smaller is better. Unchanged by every invertible map, as far as rows are equal exactly.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix.

    Notes
    -----
    All rows, O(n p + n log n): neighbours in the order of three random projections are compared.

    Examples
    --------
    >>> from helpers.quality import duplicate_share
    >>> duplicate_share([[1.0, 0], [0, 1], [1, 0], [2, 2]])
    0.5
    """
    return _share_equal(equal_groups(x))


def _share_equal(groups: np.ndarray) -> float:
    return float(np.mean(np.bincount(groups)[groups] > 1))


def equal_groups(x: Any, *, tolerance: float = EQUAL, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Numbers of the groups of rows that are equal within a tolerance.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        The representation of n objects.
    tolerance
        Distance over the root mean squared distance of all pairs, below which rows are joined.
    rng
        Seed or generator of the projections.

    Returns
    -------
    ndarray of shape (n,)
        Group of each row, from 0 on.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix.

    Examples
    --------
    >>> from helpers.quality.neighbours import equal_groups
    >>> equal_groups([[1.0, 0], [0, 1], [1, 0]]).tolist()
    [0, 1, 0]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    x = metric_rows(to_numpy(as_matrix(x, rows=1)), "euclidean")
    n, p = x.shape
    mean = x.mean(axis=0, dtype=np.float64)
    axes = generator(rng).normal(size=(p, 3))
    axes /= np.linalg.norm(axes, axis=0)
    shadow, square = np.empty((n, 3)), 0.0
    for start in range(0, n, 4096):
        block = x[start : start + 4096].astype(np.float64) - mean
        shadow[start : start + 4096] = block @ axes
        square += float(np.sum(block**2))
    reach = tolerance * np.sqrt(2 * square / n)
    pairs = []
    for column in shadow.T:
        order = np.argsort(column, kind="stable")
        for lag in range(1, min(5, n)):
            i, j = order[:-lag], order[lag:]
            near = column[j] - column[i] <= reach
            pairs += [_within(x, i[near], j[near], reach)]
    i, j = np.concatenate(pairs, axis=1) if pairs else np.empty((2, 0), dtype=int)
    graph = coo_array((np.ones(len(i)), (i, j)), shape=(n, n))
    return connected_components(graph, directed=False)[1].astype(int)


def _within(x: np.ndarray, i: np.ndarray, j: np.ndarray, reach: float) -> np.ndarray:
    """Pairs, of the given ones, whose rows are within reach."""
    kept = np.empty(len(i), dtype=bool)
    for start in range(0, len(i), 4096):
        some = slice(start, start + 4096)
        gap = x[i[some]].astype(np.float64) - x[j[some]]
        kept[some] = np.einsum("ij,ij->i", gap, gap) <= reach**2
    return np.stack([i[kept], j[kept]])


SIMILAR = ("rotation", "scale")
RIGID = ("rotation", "scale", "translation")

QUALITIES = {
    "hubness": Quality(
        hubness,
        "smaller",
        "(-∞, ∞)",
        SIMILAR,
        "m² p, m ≤ 4000",
        "Radovanović et al. 2010",
        "skewness of how often objects are among the 10 nearest of others",
        misses="where the hubs are; grows with the number of objects and of dimensions",
        shared=_hubness,
        sampled=True,
        citation="radovanovic2010hubs",
        formula=r"\frac{\operatorname{mean}_i (N_k(i) - k)^3}{\operatorname{sd}(N_k)^3}, "
        r"\quad N_k(i) \text{ how often } i \text{ is among the } k \text{ nearest}",
        fooled="circle",
    ),
    "antihubs": Quality(
        antihubs,
        "smaller",
        "[0, 1]",
        SIMILAR,
        "m² p, m ≤ 4000",
        "Radovanović et al. 2010",
        "share of objects that are among the 10 nearest of no other",
        misses="objects that are found rarely, but are found",
        shared=_antihubs,
        sampled=True,
        citation="radovanovic2010hubs",
        formula=r"\frac1n \#\{ i : N_k(i) = 0 \}",
        fooled="circle",
    ),
    "distance_concentration": Quality(
        distance_concentration,
        "larger",
        "[0, ∞)",
        RIGID,
        "m² p, m ≤ 4000",
        "Beyer et al. 1999",
        "standard deviation of the distances over their mean",
        misses="whether far and near mean anything: two heaps spread distances most",
        shared=_concentration,
        sampled=True,
        citation="beyer1999nearest",
        formula=r"\operatorname{sd}_{i < j}(D_{ij}) / \operatorname{mean}_{i < j}(D_{ij})",
        fooled="heaps",
    ),
    "two_nn": Quality(
        two_nn,
        "larger",
        "[0, ∞)",
        RIGID,
        "m² p, m ≤ 4000",
        "Facco et al. 2017",
        "intrinsic dimension from the two nearest neighbours",
        misses="everything above the smallest scale; noise counts as dimensions",
        shared=_two_nn,
        sampled=True,
        citation="facco2017estimating",
        formula=r"\text{slope of } -\log(1 - F(\mu)) \text{ in } \log \mu, \quad \mu = T_2 / T_1",
        fooled="curve",
    ),
    "mle_dimension": Quality(
        mle_dimension,
        "larger",
        "[0, ∞)",
        RIGID,
        "m² p, m ≤ 4000",
        "Levina and Bickel 2004",
        "intrinsic dimension from the 10 nearest neighbours",
        misses="lies below the truth in many dimensions; uneven density counts as curvature",
        shared=_mle,
        sampled=True,
        citation="levina2004maximum",
        formula=r"\Bigl( \operatorname{mean}_i \frac{1}{k-1} \sum_{j < k} \log \frac{T_k(i)}{T_j(i)} \Bigr)^{-1}",
        fooled="curve",
    ),
    "knn_connectivity": Quality(
        knn_connectivity,
        "larger",
        "[0, n/(n-1)]",
        SIMILAR,
        "m³, m ≤ 800",
        "Chung 1997",
        "second smallest eigenvalue of the Laplacian of the graph of neighbours",
        misses="how many parts there are, and how far apart",
        shared=_connectivity,
        sampled=True,
        citation="chung1997spectral",
        formula=r"\lambda_2(L), \quad L \text{ the normalised Laplacian of the graph of the } k \text{ nearest}",
        fooled="noise",
    ),
    "outlyingness": Quality(
        outlyingness,
        "smaller",
        "[1, ∞)",
        SIMILAR,
        "m² p, m ≤ 4000",
        "Ramaswamy et al. 2000",
        "largest distance to the 10th neighbour over the median",
        misses="outliers that stand together; is one object's distance",
        shared=_outlyingness,
        sampled=True,
        citation="ramaswamy2000efficient",
        formula=r"\max_i T_k(i) / \operatorname{median}_i T_k(i)",
        fooled="noise",
    ),
    "duplicates": Quality(
        duplicate_share,
        "smaller",
        "[0, 1]",
        ("rotation", "scale", "translation", "linear"),
        "n p",
        "share of equal rows",
        "share of objects that equal another one but for rounding",
        misses="near-duplicates, and whether the inputs were equal too",
        citation="",
        formula=r"\frac1n \#\{ i : x_i = x_j \text{ for some } j \ne i \}",
        fooled="copies",
    ),
}
"""The qualities of this module by name."""
