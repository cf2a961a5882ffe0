"""Measures of the subspaces that the features span in the space of objects."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from array_api_compat import array_namespace, device

from helpers.arrays import alike, as_pair, centred, row_slices, sum_of_squares, svd
from helpers.similarity._distances import rescaled

__all__ = ["eigenspace_overlap", "gulp", "linear_regression"]

Array = Any


class _Subspace(NamedTuple):
    """An orthonormal basis (n, rank) of the span of the features, and a weight for every basis vector."""

    basis: Array
    weights: Array
    width: int  # number of features
    option: Any = None


def linear_regression(x: Any, y: Any, *, predict: str = "x") -> float:
    r"""Share of the variance of one representation that a linear regression on the other explains (R²).

    A **similarity** in [0, 1], and **not symmetric**: with ``predict="x"`` (the default, as in Kornblith et al. and
    ReSi) x is predicted from y, and ``linear_regression(x, y, predict="y")`` equals ``linear_regression(y, x)``.
    Invariant to rotations, permutations of features, isotropic scale and translations of both, and to every invertible
    linear map of the predictor.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects. float32 (and half, which becomes float32) is computed in float32
        with centring and final sums in float64, every other type in float64.
    predict : {"x", "y"}
        The representation to predict from the other.

    Returns
    -------
    float

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, every feature of a representation is constant, or
        ``predict`` is neither "x" nor "y".

    Notes
    -----
    With U an orthonormal basis of the centred predictor (its singular vectors up to numerical rank), R² is
    :math:`\|U^TX\|^2/\|X\|^2`. It is 1 as soon as the rank of the predictor reaches n − 1. O(np·min(n, p)) once per
    representation, O(npq) per pair.

    References
    ----------
    Kornblith, Norouzi, Lee, Hinton (2019), "Similarity of neural network representations revisited", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.subspace import linear_regression
    >>> x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(linear_regression(x, x[:, :1]), 12), round(linear_regression(x[:, :1], x), 12)
    (0.5, 1.0)
    """
    _check_choice(predict, "predict", "x", "y")
    x, y, xp = as_pair(x, y)
    x, y = (centred(rescaled(a)[0], name) for a, name in ((x, "x"), (y, "y")))
    target, predictor = (x, y) if predict == "x" else (y, x)
    # For one pair the basis of the target is not needed.
    explained = sum_of_squares(xp.matmul(_variances(predictor).basis.T, target))
    return min(explained / sum_of_squares(target), 1.0)


def eigenspace_overlap(x: Any, y: Any, *, normalise: str = "features") -> float:
    r"""Eigenspace overlap score: :math:`\|U^TV\|_F^2 / \max(p, q)` with U, V the left singular vectors of x and y.

    A **similarity** in [0, 1]: 1 if the features of both, not centred, span one subspace and none of them is redundant.
    Invariant to every invertible linear map of the features, thus to rotations, permutations and isotropic scale; not
    to translations.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects; dtypes as in :func:`linear_regression`.
    normalise : {"features", "rank"}
        What to divide by: the larger number of features, as May et al. do for representations of full rank, or the
        larger numerical rank, which gives identical representations 1 also where features are redundant or p > n.

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, a representation is all zero, or ``normalise`` is
        unknown.

    Notes
    -----
    O(np·min(n, p)) once per representation, O(npq) per pair.

    References
    ----------
    May, Zhang, Dao, Ré (2019), "On the downstream performance of compressed word embeddings", NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.subspace import eigenspace_overlap
    >>> x = np.eye(4)[:, :2]
    >>> round(eigenspace_overlap(x, x @ [[1.0, 2.0], [0.0, 3.0]]), 12), round(eigenspace_overlap(x, np.eye(4)), 12)
    (1.0, 0.5)
    """
    x, y, _ = as_pair(x, y)
    return _between_overlap(_overlap(x, "x", normalise), _overlap(y, "y", normalise))


def gulp(x: Any, y: Any, *, regularisation: float = 0.0, squared: bool = False) -> float:
    r"""GULP: root mean squared difference of ridge regressions on x and on y, over all targets of unit variance.

    A **distance** in [0, ∞): :math:`d^2 = \|A_x - A_y\|_F^2` with :math:`A = X(X^TX + \lambda I)^{-1}X^T` the matrix
    that maps a target to its ridge regression on the centred representation of unit Frobenius norm. A metric between
    what regressions can do with the representations. Invariant to rotations, permutations of features, isotropic scale
    and translations, and at λ = 0 to every invertible linear map.

    Parameters
    ----------
    x, y : array_like or tensor of shape (n, p) and (n, q)
        Two representations of the same n objects; dtypes as in :func:`linear_regression`.
    regularisation
        λ ≥ 0, relative to the total variance of a representation. At 0 the distance is
        :math:`\sqrt{r_x + r_y - 2\sum_i\rho_i^2}` of the ranks and the canonical correlations, and 0 for any two
        representations of rank n − 1: choose λ > 0 unless n is much larger than p and q.
    squared
        The square of the distance, which the ReSi benchmark reports; it is no metric.

    Raises
    ------
    TypeError
        If the entries are not real numbers, or only one of x and y is a torch tensor.
    ValueError
        If the shapes do not fit, an entry is NaN or infinite, every feature of a representation is constant, or
        ``regularisation`` is negative or not finite.

    Notes
    -----
    Singular values below max(n, p)·ε of the largest count as 0, also where λ = 0 (rank-deficient representations are
    allowed). O(np·min(n, p)) once per representation, O(npq) per pair; nothing of size n×n.

    References
    ----------
    Boix-Adserà, Lawrence, Stepaniants, Rigollet (2022), "GULP: a prediction-based metric between representations",
    NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.similarity.subspace import gulp
    >>> x = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    >>> round(gulp(x, x[:, :1]), 12)  # one of the two directions is missing
    1.0
    >>> round(gulp(x[:, :1], x[:, 1:], regularisation=1.0, squared=True), 12)  # each direction shrunk to one half
    0.5
    """
    x, y, _ = as_pair(x, y)
    return _between_gulp(*(_ridge(a, name, regularisation, squared) for a, name in ((x, "x"), (y, "y"))))


def _regression(x: Array, name: str = "x", predict: str = "x") -> _Subspace:
    """The basis, weighted by the share of the variance along each vector."""
    _check_choice(predict, "predict", "x", "y")
    return _variances(centred(rescaled(x)[0], name))._replace(option=predict)


def _overlap(x: Array, name: str = "x", normalise: str = "features") -> _Subspace:
    _check_choice(normalise, "normalise", "features", "rank")
    x = rescaled(x)[0]
    if not bool(array_namespace(x).any(x != 0)):
        raise ValueError(f"{name} is all zero; it spans no subspace")
    return _variances(x)._replace(option=normalise)


def _ridge(x: Array, name: str = "x", regularisation: float = 0.0, squared: bool = False) -> _Subspace:
    """The basis, weighted by the shrinkage that the ridge applies to each vector."""
    if not 0 <= regularisation < math.inf:
        raise ValueError(f"regularisation is {regularisation}; it must be at least 0 and finite")
    of = _variances(centred(rescaled(x)[0], name))
    return of._replace(weights=of.weights / (of.weights + regularisation), option=squared)


def _between_regression(a: _Subspace, b: _Subspace) -> float:
    target, predictor = (a, b) if a.option == "x" else (b, a)
    u, v, xp = alike(target.basis, predictor.basis)
    explained = xp.sum(xp.matmul(u.T, v) ** 2, axis=1, dtype=xp.float64)
    return min(float(xp.sum(target.weights * explained)), 1.0)


def _between_overlap(a: _Subspace, b: _Subspace) -> float:
    u, v, xp = alike(a.basis, b.basis)
    size = max(a.width, b.width) if a.option == "features" else max(u.shape[1], v.shape[1])
    return min(sum_of_squares(xp.matmul(u.T, v)) / size, 1.0)


def _between_gulp(a: _Subspace, b: _Subspace) -> float:
    """A sum of squares: what the bases share with unequal weights, and what each has alone. It does not cancel."""
    u, v, xp = alike(a.basis, b.basis)
    cross = xp.matmul(u.T, v)
    cosines = xp.astype(cross, xp.float64) ** 2
    shared = float(xp.sum(cosines * (a.weights[:, None] - b.weights[None, :]) ** 2))
    alone_a, alone_b = 1 - xp.sum(cosines, axis=1), 1 - xp.sum(cosines, axis=0)
    total = float(xp.sum(a.weights**2) + xp.sum(b.weights**2))
    square = shared + float(xp.sum(a.weights**2 * alone_a) + xp.sum(b.weights**2 * alone_b))
    if square < (1e-2 if u.dtype == xp.float32 else 1e-6) * total:
        # Near 0 what is left of each basis is rounding when taken from 1: take it from the vectors.
        alone_a = xp.sum((u - xp.matmul(v, cross.T)) ** 2, axis=0, dtype=xp.float64)
        alone_b = xp.sum((v - xp.matmul(u, cross)) ** 2, axis=0, dtype=xp.float64)
        square = shared + float(xp.sum(a.weights**2 * alone_a) + xp.sum(b.weights**2 * alone_b))
    return square if a.option else math.sqrt(max(square, 0.0))


def _variances(x: Array) -> _Subspace:
    """The left singular vectors of x up to numerical rank, and their shares of the sum of squares in float64."""
    xp = array_namespace(x)
    noise = max(x.shape) * xp.finfo(x.dtype).eps
    if x.dtype == xp.float64:
        u, s, _ = svd(x)
        kept = s > s[0] * noise
        u, squares = u[:, kept], s[kept] ** 2
    else:
        # float32: the Gram matrix in float64 resolves all that float32 entries can, five times faster.
        wide = x.shape[1] >= x.shape[0]
        squares, vectors = xp.linalg.eigh(_gram(x.T if wide else x))
        kept = squares > squares[-1] * noise**2
        squares, vectors = squares[kept], vectors[:, kept]
        u = xp.astype(vectors, x.dtype) if wide else _times(x, vectors / xp.sqrt(squares))
    return _Subspace(u, squares / xp.sum(squares), x.shape[1])


def _check_choice(value: str, name: str, *choices: str) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(map(repr, choices))}")


def _gram(x: Array) -> Array:
    """xᵀx in float64."""
    xp = array_namespace(x)
    blocks = (xp.astype(x[rows, :], xp.float64) for rows in row_slices(x))
    return sum(xp.matmul(block.T, block) for block in blocks)


def _times(x: Array, matrix: Array) -> Array:
    """x times a float64 matrix, taken in float64, in the dtype of x."""
    xp = array_namespace(x)
    out = xp.empty((x.shape[0], matrix.shape[1]), dtype=x.dtype, device=device(x))
    for rows in row_slices(x):
        out[rows, :] = xp.matmul(xp.astype(x[rows, :], xp.float64), matrix)
    return out


_PARTS = {
    "linear_regression": (_regression, _between_regression),
    "eigenspace_overlap": (_overlap, _between_overlap),
    "gulp": (_ridge, _between_gulp),
}
