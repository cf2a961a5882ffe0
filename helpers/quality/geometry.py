"""Qualities of how objects lie to each other: their angles, how evenly they fill the sphere, how far they spread."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import as_matrix, centred, check_count, check_number, generator, to_numpy
from helpers.quality._blocks import unit_blocks
from helpers.quality.entry import Quality

__all__ = ["mean_cosine", "persistence_h0", "self_clustering", "uniformity"]


def mean_cosine(x: Any) -> float:
    r"""Mean cosine between two different objects: 0 for directions spread evenly, near 1 for a narrow cone.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        The representation, which is not centred; no row may be zero, which has no direction.

    Returns
    -------
    float
        In [-1/(n-1), 1]. Unchanged by rotation and by the scale of single rows; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or a row is zero.

    Notes
    -----
    All n(n-1)/2 pairs in O(np), from the norm of the sum of the unit vectors, in float64 over blocks of rows.
    Ethayarajh (2019), How contextual are contextualized word representations?, EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import mean_cosine
    >>> mean_cosine(np.array([[1.0, 0.0], [0.0, 2.0]])), round(mean_cosine(np.array([[3.0, 4.0], [-3.0, -4.0]])), 6)
    (0.0, -1.0)
    """
    x = as_matrix(x)
    xp = array_namespace(x)
    n = x.shape[0]
    total = sum(xp.sum(block, axis=0) for block in unit_blocks(x))
    return _mean_cosine(to_numpy(total), n)


def _mean_cosine(total: np.ndarray, n: int) -> float:
    return (float(np.sum(total * total)) - n) / (n * (n - 1))


def self_clustering(x: Any) -> float:
    r"""SelfCluster: how much larger the squared cosines between objects are than between random directions.

    With unit rows :math:`u_i`,

    .. math:: \frac{\sum_{ij}\langle u_i,u_j\rangle^2 - n - n(n-1)/p}{n^2 - n - n(n-1)/p}

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2, p ≥ 2
        The representation, which is not centred; no row may be zero.

    Returns
    -------
    float
        In [-1/(p-1), 1]: 0 in expectation for directions drawn evenly from the sphere, 1 if all rows lie on one line;
        smaller is more spread. Unchanged by rotation and by the scale of single rows; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix of at least two features, or a row is zero.

    Notes
    -----
    O(n p²). Tsitsulin, Munkhoeva and Perozzi (2023), Unsupervised embedding quality evaluation, TAG-ML at ICML,
    definition 3.5, with the norm squared as its expectation and its maximum there are.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import self_clustering
    >>> round(self_clustering(np.ones((5, 3))), 6), round(self_clustering(np.eye(3)), 6)
    (1.0, -0.5)
    """
    x = as_matrix(x)
    n, p = x.shape
    xp = array_namespace(x)
    moment = sum(xp.matmul(block.T, block) for block in unit_blocks(x))
    return _self_clustering(to_numpy(moment), n)


def _self_clustering(moment: np.ndarray, n: int) -> float:
    if len(moment) < 2:
        raise ValueError("x has one feature; on a line there are no directions to compare")
    expected = n + n * (n - 1) / len(moment)
    return (float(np.sum(moment * moment)) - expected) / (n * n - expected)


def uniformity(x: Any, *, t: float = 2.0) -> float:
    r"""Uniformity of Wang and Isola: the logarithm of the mean Gaussian potential of two different objects.

    .. math:: \log \frac{2}{n(n-1)}\sum_{i<j} e^{-t\|u_i-u_j\|^2}, \qquad u_i = x_i/\|x_i\|

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        The representation, which is not centred; no row may be zero. Computed in float64 over blocks of rows.
    t
        How fast the Gaussian potential falls with the squared distance, above 0.

    Returns
    -------
    float
        In [-4t, 0]; **smaller is more uniform**: 0 if all rows have one direction, about -2t for even directions in
        many dimensions. Unchanged by rotation and by the scale of single rows; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, a row is zero, or t is not above 0.

    Notes
    -----
    O(n² p). Wang and Isola (2020), Understanding contrastive representation learning through alignment and uniformity
    on the hypersphere, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import uniformity
    >>> round(uniformity(np.array([[2.0, 0.0], [0.0, 1.0]])), 9)  # at a squared distance of 2
    -4.0
    """
    check_number(t, "t", lambda t: 0 < t < math.inf, "a number above 0")
    x = as_matrix(x)
    xp = array_namespace(x)
    unit = xp.concat(list(unit_blocks(x)), axis=0)
    n, total, step = x.shape[0], 0.0, max(1, (1 << 22) // x.shape[0])
    for start in range(0, n, step):
        cosine = xp.matmul(unit[start : start + step, :], unit.T)
        potential = xp.exp(2 * t * (xp.clip(cosine, -1.0, 1.0) - 1))
        itself = potential[:, start : start + step]
        total += float(xp.sum(potential)) - float(xp.sum(xp.linalg.diagonal(itself)))
    return math.log(total / (n * (n - 1))) if total > 0 else -4.0 * t


def persistence_h0(
    x: Any, *, total: bool = True, subset: int | None = 1000, relative: bool = True, rng: int | np.random.Generator = 0
) -> float:
    """Persistence of the connected components (H0): the total length of the minimum spanning tree of the objects.

    Growing balls around the objects meet one after another; a component dies at the length of the edge of the minimum
    spanning tree that joins it, so that the bars of H0 of the Vietoris-Rips filtration are the edges of that tree.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        The representation, compared by Euclidean distances in float64.
    total
        Whether to add up the n - 1 bars; False gives their mean.
    subset
        How many rows are drawn if there are more; None takes all. Values of different numbers of rows are not
        comparable.
    relative
        Whether the unit is the root mean squared distance between two objects. False leaves the units of x.
    rng
        Seed or generator of the draw of rows.

    Returns
    -------
    float
        At least 0; larger is more spread out, which counts as better. Unchanged by rotation and translation, and by
        scale if relative.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or all rows are the same.

    Notes
    -----
    Prim's algorithm: O(m² p) time for m rows and O(m p) memory. Higher homology is that of
    :func:`helpers.similarity.topology.cross_barcode` and of gudhi.
    Edelsbrunner, Letscher and Zomorodian (2002), Topological persistence and simplification, Discrete & Computational
    Geometry 28.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import persistence_h0
    >>> persistence_h0(np.array([[0.0], [1.0], [3.0]]), relative=False)
    3.0
    """
    x = as_matrix(x)
    rows = np.arange(x.shape[0])
    if subset is not None and check_count(subset, "subset", least=2) < len(rows):
        rows = np.sort(generator(rng).choice(len(rows), subset, replace=False))
    x = centred(x)  # refuses a constant one
    x = to_numpy(x).astype(np.float64)[rows]
    bars = _tree(x)
    spread = math.sqrt(2 * float(np.sum((x - x.mean(axis=0)) ** 2)) / (len(x) - 1)) if relative else 1.0
    if spread == 0:
        raise ValueError(f"x: the {len(x)} rows that were drawn are all the same; there is no distance between them")
    return float(bars.sum() if total else bars.mean()) / spread


def _tree(x: np.ndarray) -> np.ndarray:
    """Lengths of the edges of the minimum spanning tree, in the order in which Prim's algorithm finds them."""
    outside = np.arange(1, len(x))
    near = np.full(len(outside), np.inf)
    current, lengths = x[0], np.empty(len(x) - 1)
    for step in range(len(lengths)):
        gap = x[outside] - current
        near = np.minimum(near, np.einsum("ij,ij->i", gap, gap))
        chosen = int(np.argmin(near))
        lengths[step] = near[chosen]
        current = x[outside[chosen]]
        outside, near = np.delete(outside, chosen), np.delete(near, chosen)
    return np.sqrt(lengths)


