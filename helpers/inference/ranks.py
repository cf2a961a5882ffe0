"""Ranks of methods over many cells: their means, the tests of Friedman and Nemenyi, and the diagram of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.inference._checks import check_level, complete_table, score_table
from helpers.inference.paired import VERDICTS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "Friedman",
    "Nemenyi",
    "bootstrap_mean_ranks",
    "critical_difference",
    "critical_difference_diagram",
    "friedman",
    "mean_ranks",
    "nemenyi",
    "ranks",
]


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
    confidence_level: float


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
    return score_table(table, missing).rank(axis=1, ascending=False)


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
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Bootstrap draws of the mean ranks, of shape (resamples, methods).

    Parameters
    ----------
    table, missing
        Same meaning as in :func:`ranks`.
    by
        What is drawn: ``None`` cells, one by one. The name of a level of the index, or labels of shape (cells,): whole
        groups of cells. A list of names of levels: every level is drawn by itself, and a cell counts as often as the
        product of the counts of its labels says (Owen, 2007, The pigeonhole bootstrap), for cells that share both
        models and tasks.
    n_resamples, rng
        Number of draws; seed or generator.

    Returns
    -------
    DataFrame
        NaN where a draw has no cell of a method (possible with ``missing="present"`` or several levels). Give a column,
        or the difference of two, to :func:`interval` with ``statistic=None``.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`ranks`; also if ``by`` does not name a level, or fewer than 2 groups can be drawn.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.inference import bootstrap_mean_ranks
    >>> table = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.9], "b": [0.8, 0.9, 0.6, 0.7]})
    >>> bootstrap_mean_ranks(table, n_resamples=4).shape
    (4, 2)
    """
    import pandas as pd

    found = ranks(table, missing=missing)
    n_resamples, rng = check_count(n_resamples, "n_resamples"), generator(rng)
    weights = np.ones((n_resamples, len(found)))
    for labels in _labels(found, by):
        codes, groups = pd.factorize(labels)
        if len(groups) < 2:
            raise ValueError(f"by gives {len(groups)} group of cells; at least 2 are needed to draw from")
        weights *= rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), size=n_resamples)[:, codes]
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
        In the same cases as :func:`ranks`; also for fewer than 3 methods or 2 cells, or if all methods tie in every
        cell.

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

    scores = complete_table(table, missing)
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


def nemenyi(table: Any, *, confidence_level: float = 0.95, missing: str = "raise") -> Nemenyi:
    r"""Nemenyi's test: which mean ranks differ, every method compared with every other.

    .. math:: \mathrm{CD} = q_{\alpha, k} \sqrt{\frac{k (k + 1)}{6 n}}

    with q the quantile of the studentised range of k normal variables over √2.

    Parameters
    ----------
    table, missing
        Same meaning as in :func:`friedman`, but 2 methods are enough.
    confidence_level
        1 - α, the probability that no pair of equal methods is told apart.

    Returns
    -------
    Nemenyi
        ``critical_difference``, ``mean_ranks``, and ``pairs`` with one row per pair of methods: the difference of mean
        ranks a - b, p (adjusted for all pairs), and whether a is better, worse or not distinguishable.

    Raises
    ------
    TypeError, ValueError
        In the same cases as :func:`ranks`; also for fewer than 2 cells or a level outside (0, 1).

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

    confidence_level = check_level(confidence_level)
    found = ranks(complete_table(table, missing))
    n, k = found.shape
    means = found.mean().rename("mean rank")
    first, second = np.triu_indices(k, 1)
    difference = means.to_numpy()[first] - means.to_numpy()[second]
    unit = np.sqrt(k * (k + 1) / (12 * n))
    p = np.clip(stats.studentized_range.sf(np.abs(difference) / unit, k, np.inf), 0, 1)
    critical = critical_difference(k, n, confidence_level=confidence_level)
    verdict = np.array(VERDICTS)[np.where(np.abs(difference) < critical, 1, np.where(difference < 0, 0, 2))]
    names = found.columns
    pairs = {"a": names[first], "b": names[second], "difference": difference, "p": p, "verdict": verdict}
    return Nemenyi(critical, means, pd.DataFrame(pairs), n, confidence_level)


def critical_difference(methods: int, cells: Any, *, confidence_level: float = 0.95) -> Any:
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
    quantile = stats.studentized_range.ppf(check_level(confidence_level), methods, np.inf)
    found = quantile * np.sqrt(methods * (methods + 1) / (12 * cells))
    return float(found) if found.ndim == 0 else found


def critical_difference_diagram(
    table: Any,
    ax: Axes | None = None,
    *,
    confidence_level: float = 0.95,
    missing: str = "raise",
    labels: Mapping[str, str] | None = None,
    width: float = 6.0,
) -> Axes:
    """Draw the mean ranks on a line, the best on the left; a bar joins methods that Nemenyi's test cannot tell apart.

    Parameters
    ----------
    table, confidence_level, missing
        Same meaning as in :func:`nemenyi`.
    ax
        Axes to draw on, given over to the diagram; a new figure of fitting height by default.
    labels
        What to write for a method in place of its name.
    width
        Width of the new figure, in inches.

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

    found = nemenyi(table, confidence_level=confidence_level, missing=missing)
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
    accent, ink = plt.rcParams["axes.prop_cycle"].by_key()["color"][0], plt.rcParams["text.color"]
    ax.set(xlim=(1, k), ylim=(depth - 0.3, -1.35), yticks=[], xticks=range(1, k + 1))
    ax.patch.set_alpha(0)
    for side in ("left", "right", "bottom"):
        ax.spines[side].set_visible(False)
    ax.spines["top"].set(visible=True, position=("data", 0), color=ink)
    ax.xaxis.tick_top()
    ax.tick_params(axis="x", colors=ink, labelcolor=ink)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        at = top + step * (i if i < left else k - 1 - i)
        edge, align, reach = (1, "right", -6) if i < left else (k, "left", 6)
        ax.plot([value, value, edge], [0, at, at], color=ink, lw=0.9, clip_on=False, solid_joinstyle="miter")
        ax.plot([value], [0], "o", color=accent, ms=5, clip_on=False, zorder=4)
        text = f"{name}  {value:.2f}" if i < left else f"{value:.2f}  {name}"
        place = {"textcoords": "offset points", "ha": align, "va": "center"}
        ax.annotate(text, (edge, at), (reach, 0), color=ink, fontsize=10, **place)
    for row, (first, last) in enumerate(groups):
        span = [values[first] - 0.03, values[last] + 0.03]
        ax.plot(span, [0.4 + 0.3 * row] * 2, color=accent, lw=4, solid_capstyle="round", clip_on=False, zorder=3)
    middle, size = (1 + k) / 2, found.critical_difference
    bracket = {"arrowstyle": "|-|,widthA=0.25,widthB=0.25", "color": ink, "shrinkA": 0, "shrinkB": 0}
    ends = (middle + size / 2, -0.85), (middle - size / 2, -0.85)
    ax.annotate("", *ends, arrowprops=bracket, annotation_clip=False)
    at, align = (middle, "center") if left < k else (k, "right")
    ax.text(at, -0.98, f"critical difference {size:.2f}", ha=align, va="bottom", color=ink, fontsize=9)
    return ax


def _cliques(values: np.ndarray, critical: float) -> list[tuple[int, int]]:
    """Maximal runs of at least two sorted mean ranks, first and last index, that lie within the critical difference."""
    ends = [int(np.flatnonzero(values - value < critical)[-1]) for value in values]
    return [(i, end) for i, end in enumerate(ends) if end > i and (i == 0 or ends[i - 1] < end)]


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
