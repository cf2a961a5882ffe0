"""Differences of summary statistics: how far the mean is from the origin, how spread the directions and points are.

Each compares one number of x with the same number of y, so that 0 does not mean that the representations agree.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from helpers.arrays import as_pair, row_slices
from helpers.similarity._distances import BLOCK, distance_block, points, rescaled, row_blocks

__all__ = ["concentricity_difference", "magnitude_difference", "uniformity_difference"]

Array = Any


def magnitude_difference(x: Any, y: Any) -> float:
    r"""Absolute difference of the lengths of the mean rows: :math:`|\,\|\bar x\| - \|\bar y\|\,|`.

    A **distance** in [0, ∞). The triangle inequality holds, but 0 does not mean equal. Invariant to rotations and
    permutations of features.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. Means are taken in float64 whatever the type.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit or an entry is NaN or infinite.

    Notes
    -----
    O(n(p + q)).

    References
    ----------
    Wang, Rao, Guo, Wang, Liu, Guan (2022), "Towards understanding the instability of network embedding", IEEE TKDE 34.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.statistics import magnitude_difference
    >>> magnitude_difference(np.array([[3.0, 4.0], [3.0, 4.0]]), np.array([[1.0], [3.0]]))
    3.0
    """
    x, y, _ = as_pair(x, y)
    return _difference(_magnitude(x, "x"), _magnitude(y, "y"))


def concentricity_difference(x: Any, y: Any) -> float:
    r"""Absolute difference of the concentricities: the mean cosine between a row and the mean row.

    A **distance** in [0, 2]. The triangle inequality holds, but 0 does not mean equal. Invariant to rotations,
    permutations of features and isotropic scale.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. Means and sums are taken in float64 whatever the type.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit or an entry is NaN or infinite.

    Notes
    -----
    A zero row has cosine 0 with everything; so has a mean that is zero up to rounding, as in centred data, whose
    concentricity is therefore 0. O(n(p + q)).

    References
    ----------
    Wang, Rao, Guo, Wang, Liu, Guan (2022), "Towards understanding the instability of network embedding", IEEE TKDE 34.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.statistics import concentricity_difference
    >>> round(concentricity_difference(np.eye(2), np.ones((2, 3))), 4)
    0.2929
    """
    x, y, _ = as_pair(x, y)
    return _difference(_concentricity(x, "x"), _concentricity(y, "y"))


def uniformity_difference(x: Any, y: Any, *, t: float = 2.0) -> float:
    r"""Absolute difference of the uniformities :math:`\log\frac1{n^2}\sum_{i,j} e^{-t\|x_i-x_j\|^2}` (i = j included).

    A **distance** in [0, ∞) (at most log n). The triangle inequality holds, but 0 does not mean equal. Invariant to
    rotations, permutations of features and translations. Made for rows of unit length: where points are several units
    apart every term but i = j vanishes, both sides are −log n, and the difference is 0 whatever the data.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. float32 (and half, which becomes float32) is computed in float32
        with centring and final sums in float64, every other type in float64.
    t
        Inverse width of the Gaussian kernel, above 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, or ``t`` is not a positive number.

    Notes
    -----
    O(n²(p + q)) time in blocks of rows; nothing of size n×n is held.

    References
    ----------
    Wang, Isola (2020), "Understanding contrastive representation learning through alignment and uniformity on the
    hypersphere", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.statistics import uniformity_difference
    >>> x = np.array([[0.0], [1.0]])
    >>> round(uniformity_difference(x, 0 * x), 4), round(float(-np.log((1 + np.exp(-2)) / 2)), 4)
    (0.5662, 0.5662)
    """
    x, y, _ = as_pair(x, y)
    return _difference(_uniformity(x, "x", t), _uniformity(y, "y", t))


def _magnitude(x: Array, name: str = "x") -> float:
    xp = array_namespace(x)
    # float64 sums of float32 cannot overflow, nor can their squares.
    x, scale = rescaled(x) if x.dtype == xp.float64 else (x, 1.0)
    return scale * _length(xp.mean(x, axis=0, dtype=xp.float64))


def _concentricity(x: Array, name: str = "x") -> float:
    x = rescaled(x)[0]
    xp = array_namespace(x)
    mean = xp.mean(x, axis=0, dtype=xp.float64)
    length, total, longest = _length(mean), 0.0, 0.0
    for rows in row_slices(x):
        block = xp.astype(x[rows, :], xp.float64, copy=False)
        largest = xp.max(xp.abs(block), axis=1)
        block = block / xp.where(largest > 0, largest, xp.ones_like(largest))[:, None]
        norms = xp.sqrt(xp.sum(block * block, axis=1))
        longest = max(longest, float(xp.max(norms * largest)))
        if length > 0:
            total += float(xp.sum(xp.matmul(block, mean / length) / xp.where(norms > 0, norms, xp.ones_like(norms))))
    return total / x.shape[0] if length > xp.finfo(x.dtype).eps * longest else 0.0


def _uniformity(x: Array, name: str = "x", t: float = 2.0) -> float:
    if not 0 < t < math.inf:
        raise ValueError(f"t is {t}; it must be above 0 and finite")
    of = points(x, "sqeuclidean")
    xp, n = array_namespace(of.near), of.near.shape[0]
    # Distances of unscaled points, and the scale in the exponent: squares of huge numbers would overflow.
    most = 1e30 if of.near.dtype == xp.float32 else 1e300
    factor, of = -min(t * of.scale * of.scale, most), of._replace(scale=1.0)
    total = 0.0
    for start, stop in row_blocks(n, entries=BLOCK // 4):
        kernel = xp.exp(distance_block(of, (start, stop), (start, n)) * factor)
        size = stop - start
        total += float(xp.sum(kernel[:, :size], dtype=xp.float64) + 2 * xp.sum(kernel[:, size:], dtype=xp.float64))
    return math.log(total / n**2)


def _difference(a: float, b: float) -> float:
    return abs(a - b)


def _length(vector: Array) -> float:
    return float(array_namespace(vector).linalg.vector_norm(vector))


_PARTS = {
    "magnitude_difference": (_magnitude, _difference),
    "concentricity_difference": (_concentricity, _difference),
    "uniformity_difference": (_uniformity, _difference),
}
