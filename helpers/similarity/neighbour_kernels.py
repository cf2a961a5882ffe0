"""Measures of sparse kernels: objects are alike along the edges of their neighbour graph, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_pair, check_count
from helpers.similarity.streaming import Objects, Requirements, Streamed, Totals

__all__ = ["cknna", "cycle_knn", "mka"]

NEIGHBOUR_METRICS = ("cosine", "correlation", "euclidean")


def cknna(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""CKNNA: unbiased CKA of the similarities to mutual neighbours alone.

    With K the cosines between the rows of x, L those of y and :math:`m_{ij}` = 1 where j is among the k nearest
    neighbours of i in both spaces, the value is :math:`h(m K, m L) / \sqrt{h(m^x K, m^x K)\, h(m^y L, m^y L)}`, where
    :math:`m^x` and :math:`m^y` are the masks of one space alone and

    .. math:: h(K, L) = \sum_{ij} K_{ij} L_{ij} + \frac{K_{\cdot\cdot} L_{\cdot\cdot}}{(n - 1)(n - 2)}
              - \frac{1}{n - 2} \sum_i (K_{i\cdot} L_{i\cdot} + K_{\cdot i} L_{\cdot i}).

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    k
        How many neighbours, between 2 and n - 1. An object is not its own neighbour.
    metric
        ``"cosine"`` or ``"correlation"``: it finds the neighbours, and similarities are 1 - distance.

    Returns
    -------
    float
        A similarity in [-1, 1]; what the estimate has beyond is cut off. Near 0 for independent data.

    Raises
    ------
    ValueError
        If n < 4, k is out of range, ``metric`` is none of the two, or nothing is left of a masked kernel after
        centring.

    Notes
    -----
    Invariant to orthogonal maps and isotropic scaling of either side. Neighbours and cost as in
    :func:`~helpers.similarity.neighbours.jaccard`. The code released with the paper multiplies :math:`K_{ij}` with
    :math:`L_{ji}` instead, which depends on the order of x and y, since masks are not symmetric.
    Huh, Cheung, Wang and Isola (2024), The platonic representation hypothesis, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.neighbour_kernels import cknna
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(cknna(x, -3 * x), 12)
    1.0
    """
    x, y, _ = as_pair(x, y, rows=4)
    return STREAMED["cknna"](x, y, k=k, metric=metric)


def cycle_knn(x: Any, y: Any, *, k: int = 10, metric: str = "cosine") -> float:
    r"""Share of the objects that a step to a neighbour in y and one to a neighbour in x can bring back.

    Object i counts if it is among the k nearest neighbours, in x, of one of its own k nearest neighbours in y.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    k
        How many neighbours, between 1 and n - 1. An object is not its own neighbour.
    metric
        ``"cosine"``, ``"euclidean"`` or ``"correlation"``.

    Returns
    -------
    float
        A similarity in [0, 1], **not symmetric**. Of a representation with itself it is the share of the objects that
        are a neighbour of a neighbour, which outliers are not. For independent data about 1 - (1 - k / n)ᵏ: 0.63 at
        n = k², so that it is to be read beside chance.

    Raises
    ------
    ValueError
        If k is not between 1 and n - 1, or ``metric`` is none of the three.

    Notes
    -----
    Neighbours, invariances and cost as in :func:`~helpers.similarity.neighbours.jaccard`. Which side comes first is
    that of the code released with the paper.
    Huh, Cheung, Wang and Isola (2024), The platonic representation hypothesis, ICML.

    Examples
    --------
    >>> from helpers.similarity.neighbour_kernels import cycle_knn
    >>> x, y = [[0.0], [1.0], [3.0]], [[0.0], [1.0], [1.5]]  # in x: 0 ↔ 1, 2 → 1; in y: 0 → 1, 1 ↔ 2
    >>> round(cycle_knn(x, y, k=1, metric="euclidean"), 4)  # 0 → 1 → 0 and 1 → 2 → 1
    0.6667
    """
    x, y, _ = as_pair(x, y)
    return STREAMED["cycle_knn"](x, y, k=k, metric=metric)


