"""Standard errors and intervals where items are pairs, and pairs that share a member are not independent."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from helpers.inference import Interval

__all__ = ["pair_error", "share_interval", "spearman_influences", "spearman_interval"]


def pair_error(influences: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[float, int]:
    """Standard error of the mean of influences of pairs, and how many members these pairs have.

    The variance of Aronow, Samii and Assenova (2015): the sum of products of influences over all pairs of pairs that
    share a member; where that is less than it would be for independent pairs, the latter.

    Parameters
    ----------
    influences : ndarray of shape (n,)
        What each pair adds to the estimate, with mean 0.
    left, right : ndarray of int of shape (n,)
        Numbers of the two members of each pair, which may be one and the same.

    Returns
    -------
    error : float
        Standard error of the estimate.
    units : int
        Number of different members.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.quality.words.shared_members import pair_error
    >>> error, units = pair_error(np.array([1.0, 1.0, -2.0]), np.array([0, 0, 2]), np.array([1, 1, 3]))
    >>> round(error, 3), units
    (1.089, 4)
    """
    e, n = np.asarray(influences, dtype=np.float64), len(influences)
    proper = left != right
    members = np.concatenate([left, right[proper]])
    names, which = np.unique(members, return_inverse=True)
    sums = np.bincount(which, np.concatenate([e, e[proper]]))
    both = np.stack([np.minimum(left, right), np.maximum(left, right)])[:, proper]
    kinds, which = np.unique(both, axis=1, return_inverse=True)
    twice = np.bincount(which.ravel(), e[proper], minlength=kinds.shape[1])
    variance = max(sums @ sums - twice @ twice, e @ e)
    units = len(names)
    return math.sqrt(variance * units / max(units - 1, 1)) / n, units


def share_interval(
    right: np.ndarray, left: np.ndarray, other: np.ndarray, confidence_level: float
) -> tuple[float, float]:
    """Wilson's limits of a share of pairs, for as many independent items as its standard error is worth.

    Where all are right or none is, pairs are taken to be worth as many items as they have members.

    Parameters
    ----------
    right : array_like of shape (n,)
        Whether each pair is right.
    left, other : ndarray of int of shape (n,)
        Numbers of the two members of each pair.
    confidence_level
        Level of the interval, between 0 and 1.

    Returns
    -------
    tuple of float
        Lower and upper limit, in [0, 1].
    """
    right = np.asarray(right, dtype=np.float64)
    share = float(right.mean())
    error, units = pair_error(right - share, left, other)
    size = share * (1 - share) / error**2 if error > 0 else units
    size = max(min(size, len(right)), 1.0)
    z = float(stats.norm.isf((1 - confidence_level) / 2))
    middle = (share + z * z / (2 * size)) / (1 + z * z / size)
    reach = z * math.sqrt(share * (1 - share) / size + (z / (2 * size)) ** 2) / (1 + z * z / size)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def spearman_influences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What each item adds to Spearman's correlation of a large sample: it is a correlation of mid-ranks.

    The derivative of the covariance and both variances of mid-ranks with respect to the weight of an item, its own
    rank and those of all others that it moves.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Two values of each item, neither the same for all.

    Returns
    -------
    ndarray of shape (n,)
        Influences with mean 0, whose root mean square over √n is the standard error for independent items.
    """
    a, b = (stats.rankdata(side) / len(side) for side in (x, y))
    a, b = a - a.mean(), b - b.mean()
    covariance, va, vb = np.mean(a * b), np.mean(a * a), np.mean(b * b)

    def moved(by: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Mean over all items of ``of`` times what one item adds to their rank, less what it adds on average."""
        order = np.argsort(by, kind="stable")
        kinds, start, counts = np.unique(by[order], return_index=True, return_counts=True)
        total = np.add.reduceat(of[order], start)
        above = total.sum() - np.cumsum(total)
        each = (above + total / 2) / len(of)
        return each[np.searchsorted(kinds, by)]

    dc = a * b + moved(x, b) + moved(y, a) - 3 * covariance
    da, db = a * a + 2 * moved(x, a) - 3 * va, b * b + 2 * moved(y, b) - 3 * vb
    rho = covariance / math.sqrt(va * vb)
    return dc / math.sqrt(va * vb) - rho / 2 * (da / va + db / vb)


def spearman_interval(
    x: np.ndarray, y: np.ndarray, left: np.ndarray, right: np.ndarray, confidence_level: float
) -> Interval:
    """Spearman's correlation of pairs, with limits on Fisher's scale; NaN limits where the correlation is 1 or -1.

    Parameters
    ----------
    x, y : ndarray of shape (n,)
        Two values of each pair.
    left, right : ndarray of int of shape (n,)
        Numbers of the two members of each pair.
    confidence_level
        Level of the interval, between 0 and 1.

    Returns
    -------
    Interval
        Correlation with its limits; those of Student's t with as many degrees of freedom as members, less one.
    """
    from helpers.metrics import spearman

    rho = spearman(x, y)
    if math.isnan(rho) or abs(rho) >= 1 - 1e-12:
        return Interval(rho, math.nan, math.nan, confidence_level)
    error, units = pair_error(spearman_influences(x, y), left, right)
    reach = float(stats.t.isf((1 - confidence_level) / 2, max(units - 1, 1))) * error / (1 - rho**2)
    low, high = np.tanh(np.arctanh(rho) + np.array([-reach, reach]))
    return Interval(rho, float(low), float(high), confidence_level)
