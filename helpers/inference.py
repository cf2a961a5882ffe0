"""Statistics for comparing methods: intervals, paired differences, ranks over many data sets.

Everywhere larger scores are better (turn losses around by a minus sign), a *table* has one row per cell (a data set, or
a model on a task) and one column per method, and rank 1 is the best.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.similarity._arrays import check_count, generator

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "VERDICTS",
    "Friedman",
    "Interval",
    "Nemenyi",
    "Paired",
    "bootstrap_mean_ranks",
    "critical_difference",
    "critical_difference_diagram",
    "friedman",
    "holm",
    "interval",
    "mean_ranks",
    "nemenyi",
    "paired",
    "power",
    "ranks",
    "with_limits",
]

VERDICTS = ("better", "not distinguishable", "worse")
"""What :func:`paired` and :func:`nemenyi` may say of the first method against the second."""

MISSING = ("raise", "rows", "columns", "present")
ENTRIES = 1 << 22


class Interval(NamedTuple):
    """An estimate between two limits; ``f"{interval:.2f}"`` writes ``0.58 [0.52, 0.64]``."""

    estimate: float
    low: float
    high: float
    level: float

    def __format__(self, spec: str) -> str:
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


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
    level: float

    __format__ = Interval.__format__

    @property
    def estimate(self) -> float:
        return self.difference


class Friedman(NamedTuple):
    """Friedman's test: ``chi_squared`` with ``df``, Iman and Davenport's ``f`` with ``f_df``, and Kendall's W."""

    chi_squared: float
    df: int
    p: float
    f: float
    f_df: tuple[int, int]
    f_p: float
    kendall_w: float
    cells: int
    methods: int


class Nemenyi(NamedTuple):
    """Nemenyi's test: ``mean_ranks`` (Series), and ``pairs`` (DataFrame: a, b, difference, p, verdict)."""

    critical_difference: float
    mean_ranks: pd.Series
    pairs: pd.DataFrame
    cells: int
    level: float


