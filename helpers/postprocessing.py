"""Affine maps that change the geometry of a space: centring, principal axes, all-but-the-top, whitening.

A map is learnt from rows without labels and applied to others::

    change = whitening(train)
    x = change(test)

:func:`treatments` learns several of them at once, under names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import as_matrix, check_count, check_number

__all__ = [
    "TREATMENTS",
    "Affine",
    "all_but_the_top",
    "centring",
    "principal_axes",
    "standardising",
    "treatments",
    "whitening",
]


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
    """x ↦ (x - shift) @ matrix; without a matrix only the shift.

    Attributes
    ----------
    shift : ndarray of shape (p,)
        What is taken off each row.
    matrix : ndarray of shape (p, q), or None
        What the shifted rows are multiplied by.
    """

    shift: np.ndarray
    matrix: np.ndarray | None = None

    def __call__(self, x: Any) -> np.ndarray:
        """The image of rows (n, p), of shape (n, q), in float64."""
        moved = np.asarray(x, np.float64) - self.shift
        return moved if self.matrix is None else moved @ self.matrix


def centring(x: Any) -> Affine:
    """Takes the mean of each feature off: a direction that all rows share disappears.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.

    Returns
    -------
    Affine
        Keeps all distances between rows, but not their cosines.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix of three rows at least.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import centring
    >>> centring([[0.0, 5], [2, 5], [4, 5]])([[3.0, 5]]).tolist()
    [[1.0, 0.0]]
    """
    return Affine(_rows(x).mean(axis=0))


def standardising(x: Any) -> Affine:
    """Centres, and divides each feature by its standard deviation; constant features become 0.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.

    Returns
    -------
    Affine
        On the training rows every feature that varies has mean 0 and variance 1.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix of three rows at least.

    Examples
    --------
    >>> from helpers.postprocessing import standardising
    >>> standardising([[0.0, 5], [2, 5], [4, 5], [2, 5]])([[2 + 2**0.5, 5]]).round(6).tolist()
    [[1.0, 0.0]]
    """
    x = _rows(x)
    spread = x.std(axis=0)
    return Affine(x.mean(axis=0), np.diag(1 / np.where(spread > 0, spread, 1)))


def principal_axes(x: Any, *, width: int | None = None, centred: bool = True) -> Affine:
    """Coordinates along the principal axes, that of the largest variance first.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.
    width
        How many axes there are, at most p; by default as many as vary. Axes whose variance is below 1e-10 of the
        largest are never used.
    centred
        Whether the mean is taken off first (principal component analysis) or not (singular directions, of which the
        first mostly points to the mean).

    Returns
    -------
    Affine
        Map that with all axes is a rotation, which keeps distances and, of centred rows, cosines; with fewer of them
        the best approximation by so few coordinates.

    Raises
    ------
    TypeError, ValueError
        If ``x`` is not a finite real matrix of three rows at least, all its rows are equal (without centring: zero),
        or ``width`` is out of range.

    Notes
    -----
    O(n p min(n, p)).

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import principal_axes
    >>> x = np.array([[0.0, 0], [3, 4], [6, 8]])
    >>> abs(principal_axes(x)(x)).round(6).tolist()
    [[5.0], [0.0], [5.0]]
    """
    x = _rows(x)
    mean = x.mean(axis=0) if centred else np.zeros(x.shape[1])
    return Affine(mean, _axes(x - mean, _width(x, width))[0])


def all_but_the_top(x: Any, n_removed: int = 1, *, width: int | None = None) -> Affine:
    """Centres, and leaves the leading principal axes out, which often carry frequency and position, not meaning.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.
    n_removed
        How many axes are left out; the paper takes about p / 100.
    width
        How many axes there are before that, as in :func:`principal_axes`.

    Returns
    -------
    Affine
        The coordinates along the other axes. The paper subtracts the projection on the leading axes and keeps p
        features; that is the same up to a rotation.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`principal_axes`; if ``n_removed`` is not a whole number of at least 0.

    Notes
    -----
    O(n p min(n, p)). Mu and Viswanath (2018), All-but-the-top: simple and effective postprocessing for word
    representations, ICLR.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import all_but_the_top
    >>> x = np.array([[9.0, 1], [-9, 1], [9, -1], [-9, -1]])
    >>> abs(all_but_the_top(x)(x)).round(6).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    change = principal_axes(x, width=width)
    return Affine(change.shift, change.matrix[:, check_count(n_removed, "n_removed", least=0) :])


def whitening(x: Any, *, power: float = 1.0, width: int | None = None) -> Affine:
    """Centres, and divides the coordinate along each principal axis by a power of its standard deviation.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.
    power
        1 whitens: every axis gets variance 1. 0 leaves the axes as they are; between them, large axes are damped.
    width
        How many axes are kept, as in :func:`principal_axes`. With hardly more rows than features the last axes are
        mostly noise, which whitening enlarges.

    Returns
    -------
    Affine

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`principal_axes`; if ``power`` is not a finite number.

    Notes
    -----
    O(n p min(n, p)). Su, Cao, Liu and Ou (2021), Whitening sentence representations for better semantics and faster
    retrieval, arXiv:2103.15316.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import whitening
    >>> x = np.array([[9.0, 1], [-9, 1], [9, -1], [-9, -1]])
    >>> abs(whitening(x)(x)).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    check_number(power, "power", np.isfinite, "a finite number")
    x = _rows(x)
    mean = x.mean(axis=0)
    axes, variance = _axes(x - mean, _width(x, width))
    return Affine(mean, axes / variance ** (power / 2))


def treatments(x: Any, *, names: Sequence[str] = tuple(TREATMENTS), width: int | None = None) -> dict[str, Affine]:
    """The maps of :data:`TREATMENTS`, learnt from rows, with the principal axes computed once.

    Parameters
    ----------
    x : array_like of shape (n, p), n ≥ 3
        Training rows, without labels. Computed in float64.
    names
        The treatments that are wanted.
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
    O(n p min(n, p)).

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.postprocessing import treatments
    >>> x = np.random.default_rng(0).normal(size=(100, 3)) + [5, 0, 0]
    >>> maps = treatments(x)
    >>> maps["pca"](x).shape, maps["top_1_removed"](x).shape
    ((100, 3), (100, 2))
    """
    x = _rows(x)
    if unknown := [name for name in names if name not in TREATMENTS]:
        raise ValueError(f"names has {unknown}; there are {list(TREATMENTS)}")
    width, mean = _width(x, width), x.mean(axis=0)
    axes, variance = _axes(x - mean, width)
    half = max(1, len(variance) // 2)
    found = {
        "raw": lambda: Affine(np.zeros(x.shape[1])),
        "centred": lambda: Affine(mean),
        "standardised": lambda: standardising(x),
        "pca": lambda: Affine(mean, axes),
        "pca_half": lambda: Affine(mean, axes[:, :half]),
        "svd_half": lambda: principal_axes(x, width=half, centred=False),
        "top_1_removed": lambda: Affine(mean, axes[:, 1:]),
        "top_3_removed": lambda: Affine(mean, axes[:, 3:]),
        "half_whitened": lambda: Affine(mean, axes / variance**0.25),
        "whitened": lambda: Affine(mean, axes / variance**0.5),
    }
    return {name: found[name]() for name in names}


def _rows(x: Any) -> np.ndarray:
    return np.asarray(as_matrix(x, rows=3), np.float64)


def _width(x: np.ndarray, width: int | None) -> int:
    return x.shape[1] if width is None else check_count(width, "width", most=x.shape[1], why="features")


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
