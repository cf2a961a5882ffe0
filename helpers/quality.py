"""Qualities of one representation that need no labels.

Each is a function of arrays; :data:`QUALITIES` knows them by name, with what they need and which way is better.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import as_matrix, centred, check_count, generator, to_numpy

__all__ = [
    "QUALITIES",
    "Quality",
    "agreement",
    "alignment",
    "alpha_req",
    "anisotropy",
    "clustering",
    "dropout_views",
    "leverage",
    "lidar",
    "nesum",
    "persistence_h0",
    "pseudo_condition_number",
    "rankme",
    "self_clustering",
    "stable_rank",
    "uniformity",
]

Array = Any

ROWS = 4096


def rankme(x: Any, *, epsilon: float = 1e-7) -> float:
    r"""RankMe: the exponential of the entropy of the singular values, a smooth count of the directions in use.

    .. math:: \exp\Big(-\sum_k p_k \log p_k\Big), \qquad p_k = \sigma_k / \textstyle\sum_j \sigma_j + \varepsilon

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        Not centred (the definition takes the representation as it is). Computed in float64.
    epsilon
        The paper's ε; 0 gives the effective rank of Roy and Vetterli (2007), 0 log 0 read as 0.

    Returns
    -------
    float
        Between 1 and min(n, p), up to ε: 1 if all rows lie on one line, min(n, p) if all singular values are equal.
        Unchanged by rotation, reflection and scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    O(n p min(n, p)) time; blocks of rows, so that a memory-mapped array is never held whole while n > p.
    Garrido, Balestriero, Najman and LeCun (2023), RankMe: assessing the downstream performance of pretrained
    self-supervised representations by their rank, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import rankme
    >>> round(rankme(np.eye(4)), 4)
    4.0
    """
    values = _singular_values(as_matrix(x, rows=1))
    xp = array_namespace(values)
    return _entropy_rank(values / _positive(xp.sum(values)) + epsilon)


def stable_rank(x: Any) -> float:
    r"""Stable rank :math:`\|X\|_F^2 / \|X\|_2^2`: total energy over that of the strongest direction.

    Parameters, errors and cost as :func:`rankme`; at least 1 and at most the rank. Unchanged by rotation and scale.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import stable_rank
    >>> round(stable_rank(np.diag([2.0, 1.0, 1.0])), 6)
    1.5
    """
    values = _singular_values(as_matrix(x, rows=1))
    xp = array_namespace(values)
    energy = (values / _positive(xp.max(values))) ** 2
    return float(xp.sum(energy))


def pseudo_condition_number(x: Any, *, tolerance: float = 1e-6) -> float:
    r"""Pseudo condition number :math:`\|X\|_2\,\|X^+\|_2`: the largest singular value over the smallest not zero.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        Not centred. Computed in float64.
    tolerance
        Singular values of at most this share of the largest count as zero and are left out, as the pseudo-inverse
        :math:`X^+` leaves them out. Below it nothing of a float32 matrix is more than rounding. With 0 a matrix of
        deficient rank would be measured by its rounding.

    Returns
    -------
    float
        Between 1 (equal singular values) and 1 / tolerance; **smaller is better conditioned**. A representation that
        has lost directions altogether is *not* punished for them: read it beside a rank. Unchanged by rotation and
        scale; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is zero, or the tolerance is not between 0 and 1.

    Notes
    -----
    Cost as :func:`rankme`. Tsitsulin, Munkhoeva and Perozzi (2023), Unsupervised embedding quality evaluation, take the
    inverse of it, of all singular values.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import pseudo_condition_number
    >>> round(pseudo_condition_number(np.diag([4.0, 2.0, 1.0, 0.0])), 6)
    4.0
    """
    if isinstance(tolerance, bool) or not isinstance(tolerance, (int, float)) or not 0 <= tolerance < 1:
        raise ValueError(f"tolerance is {tolerance!r}; a number of at least 0 and below 1 is needed")
    values = _singular_values(as_matrix(x, rows=1))
    xp = array_namespace(values)
    largest = float(_positive(xp.max(values)))
    kept = values[values > tolerance * largest]
    return largest / float(xp.min(kept))


def alpha_req(x: Any, *, first: int = 1, last: int | None = None) -> float:
    r"""α-ReQ: the exponent of the power law :math:`\lambda_k \propto k^{-\alpha}` of the eigenvalues of the covariance.

    The line :math:`\log\lambda_k = c - \alpha \log k` is fitted to k = ``first``, …, ``last`` by least squares with
    weights 1/k, so that every octave counts alike.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        Centred here, as a covariance is. Computed in float64.
    first, last
        Ranks of the eigenvalues that are fitted. By default all that are above :math:`10^{-12}` of the largest; the
        paper leaves out the first few and the tail of spectra of many hundreds.

    Returns
    -------
    float
        At least 0: 0 for equal eigenvalues, and the larger the faster they decay. Neither end is good: the paper finds
        **values near 1** best. Unchanged by rotation, scale and translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant, or fewer than two eigenvalues are left to fit.

    Notes
    -----
    O(n p min(n, p)). Agrawal, Mondal, Ghosh and Richards (2022), α-ReQ: assessing representation quality in
    self-supervised learning by measuring eigenspectrum decay, NeurIPS; the weighted fit is that of Stringer et al.
    (2019), High-dimensional geometry of population responses in visual cortex, Nature 571.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import alpha_req
    >>> k = np.arange(1, 5)
    >>> x = np.vstack([np.diag(1 / k), -np.diag(1 / k)])  # singular values 1/k: eigenvalues k**-2
    >>> round(alpha_req(x), 6)
    2.0
    """
    spectrum = _eigenvalues(x)
    first = check_count(first, "first")
    above = int(np.count_nonzero(spectrum > 1e-12 * spectrum[0]))
    last = above if last is None else min(check_count(last, "last"), above)
    if last - first < 1:
        raise ValueError(
            f"eigenvalues {first} to {last} are to be fitted, of {above} that are not zero; two are the least"
        )
    k = np.arange(first, last + 1)
    slope, _ = np.polyfit(np.log(k), np.log(spectrum[first - 1 : last]), 1, w=k**-0.5)  # polyfit squares its weights
    return float(-slope)


def nesum(x: Any) -> float:
    r"""NESum: the sum of the eigenvalues of the covariance, each over the largest, :math:`\sum_k\lambda_k/\lambda_1`.

    The :func:`stable_rank` of the centred representation. Parameters, errors and cost as :func:`alpha_req`.

    Returns
    -------
    float
        Between 1 (all variance in one direction) and min(n - 1, p) (white); larger is better in the sense of the paper,
        up to where whitening hurts. Unchanged by rotation, scale and translation.

    Notes
    -----
    He and Ozay (2022), Exploring the gap between collapsed and whitened features in self-supervised learning, ICML,
    definition 4.1.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import nesum
    >>> x = np.diag([2.0, 1.0, 1.0])
    >>> round(nesum(np.vstack([x, -x]) + 5), 6)
    1.5
    """
    spectrum = _eigenvalues(x)
    return float(np.sum(spectrum / spectrum[0]))


def anisotropy(x: Any) -> float:
    r"""Mean cosine between two different objects: 0 for directions spread evenly, near 1 for a narrow cone.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        No row may be zero: it has no direction.

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
    >>> from helpers.quality import anisotropy
    >>> anisotropy(np.array([[1.0, 0.0], [0.0, 2.0]])), round(anisotropy(np.array([[3.0, 4.0], [-3.0, -4.0]])), 6)
    (0.0, -1.0)
    """
    x = as_matrix(x)
    xp = array_namespace(x)
    n = x.shape[0]
    total = sum(xp.sum(block, axis=0) for block in _unit_blocks(x))
    return (float(xp.sum(total * total)) - n) / (n * (n - 1))


def self_clustering(x: Any) -> float:
    r"""SelfCluster: how much larger the squared cosines between objects are than between random directions.

    With unit rows :math:`u_i`,

    .. math:: \frac{\sum_{ij}\langle u_i,u_j\rangle^2 - n - n(n-1)/p}{n^2 - n - n(n-1)/p}

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2, p ≥ 2
        Not centred; no row may be zero.

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
    if p < 2:
        raise ValueError("x has one feature; on a line there are no directions to compare")
    xp = array_namespace(x)
    moment = sum(xp.matmul(block.T, block) for block in _unit_blocks(x))
    expected = n + n * (n - 1) / p
    return (float(xp.sum(moment * moment)) - expected) / (n * n - expected)