def interval(
    values: Any,
    statistic: Callable[[Any], float] | None = np.mean,
    *,
    groups: Any = None,
    estimate: float | None = None,
    level: float = 0.95,
    method: str = "bca",
    resamples: int = 9999,
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
        For draws only: the statistic of the data from which they were drawn; their mean if not given.
    level
        Confidence level, between 0 and 1.
    method
        ``"bca"`` (bias-corrected and accelerated), ``"percentile"`` or ``"basic"``; draws always give percentiles.
    resamples, rng
        Number of resamples; seed or generator.

    Returns
    -------
    Interval
        ``estimate``, ``low``, ``high``, ``level``. Where no resample changes the statistic, both limits equal it.

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
    >>> f"{interval([1.0, 2.0, 3.0, 4.0, 5.0], statistic=None, level=0.5):.1f}"
    '3.0 [2.0, 4.0]'
    """
    from scipy import stats

    level = _level(level)
    resamples = check_count(resamples, "resamples")
    _choice(method, "method", ("bca", "percentile", "basic"))
    if statistic is None:
        draws = _vector(values, "values", least=2)
        estimate = float(draws.mean()) if estimate is None else float(estimate)
        return Interval(estimate, *_percentiles(draws, level), level)
    if estimate is not None:
        raise ValueError("estimate is for draws (statistic=None); here the statistic of the values is the estimate")
    values = _numbers(values, "values", (1, 2), least=2)
    sample, function, vectorized = values, statistic, None
    if groups is not None or values.ndim == 2:
        members = _members(groups, len(values)) if groups is not None else np.arange(len(values))[:, None]
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
            n_resamples=resamples,
            batch=batch,
            vectorized=vectorized,
            confidence_level=level,
            method={"bca": "BCa"}.get(method, method),
            rng=generator(rng),
        )
    draws = found.bootstrap_distribution
    if not np.isfinite(draws).all():
        raise ValueError("the statistic is not finite for some resamples; it needs more items, or another statistic")
    low, high = (float(limit) for limit in found.confidence_interval)
    if not np.isfinite([low, high]).all():  # the correction is undefined where (nearly) all draws are equal
        low, high = _percentiles(draws, level)
    return Interval(estimate, low, high, level)


def paired(
    a: Any,
    b: Any,
    *,
    draws: tuple[Any, Any] | None = None,
    overlap: float | None = None,
    groups: Any = None,
    test: str = "sign-flip",
    level: float = 0.95,
    resamples: int = 9999,
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
        ``"sign-flip"``: exact below 2 ** n ≤ resamples; assumes only that without a difference d and -d are equally
        likely. ``"bootstrap"``: twice the smaller share of resampled differences on one side of 0.
    level, resamples, rng
        As in :func:`interval`.

    Returns
    -------
    Paired
        ``difference`` a - b, ``low``, ``high``, two-sided ``p``, and the ``verdict``: ``"better"`` or ``"worse"`` only
        if the interval excludes 0 *and* p ≤ 1 - level, else ``"not distinguishable"``. (With 5 items no sign-flip
        p-value is below 2/32: five items cannot tell methods apart at level 0.95.) Many comparisons need
        :func:`holm`.

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
    level = _level(level)
    _choice(test, "test", ("sign-flip", "bootstrap"))
    if draws is not None:
        if overlap is not None or groups is not None:
            raise ValueError("draws come with overlap or groups; how items are drawn was settled when they were drawn")
        return _paired_draws(a, b, draws, level)
    a, b = _vector(a, "a", least=2), _vector(b, "b", least=1)
    if len(a) != len(b):
        raise ValueError(f"a has {len(a)} values and b has {len(b)}; both must describe the same items in one order")
    d = a - b
    if overlap is not None:
        if groups is not None:
            raise ValueError("overlap and groups exclude each other: overlap is for the folds of a cross-validation")
        return _paired_folds(d, overlap, level)
    rng = generator(rng)
    low, high = interval(d, groups=groups, level=level, resamples=resamples, rng=rng)[1:3]
    if test == "sign-flip":
        sums = d if groups is None else np.array([d[rows].sum() for rows in _members(groups, len(d))])
        p = _sign_flip(sums, resamples, rng)
    else:
        p = _share_beyond(_mean_draws(d, groups, resamples, rng))
    return Paired(float(d.mean()), low, high, p, _verdict(low, high, p, level), len(d), level)


def with_limits(
    row: Mapping[str, Any],
    value: str = "difference",
    limits: tuple[str, str] = ("low", "high"),
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
        Its columns.
    scale
        All three are multiplied by it: 100 for points or percent.
    spec
        Format of each.

    Returns
    -------
    str
        Empty where there is no value (NaN).

    Examples
    --------
    >>> from helpers.inference import with_limits
    >>> with_limits({"difference": 0.013, "low": -0.002, "high": 0.027}, scale=100, spec="+.1f")
    '+1.3 [-0.2, +2.7]'
    """
    found = [scale * float(row[column]) for column in (value, *limits)]
    return "" if np.isnan(found[0]) else f"{Interval(*found, level=np.nan):{spec}}"


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
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = _vector(p, "p", least=1)
    if (wrong := np.flatnonzero((values < 0) | (values > 1))).size:
        raise ValueError(f"p[{wrong[0]}] is {values[wrong[0]]}; a p-value lies between 0 and 1")
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(steps, 1)
    return p.__class__(adjusted, index=p.index, name=p.name) if hasattr(p, "index") and hasattr(p, "name") else adjusted


def ranks(table: Any, *, missing: str = "raise") -> pd.DataFrame:
    """The rank of each method in each cell: 1 for the best, equal scores share the mean of their ranks.

    Parameters
    ----------
    table : DataFrame or array_like of shape (cells, methods)
        Scores, larger is better; at least 2 methods.
    missing
        What to do about missing scores (NaN): ``"raise"``; ``"rows"`` leaves out the cells and ``"columns"`` the
        methods that miss one; ``"present"`` ranks the methods that are there, so that a cell with fewer methods has
        smaller ranks.

    Raises
    ------
    TypeError, ValueError
        If scores are not numbers or infinite, a name occurs twice, fewer than 2 methods or no cell is left.

    Examples
    --------
    >>> from helpers.inference import ranks
    >>> ranks([[0.7, 0.9, 0.9]]).to_numpy()
    array([[3. , 1.5, 1.5]])
    """
    return _table(table, missing).rank(axis=1, ascending=False)


def mean_ranks(table: Any, *, missing: str = "raise") -> pd.Series:
    """Mean over the cells of :func:`ranks`, by method; parameters and errors as there.

    Examples
    --------
    >>> from helpers.inference import mean_ranks
    >>> mean_ranks([[0.7, 0.9, 0.9], [0.8, 0.9, 0.7]]).tolist()
    [2.5, 1.25, 2.25]
    """
    return ranks(table, missing=missing).mean().rename("mean rank")


def bootstrap_mean_ranks(
    table: Any,
    *,
    by: Any = None,
    missing: str = "raise",
    resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Bootstrap draws of the mean ranks, of shape (resamples, methods).

    Parameters
    ----------
    table, missing
        As in :func:`ranks`.
    by
        What is drawn: ``None`` cells, one by one. The name of a level of the index, or labels of shape (cells,): whole
        groups of cells. A list of names of levels: every level is drawn by itself, and a cell counts as often as the
        product of the counts of its labels says (Owen, 2007, The pigeonhole bootstrap), for cells that share both
        models and tasks.
    resamples, rng
        Number of draws; seed or generator.

    Returns
    -------
    DataFrame
        NaN where a draw has no cell of a method (possible with ``missing="present"`` or several levels). Give a column,
        or the difference of two, to :func:`interval` with ``statistic=None``.

    Raises
    ------
    TypeError, ValueError
        As :func:`ranks`; also if ``by`` does not name a level, or fewer than 2 groups can be drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.inference import bootstrap_mean_ranks
    >>> table = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.9], "b": [0.8, 0.9, 0.6, 0.7]})
    >>> bootstrap_mean_ranks(table, resamples=4).shape
    (4, 2)
    """
    import pandas as pd

    found = ranks(table, missing=missing)
    resamples, rng = check_count(resamples, "resamples"), generator(rng)
    weights = np.ones((resamples, len(found)))
    for labels in _labels(found, by):
        codes, groups = pd.factorize(labels)
        if len(groups) < 2:
            raise ValueError(f"by gives {len(groups)} group of cells; at least 2 are needed to draw from")
        weights *= rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=resamples)[:, codes]
    with np.errstate(invalid="ignore"):
        means = (weights @ found.fillna(0).to_numpy()) / (weights @ found.notna().to_numpy(float))
    return pd.DataFrame(means, columns=found.columns)


def friedman(table: Any, *, missing: str = "raise") -> Friedman:
    r"""Friedman's test that all methods are alike, with ties corrected, and its better form by Iman and Davenport.

    .. math:: F = \frac{(n-1)\,\chi^2}{n(k-1) - \chi^2}, \qquad W = \frac{\chi^2}{n(k-1)}

    Parameters
    ----------
    table
        n ≥ 2 cells and k ≥ 3 methods, as in :func:`ranks`.
    missing
        ``"raise"``, ``"rows"`` or ``"columns"``: the test needs complete cells.

    Returns
    -------
    Friedman
        χ² with k - 1 degrees of freedom, F with (k - 1, (n - 1)(k - 1)), their p-values, Kendall's W in [0, 1].

    Raises
    ------
    TypeError, ValueError
        As :func:`ranks`; also for fewer than 3 methods or 2 cells, or if all methods tie in every cell.

    Notes
    -----
    χ² comes from :func:`scipy.stats.friedmanchisquare`. Cells are taken as independent, which cells that share a model
    or a task are not. Iman and Davenport (1980), Approximations of the critical region of the Friedman statistic;
    Demšar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7.

    Examples
    --------
    >>> from helpers.inference import friedman
    >>> found = friedman([[3, 2, 1], [3, 1, 2], [3, 2, 1], [3, 2, 1]])
    >>> round(found.chi_squared, 2), round(found.f, 2), round(found.kendall_w, 3)
    (6.5, 13.0, 0.812)
    """
    from scipy import stats

    scores = _complete(table, missing)
    n, k = scores.shape
    if k < 3:
        raise ValueError(f"table has {k} methods; Friedman's test needs at least 3 (compare two with paired)")
    if bool((scores.nunique(axis=1) == 1).all()):
        raise ValueError("all methods have equal scores in every cell; there is nothing to rank")
    found = stats.friedmanchisquare(*scores.to_numpy().T)
    chi, most, df = float(found.statistic), n * (k - 1), (k - 1, (n - 1) * (k - 1))
    rest = most - chi
    f = (n - 1) * chi / rest if rest > 1e-9 * most else np.inf
    return Friedman(chi, k - 1, float(found.pvalue), float(f), df, float(stats.f.sf(f, *df)), chi / most, n, k)


def nemenyi(table: Any, *, level: float = 0.95, missing: str = "raise") -> Nemenyi:
    r"""Nemenyi's test: which mean ranks differ, every method compared with every other.

    .. math:: \mathrm{CD} = q_{\alpha, k} \sqrt{\frac{k (k + 1)}{6 n}}

    with q the quantile of the studentised range of k normal variables over √2.

    Parameters
    ----------
    table, missing
        As in :func:`friedman`, but 2 methods are enough.
    level
        1 - α, the probability that no pair of equal methods is told apart.

    Returns
    -------
    Nemenyi
        ``critical_difference``, ``mean_ranks``, and ``pairs`` with one row per pair of methods: the difference of mean
        ranks a - b, p (adjusted for all pairs), and whether a is better, worse or not distinguishable.

    Raises
    ------
    TypeError, ValueError
        As :func:`ranks`; also for fewer than 2 cells or a level outside (0, 1).

    Notes
    -----
    Ties are not corrected for, which is conservative. What it says of two methods depends on the others in the table
    (Benavoli, Corani and Mangili, 2016, JMLR 17). Nemenyi (1963); Demšar (2006), JMLR 7.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.inference import nemenyi
    >>> found = nemenyi(np.tile([[0.9, 0.8, 0.7]], (10, 1)))
    >>> round(found.critical_difference, 3), found.pairs.verdict.tolist()
    (1.048, ['not distinguishable', 'better', 'not distinguishable'])
    """
    import pandas as pd
    from scipy import stats

    level = _level(level)
    found = ranks(_complete(table, missing))
    n, k = found.shape
    means = found.mean().rename("mean rank")
    first, second = np.triu_indices(k, 1)
    difference = means.to_numpy()[first] - means.to_numpy()[second]
    unit = np.sqrt(k * (k + 1) / (12 * n))
    p = np.clip(stats.studentized_range.sf(np.abs(difference) / unit, k, np.inf), 0, 1)
    critical = critical_difference(k, n, level=level)
    verdict = np.array(VERDICTS)[np.where(np.abs(difference) < critical, 1, np.where(difference < 0, 0, 2))]
    names = found.columns
    pairs = {"a": names[first], "b": names[second], "difference": difference, "p": p, "verdict": verdict}
    return Nemenyi(critical, means, pd.DataFrame(pairs), n, level)


def critical_difference(methods: int, cells: Any, *, level: float = 0.95) -> Any:
    """Nemenyi's critical difference of mean ranks; ``cells`` may be an array of numbers of cells.

    Examples
    --------
    >>> from helpers.inference import critical_difference
    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    from scipy import stats

    methods = check_count(methods, "methods", least=2)
    cells = np.asarray(cells, float)
    quantile = stats.studentized_range.ppf(_level(level), methods, np.inf)
    found = quantile * np.sqrt(methods * (methods + 1) / (12 * cells))
    return float(found) if found.ndim == 0 else found