def mka(x: Any, y: Any, *, k: int = 15, metric: str = "euclidean") -> float:
    r"""Manifold-approximated kernel alignment: CKA of the kernels of the neighbour graphs that UMAP builds.

    .. math:: K_{ij} = \exp\bigl(-(d_{ij} - \rho_i) / \sigma_i\bigr) \text{ for the k nearest neighbours j of i},
              \qquad K_{ii} = 1,

    0 elsewhere, with :math:`\rho_i` the distance to the nearest neighbour and :math:`\sigma_i` such that the k weights
    sum to :math:`\log_2 k`. The value is the cosine between the two matrices, each less the means of its rows.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q).
    k
        How many neighbours, between 3 and n - 1.
    metric
        ``"euclidean"``, ``"cosine"`` or ``"correlation"``.

    Returns
    -------
    float
        A similarity in [-1, 1], 0 on average over shuffled objects up to a term of the order of k / n.

    Raises
    ------
    ValueError
        If k is not between 3 and n - 1, or ``metric`` is none of the three.

    Notes
    -----
    Each object has a scale of its own, so that density does not count. Where more than :math:`\log_2 k` neighbours are
    equally near, those have weight 1 and the others 0. Invariant to orthogonal maps and isotropic scaling of either
    side; the Euclidean metric also to translation. Cost: that of the neighbours, then O(nk) a pair.
    Islam, Liu and Sarkar (2025), Manifold approximation leads to robust kernel alignment, arXiv 2510.22953; the formula
    is that of the released code.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.neighbour_kernels import mka
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(mka(x, 5 - 3 * x), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return STREAMED["mka"](x, y, k=k, metric=metric)


class Sparse(NamedTuple):
    """A kernel matrix with some entries in every row, beside a constant diagonal."""

    columns: np.ndarray  # (n, k), ascending
    values: np.ndarray  # (n, k)
    diagonal: float


def reordered(kernel: Sparse, order: np.ndarray) -> Sparse:
    """The kernel matrix of the objects in another order."""
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    return _sorted(places[kernel.columns[order]], kernel.values[order], kernel.diagonal)


def _sorted(columns: np.ndarray, values: np.ndarray, diagonal: float) -> Sparse:
    order = np.argsort(columns, axis=1)
    return Sparse(*(np.take_along_axis(of, order, axis=1) for of in (columns, values)), diagonal)


def _shared(a: Sparse, b: Sparse) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and both values of the entries that two kernels have in common off the diagonal."""
    n, k = a.columns.shape
    rows = n * np.arange(n)[:, None]
    left, right = (rows + a.columns).ravel(), (rows + b.columns).ravel()
    where = np.minimum(np.searchsorted(right, left), n * k - 1)
    found = np.flatnonzero(right[where] == left)
    return *np.divmod(left[found], n), a.values.ravel()[found], b.values.ravel()[where[found]]


def masked_alignment(a: Sparse, b: Sparse) -> float:
    """CKNNA of two kernels of cosines to the neighbours."""
    value = _unbiased_product(a, b) / math.sqrt(_own_product(a) * _own_product(b))
    return float(np.clip(value, -1.0, 1.0))


def _own_product(a: Sparse) -> float:
    square = _unbiased_product(a, a)
    if not square > 1e-12 * float(np.sum(a.values**2)):
        raise ValueError("nothing is left of the similarities to the neighbours after centring; CKNNA is undefined")
    return square


def _unbiased_product(a: Sparse, b: Sparse) -> float:
    n = len(a.columns)
    i, j, u, v = _shared(a, b)
    sums = [np.bincount(at, weights=of, minlength=n) for at in (i, j) for of in (u, v)]
    lines = float(sums[0] @ sums[1] + sums[2] @ sums[3])
    return float(u @ v) + float(u.sum() * v.sum()) / ((n - 1) * (n - 2)) - lines / (n - 2)


def row_centred_alignment(a: Sparse, b: Sparse) -> float:
    """MKA of two kernels: the cosine of the matrices less the means of their rows."""
    products = [_centred_product(*pair) for pair in ((a, b), (a, a), (b, b))]
    return float(np.clip(products[0] / math.sqrt(products[1] * products[2]), -1.0, 1.0))