def leverage(x: Any) -> float:
    r"""Greatest leverage of an object, :math:`\frac{n}{r}\max_i\|U_i\|^2` with the r left singular vectors U of X.

    How much one object alone decides a direction. Called *coherence* by Candès and Recht (2009) and, as a quality of
    embeddings, by Tsitsulin, Munkhoeva and Perozzi (2023); another study calls the mean cosine so (:func:`anisotropy`).

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
        Not centred. Computed in float64; singular vectors below :math:`10^{-10}` of the largest value are left out.

    Returns
    -------
    float
        Between 1 (every object alike) and n / r (one object has a direction for itself); smaller is better. Unchanged
        by every invertible linear map of the features; not by translation.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or is zero.

    Notes
    -----
    O(n p min(n, p)); holds x and its singular vectors in float64.
    Candès and Recht (2009), Exact matrix completion via convex optimization, Foundations of Computational
    Mathematics 9.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import leverage
    >>> round(leverage(np.array([[1.0], [1.0], [1.0], [1.0]])), 6), round(leverage(np.array([[1.0], [0.0]])), 6)
    (1.0, 2.0)
    """
    x = as_matrix(x, rows=1)
    xp = array_namespace(x)
    u, values, _ = xp.linalg.svd(xp.astype(x, xp.float64), full_matrices=False)
    kept = values > 1e-10 * float(_positive(xp.max(values)))
    rank = int(xp.sum(xp.astype(kept, xp.int64)))
    u = u[:, :rank]
    return x.shape[0] / rank * float(xp.max(xp.sum(u * u, axis=1)))


