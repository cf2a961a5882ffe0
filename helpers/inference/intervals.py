"""Bootstrap confidence intervals, and how they are written."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, check_row_labels, generator
from helpers.inference._checks import check_level, choice, group_members, numbers, vector

__all__ = ["Interval", "format_interval", "format_p", "interval", "percentiles"]

ENTRIES = 1 << 22


class Interval(NamedTuple):
    """An estimate between two limits; ``f"{interval:.2f}"`` writes ``0.58 [0.52, 0.64]``, and a zero without a sign."""

    estimate: float
    low: float
    high: float
    confidence_level: float

    def __format__(self, spec: str) -> str:
        if np.isnan(self.low) and np.isnan(self.high):
            return _written(self.estimate, spec)
        return f"{_written(self.estimate, spec)} [{_written(self.low, spec)}, {_written(self.high, spec)}]"


def _written(value: float, spec: str) -> str:
    """A number in a format; what is rounded to zero has no sign, which would say on which side of zero it is."""
    text = f"{value:{spec}}"
    return text.lstrip("+-") if "0" in text and not re.search("[1-9]", text) else text


def interval(
    values: Any,
    statistic: Callable[[Any], float] | None = np.mean,
    *,
    groups: Any = None,
    estimate: float | None = None,
    confidence_level: float = 0.95,
    method: str = "bca",
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> Interval:
    """Bootstrap confidence interval of a statistic of values, or the interval that given draws span.

    Parameters
    ----------
    values : array_like of shape (n,) or (n, k)
        One value, or one row, per item. With ``statistic=None`` these are draws of the statistic itself, of shape (n,).
    statistic
        A function of such an array that gives a number. A function with a parameter ``axis`` is called once for many
        resamples if ``values`` has one dimension and there are no groups.
    groups : array_like of shape (n,), optional
        Labels; whole groups are drawn instead of items, because items of one group are not independent.
    estimate
        With draws only: the statistic of the data from which they were drawn; their mean if not given.
    confidence_level
        Confidence level, between 0 and 1.
    method
        ``"bca"`` (bias-corrected and accelerated), ``"percentile"`` or ``"basic"``; draws always give percentiles.
    n_resamples, rng
        Number of resamples; seed or generator.

    Returns
    -------
    Interval
        ``estimate``, ``low``, ``high``, ``confidence_level``. Where no resample changes the statistic, both limits
        equal it.

    Raises
    ------
    TypeError, ValueError
        If a value is not a finite number, there are fewer than 2 items, groups or draws, or an option is out of range.

    Notes
    -----
    O(resamples · n). With few items (below about 20) every bootstrap interval is too narrow.
    Efron (1987), Better bootstrap confidence intervals, JASA 82.

    Examples
    --------
    >>> from helpers.inference import interval
    >>> f"{interval([0, 1, 1, 0, 1, 1, 1, 0, 1, 1] * 20):.2f}"
    '0.70 [0.63, 0.76]'
    >>> f"{interval([1.0, 2.0, 3.0, 4.0, 5.0], statistic=None, confidence_level=0.5):.1f}"
    '3.0 [2.0, 4.0]'
    """
    from scipy import stats

    confidence_level = check_level(confidence_level)
    n_resamples = check_count(n_resamples, "n_resamples")
    choice(method, "method", ("bca", "percentile", "basic"))
    if statistic is None:
        draws = vector(values, "values", least=2)
        estimate = float(draws.mean()) if estimate is None else float(estimate)
        return Interval(estimate, *percentiles(draws, confidence_level), confidence_level)
    if estimate is not None:
        raise ValueError("estimate is for draws (statistic=None); here the statistic of the values is the estimate")
    check_row_labels({"values": values, "groups": groups})
    values = numbers(values, "values", (1, 2), least=2)
    sample, function, vectorized = values, statistic, None
    if groups is not None or values.ndim == 2:
        members = group_members(groups, len(values)) if groups is not None else np.arange(len(values))[:, None]
        sample, vectorized = np.arange(len(members)), False

        def function(which):
            return statistic(values[np.concatenate([members[i] for i in which])])

    estimate = float(statistic(values))
    if not np.isfinite(estimate):
        raise ValueError(f"the statistic of the values is {estimate}; it must be finite")
    batch = max(1, ENTRIES // values.size)
    with np.errstate(invalid="ignore", divide="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # dealt with below
        found = stats.bootstrap(
            (sample,),
            function,
            n_resamples=n_resamples,
            batch=batch,
            vectorized=vectorized,
            confidence_level=confidence_level,
            method={"bca": "BCa"}.get(method, method),
            rng=generator(rng),
        )
    draws = found.bootstrap_distribution
    if not np.isfinite(draws).all():
        raise ValueError("the statistic is not finite for some resamples; it needs more items, or another statistic")
    low, high = (float(limit) for limit in found.confidence_interval)
    if not np.isfinite([low, high]).all():  # the correction is undefined where (nearly) all draws are equal
        low, high = percentiles(draws, confidence_level)
    return Interval(estimate, low, high, confidence_level)


def format_interval(
    row: Mapping[str, Any],
    value: str = "difference",
    limits: tuple[str, str] = ("ci_low", "ci_high"),
    *,
    scale: float = 1.0,
    spec: str = "+.2f",
) -> str:
    """A value of a row of a table with its limits, as :class:`Interval` writes them.

    Parameters
    ----------
    row
        A row of a DataFrame, or a mapping.
    value, limits
        Columns of the value and of its two limits.
    scale
        All three are multiplied by it: 100 for points or percent.
    spec
        Format of each.

    Returns
    -------
    str
        Empty where there is no value (NaN); the value alone where there are no limits.

    Examples
    --------
    >>> from helpers.inference import format_interval
    >>> format_interval({"difference": 0.013, "ci_low": -0.002, "ci_high": 0.027}, scale=100, spec="+.1f")
    '+1.3 [-0.2, +2.7]'
    """
    found = [scale * float(row[column]) for column in (value, *limits)]
    return "" if np.isnan(found[0]) else f"{Interval(*found, confidence_level=np.nan):{spec}}"


def format_p(p: float, at_most: bool = False) -> str:
    """A p-value in words of a table: three decimals, ``"< 0.001"`` below them, a dash where nothing was tested (NaN).

    Parameters
    ----------
    p
        From 0 to 1, or NaN.
    at_most
        Whether it is the least that its resamples can give, and is written after "≤".

    Examples
    --------
    >>> from helpers.inference import format_p
    >>> format_p(0.0312), format_p(2e-5), format_p(0.002, at_most=True), format_p(float("nan"))
    ('0.031', '< 0.001', '≤ 0.002', '—')
    """
    return "—" if np.isnan(p) else "< 0.001" if p < 0.001 else f"{'≤ ' * bool(at_most)}{p:.3f}"


def percentiles(draws: np.ndarray, confidence_level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - confidence_level) / 2, (1 + confidence_level) / 2])
    return float(low), float(high)
