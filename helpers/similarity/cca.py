"""Canonical correlation and its descendants: mean CCA, SVCCA, PWCCA."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from helpers.arrays import as_pair, centred, check_count, svd, to_numpy
from helpers.similarity._distances import well_scaled

__all__ = ["cca", "pwcca", "svcca"]

Array = Any
WEIGHTS = ("x", "y", "svcca-release")


def cca(x: Any, y: Any) -> float:
    r"""Mean canonical correlation.

    With orthonormal bases :math:`Q_X, Q_Y` of the centred columns, the canonical correlations are the singular values
    of :math:`Q_Y^\top Q_X`; this is their mean, :math:`\|Q_Y^\top Q_X\|_* / \min(r_X, r_Y)`.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Computed in float64 whatever the dtype: features of very
        different variance cost single precision half of its digits and more.

    Returns
    -------
    float
        A similarity in [0, 1]; 1 if one column space contains the other.

    Warns
    -----
    RuntimeWarning
        If either side has rank n - 1 (as it has, almost always, with n <= p or n <= q). Its columns then span
        everything, all canonical correlations are 1, and so is the value, whatever the data: take more objects, or
        :func:`svcca` with few components.

    Raises
    ------
    ValueError
        If every feature of one side is constant.

    Notes
    -----
    The mean is over min(rank of x, rank of y), not min(p, q): a constant, duplicated or linearly dependent feature
    changes nothing. Ranks are numerical, of columns scaled to unit length. Invariant to every invertible linear map
    and translation of either side. On independent data it is not 0 but grows with p/n.
    Cost: O(n (p + q)²). Hotelling (1936), Relations between two sets of variates, Biometrika 28; Raghu, Gilmer,
    Yosinski and Sohl-Dickstein (2017), SVCCA, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cca import cca
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0], [5.0, 2.0]])
    >>> round(cca(x, x @ np.array([[1.0, 2.0], [3.0, -1.0]]) + 7), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return _mean_correlation(_span(x, "x"), _span(y, "y"))


def svcca(x: Any, y: Any, *, keep: float = 0.99, components: int | None = None) -> float:
    """Singular vector CCA: mean canonical correlation of the leading principal components.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Computed in float64 whatever the dtype: features of very
        different variance cost single precision half of its digits and more.
    keep
        Share of the variance that the components kept on each side must reach, in (0, 1].
    components
        Number of components to take on each side, instead of ``keep``. With 1 the value is the absolute correlation of
        the two first principal components.

    Returns
    -------
    float
        A similarity in [0, 1].

    Warns
    -----
    RuntimeWarning
        If n - 1 components were kept on a side: every canonical correlation is then 1.

    Raises
    ------
    ValueError
        If every feature of one side is constant, ``keep`` is not in (0, 1], or ``components`` exceeds a rank.

    Notes
    -----
    The mean is over the smaller number of components. Invariant to orthogonal maps, translation and isotropic scaling
    of either side. Cost: two singular value decompositions, O(n p min(n, p)) and O(n q min(n, q)).
    Raghu, Gilmer, Yosinski and Sohl-Dickstein (2017), SVCCA, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cca import svcca
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0], [5.0, 2.0]])
    >>> round(svcca(x, -2 * x, components=1), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return _mean_correlation(_leading(x, "x", keep, components), _leading(y, "y", keep, components))


def pwcca(x: Any, y: Any, *, weights: str = "x") -> float:
    r"""Projection-weighted CCA: the mean of the canonical correlations, weighted by what they explain of one side.

    The weight of the i-th canonical correlation is :math:`\alpha_i = \sum_j |\langle h_i, z_j\rangle|`, where
    :math:`h_i` is the i-th canonical variate and :math:`z_j` the j-th centred column of the side in ``weights``.

    Parameters
    ----------
    x, y
        Representations of shape (n, p) and (n, q). Computed in float64 whatever the dtype: features of very
        different variance cost single precision half of its digits and more.
    weights
        The side the weights come from: ``"x"`` or ``"y"``. ``"svcca-release"`` computes what the code released with
        the paper computes, for comparison with numbers made by it: the weights come from the narrower side (x of two
        equal ones), the variates lack the whitening and carry the column means, are orthonormalised by QR and
        projected on columns that are not centred.

    Returns
    -------
    float
        A similarity in [0, 1]; not symmetric.

    Warns
    -----
    RuntimeWarning
        If either side has rank n - 1: every canonical correlation is then 1, as explained in :func:`cca`.

    Raises
    ------
    ValueError
        If every feature of one side is constant; for ``"svcca-release"`` also if n is not larger than p and q.

    Notes
    -----
    Invariant to translation and isotropic scaling of either side, and to invertible linear maps of the side without
    the weights, but not to rotations of the side with them; ``"svcca-release"`` not even to translation. Where
    the ranks add up to more than n - 1, some correlations are 1 whatever the data, and their weights not unique.
    ``"svcca-release"`` depends on the signs that the singular value decomposition gives to the directions: where a
    feature is constant or redundant, rounding decides them, and the value may differ between machines.
    Cost: O(n (p + q)²). Morcos, Raghu and Bengio (2018), Insights on representational
    similarity in neural networks with canonical correlation, NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.cca import pwcca
    >>> x = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [0.0, 3.0], [5.0, 2.0]])
    >>> round(pwcca(x, x @ np.array([[1.0, 2.0], [3.0, -1.0]]) + 7), 12)
    1.0
    """
    x, y, _ = as_pair(x, y)
    return _weighted_correlation(_explained(x, "x", weights), _explained(y, "y", weights))


def _span(x: Array, name: str) -> Array:
    """Orthonormal basis of the space that the centred features span."""
    return _basis(_centred(x, name), x.dtype)


def _leading(x: Array, name: str, keep: float = 0.99, components: int | None = None) -> Array:
    """Leading principal components, of length 1."""
    if not (isinstance(keep, (int, float)) and 0 < keep <= 1):
        raise ValueError(f"keep is {keep!r}; a share of the variance in (0, 1] is needed")
    left, values, _ = svd(_centred(x, name))
    variances = to_numpy(values) ** 2
    rank = _rank(values, x.shape, x.dtype)
    if components is None:
        shares = np.cumsum(variances[:rank]) / variances[:rank].sum()
        count = min(rank, int(np.searchsorted(shares, keep)) + 1)
    else:
        count = check_count(components, "components", most=rank, why=f"(the rank of {name} is {rank})")
    return left[:, :count]


def _explained(x: Array, name: str, weights: str = "x") -> tuple[str, Array, Array | None]:
    """``weights``, a basis, and the centred features in its coordinates (the data alone for the released variant)."""
    if weights not in WEIGHTS:
        raise ValueError(f"weights is {weights!r}; it must be one of {', '.join(map(repr, WEIGHTS))}")
    if weights == "svcca-release":
        return weights, to_numpy(x), None
    xp = array_namespace(x)
    side = _centred(x, name)
    basis = _basis(side, x.dtype)
    return weights, basis, xp.matmul(basis.T, side)


def _weighted_correlation(x: tuple, y: tuple) -> float:
    """PWCCA of two prepared sides."""
    if x[0] == "svcca-release":
        return _pwcca_release(x[1], y[1])
    (_, a, explained), (_, b, _) = (y, x) if x[0] == "y" else (x, y)
    xp = array_namespace(a)
    _warn_saturated(a.shape[0], a.shape[1], b.shape[1])
    rotation, correlations, _ = svd(xp.matmul(a.T, b))
    alpha = to_numpy(xp.sum(xp.abs(xp.matmul(rotation.T, explained)), axis=1))
    return min(1.0, float(alpha @ to_numpy(correlations) / alpha.sum()))


def _centred(x: Array, name: str) -> Array:
    """Centred columns in float64, of a size that squares without overflow."""
    xp = array_namespace(x)
    return well_scaled(xp.astype(x, xp.float64, copy=False), name)


def _rank(values: Array, shape: tuple[int, int], given: Any) -> int:
    """Numerical rank from float64 singular values, in descending order, of data given in another dtype perhaps."""
    xp = array_namespace(values)
    rounding = 8 * float(xp.finfo(values.dtype).eps) * max(shape) ** 0.5
    tolerance = max(rounding, float(xp.finfo(given).eps) if given != xp.float64 else 0.0)
    return int(xp.sum(xp.astype(values > tolerance * values[0], xp.int64)))


def _basis(x: Array, given: Any) -> Array:
    """Orthonormal basis of the column space of centred columns, (n, rank)."""
    xp = array_namespace(x)
    # The column space does not depend on the lengths of the columns, the numerical rank does: make them equal.
    length = xp.max(xp.abs(x), axis=0, keepdims=True)
    x = x / xp.where(length == 0, xp.ones_like(length), length)
    length = xp.linalg.vector_norm(x, axis=0, keepdims=True)
    x = x / xp.where(length == 0, xp.ones_like(length), length)
    q, r = xp.linalg.qr(x, mode="reduced")
    rank = _rank(xp.linalg.svdvals(r), x.shape, given)
    if rank == q.shape[1]:
        return q
    left, _, _ = svd(r)
    return xp.matmul(q, left[:, :rank])


def _mean_correlation(a: Array, b: Array) -> float:
    """Mean canonical correlation of two orthonormal bases."""
    xp = array_namespace(a)
    _warn_saturated(a.shape[0], a.shape[1], b.shape[1])
    values = to_numpy(xp.linalg.svdvals(xp.matmul(a.T, b)))
    return float(np.minimum(values, 1.0).mean())


def _warn_saturated(n: int, *ranks: int) -> None:
    """Say that the value is 1 whatever the data."""
    if max(ranks) >= n - 1:
        warnings.warn(
            f"{max(ranks)} components of {n} centred rows span every direction: all canonical correlations are 1 "
            "whatever the data. Take more rows, or svcca with fewer components.",
            RuntimeWarning,
            stacklevel=4,
        )


def _pwcca_release(x: np.ndarray, y: np.ndarray) -> float:
    """PWCCA as the released code has it, without its regularisation."""
    n = x.shape[0]
    for z, name in ((x, "x"), (y, "y")):
        if n <= z.shape[1]:
            raise ValueError(f"{name} has shape {z.shape}; weights='svcca-release' needs more rows than columns")
    x, y = x.astype(np.float64), y.astype(np.float64)
    whitened = []
    for z, name in ((x, "x"), (y, "y")):
        z = centred(z, name)
        values, vectors = np.linalg.eigh(z.T @ z)
        present = values > z.shape[1] * np.finfo(np.float64).eps * values[-1]
        inverse = np.where(present, 1 / np.sqrt(np.where(present, values, 1)), 0)
        whitened.append(z @ (vectors * inverse) @ vectors.T)
    left, correlations, right = svd(whitened[0].T @ whitened[1], full_matrices=True)
    side, directions = (x, left.T) if x.shape[1] <= y.shape[1] else (y, right)
    mean = side.mean(axis=0)
    variates = (side - mean) @ directions.T + mean
    alpha = np.abs(np.linalg.qr(variates)[0].T @ side).sum(axis=1)
    return float(alpha @ correlations / alpha.sum())


#: What depends on one side alone, and the value of two sides; a matrix of all pairs prepares each side once.
_PARTS = {
    "cca": (_span, _mean_correlation),
    "svcca": (_leading, _mean_correlation),
    "pwcca": (_explained, _weighted_correlation),
}