def uniformity(x: Any, *, t: float = 2.0) -> float:
    r"""Uniformity of Wang and Isola: the logarithm of the mean Gaussian potential of two different objects.

    .. math:: \log \frac{2}{n(n-1)}\sum_{i<j} e^{-t\|u_i-u_j\|^2}, \qquad u_i = x_i/\|x_i\|

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        No row may be zero. Computed in float64 over blocks of rows.
    t
        Of the potential, above 0.

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
    if not isinstance(t, (int, float)) or not 0 < t < math.inf:
        raise ValueError(f"t is {t!r}; a number above 0 is needed")
    x = as_matrix(x)
    xp = array_namespace(x)
    unit = xp.concat(list(_unit_blocks(x)), axis=0)
    n, total, step = x.shape[0], 0.0, max(1, (1 << 22) // x.shape[0])
    for start in range(0, n, step):
        cosine = xp.matmul(unit[start : start + step, :], unit.T)
        potential = xp.exp(2 * t * (xp.clip(cosine, -1.0, 1.0) - 1))
        itself = potential[:, start : start + step]
        total += float(xp.sum(potential)) - float(xp.sum(xp.linalg.diagonal(itself)))
    return math.log(total / (n * (n - 1))) if total > 0 else -4.0 * t


def clustering(x: Any, *, n_clusters: int = 8, relative: bool = True, rng: int = 0) -> float:
    r"""Clustering quality: the mean squared distance of an object to the centre that k-means gives it.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n > clusters
    n_clusters
        k of k-means, at least 2.
    relative
        Over the same with one cluster, which is the total variance: the share of the variance *within* clusters. False
        leaves the mean squared distance itself, which has the units of x.
    rng
        Seed of k-means++, which starts four times; the best of the four counts.

    Returns
    -------
    float
        In [0, 1] if relative; **smaller is more clustered**, which counts as better. Unchanged by rotation and
        translation, and by scale if relative.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or is constant, or has no more rows than clusters.

    Notes
    -----
    O(n p k) a step of k-means, by scikit-learn, in the dtype of ``x``. For Gaussian data without any cluster it is not
    1: k centres explain variance of anything, the more the fewer the dimensions.
    Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import clustering
    >>> clustering(np.repeat([[0.0, 0.0], [1.0, 0.0]], 5, axis=0), n_clusters=2)
    0.0
    """
    from sklearn.cluster import KMeans

    x = to_numpy(centred(as_matrix(x)))
    n_clusters = check_count(n_clusters, "n_clusters", least=2, most=len(x) - 1, why=f"({len(x)} rows)")
    # A number of clusters above that of distinct rows is answered by a warning there, by 0 here.
    if len(np.unique(x, axis=0)) <= n_clusters:
        return 0.0
    within = KMeans(n_clusters, n_init=4, random_state=rng).fit(x).inertia_
    return float(within) / (float(np.sum(np.square(x, dtype=np.float64))) if relative else len(x))


def persistence_h0(
    x: Any, *, total: bool = True, subset: int | None = 1000, relative: bool = True, rng: int | np.random.Generator = 0
) -> float:
    """Persistence of the connected components (H0): the total length of the minimum spanning tree of the objects.

    Growing balls around the objects meet one after another; a component dies at the length of the edge of the minimum
    spanning tree that joins it, so that the bars of H0 of the Vietoris-Rips filtration are the edges of that tree.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p), n ≥ 2
        Euclidean distances, in float64.
    total
        The sum of the n - 1 bars; False gives their mean.
    subset
        So many rows are drawn if there are more; None takes all. Values of different numbers of rows do not compare.
    relative
        In units of the root mean squared distance between two objects. False leaves the units of x.
    rng
        Of the draw.

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


