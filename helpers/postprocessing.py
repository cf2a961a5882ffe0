"""Affine maps that change the geometry of a space: centring, principal axes, whitening.

A map is learnt from rows without labels and applied to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count

__all__ = ["Affine", "TREATMENTS", "treatments"]


TREATMENTS = {
    "raw": "as it comes",
    "centred": "the mean of each feature taken off",
    "standardised": "centred, each feature divided by its standard deviation",
    "pca": "centred, on all principal axes: a rotation of centred",
    "pca_half": "centred, on the leading half of the principal axes",
    "svd_half": "on the leading half of the singular directions, not centred",
    "top_1_removed": "centred, without the first principal axis",
    "top_3_removed": "centred, without the first three principal axes",
    "half_whitened": "centred, principal axes divided by the square root of their deviation",
    "whitened": "centred, principal axes divided by their deviation",
}
"""What :func:`treatments` does, by name."""


class Affine(NamedTuple):
    """x ↦ (x - shift) @ matrix; without a matrix only the shift."""

    shift: np.ndarray
    matrix: np.ndarray | None = None

    def __call__(self, x: Any) -> np.ndarray:
        moved = np.asarray(x, np.float64) - self.shift
        return moved if self.matrix is None else moved @ self.matrix


def treatments(x: Any, *, names: Sequence[str] = tuple(TREATMENTS), width: int | None = None) -> dict[str, Affine]:
    """The maps of :data:`TREATMENTS`, learnt from rows.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.
    names
        Which.
    width
        How many principal axes there are, at most p; by default as many as vary, at most p. Those of variance below
        1e-10 of the largest are never used.

    Returns
    -------
    dict of str to Affine

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix or all its rows are equal, a name is unknown or ``width`` out of range.

    Notes
    -----
    O(n p min(n, p)). Mu and Viswanath (2018), All-but-the-top, ICLR: the leading axes; Su et al. (2021), Whitening
    sentence representations: whitening.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import treatments
    >>> x = np.random.default_rng(0).normal(size=(100, 3)) + [5, 0, 0]
    >>> maps = treatments(x)
    >>> maps["pca"](x).shape, maps["top_1_removed"](x).shape
    ((100, 3), (100, 2))
    """
    x = np.asarray(as_matrix(x, rows=3), np.float64)
    if unknown := [name for name in names if name not in TREATMENTS]:
        raise ValueError(f"names has {unknown}; there are {list(TREATMENTS)}")
    p = x.shape[1]
    width = p if width is None else check_count(width, "width", most=p, why="features")
    zero, mean = np.zeros(p), x.mean(axis=0)
    axes, variance = _axes(x - mean, width)
    deviation = np.sqrt(variance)
    half = max(1, len(variance) // 2)
    found = {
        "raw": lambda: Affine(zero),
        "centred": lambda: Affine(mean),
        "standardised": lambda: Affine(mean, np.diag(1 / np.where(x.std(axis=0) > 0, x.std(axis=0), 1))),
        "pca": lambda: Affine(mean, axes),
        "pca_half": lambda: Affine(mean, axes[:, :half]),
        "svd_half": lambda: Affine(zero, _axes(x, half)[0]),
        "top_1_removed": lambda: Affine(mean, axes[:, 1:]),
        "top_3_removed": lambda: Affine(mean, axes[:, 3:]),
        "half_whitened": lambda: Affine(mean, axes / np.sqrt(deviation)),
        "whitened": lambda: Affine(mean, axes / deviation),
    }
    return {name: found[name]() for name in names}


def _axes(x: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading right singular directions of ``x``, as columns, and the mean square along each of them."""
    from scipy.linalg import eigh

    n, p = x.shape
    small, tall = (x.T @ x, True) if n > p else (x @ x.T, False)
    width = min(width, len(small))
    values, vectors = eigh(small, subset_by_index=(len(small) - width, len(small) - 1))
    values, vectors = values[::-1], vectors[:, ::-1]
    if not values[0] > 0:
        raise ValueError("all rows of x are equal; it has no principal axes")
    keep = values > 1e-10 * values[0]
    vectors = vectors[:, keep] if tall else x.T @ (vectors[:, keep] / np.sqrt(values[keep]))
    return vectors, values[keep] / n
