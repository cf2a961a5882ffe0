"""The mean of differences that are alike in two ways at once: on the same item, and from the same training run."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.inference._checks import check_level, group_members, numbers, vector
from helpers.inference.paired import Paired, two_sided_p, verdict_of

__all__ = ["crossed_mean"]

NODES = 60  # of the quadrature over each variance


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

    and likewise for runs (Cameron, Gelbach and Miller 2011). What is in both sums is the noise of an item in a run: the
    squares of the residuals from effects of items and runs, n over their degrees of freedom times; and the whole
    deviation of an item that comes in one run alone. V is taken to be at least the larger of the first two.

    Two or three runs tell their variance badly, and one that came out too small makes Student's limits too narrow
    whatever degrees of freedom are taken: by those of Satterthwaite 95 % intervals of 300 items and two runs hold in 87
    to 98 of 100 cases. So the limits are fiducial, as those of Behrens and Fisher: the mean plus a normal number times
    :math:`\sqrt{V}`, in which :math:`V_\text{items}` and :math:`V_\text{runs}` are divided by independent
    :math:`\chi^2` over their degrees of freedom, C - 1. By simulation of 20 to 200 items and 2 to 10 runs they hold at
    least as often as they say, and more often where runs hardly differ: two runs alone cannot tell that.
    Tsui and Weerahandi (1989), Generalized p-values in significance testing of hypotheses in the presence of nuisance
    parameters, Journal of the American Statistical Association 84.

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
    reach, p = 0.0, float(mean == 0)
    if by_run > 0:
        draws = _draws(by_item, n_items - 1, by_run, n_runs - 1, _both(values - mean, weights, item_of, run_of))
        reach, p = _reach(draws, 1 - confidence_level), _tail(draws, abs(mean))
    elif by_item > 0:
        reach = float(stats.t.isf((1 - confidence_level) / 2, n_items - 1) * np.sqrt(by_item))
        p = two_sided_p(mean / np.sqrt(by_item), n_items - 1)
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


def _both(values: np.ndarray, weights: np.ndarray, item_of: np.ndarray, run_of: np.ndarray) -> float:
    """What the variances over items and over runs have in common: of each item in each run, by itself."""
    _, items = np.unique(item_of, return_inverse=True)
    _, runs = np.unique(run_of, return_inverse=True)
    n_runs = int(runs.max()) + 1
    cells, cell = np.unique(items * n_runs + runs, return_inverse=True)
    weight = np.bincount(cell, weights=weights)
    value = np.bincount(cell, weights=weights * values) / weight
    items, runs = cells // n_runs, cells % n_runs
    alone = np.bincount(items)[items] == 1
    out = float(np.sum((weight * value)[alone] ** 2))
    if alone.all() or n_runs < 2:
        return out if n_runs > 1 else 0.0
    weight, value, runs = weight[~alone], value[~alone], runs[~alone]
    _, items = np.unique(items[~alone], return_inverse=True)
    table = np.zeros((items.max() + 1, n_runs))
    table[items, runs] = weight
    total = table.sum(axis=1)
    means = np.bincount(items, weights=weight * value) / total  # of items; runs are fitted to what is left of these
    normal = np.diag(table.sum(axis=0)) - table.T @ (table / total[:, None])
    right = np.bincount(runs, weights=weight * (value - means[items]), minlength=n_runs)
    effects, _, rank, _ = np.linalg.lstsq(normal, right, rcond=1e-10)
    rest = value - effects[runs] - (means - table @ effects / total)[items]
    freedom = len(value) - len(total) - rank
    return out + (len(value) / freedom * float(np.sum((weight * rest) ** 2)) if freedom > 0 else 0.0)


Draws = tuple[np.ndarray, np.ndarray]  # variances of the mean and the probability of each


def _draws(by_item: float, item_freedom: int, by_run: float, run_freedom: int, both: float) -> Draws:
    """Fiducial distribution of the variance of the mean, on a grid of Gauss and Legendre."""
    from scipy import stats

    nodes, share = np.polynomial.legendre.leggauss(NODES)
    shares, share = ((nodes + 1) / 2) ** 3, share * 3 * ((nodes + 1) / 2) ** 2 / 2  # denser where variances are large
    items = by_item * item_freedom / stats.chi2.ppf(shares, item_freedom)
    runs = by_run * run_freedom / stats.chi2.ppf(shares, run_freedom)[:, None]
    return np.maximum(items + np.maximum(runs - both, 0), runs), np.outer(share, share)


def _tail(draws: Draws, reach: float) -> float:
    """Probability that the mean is farther off than that, on either side."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore"):
        p = float(2 * np.sum(draws[1] * ndtr(-reach / np.sqrt(draws[0]))))
    return min(p, 1.0)  # weights sum to one but for rounding


def _reach(draws: Draws, outside: float) -> float:
    """How far the mean is off with a given probability."""
    from scipy.optimize import brentq

    most = float(np.sqrt(np.max(draws[0])))
    while _tail(draws, most) > outside:
        most *= 2
    return float(brentq(lambda reach: _tail(draws, reach) - outside, 0.0, most, xtol=1e-12 * most))