def alignment(views: Any, *, power: float = 2.0) -> float:
    r"""Alignment of Wang and Isola: the mean distance between two views of one object, on the unit sphere.

    .. math:: \operatorname{mean}_{i,\,a<b}\ \|u_i^{(a)} - u_i^{(b)}\|^{\alpha}, \qquad u = v/\|v\|

    Parameters
    ----------
    views : array_like of shape (q, n, p), or q arrays or tensors of shape (n, p); q ≥ 2
        Representations of the same n objects under q augmentations: row i of each is object i.
    power
        α, above 0.

    Returns
    -------
    float
        In [0, 2 ** power]; **smaller is better aligned**. Unchanged by one rotation of all views and by the scale of
        single rows; not by translation. A representation that is constant is aligned perfectly: read it beside
        :func:`uniformity`.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two views, they differ in shape, an entry is not finite, or a row is zero.

    Notes
    -----
    O(q² n p). Wang and Isola (2020), Understanding contrastive representation learning through alignment and uniformity
    on the hypersphere, ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import alignment
    >>> round(alignment([[[1.0, 0.0]], [[0.0, 3.0]]]), 9)
    2.0
    """
    if not isinstance(power, (int, float)) or not 0 < power < math.inf:
        raise ValueError(f"power is {power!r}; a number above 0 is needed")
    views = [np.concatenate([to_numpy(block) for block in _unit_blocks(view)]) for view in _views(views)]
    pairs = [(a, b) for i, a in enumerate(views) for b in views[i + 1 :]]
    return float(np.mean([np.linalg.norm(a - b, axis=1) ** power for a, b in pairs]))