QUALITIES = {
    "mean_cosine": Quality(
        mean_cosine,
        "smaller",
        "[-1/(n-1), 1]",
        ("rotation", "scale"),
        "n p",
        "Ethayarajh 2019",
        "mean cosine between two objects, often called anisotropy",
        misses="how directions spread around the mean; two opposite heaps have 0",
        shared=lambda space: _mean_cosine(space.directions[0], len(space.x)),
        citation="ethayarajh2019contextual",
        formula=r"\frac{1}{n(n-1)} \sum_{i \ne j} \cos(x_i, x_j)",
        fooled="noise",
    ),
    "isotropy": Quality(
        lambda x: 1 - mean_cosine(x),
        "larger",
        "[0, n/(n-1)]",
        ("rotation", "scale"),
        "n p",
        "Ethayarajh 2019",
        "1 less the mean cosine",
        misses="what the mean cosine misses",
        shared=lambda space: 1 - _mean_cosine(space.directions[0], len(space.x)),
        citation="ethayarajh2019contextual",
        formula=r"1 - \frac{1}{n(n-1)} \sum_{i \ne j} \cos(x_i, x_j)",
        fooled="noise",
    ),
    "self_clustering": Quality(
        self_clustering,
        "smaller",
        "[-1/(p-1), 1]",
        ("rotation", "scale"),
        "n p²",
        "Tsitsulin et al. 2023",
        "squared cosines between objects against those of random directions",
        misses="whether many groups or one cone make cosines large",
        shared=lambda space: _self_clustering(space.directions[1], len(space.x)),
        citation="tsitsulin2023unsupervised",
        formula=r"\frac{\sum_{ij} \langle u_i, u_j \rangle^2 - n - n(n-1)/p}{n^2 - n - n(n-1)/p}, "
        r"\quad u_i = x_i / \lVert x_i \rVert",
        fooled="noise",
    ),
    "uniformity": Quality(
        uniformity,
        "smaller",
        "[-8, 0]",
        ("rotation", "scale"),
        "n² p",
        "Wang and Isola 2020",
        "logarithm of the mean Gaussian potential of two objects on the sphere",
        misses="everything but the mean potential; a few clumps in an even sphere hardly count",
        sampled=True,
        citation="wang2020understanding",
        formula=r"\log \frac{2}{n(n-1)} \sum_{i < j} e^{-2 \lVert u_i - u_j \rVert^2}, "
        r"\quad u_i = x_i / \lVert x_i \rVert",
        fooled="noise",
    ),
    "persistence_h0": Quality(
        persistence_h0,
        "larger",
        "[0, ∞)",
        ("rotation", "scale", "translation"),
        "m² p, m ≤ 1000",
        "Edelsbrunner et al. 2002",
        "length of the minimum spanning tree over the typical distance",
        misses="how the objects are spread, where only lengths of the tree count; outliers lengthen it",
        sampled=True,
        citation="edelsbrunner2002topological",
        formula=r"T(D) / \sqrt{\operatorname{mean}_{i < j} \lVert x_i - x_j \rVert^2}, "
        r"\quad T \text{ the length of the spanning tree}",
        fooled="noise",
    ),
}
"""The qualities of this module by name."""
