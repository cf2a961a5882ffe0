"""Tolerances derived from what is computed: the length of its sums, the precision, the condition of the data.

The unit roundoff u of a type is half the distance from 1 to the next number. Of an inner product of p terms

.. math:: |fl(x \\cdot y) - x \\cdot y| \\le (p + 8) u \\, |x| |y|

whatever the order of the sums (Higham, 2002, Accuracy and stability of numerical algorithms, chapter 3), with 8 for
what happens to the factors before (scaling, centring) and to the product after (norms, roots, quotients). No bound here
knows which processor, kernel or number of threads did the sums.

Of a simulation it is the number of draws that counts. Seeds are fixed, so that a test that passes goes on passing; the
widths of :func:`of_a_share` and :func:`of_a_mean` are for streams of random numbers that change, with a version or an
order of calls.

``approx`` and ``allclose`` without a number (1e-6 and 1e-5) say: equal in exact arithmetic, in double precision. There
a sum of a thousand terms is off by 1e-13, so that they hold as far as conditions of a million; where data are single,
or the condition may be worse, the test gives a width.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

#: How often a check by simulation may fail without a fault once its streams have changed.
FALSE_ALARM = 1e-4


def unit(dtype="float64") -> float:
    """Unit roundoff."""
    return float(np.finfo(dtype).eps) / 2


def inner(p: int, dtype="float64") -> float:
    """Error of an inner product of p terms relative to the product of the lengths."""
    return (p + 8) * unit(dtype)


def long_sum(n: int, dtype="float64") -> float:
    """Error of a sum of n terms, relative to the sum of their magnitudes: five standard deviations.

    An addition is off by at most u times the partial sum, evenly spread within that; partial sums grow evenly, so that
    the variance is u² / 3 · n / 3.
    """
    return 5 * np.sqrt(n) / 3 * unit(dtype)


def apart(terms: int, dtype="float64", *, condition: float = 1.0) -> float:
    """How far two ways to one number may be apart, relative to its size, with two sums one upon another in each.

    What is backward stable answers rightly for data that are off by :func:`inner`; ``condition`` is how much more the
    number moves than they do: 1 where nothing cancels (Higham, 2002, chapters 1, 19 and 20).
    """
    return 4 * condition * inner(terms, dtype)


def of_rounded(p: int, dtype, *, condition: float = 1.0) -> float:
    """How far a number moves if data of p features, in either of two representations, are rounded to a type.

    Every entry is off by u of itself, all together by no more than √p u of the largest singular value.
    """
    return 2 * condition * float(np.sqrt(p)) * unit(dtype)


def condition(*arrays: np.ndarray) -> float:
    """Largest over smallest singular value of the centred columns, without those that are rounding.

    By so much more than the data do subspaces move, and with them canonical correlations, regressions and whitened
    rows. Of several arrays the largest.
    """
    found = []
    for x in arrays:
        values = np.linalg.svd(np.asarray(x, dtype=float) - np.mean(x, axis=0, dtype=float), compute_uv=False)
        found.append(values[0] / values[values > 100 * np.finfo(x.dtype).eps * values[0]].min())
    return float(max(found))


def offset(*arrays: np.ndarray) -> float:
    """Length of the rows over that of the centred rows: by so much more than they do differences from the mean move."""
    return float(max(np.linalg.norm(x) / np.linalg.norm(x - np.mean(x, axis=0)) for x in arrays))


def gap(values) -> float:
    """Largest value over the smallest distance of two: by so much more than a matrix do its vectors move.

    Davis and Kahan (1970), The rotation of eigenvectors by a perturbation, SIAM Journal on Numerical Analysis 7.
    """
    ordered = np.sort(np.asarray(values, dtype=float))
    return float(np.abs(ordered).max() / np.diff(ordered).min())


def of_correlation(errors, values) -> float:
    r"""How far a correlation with ``values`` moves when each of them is off by at most ``errors``.

    To first order a cosine moves by :math:`\langle E, v \rangle / |V|` with a unit vector v, at most
    :math:`|E| / |V|` (Cauchy and Schwarz); the second order is below that squared.
    """
    moved = float(np.linalg.norm(errors) / np.linalg.norm(values))
    return moved + moved**2


def squared_distance_bounds(x: np.ndarray, dtype) -> np.ndarray:
    """Bounds (n, n) of the errors of squared distances that come from the Gram matrix of centred rows."""
    square = np.sum((x - x.mean(axis=0)) ** 2, axis=1)
    return inner(x.shape[1], dtype) * np.add.outer(square, square)


def distance_bounds(x: np.ndarray, dtype, cancelled: float) -> np.ndarray:
    """Bounds (n, n) of the errors of Euclidean distances; those between equal rows have none.

    A root is off by no more than the square over the root. Where a square is below the share ``cancelled`` of the two
    squared lengths, the distance is taken from the differences, and its error is below that at the threshold.
    """
    square = np.sum((x - x.mean(axis=0)) ** 2, axis=1)
    apart = np.sqrt(np.maximum(np.sum((x[:, None] - x[None]) ** 2, axis=2), 0))
    floor = np.sqrt(cancelled * np.add.outer(square, square)) + np.finfo(float).tiny
    return np.where(apart > 0, squared_distance_bounds(x, dtype) / np.maximum(apart, floor), 0)


def rank_bounds(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """How far the ranks of values can move that are off by at most ``bounds``, apart from ties that break."""
    slack = bounds + np.max(bounds)
    ordered = np.sort(values)
    near = np.searchsorted(ordered, values + slack, "right") - np.searchsorted(ordered, values - slack, "left")
    return near - (np.searchsorted(ordered, values, "right") - np.searchsorted(ordered, values, "left"))


def of_broken_ties(sizes, n: int, shared: bool = False) -> float:
    """How far a rank correlation of n values moves when rounding breaks ties of these sizes in one ranking.

    Within a tie of g the ranks then differ from their mean, with a sum of squares of (g³ - g) / 12, of (n³ - n) / 12 in
    all: by Cauchy and Schwarz the correlation moves by the root of the share. If the other ranking is constant
    within the ties too (``shared``), only the length of the ranks changes, by the share itself.
    """
    size = np.asarray(sizes, dtype=float)
    share = float(np.sum(size**3 - size) / (float(n) ** 3 - n))
    return share if shared else share + float(np.sqrt(share))


def cosine_distance_bounds(x: np.ndarray, dtype) -> np.ndarray:
    """Bounds (n, n) of the errors of 1 - cosine by way of the squared distances of centred rows.

    The inner product is put together from the squared distance of the centred rows c and their products with the mean
    m, then divided by the lengths; the distance 1 of a row without a direction is a constant.
    """
    mean, length = np.linalg.norm(x.mean(axis=0)), np.linalg.norm(x, axis=1)
    centred = np.linalg.norm(x - x.mean(axis=0), axis=1)
    parts = squared_distance_bounds(x, dtype) / 2
    parts += 8 * unit(dtype) * (np.add.outer(centred**2, centred**2) + mean * np.add.outer(centred, centred) + mean**2)
    with np.errstate(divide="ignore"):
        inverse = np.where(length > 0, 1 / length, 0)
    parts *= np.outer(inverse, inverse)
    return np.where(parts > 0, parts + 8 * unit(dtype), 0)


def decided(distances: np.ndarray, bounds: np.ndarray, k: int) -> np.ndarray:
    """Rows (n,) whose k nearest, in their order, no errors within the bounds can change."""
    apart = np.array(distances, dtype=float)
    np.fill_diagonal(apart, np.inf)
    gaps = np.diff(np.sort(apart, axis=1)[:, : k + 1], axis=1)
    return (gaps > 2 * bounds.max(axis=1, keepdims=True)).all(axis=1)


def assert_nearest(found: np.ndarray, distances: np.ndarray, bounds: np.ndarray, decided: float) -> None:
    """Check neighbours by their distances, and by their names where rounding leaves no doubt.

    Parameters
    ----------
    found
        Indices (n, k), nearest first.
    distances
        The true distances (n, n).
    bounds
        (n, n), how far the distances may be off by which ``found`` was chosen.
    decided
        Share of the entries at least that the bounds leave without a doubt: the test has to compare something.

    Notes
    -----
    If all distances of a row are off by at most b, then so are the ordered ones, entry by entry. Hence the j-th of
    those found is within 2b of the j-th true distance, and is the j-th nearest if that one is more than 2b away from
    the ones before and after it.
    """
    n, k = found.shape
    apart = np.array(distances, dtype=float)
    np.fill_diagonal(apart, np.inf)
    order = np.argsort(apart, axis=1, kind="stable")[:, : k + 1]
    nearest = np.take_along_axis(apart, order, axis=1)
    slack = 2 * bounds.max(axis=1, keepdims=True)
    assert all(len(set(row)) == k for row in found.tolist())
    off = np.abs(np.take_along_axis(apart, found, axis=1) - nearest[:, :k])
    assert (off <= slack).all(), (off / slack).max()
    after = np.diff(nearest, axis=1) > slack
    sure = after & np.hstack([np.ones((n, 1), dtype=bool), after[:, :-1]])
    assert sure.mean() >= decided, sure.mean()
    np.testing.assert_array_equal(found[sure], order[:, :k][sure])


def of_a_share(p: float, n: int, *, false_alarm: float = FALSE_ALARM) -> float:
    """How far the share of n independent draws is from its probability p at most: exact, by the binomial distribution.

    Parameters
    ----------
    p
        The true probability.
    n
        Number of draws.
    false_alarm
        Probability, at most, that the share is farther away, on either side; on one side it is half as large.
    """
    law = stats.binom(n, p)
    return float(max(p - law.ppf(false_alarm / 2) / n, law.isf(false_alarm / 2) / n - p))


def of_a_mean(sd, n: int, *, false_alarm: float = FALSE_ALARM):
    """How far the mean of n independent draws is from the true mean at most, by the central limit theorem.

    Parameters
    ----------
    sd
        Standard deviation of a draw, or several.
    n
        Number of draws.
    false_alarm
        Probability that the mean is farther away, on either side.
    """
    return stats.norm.isf(false_alarm / 2) * sd / np.sqrt(n)
