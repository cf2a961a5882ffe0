"""Correlation matching: how well single features of one representation are found again in the other."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from helpers.arrays import alike, as_pair, centred, row_slices, to_numpy
from helpers.similarity._distances import rescaled

__all__ = ["hard_correlation_match", "soft_correlation_match"]

Array = Any


def hard_correlation_match(x: Any, y: Any) -> float:
    r"""Mean correlation of features matched one to one, in the matching with the largest sum.

    A **similarity** in [−1, 1], 1 if one representation holds copies of all features of the other, up to positive
    scale and offset each. Invariant to permutations of features, isotropic scale (and a positive scale of every single
    feature) and translations; not to rotations, nor to the sign of a feature.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects; min(p, q) pairs of features are matched. float32 (and half, which
        becomes float32) is computed in float32 with centring and norms in float64, every other type in float64.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, or every feature of a representation is constant.

    Notes
    -----
    A constant feature has correlation 0 with all others. O(npq) for the correlations and O(min(p, q)²·max(p, q)) for
    the linear assignment, which runs on the host.

    References
    ----------
    Li, Yosinski, Clune, Lipson, Hopcroft (2015), "Convergent learning: do different neural networks learn the same
    representations?", Feature Extraction workshop, NIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matching import hard_correlation_match
    >>> x = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> round(hard_correlation_match(x, x[:, ::-1] * [2.0, 5.0]), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return _between_hard(_standardised(x, "x"), _standardised(y, "y"))


def soft_correlation_match(x: Any, y: Any) -> float:
    r"""Mean over all features of both representations of the correlation with the best partner in the other one.

    A **similarity** in [−1, 1]: the mean of :math:`\frac1p\sum_i\max_j C_{ij}` and :math:`\frac1q\sum_j\max_i C_{ij}`
    with C the Pearson correlations between features. One feature may be the partner of many. Invariances, dtypes and
    errors are those of :func:`hard_correlation_match`. O(npq).

    References
    ----------
    Li, Yosinski, Clune, Lipson, Hopcroft (2015), "Convergent learning: do different neural networks learn the same
    representations?", Feature Extraction workshop, NIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matching import soft_correlation_match
    >>> x = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> round(soft_correlation_match(x, x[:, :1]), 4)  # both features look for a partner in one
    0.75
    """
    x, y, _ = as_pair(x, y)
    return _between_soft(_standardised(x, "x"), _standardised(y, "y"))


def _standardised(x: Array, name: str = "x") -> Array:
    """The features centred and scaled to norm 1, constant ones zero."""
    x = centred(rescaled(x)[0], name)
    xp = array_namespace(x)
    norms = _norms(x)
    if bool(xp.any(norms < (1e-12 if x.dtype == xp.float32 else 1e-140))):
        # Squares of features that are small beside others may have vanished: each by its own largest entry first.
        largest = xp.max(xp.abs(x), axis=0, keepdims=True)
        x = x / xp.where(largest > 0, largest, xp.ones_like(largest))
        norms = _norms(x)
    x /= xp.astype(xp.where(norms > 0, norms, xp.ones_like(norms)), x.dtype)
    return x


def _norms(x: Array) -> Array:
    xp = array_namespace(x)
    squares = sum(xp.sum(x[rows, :] ** 2, axis=0, keepdims=True, dtype=xp.float64) for rows in row_slices(x))
    return xp.sqrt(squares)


def _between_hard(a: Array, b: Array) -> float:
    from scipy.optimize import linear_sum_assignment

    correlations = to_numpy(_correlations(a, b))
    return float(correlations[linear_sum_assignment(correlations, maximize=True)].mean(dtype=float))


def _between_soft(a: Array, b: Array) -> float:
    correlations = _correlations(a, b)
    xp = array_namespace(correlations)
    return sum(float(xp.mean(xp.max(correlations, axis=axis), dtype=xp.float64)) for axis in (0, 1)) / 2


def _correlations(a: Array, b: Array) -> Array:
    a, b, xp = alike(a, b)
    return xp.clip(xp.matmul(a.T, b), -1, 1)


_PARTS = {
    "hard_correlation_match": (_standardised, _between_hard),
    "soft_correlation_match": (_standardised, _between_soft),
}
