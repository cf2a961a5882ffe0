"""Paired differences of two methods on the same items, and Holm's correction for many tests."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_row_labels, generator
from helpers.inference._checks import check_level, choice, group_members, vector
from helpers.inference.intervals import ENTRIES, Interval, interval, percentiles

__all__ = ["VERDICTS", "Paired", "holm", "paired", "two_sided_p", "verdict_of"]

VERDICTS = ("better", "not distinguishable", "worse")
"""What :func:`paired` and :func:`nemenyi` may say of the first method against the second."""

EXACT = 20
"""Units up to which all signs are tried, whatever the number of resamples: half a million sums."""


class Paired(NamedTuple):
    """The difference of two methods; ``f"{paired:+.2f}"`` writes ``+0.03 [-0.01, +0.07]``.

    ``verdict`` is one of :data:`VERDICTS`, ``n`` the number of items, folds or draws.
    """

    difference: float
    low: float
    high: float
    p: float
    verdict: str
    n: int
    confidence_level: float

    __format__ = Interval.__format__

    @property
    def estimate(self) -> float:
        return self.difference


def paired(
    a: Any,
    b: Any,
    *,
    draws: tuple[Any, Any] | None = None,
    overlap: float | None = None,
    groups: Any = None,
    test: str = "sign-flip",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> Paired:
    """Is method a better than method b on the same items?

    Three kinds of input:

    - the values of both methods on the same items (the score is their mean): interval by the bootstrap (BCa), p by
      flipping signs of differences or by the bootstrap;
    - two scores, and ``draws``: bootstrap draws of both from the *same* resamples, for scores that are not means
      (a rank correlation, an average precision): percentile interval, p by its inversion;
    - the values of both on the folds of a cross-validation, and ``overlap``: Student's t with the variance of Nadeau
      and Bengio, because training sets share items.

    Parameters
    ----------
    a, b : array_like of shape (n,), or two numbers with ``draws``
        Larger is better.
    draws
        Two arrays of equal length, draw by draw from the same resampled items.
    overlap
        Size of a test fold over size of its training set, so 1 / (k - 1) for k folds; 0 gives the plain paired t-test.
    groups : array_like of shape (n,), optional
        Items of one group are drawn, and their signs are flipped, together.
    test
        ``"sign-flip"``: exact up to 20 items or groups, and where 2 ** n ≤ resamples; assumes only that without a
        difference d and -d are equally likely. ``"bootstrap"``: twice the smaller share of resampled differences on one
        side of 0.
    confidence_level, n_resamples, rng
        Same meaning as in :func:`interval`.

    Returns
    -------
    Paired
        ``difference`` a - b, ``low``, ``high``, two-sided ``p``, and the ``verdict``: ``"better"`` or ``"worse"``
        only if the interval excludes 0 *and* p ≤ 1 - level, else ``"not distinguishable"``. (With 5 items no sign-flip
        p-value is below 2/32: five items cannot tell methods apart at level 0.95.) Many comparisons need :func:`holm`.

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, lengths differ, fewer than 2 items, folds, groups or draws are given, an
        option is out of range, or options exclude each other.

    Notes
    -----
    O(resamples · n). Nadeau and Bengio (2003), Inference for the generalization error, Machine Learning 52:
    variance of the mean (1/k + n_test/n_train) s².

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inference import paired
    >>> rng = np.random.default_rng(0)
    >>> a, noise = rng.normal(size=(2, 200))
    >>> found = paired(a + 0.2, a + 0.5 * noise)
    >>> f"{found:.2f}", found.verdict
    ('0.24 [0.17, 0.31]', 'better')
    """
    confidence_level = check_level(confidence_level)
    choice(test, "test", ("sign-flip", "bootstrap"))
    if draws is not None:
        if overlap is not None or groups is not None:
            raise ValueError("draws come with overlap or groups; how items are drawn was settled when they were drawn")
        return _paired_draws(a, b, draws, confidence_level)
    check_row_labels({"a": a, "b": b, "groups": groups})
    a, b = vector(a, "a", least=2), vector(b, "b", least=1)
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b has {len(b)}; both must describe the same items in one order")
    d = a - b
    if overlap is not None:
        if groups is not None:
            raise ValueError("overlap and groups exclude each other: overlap is for the folds of a cross-validation")
        return _paired_folds(d, overlap, confidence_level)
    rng = generator(rng)
    low, high = interval(d, groups=groups, confidence_level=confidence_level, n_resamples=n_resamples, rng=rng)[1:3]
    if test == "sign-flip":
        sums = d if groups is None else np.array([d[rows].sum() for rows in group_members(groups, len(d))])
        p = _sign_flip(sums, n_resamples, rng)
    else:
        p = _share_beyond(_mean_draws(d, groups, n_resamples, rng))
    return Paired(float(d.mean()), low, high, p, verdict_of(low, high, p, confidence_level), len(d), confidence_level)


def holm(p: Any) -> Any:
    """Holm's adjusted p-values: reject where they are ≤ α, and no true hypothesis is rejected with probability 1 - α.

    A ``pandas.Series`` keeps its index. Holm (1979), A simple sequentially rejective multiple test procedure.

    Raises
    ------
    ValueError
        If a p-value is NaN or outside [0, 1].

    Examples
    --------
    >>> from helpers.inference import holm
    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    values = vector(p, "p", least=1)
    if (wrong := np.flatnonzero((values < 0) | (values > 1))).size:
        raise ValueError(f"p[{wrong[0]}] is {values[wrong[0]]}; a p-value lies between 0 and 1")
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1)
    return p.__class__(adjusted, index=p.index, name=p.name) if hasattr(p, "index") and hasattr(p, "name") else adjusted