def lidar(views: Any, *, delta: float = 1e-4, epsilon: float = 1e-7) -> float:
    r"""LiDAR: the effective rank of linear discriminant analysis whose classes are the objects, seen in several views.

    With the scatter :math:`\Sigma_b` of the means of the objects and the scatter :math:`\Sigma_w` of the views around
    them, the :func:`rankme` entropy of the eigenvalues of

    .. math:: (\Sigma_w + \delta I)^{-1/2}\ \Sigma_b\ (\Sigma_w + \delta I)^{-1/2}

    Parameters
    ----------
    views : array_like of shape (q, n, p), or q arrays or tensors of shape (n, p); q ≥ 2
        As for :func:`alignment`. The paper draws 50 views of 1000 objects; with two the within scatter is rough.
    delta
        δ, in the units of x squared.
    epsilon
        As for :func:`rankme`.

    Returns
    -------
    float
        Between 1 and p, up to ε; larger is better: directions count that tell objects apart more than views of one
        object. Unchanged by rotation and translation, and for δ → 0 by every invertible linear map of all views.

    Raises
    ------
    TypeError, ValueError
        As :func:`alignment`, but for zero rows; if all objects have the same mean; if δ is not above 0.

    Notes
    -----
    O(q n p² + p³), in float64. Thilak et al. (2024), LiDAR: sensing linear probing performance in joint embedding SSL
    architectures, ICLR.

    Examples
    --------
    Two directions tell objects apart, one only views:

    >>> import numpy as np
    >>> from helpers.quality import lidar
    >>> x = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    >>> round(lidar([x + [0, 0, 1], x - [0, 0, 1]]), 2)
    2.0
    """
    for name, value in (("delta", delta), ("epsilon", epsilon)):
        if not isinstance(value, (int, float)) or not 0 <= value < math.inf or (name == "delta" and value == 0):
            raise ValueError(f"{name} is {value!r}; a finite number above 0 is needed")
    views = np.stack([to_numpy(view).astype(np.float64) for view in _views(views)])
    q, n, p = views.shape
    means = views.mean(axis=0)
    within = (views - means).reshape(q * n, p)
    between = means - means.mean(axis=0)
    values, vectors = np.linalg.eigh(within.T @ within / (q * n))
    whitened = between @ (vectors / np.sqrt(np.maximum(values, 0) + delta))
    spectrum = np.linalg.svd(whitened, compute_uv=False) ** 2
    if not spectrum.sum() > 0:
        raise ValueError("views: all objects have the same mean over their views; nothing tells them apart")
    return _entropy_rank(spectrum / spectrum.sum() + epsilon)


def agreement(x: Any, others: Sequence[Any], *, measure: str | Callable[[Any, Any], float] = "cka") -> float:
    """Mean similarity of a representation with others of the same objects.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
    others : sequence of such, of any widths
        Without ``x`` itself.
    measure
        Name of a symmetric similarity of :mod:`helpers.similarity`, or a function of two representations.

    Returns
    -------
    float
        In the range and with the invariances of the measure; larger counts as better: what models that were trained
        apart have in common is less likely to be an accident of one of them.

    Raises
    ------
    TypeError, ValueError
        If there are no others, the measure is not a similarity, or as the measure raises.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import agreement
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
    >>> round(agreement(x, [2 * x, x + 1]), 6)
    1.0
    """
    if not len(others):
        raise ValueError("others is empty; agreement is with at least one other representation")
    if isinstance(measure, str):
        from helpers.similarity.registry import MEASURES

        known = [name for name, entry in MEASURES.items() if entry.symmetric and entry.orientation == "similarity"]
        if measure not in known:
            raise ValueError(f"measure is {measure!r}; the symmetric similarities are {', '.join(known)}")
        measure = MEASURES[measure].function
    return float(np.mean([measure(x, other) for other in others]))


