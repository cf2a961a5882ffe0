"""Correlation matching: how well single features of one representation are found again in the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import alike, as_pair, centred, check_number, row_slices, to_numpy
from helpers.similarity._distances import rescaled

__all__ = ["hard_correlation_match", "partial_soft_matching", "soft_correlation_match", "soft_matching"]

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


def soft_matching(x: Any, y: Any) -> float:
    r"""Mean correlation of features under the optimal transport between the features of the two.

    Every feature of x gives 1/p of a mass and every one of y receives 1/q; of all plans T with these sums of rows and
    columns the value is the largest :math:`\sum_{ij} T_{ij} C_{ij}`, with C the Pearson correlations. It is 1 minus the
    transport cost at costs 1 - C. For p = q it is :func:`hard_correlation_match`.

    A **similarity** in [−1, 1]. Unlike :func:`soft_correlation_match`, no feature is the partner of many for free, and
    unlike :func:`hard_correlation_match` none is left out where widths differ. Invariances, dtypes and errors are those
    of :func:`hard_correlation_match`. O(npq) for the correlations; the transport, by network simplex on the host, is
    about cubic in the width.

    References
    ----------
    Khosla, Williams (2024), "Soft matching distance: a metric on neural representations that captures single-neuron
    tuning", UniReps.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matching import soft_matching
    >>> x = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]])
    >>> round(soft_matching(x, x[:, :1]), 4)  # half of the mass of the one feature goes to one unrelated
    0.5
    """
    x, y, _ = as_pair(x, y)
    return _between_transport(_standardised(x, "x"), _standardised(y, "y"))


def partial_soft_matching(x: Any, y: Any, *, mass: float = 0.8) -> float:
    r"""Mean correlation of the features that the best partial transport matches, the rest left alone.

    As :func:`soft_matching`, but only a share ``mass`` of both sides is matched, that with the highest correlations:
    features of noise need no partner. The value is :math:`\sum_{ij} T_{ij} C_{ij}` over the mass.

    A **similarity** in [−1, 1], no smaller than that of a larger mass. Invariances, dtypes and errors are those of
    :func:`hard_correlation_match`.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects.
    mass
        Share of the features to match, above 0 and at most 1; at 1 it is :func:`soft_matching`.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`hard_correlation_match`, and if ``mass`` is out of range.

    Notes
    -----
    The released code of the paper reports 1 minus the cost, 1 - m + Σ T C, which falls in no range of its own; dividing
    by the mass makes it a mean correlation.

    References
    ----------
    Kapoor, Williams, Khosla (2026), "Partial soft-matching distance for neural representational comparison with partial
    unit correspondence", ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.matching import partial_soft_matching, soft_matching
    >>> rng = np.random.default_rng(0)
    >>> x, noise = rng.normal(size=(500, 8)), rng.normal(size=(500, 4))
    >>> with_noise = np.column_stack([x[:, :6], noise[:, :2]])
    >>> round(partial_soft_matching(x, with_noise, mass=0.75), 2), round(soft_matching(x, with_noise), 1)
    (1.0, 0.7)
    """
    x, y, _ = as_pair(x, y)
    return _between_partial(_partly(x, "x", mass), _partly(y, "y", mass))


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


def _partly(x: Array, name: str = "x", mass: float = 0.8) -> tuple[Array, float]:
    check_number(mass, "mass", lambda share: 0 < share <= 1, "a share above 0 and at most 1")
    return _standardised(x, name), float(mass)


def _between_transport(a: Array, b: Array) -> float:
    from ot import emd

    correlations = to_numpy(_correlations(a, b)).astype(np.float64)
    p, q = correlations.shape
    if p == q:
        return _between_hard(a, b)  # the vertices of the plans are the permutations
    plan = emd(np.full(p, 1 / p), np.full(q, 1 / q), 1 - correlations, numItermax=10_000_000)
    return float(np.clip(np.sum(plan * correlations), -1.0, 1.0))


def _between_partial(a: tuple[Array, float], b: tuple[Array, float]) -> float:
    from ot import emd

    correlations, mass = to_numpy(_correlations(a[0], b[0])).astype(np.float64), a[1]
    if mass == 1:
        return _between_transport(a[0], b[0])
    p, q = correlations.shape
    # What is left alone goes to a dummy on the other side, free of cost; dummies take nothing of each other.
    costs = np.zeros((p + 1, q + 1))
    costs[:p, :q] = 1 - correlations
    costs[p, q] = 8.0
    plan = emd(
        np.append(np.full(p, 1 / p), 1 - mass), np.append(np.full(q, 1 / q), 1 - mass), costs, numItermax=10_000_000
    )
    return float(np.clip(np.sum(plan[:p, :q] * correlations) / np.sum(plan[:p, :q]), -1.0, 1.0))


def _correlations(a: Array, b: Array) -> Array:
    a, b, xp = alike(a, b)
    return xp.clip(xp.matmul(a.T, b), -1, 1)


_PARTS = {
    "hard_correlation_match": (_standardised, _between_hard),
    "soft_correlation_match": (_standardised, _between_soft),
    "soft_matching": (_standardised, _between_transport),
    "partial_soft_matching": (_partly, _between_partial),
}
