"""The mean of differences that are alike in two ways at once: on the same item, and from the same training run."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.inference._checks import check_level, group_members, numbers, vector
from helpers.inference.paired import Paired, verdict_of

__all__ = ["crossed_mean"]


def crossed_mean(
    differences: Any, items: Any, runs: Any, *, weights: Any = None, confidence_level: float = 0.95
) -> Paired:
    r"""Is the mean of differences zero, when items *and* runs are a sample?

    A method that is trained with five seeds and tried on the same thousand items gives five thousand differences, and
    neither those of one item nor those of one seed are independent. The interval allows for another choice of both.

    Parameters
    ----------
    differences : array_like of shape (n,)
        Score of one method less that of another, for an item and a run.
    items : array_like of shape (n,)
        Label of the item, or of whatever several items share; at least two.
    runs : array_like of shape (n,)
        Label of the run: the seed of a training. Of a single run the interval allows for items alone.
    weights : array_like of shape (n,), optional
        What each difference counts for, at least 0; by default all alike. Items and runs without any weight are none.
    confidence_level
        Level of the interval.

    Returns
    -------
    Paired
        ``difference`` is the weighted mean; ``n`` the number of distinct items that have weight.

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, lengths differ, a label is missing, there are fewer than two items with
        weight, or weights are negative or all zero.

    Notes
    -----
    With e the weighted deviations from the mean, the variance of the mean is

    .. math:: V = V_\text{items} + V_\text{runs} - V_\text{both}, \qquad
              V_\text{items} = \frac{C}{C - 1} \sum_c \Bigl( \sum_{i \in c} e_i \Bigr)^2

    and likewise for the other two, the last one over items within runs, which are in both of the first; it is taken to
    be at least the larger of the first two. Limits are Student's, with the degrees of freedom of Satterthwaite: of five
    runs that differ much there are hardly more than four.
    Cameron, Gelbach and Miller (2011), Robust inference with multiway clustering, Journal of Business and Economic
    Statistics 29.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inference import crossed_mean
    >>> rng = np.random.default_rng(0)
    >>> of_items, of_runs = rng.normal(size=200), rng.normal(size=5)
    >>> differences = 0.3 + of_items[:, None] + of_runs
    >>> items, runs = np.repeat(np.arange(200), 5), np.tile(np.arange(5), 200)
    >>> both = crossed_mean(differences.ravel(), items, runs)
    >>> blind = crossed_mean(differences.ravel(), items, np.zeros(1000))
    >>> both.high - both.low > 5 * (blind.high - blind.low)
    True
    """
    from scipy import stats

    confidence_level = check_level(confidence_level)
    values = vector(differences, "differences", least=2)
    n = len(values)
    weights = np.ones(n) if weights is None else numbers(weights, "weights", (1,), least=2)
    if len(weights) != n:
        raise ValueError(f"weights has {len(weights)} entries; one for each of the {n} differences is needed")
    if weights.min() < 0 or not weights.sum() > 0:
        raise ValueError(f"weights lie between {weights.min()} and {weights.max()}; none may be negative, nor all zero")
    item_of, run_of = _codes(items, n, "items"), _codes(runs, n, "runs", least=1)
    counts = weights > 0
    values, weights, item_of, run_of = values[counts], weights[counts], item_of[counts], run_of[counts]
    n_items, n_runs = len(np.unique(item_of)), len(np.unique(run_of))
    if n_items < 2:
        raise ValueError("weights are above 0 for 1 item; at least 2 items are needed")
    weights = weights / weights.sum()
    mean = float(weights @ values)
    off = weights * (values - mean)
    by_item, by_run = _variance(off, item_of), _variance(off, run_of)
    both = _variance(off, item_of * n + run_of)
    variance = max(by_item + by_run - both, by_item, by_run)
    reach, p = 0.0, float(mean == 0)
    if variance > 0:
        freedom = variance**2 / (by_item**2 / (n_items - 1) + by_run**2 / max(n_runs - 1, 1))
        reach = float(stats.t.isf((1 - confidence_level) / 2, freedom) * np.sqrt(variance))
        p = float(2 * stats.t.sf(abs(mean) / np.sqrt(variance), freedom))
    low, high = mean - reach, mean + reach
    return Paired(mean, low, high, p, verdict_of(low, high, p, confidence_level), n_items, confidence_level)


def _codes(labels: Any, n: int, name: str, *, least: int = 2) -> np.ndarray:
    """The number of its label for each place, of at least so many labels."""
    labels = np.asarray(labels)
    codes = np.zeros(n, dtype=np.int64)
    if least == 1 and labels.shape == (n,) and (labels == labels[0]).all():
        return codes
    for code, rows in enumerate(group_members(labels, n, name, "difference")):
        codes[rows] = code
    return codes


def _variance(off: np.ndarray, codes: np.ndarray) -> float:
    """Sum of the squared sums over labels, corrected for the mean; zero of one label."""
    _, codes = np.unique(codes, return_inverse=True)
    sums = np.bincount(codes, weights=off)
    return float(len(sums) / (len(sums) - 1) * np.sum(sums**2)) if len(sums) > 1 else 0.0