def _centred_product(a: Sparse, b: Sparse) -> float:
    n = len(a.columns)
    _, _, u, v = _shared(a, b)
    rows = (of.values.sum(axis=1) + of.diagonal for of in (a, b))
    return float(u @ v) + n * a.diagonal * b.diagonal - float(np.dot(*rows)) / n


def return_share(x: Sparse, y: Sparse) -> float:
    """Share of the objects i that are a neighbour in x of one of their neighbours in y."""
    n = len(x.columns)
    own = np.arange(n)[:, None, None]
    back = 0
    for start in range(0, n, step := max(1, (1 << 22) // x.columns.shape[1] ** 2)):
        rows = slice(start, start + step)
        back += int((x.columns[y.columns[rows]] == own[rows]).any(axis=(1, 2)).sum())
    return back / n


def adjacency(totals: Totals, number: int) -> Sparse:
    """The neighbours of one representation, without values."""
    near = totals.neighbours[number]
    return _sorted(near, np.ones(near.shape), 0.0)


def neighbour_cosines(totals: Totals, number: int) -> Sparse:
    """Similarities 1 - distance to the neighbours."""
    near, distances = _with_distances(totals, number)
    return _sorted(near, 1 - distances, 0.0)


def manifold_kernel(totals: Totals, number: int) -> Sparse:
    """Weights of the neighbours, with a scale for every object."""
    near, distances = _with_distances(totals, number)
    beyond = distances - distances.min(axis=1, keepdims=True)
    unit = beyond.max(axis=1, keepdims=True)
    beyond = beyond / np.where(unit > 0, unit, 1.0)
    target, low, high = math.log2(near.shape[1]), np.zeros((len(near), 1)), np.full((len(near), 1), 1e3)
    for _ in range(64):
        middle = (low + high) / 2
        with np.errstate(under="ignore"):
            below = np.exp(-beyond / middle).sum(axis=1, keepdims=True) < target
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    with np.errstate(under="ignore"):
        return _sorted(near, np.exp(-beyond / high), 1.0)


def _with_distances(totals: Totals, number: int) -> tuple[np.ndarray, np.ndarray]:
    near = totals.neighbours[number]
    rows = np.repeat(np.arange(totals.n), near.shape[1])
    return near, totals.distances(number, rows, near.ravel()).reshape(near.shape)


def _finish(kernel: Callable[[Totals, int], Sparse], value: Callable[[Sparse, Sparse], float]) -> Callable:
    """All pairs, both orders."""

    def finish(totals: Totals, **_: Any) -> np.ndarray:
        kernels = [kernel(totals, number) for number in range(len(totals.neighbours))]
        return np.array([[value(a, b) for b in kernels] for a in kernels])

    return finish


def _requires(least: int, metrics: tuple[str, ...], rows: int = 2) -> Callable[..., Requirements]:
    def requires(objects: Objects, k: int, metric: str) -> Requirements:
        if metric not in metrics:
            raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, metrics))}")
        if rows > 2:
            objects.check_enough(rows, "cknna")
        why = f"({objects.name} has {objects.n} rows, and none is its own neighbour)"
        return Requirements(neighbours=check_count(k, "k", least=least, most=objects.n - 1, why=why), metric=metric)

    return requires


#: Kernel of one representation and value of two, by measure.
KERNELS = {
    "cknna": (neighbour_cosines, masked_alignment),
    "cycle_knn": (adjacency, return_share),
    "mka": (manifold_kernel, row_centred_alignment),
}

STREAMED = {
    "cknna": Streamed(_requires(2, NEIGHBOUR_METRICS[:2], 4), _finish(*KERNELS["cknna"])),
    "cycle_knn": Streamed(_requires(1, NEIGHBOUR_METRICS), _finish(*KERNELS["cycle_knn"])),
    "mka": Streamed(_requires(3, NEIGHBOUR_METRICS), _finish(*KERNELS["mka"])),
}