def power(
    table: Any,
    sizes: Sequence[int],
    *,
    test: str = "nemenyi",
    level: float = 0.95,
    missing: str = "raise",
    resamples: int = 2000,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often a study of so many cells would tell two methods apart, if cells were like those of this table.

    Parameters
    ----------
    table, missing
        As in :func:`friedman`.
    sizes
        Numbers of cells, each at least 2.
    test
        ``"nemenyi"`` on the ranks of all methods, or ``"t"``: the paired t-test of the scores of the two methods alone.
    level, resamples, rng
        Level of the test; number of simulated studies of each size, whose cells are drawn from ``table`` with
        replacement; seed or generator.

    Returns
    -------
    DataFrame
        Shape (sizes, pairs), columns (a, b): the share of studies in which a is found better *or* worse than b.

    Raises
    ------
    TypeError, ValueError
        As :func:`nemenyi`; also if a size is below 2.

    Notes
    -----
    The table is taken for the whole truth: where its own difference is an overestimate, so is the power.

    Examples
    --------
    >>> from helpers.inference import power
    >>> power([[0.9, 0.8], [0.8, 0.6], [0.6, 0.7]], [3, 100]).round(1).iloc[:, 0].tolist()
    [0.0, 0.9]
    """
    import pandas as pd
    from scipy import stats

    _choice(test, "test", ("nemenyi", "t"))
    scores = _complete(table, missing)
    sizes = [check_count(size, "sizes", least=2) for size in sizes]
    resamples, rng, level = check_count(resamples, "resamples"), generator(rng), _level(level)
    n, k = scores.shape
    first, second = np.triu_indices(k, 1)
    values = (ranks(scores) if test == "nemenyi" else scores).to_numpy()
    difference = values[:, first] - values[:, second]
    rows = []
    for size in sizes:
        share = rng.multinomial(size, np.full(n, 1 / n), size=resamples) / size
        mean = share @ difference
        if test == "nemenyi":
            found = np.abs(mean) >= critical_difference(k, size, level=level)
        else:
            deviation = np.sqrt(np.maximum(share @ difference**2 - mean**2, 0) / (size - 1))
            found = np.abs(mean) > stats.t.isf((1 - level) / 2, size - 1) * deviation
        rows.append(found.mean(axis=0))
    pairs = pd.MultiIndex.from_arrays([scores.columns[first], scores.columns[second]], names=["a", "b"])
    return pd.DataFrame(rows, index=pd.Index(sizes, name="cells"), columns=pairs)


def critical_difference_diagram(
    table: Any,
    ax: Axes | None = None,
    *,
    level: float = 0.95,
    missing: str = "raise",
    labels: Mapping[str, str] | None = None,
    width: float = 6.0,
) -> Axes:
    """Draw the mean ranks on a line, the best on the left; a bar joins methods that Nemenyi's test cannot tell apart.

    Parameters
    ----------
    table, level, missing
        As in :func:`nemenyi`.
    ax
        Axes to draw on, given over to the diagram; a new figure of fitting height by default.
    labels
        What to write for a method in place of its name.
    width
        Of the new figure, in inches.

    Returns
    -------
    matplotlib.axes.Axes
        Every method has a line of its own for its label (with its mean rank), on both sides of the scale, or on the
        left alone where the axes are narrow, so labels never overlap; give the figure constrained layout, or save it
        with ``bbox_inches="tight"``, so that they have room.

    Notes
    -----
    Demšar (2006), Statistical comparisons of classifiers over multiple data sets, JMLR 7.
    """
    import matplotlib.pyplot as plt
    from matplotlib.textpath import TextPath

    from helpers.style import INK

    found = nemenyi(table, level=level, missing=missing)
    means = found.mean_ranks.sort_values(kind="stable")
    k, values = len(means), means.to_numpy()
    names = [(labels or {}).get(name, str(name)) for name in means.index]
    longest = max(TextPath((0, 0), f"{name}  00.00", size=10).get_extents().width for name in names) / 72
    room = width if ax is None else ax.get_window_extent().width / ax.figure.dpi
    left = (k + 1) // 2 if room > 2 * longest + 1.5 else k
    groups = _cliques(values, found.critical_difference)
    top, step = 0.55 + 0.3 * len(groups), 0.62
    depth = top + step * left
    if ax is None:
        _, ax = plt.subplots(figsize=(width, 0.75 + 0.42 * depth), layout="constrained")
    accent = plt.rcParams["axes.prop_cycle"].by_key()["color"][0]
    ax.set(xlim=(1, k), ylim=(depth - 0.3, -1.35), yticks=[], xticks=range(1, k + 1))
    ax.patch.set_alpha(0)
    for side in ("left", "right", "bottom"):
        ax.spines[side].set_visible(False)
    ax.spines["top"].set(visible=True, position=("data", 0), color=INK)
    ax.xaxis.tick_top()
    ax.tick_params(axis="x", colors=INK, labelcolor=INK)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        at = top + step * (i if i < left else k - 1 - i)
        edge, align, reach = (1, "right", -6) if i < left else (k, "left", 6)
        ax.plot([value, value, edge], [0, at, at], color=INK, lw=0.9, clip_on=False, solid_joinstyle="miter")
        ax.plot([value], [0], "o", color=accent, ms=5, clip_on=False, zorder=4)
        text = f"{name}  {value:.2f}" if i < left else f"{value:.2f}  {name}"
        place = {"textcoords": "offset points", "ha": align, "va": "center"}
        ax.annotate(text, (edge, at), (reach, 0), color=INK, fontsize=10, **place)
    for row, (first, last) in enumerate(groups):
        span = [values[first] - 0.03, values[last] + 0.03]
        ax.plot(span, [0.4 + 0.3 * row] * 2, color=accent, lw=4, solid_capstyle="round", clip_on=False, zorder=3)
    middle, size = (1 + k) / 2, found.critical_difference
    bracket = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": INK, "shrinkA": 0, "shrinkB": 0}
    ends = (middle + size / 2, -0.85), (middle - size / 2, -0.85)
    ax.annotate("", *ends, arrowprops=bracket, annotation_clip=False)
    at, align = (middle, "center") if left < k else (k, "right")
    ax.text(at, -0.98, f"critical difference {size:.2f}", ha=align, va="bottom", color=INK, fontsize=9)
    return ax


def _cliques(values: np.ndarray, critical: float) -> list[tuple[int, int]]:
    """Maximal runs of at least two sorted mean ranks, first and last index, that lie within the critical difference."""
    ends = [int(np.flatnonzero(values - value < critical)[-1]) for value in values]
    return [(i, end) for i, end in enumerate(ends) if end > i and (i == 0 or ends[i - 1] < end)]


def _paired_draws(a: Any, b: Any, draws: tuple[Any, Any], level: float) -> Paired:
    if np.ndim(a) or np.ndim(b):
        raise ValueError(f"a has shape {np.shape(a)} and b {np.shape(b)}; with draws they are the two scores, numbers")
    scores = _vector([a, b], "the scores a and b", least=2)
    first, second = (_vector(part, f"draws[{i}]", least=2) for i, part in enumerate(draws))
    if len(first) != len(second):
        raise ValueError(f"draws have lengths {len(first)} and {len(second)}; both must come from the same resamples")
    d = first - second
    low, high = _percentiles(d, level)
    p = _share_beyond(d)
    return Paired(float(scores[0] - scores[1]), low, high, p, _verdict(low, high, p, level), len(d), level)


def _paired_folds(d: np.ndarray, overlap: float, level: float) -> Paired:
    from scipy import stats

    if not isinstance(overlap, (int, float)) or not np.isfinite(overlap) or overlap < 0:
        raise ValueError(f"overlap is {overlap!r}; size of the test fold over size of its training set is needed, ≥ 0")
    n, mean = len(d), float(d.mean())
    error = float(np.sqrt((1 / n + overlap) * d.var(ddof=1)))
    reach = float(stats.t.isf((1 - level) / 2, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1)) if error > 0 else float(mean == 0)
    return Paired(mean, mean - reach, mean + reach, p, _verdict(mean - reach, mean + reach, p, level), n, level)


def _verdict(low: float, high: float, p: float, level: float) -> str:
    if p > 1 - level + 1e-12 or low <= 0 <= high:
        return VERDICTS[1]
    return VERDICTS[0] if low > 0 else VERDICTS[2]


def _sign_flip(d: np.ndarray, resamples: int, rng: np.random.Generator) -> float:
    """Two-sided p-value of the mean under random signs: exact if all can be tried, else by the plus-one rule."""
    n, total = len(d), abs(float(d.sum()))
    tolerance = 1e-12 * float(np.abs(d).sum())
    if n < 30 and 2**n <= resamples + 1:
        signs = 1 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        return float(np.mean(np.abs(signs @ d) >= total - tolerance))
    rows, beyond, done = max(1, ENTRIES // n), 0, 0
    while done < resamples:
        size = min(rows, resamples - done)
        bits = np.unpackbits(np.frombuffer(rng.bytes(size * -(-n // 8)), np.uint8).reshape(size, -1), axis=1, count=n)
        sums = 2 * (bits.astype(np.float64) @ d) - d.sum()
        beyond += int(np.count_nonzero(np.abs(sums) >= total - tolerance))
        done += size
    return (1 + beyond) / (1 + resamples)


def _mean_draws(d: np.ndarray, groups: Any, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Bootstrap draws of the mean, of items or of whole groups."""
    members = [np.array([i]) for i in range(len(d))] if groups is None else _members(groups, len(d))
    sums, sizes = np.array([d[rows].sum() for rows in members]), np.array([len(rows) for rows in members])
    draws, rows = [], max(1, ENTRIES // len(members))
    for start in range(0, resamples, rows):
        which = rng.integers(len(members), size=(min(rows, resamples - start), len(members)))
        draws.append(sums[which].sum(axis=1) / sizes[which].sum(axis=1))
    return np.concatenate(draws)


def _share_beyond(draws: np.ndarray) -> float:
    """Two-sided p-value by inversion of the percentile interval."""
    smaller = min(np.count_nonzero(draws <= 0), np.count_nonzero(draws >= 0))
    return min(1.0, 2 * (1 + int(smaller)) / (1 + len(draws)))


def _percentiles(draws: np.ndarray, level: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _numbers(values: Any, name: str, dimensions: tuple[int, ...], *, least: int) -> np.ndarray:
    """A finite float64 array with so many dimensions and at least so many items."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}; real numbers are needed")
    if array.ndim not in dimensions:
        raise ValueError(f"{name} has shape {array.shape}; (n,){' or (n, k)' if 2 in dimensions else ''} is needed")
    if len(array) < least:
        raise ValueError(f"{name} has {len(array)} entries; at least {least} are needed")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        at = ", ".join(str(i) for i in wrong[0])
        raise ValueError(f"{name}[{at}] is {array[tuple(wrong[0])]}; every entry must be finite")
    return array.astype(np.float64)


def _vector(values: Any, name: str, *, least: int) -> np.ndarray:
    return _numbers(values, name, (1,), least=least)


def _members(groups: Any, n: int) -> list[np.ndarray]:
    """For each group the places of its items."""
    import pandas as pd

    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups has shape {labels.shape}; one label for each of the {n} items is needed")
    codes, names = pd.factorize(labels)
    if (codes < 0).any():
        raise ValueError(f"groups[{int(np.argmin(codes))}] is missing; every item needs a label")
    if len(names) < 2:
        raise ValueError(f"groups has {len(names)} distinct label; at least 2 groups are needed to draw from")
    return np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])


def _labels(table: pd.DataFrame, by: Any) -> list[Any]:
    """For each thing that is drawn by itself the labels of all cells."""
    if by is None:
        return [np.arange(len(table))]
    levels = [by] if isinstance(by, str) else by
    if isinstance(levels, (list, tuple)) and levels and all(isinstance(level, str) for level in levels):
        if set(levels) <= set(table.index.names):
            return [table.index.get_level_values(level) for level in levels]
        if isinstance(by, str) or len(levels) != len(table):
            raise ValueError(f"by is {by!r}; the levels of the index are {list(table.index.names)}")
    labels = np.asarray(by)
    if labels.shape != (len(table),):
        raise ValueError(f"by has shape {labels.shape}; one label for each of the {len(table)} cells is needed")
    return [labels]


def _table(table: Any, missing: str) -> pd.DataFrame:
    """A checked float64 table of at least one cell and two methods."""
    import pandas as pd

    _choice(missing, "missing", MISSING)
    table = table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
    if table.columns.has_duplicates:
        twice = table.columns[table.columns.duplicated()][0]
        raise ValueError(f"table: method {twice!r} occurs twice; one column per method is needed")
    for name, dtype in table.dtypes.items():
        if not pd.api.types.is_numeric_dtype(dtype):
            raise TypeError(f"table: method {name!r} has dtype {dtype}; scores must be real numbers")
    table = table.astype(np.float64)
    values = table.to_numpy()
    for wrong, what in ((np.isinf(values), "infinite"), (np.isnan(values) & (missing == "raise"), "missing")):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            hint = "" if what == "infinite" else f"; complete the table, or say missing= one of {MISSING[1:]}"
            raise ValueError(f"table: cell {table.index[row]!r}, method {table.columns[column]!r} is {what}{hint}")
    if missing in ("rows", "columns"):
        table = table.dropna(axis=0 if missing == "rows" else 1)
    if missing == "present":
        table = table[table.notna().sum(axis=1) >= 2].dropna(axis=1, how="all")
    if table.shape[1] < 2 or table.shape[0] < 1:
        raise ValueError(f"table has {table.shape[0]} cells and {table.shape[1]} methods; 1 and 2 are the least")
    return table


def _complete(table: Any, missing: str) -> pd.DataFrame:
    """A table without missing scores and with at least two cells."""
    if missing == "present":
        raise ValueError(f"missing is 'present'; this test needs complete cells: one of {MISSING[:3]}")
    table = _table(table, missing)
    if len(table) < 2:
        raise ValueError("table has 1 cell; at least 2 are needed")
    return table


def _level(level: Any) -> float:
    if not isinstance(level, (int, float)) or not 0 < level < 1:
        raise ValueError(f"level is {level!r}; a confidence level between 0 and 1, such as 0.95, is needed")
    return float(level)


def _choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; it must be one of {choices}")