def _paired_draws(a: Any, b: Any, draws: tuple[Any, Any], confidence_level: float) -> Paired:
    if np.ndim(a) or np.ndim(b):
        raise ValueError(f"a has shape {np.shape(a)} and b {np.shape(b)}; with draws they are the two scores, numbers")
    scores = vector([a, b], "the scores a and b", least=2)
    first, second = (vector(part, f"draws[{i}]", least=2) for i, part in enumerate(draws))
    if len(first) != len(second):
        raise ValueError(f"draws have lengths {len(first)} and {len(second)}; both must come from the same resamples")
    d = first - second
    low, high = percentiles(d, confidence_level)
    p = _share_beyond(d)
    return Paired(
        float(scores[0] - scores[1]), low, high, p, verdict_of(low, high, p, confidence_level), len(d), confidence_level
    )


def two_sided_p(ratio: float, df: float) -> float:
    """The p-value of a ratio of an estimate to its standard error, by Student's t distribution.

    Parameters
    ----------
    ratio
        The ratio; its sign does not matter.
    df
        Degrees of freedom, above 0, not always a whole number; infinite for the normal distribution.

    Returns
    -------
    float
        Between 0 and 1, also where rounding would lead beyond 1.

    Examples
    --------
    >>> two_sided_p(0.0, 4.5), round(two_sided_p(-1.96, float("inf")), 3)
    (1.0, 0.05)
    """
    from scipy import stats

    return min(float(2 * stats.t.sf(abs(ratio), df)), 1.0)


def _paired_folds(d: np.ndarray, overlap: float, confidence_level: float) -> Paired:
    from scipy import stats

    if not isinstance(overlap, (int, float)) or not np.isfinite(overlap) or overlap < 0:
        raise ValueError(f"overlap is {overlap!r}; size of the test fold over size of its training set is needed, ≥ 0")
    n, mean = len(d), float(d.mean())
    error = float(np.sqrt((1 / n + overlap) * d.var(ddof=1)))
    reach = float(stats.t.isf((1 - confidence_level) / 2, n - 1)) * error
    p = two_sided_p(mean / error, n - 1) if error > 0 else float(mean == 0)
    return Paired(
        mean,
        mean - reach,
        mean + reach,
        p,
        verdict_of(mean - reach, mean + reach, p, confidence_level),
        n,
        confidence_level,
    )


def verdict_of(low: Any, high: Any, p: Any, confidence_level: float = 0.95) -> Any:
    """What is said of a difference: better or worse, if its interval excludes 0 and the test agrees.

    Parameters
    ----------
    low, high : float or array_like of shape (n,)
        Ends of the interval.
    p : float or array_like of shape (n,)
        p-value for a difference of 0, corrected where several are tested.
    confidence_level
        Level of the interval; the test is made at 1 - confidence_level.

    Returns
    -------
    str or ndarray of str
        One of :data:`VERDICTS`.

    Examples
    --------
    >>> from helpers.inference import verdict_of
    >>> verdict_of([0.1, 0.1, -0.3], [0.3, 0.3, -0.1], [0.01, 0.2, 0.01]).tolist()
    ['better', 'not distinguishable', 'worse']
    """
    low, high, p = np.asarray(low), np.asarray(high), np.asarray(p)
    agree = p <= 1 - confidence_level + 1e-12  # never of NaN, where nothing was tested
    found = np.array(VERDICTS)[np.where(agree & (low > 0), 0, np.where(agree & (high < 0), 2, 1))]
    return str(found) if found.ndim == 0 else found


def _sign_flip(d: np.ndarray, n_resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the mean under random signs: exact if all can be tried, else by the plus-one rule."""
    n, total = len(d), abs(float(d.sum()))
    tolerance = 1e-12 * float(np.abs(d).sum())
    if n <= EXACT or n < 30 and 2**n <= n_resamples + 1:
        sums = d[:1]  # all signs turned around give the same size, so the first may stay as it is
        for one in d[1:]:
            sums = np.concatenate([sums + one, sums - one])
        return float(np.mean(np.abs(sums) >= total - tolerance))
    rows, beyond, done = max(1, ENTRIES // n), 0, 0
    while done < n_resamples:
        size = min(rows, n_resamples - done)
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1, count=n)
        sums = 2 * (bits.astype(np.float64) @ d) - d.sum()
        beyond += int(np.count_nonzero(np.abs(sums) >= total - tolerance))
        done += size
    return (1 + beyond) / (1 + n_resamples)


def _mean_draws(d: np.ndarray, groups: Any, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap draws of the mean, of items or of whole groups."""
    members = [np.array([i]) for i in range(len(d))] if groups is None else group_members(groups, len(d))
    sums, sizes = np.array([d[rows].sum() for rows in members]), np.array([len(rows) for rows in members])
    draws, rows = [], max(1, ENTRIES // len(members))
    for start in range(0, n_resamples, rows):
        which = rng.integers(len(members), size=(min(rows, n_resamples - start), len(members)))
        draws.append(sums[which].sum(axis=1) / sizes[which].sum(axis=1))
    return np.concatenate(draws)


def _share_beyond(draws: np.ndarray) -> float:
    """Two-sided p-value by inversion of the percentile interval."""
    smaller = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return min(1.0, 2 * (1 + int(smaller)) / (1 + len(draws)))