def dropout_views(x: Any, *, rate: float = 0.5, count: int = 2, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Stand-ins for augmented views, where inputs cannot be encoded again: entries of x set to 0 at random.

    What is seen of two such views of a row is how evenly its information is spread over the features, *not* what the
    model does to a changed input. Prefer views of the inputs.

    Parameters
    ----------
    x : array_like or tensor of shape (n, p)
    rate
        Share of entries that are dropped, at least 0 and below 1; each row keeps at least one. The others are divided
        by 1 - rate.
    count, rng
        How many views; seed or generator.

    Returns
    -------
    ndarray of shape (count, n, p)
        In the dtype of x.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix, or an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality import dropout_views
    >>> dropout_views(np.ones((3, 4)), rate=0).shape
    (2, 3, 4)
    """
    if isinstance(rate, bool) or not isinstance(rate, (int, float)) or not 0 <= rate < 1:
        raise ValueError(f"rate is {rate!r}; a number of at least 0 and below 1 is needed")
    x, rng = to_numpy(as_matrix(x, rows=1)), generator(rng)
    draw = rng.random((check_count(count, "count"), *x.shape), dtype=np.float32)
    keep = (draw >= rate) | (draw == draw.max(axis=2, keepdims=True))
    return np.where(keep, x / x.dtype.type(1 - rate), x.dtype.type(0))


@dataclass(frozen=True)
class Quality:
    """What is known of a label-free quality; called, it gives a value of which larger counts as better.

    Attributes
    ----------
    function
        Gives the value as it is defined.
    better
        ``"larger"``, ``"smaller"``, or ``"near 1"``: what counts as better, decided before any label was seen.
    range, cost
        Of the value; n objects, p features.
    invariances
        Of the value, among ``"rotation"``, ``"scale"``, ``"translation"`` and ``"linear"`` (every invertible map).
    reference
        Its source.
    needs
        What the function takes: ``"x"``; ``"views"``; or ``"others"``, x and the other representations.
    """

    function: Callable[..., float]
    better: str
    range: str
    invariances: tuple[str, ...]
    cost: str
    reference: str
    needs: str = "x"

    def value(self, x: Any = None, *, views: Any = None, others: Any = None) -> float:
        """The value as it is defined.

        Raises
        ------
        ValueError
            If what the quality needs is not given.
        """
        if (self.needs == "views" and views is None) or (self.needs == "others" and others is None):
            raise ValueError(f"this quality needs {self.needs}=; one representation alone does not tell it")
        if self.needs == "views":
            return self.function(views)
        return self.function(x, others) if self.needs == "others" else self.function(x)

    def __call__(self, x: Any = None, *, views: Any = None, others: Any = None) -> float:
        """The value turned so that larger counts as better; errors as :meth:`value`."""
        value = self.value(x, views=views, others=others)
        return {"larger": value, "smaller": -value, "near 1": -abs(value - 1)}[self.better]


QUALITIES: dict[str, Quality] = {
    "rankme": Quality(rankme, "larger", "[1, min(n, p)]", ("rotation", "scale"), "n p²", "Garrido et al. 2023"),
    "pseudo_condition_number": Quality(
        pseudo_condition_number, "smaller", "[1, 1e6]", ("rotation", "scale"), "n p²", "Tsitsulin et al. 2023"
    ),
    "coherence": Quality(anisotropy, "smaller", "[-1/(n-1), 1]", ("rotation", "scale"), "n p", "Ethayarajh 2019"),
    "clustering": Quality(
        clustering, "smaller", "[0, 1]", ("rotation", "scale", "translation"), "n p k a step", "Lloyd 1982"
    ),
    "persistence_h0": Quality(
        persistence_h0,
        "larger",
        "[0, ∞)",
        ("rotation", "scale", "translation"),
        "m² p, m ≤ 1000",
        "Edelsbrunner et al. 2002",
    ),
    "alpha_req": Quality(
        alpha_req, "near 1", "[0, ∞)", ("rotation", "scale", "translation"), "n p²", "Agrawal et al. 2022"
    ),
    "nesum": Quality(
        nesum, "larger", "[1, min(n-1, p)]", ("rotation", "scale", "translation"), "n p²", "He and Ozay 2022"
    ),
    "stable_rank": Quality(
        stable_rank, "larger", "[1, min(n, p)]", ("rotation", "scale"), "n p²", "Tsitsulin et al. 2023"
    ),
    "leverage": Quality(leverage, "smaller", "[1, n/r]", ("rotation", "scale", "linear"), "n p²", "Candès, Recht 2009"),
    "self_clustering": Quality(
        self_clustering, "smaller", "[-1/(p-1), 1]", ("rotation", "scale"), "n p²", "Tsitsulin et al. 2023"
    ),
    "uniformity": Quality(uniformity, "smaller", "[-8, 0]", ("rotation", "scale"), "n² p", "Wang and Isola 2020"),
    "alignment": Quality(
        alignment, "smaller", "[0, 4]", ("rotation", "scale"), "q² n p", "Wang and Isola 2020", "views"
    ),
    "lidar": Quality(lidar, "larger", "[1, p]", ("rotation", "translation"), "q n p²", "Thilak et al. 2024", "views"),
    "agreement": Quality(
        agreement,
        "larger",
        "[0, 1] for CKA",
        ("rotation", "scale", "translation"),
        "L n p²",
        "Kornblith et al. 2019",
        "others",
    ),
    "isotropy": Quality(
        lambda x: 1 - anisotropy(x), "larger", "[0, n/(n-1)]", ("rotation", "scale"), "n p", "Ethayarajh 2019"
    ),
}
"""Label-free qualities by name; called, larger counts as better. ``isotropy`` is 1 - ``coherence``."""


def _singular_values(x: Array) -> Array:
    """Singular values in float64; a tall matrix is reduced to its triangular factor, a block of rows at a time."""
    xp = array_namespace(x)
    n, p = x.shape
    rows = max(ROWS, p)
    factor = xp.astype(x[:rows, :], xp.float64)
    for start in range(rows, n, rows):
        block = xp.astype(x[start : start + rows, :], xp.float64)
        factor = xp.linalg.qr(xp.concat([factor, block], axis=0), mode="reduced")[1]
    return xp.linalg.svdvals(factor)


def _eigenvalues(x: Any) -> np.ndarray:
    """Eigenvalues of the covariance up to a factor, the largest first; of float32 in float64."""
    x = as_matrix(x)
    xp = array_namespace(x)
    return to_numpy(_singular_values(centred(xp.astype(x, xp.float64)))) ** 2


def _entropy_rank(share: Array) -> float:
    """Exponential of the entropy of shares, 0 log 0 read as 0."""
    xp = array_namespace(share)
    return float(xp.exp(-xp.sum(share * xp.log(xp.where(share > 0, share, xp.ones_like(share))))))


def _unit_blocks(x: Array):
    """Rows of length 1 in float64, a block at a time."""
    xp = array_namespace(x)
    for start in range(0, x.shape[0], ROWS):
        block = xp.astype(x[start : start + ROWS, :], xp.float64)
        largest = xp.max(xp.abs(block), axis=1, keepdims=True)
        if not bool(xp.all(largest > 0)):
            raise ValueError(f"row {start + int(xp.argmin(largest))} is zero and has no direction; leave it out")
        block = block / largest
        yield block / xp.sqrt(xp.sum(block * block, axis=1, keepdims=True))


def _positive(total: Array) -> Array:
    if not float(total) > 0:
        raise ValueError("x is zero everywhere; its rank says nothing")
    return total


def _views(views: Any) -> list[Array]:
    """At least two finite matrices of one shape."""
    if getattr(views, "ndim", 3) != 3:
        raise ValueError(f"views has shape {tuple(views.shape)}; (views, objects, features) is needed")
    found = [as_matrix(view, f"views[{i}]", rows=1) for i, view in enumerate(views)]
    if len(found) < 2:
        raise ValueError(f"views has {len(found)} view; at least 2 of the same objects are needed")
    for i, view in enumerate(found):
        if view.shape != found[0].shape:
            raise ValueError(
                f"views[{i}] has shape {tuple(view.shape)} and views[0] {tuple(found[0].shape)}; they must be alike"
            )
    return found


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
