"""The chapter "How much of it is chance?": chance levels, tests, intervals and false discoveries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK, heatmap
from helpers.similarity import cka, cka_unbiased, mantel_test
from helpers.studies.measures import DISTANCES, core_measures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "ManySpaces",
    "bootstrap",
    "chance_figure",
    "chance_of_cca",
    "chance_of_cosine",
    "chance_of_jaccard",
    "coverage_of_intervals",
    "discoveries",
    "discoveries_figure",
    "effective_dimension",
    "facts",
    "facts_of_coverage",
    "facts_of_discoveries",
    "halves",
    "independent_figure",
    "independent_values",
    "intervals_of",
    "many_spaces",
    "shuffled_values",
]

SIMULATED = ("CCA", "dCor", "CKA", "Jaccard", "CKA, unbiased", "dCor, unbiased", "RSA, Euclidean")
"""Measures whose values on independent data are drawn against the number of objects."""

REPEATED = ("CKA", "CKA, unbiased", "CCA", "dCor", "RSA, Euclidean", "Jaccard")
"""Measures that are put beside an interval."""


# Formulas


def effective_dimension(s: np.ndarray) -> float:
    """Squared trace over squared norm of a symmetric matrix: how many equal eigenvalues would give both."""
    return float(np.trace(s) ** 2 / np.sum(s * s))


def chance_of_cosine(s: np.ndarray, t: np.ndarray) -> float:
    """Mean over all permutations of the objects of the cosine of two centred positive semidefinite matrices."""
    return float(np.sqrt(effective_dimension(s) * effective_dimension(t)) / (len(s) - 1))


def chance_of_cca(p: int, n: int) -> float:
    """Mean canonical correlation of independent Gaussian representations of p features each, for large n.

    Examples
    --------
    >>> from helpers.studies.chance import chance_of_cca
    >>> round(chance_of_cca(64, 2000), 3), chance_of_cca(64, 60)
    (0.152, 1.0)
    """
    c = min(p / (n - 1), 1)
    phi = np.arccos(1 - 2 * c)
    return float((np.sin(phi) - phi * np.cos(phi)) / (np.pi * c))


def chance_of_jaccard(n: int, k: int) -> float:
    """Mean Jaccard similarity of two random sets of k out of n - 1 objects."""
    from scipy.stats import hypergeom

    common = np.arange(k + 1)
    return float(hypergeom(n - 1, k, k).pmf(common) @ (common / (2 * k - common)))


# Independent data


def independent_values(
    sizes: Sequence[int], p: int, *, k: int = 10, n_seeds: int = 10, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Values of the measures on independent Gaussian representations.

    Parameters
    ----------
    sizes
        Numbers of objects.
    p
        Number of features of either side.
    k
        Number of neighbours of the Jaccard similarity.
    n_seeds
        Pairs that are drawn for each number of objects.
    rng
        Seed or generator of all draws.

    Returns
    -------
    DataFrame
        Columns ``measure``, ``n`` and ``value``; a row for each draw.
    """
    import pandas as pd

    rng, measures = generator(rng), core_measures(k)
    rows = []
    for n in sizes:
        for _ in range(check_count(n_seeds, "n_seeds")):
            x, y = rng.normal(size=(2, n, p))
            rows += [(name, n, measures[name](x, y)) for name in SIMULATED]
    return pd.DataFrame(rows, columns=["measure", "n", "value"])


def independent_figure(draws: pd.DataFrame, formulas: Mapping[str, Sequence[float]]) -> Axes:
    """Values of :func:`independent_values` against the number of objects, with formulas dotted on top."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    _, ax = plt.subplots(figsize=(6.4, 3.8))
    drawn = {"hue": "measure", "style": "measure", "dashes": False, "markers": True}
    sns.lineplot(draws, x="n", y="value", errorbar=("pi", 95), ax=ax, **drawn)
    sizes = sorted(draws["n"].unique())
    for values in formulas.values():
        ax.plot(sizes, values, ls=":", color=INK, lw=2.5)
    ax.set(xscale="log", xlabel="objects $n$", ylabel="value on independent data")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.minorticks_off()
    ax.legend(bbox_to_anchor=(1.0, 1.0), loc="upper left")
    return ax


# Real data: chance, tests and intervals


def shuffled_values(
    x: np.ndarray, y: np.ndarray, *, k: int = 10, n_resamples: int = 99, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """Values of the core measures, and what they are when the objects of one side are shuffled.

    Parameters
    ----------
    x, y
        Two representations of the same objects.
    k
        Number of neighbours of the Jaccard similarity.
    n_resamples
        Number of shuffles, the same for all measures but RSA.
    rng
        Seed or generator of the shuffles.

    Returns
    -------
    DataFrame
        A row for each measure: ``value``; of the shuffles the mean ``chance``, its standard error ``error``, and
        ``edge``, the 0.95 quantile (of distances the 0.05 quantile); the permutation p-value ``p``.
    """
    import pandas as pd

    rng, rows = generator(rng), {}
    orders = [rng.permutation(len(x)) for _ in range(check_count(n_resamples, "n_resamples"))]
    for name, measure in core_measures(k).items():
        if name in ("RSA, correlation", "RSA, cosine"):  # one distance stands for all
            continue
        value = measure(x, y)
        if name == "RSA, Euclidean":
            null = mantel_test(x, y, distance="euclidean", n_permutations=n_resamples, rng=rng).null
        else:
            null = np.array([measure(x, y[order]) for order in orders])
        beyond = np.sum(null <= value) if name in DISTANCES else np.sum(null >= value)
        rows[name] = {
            "value": value,
            "chance": null.mean(),
            "error": null.std() / np.sqrt(n_resamples),
            "edge": np.quantile(null, 0.05 if name in DISTANCES else 0.95),
            "p": (1 + beyond) / (1 + n_resamples),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def halves(
    measure: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int,
) -> np.ndarray:
    """The measure on random halves of the objects; shape (n_resamples,)."""
    n = len(x)
    chosen = (rng.permutation(n)[: n // 2] for _ in range(n_resamples))
    return np.array([measure(x[i], y[i]) for i in chosen])


def bootstrap(
    measure: Callable[[np.ndarray, np.ndarray], float],
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    n_resamples: int,
) -> np.ndarray:
    """The measure on as many objects, drawn with replacement; shape (n_resamples,)."""
    n = len(x)
    chosen = (rng.integers(n, size=n) for _ in range(n_resamples))
    return np.array([measure(x[i], y[i]) for i in chosen])


def intervals_of(
    x: np.ndarray, y: np.ndarray, *, k: int = 10, n_resamples: int = 99, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """How far the values of some measures may be off, by random halves, beside what the bootstrap gives.

    Parameters
    ----------
    x, y
        Two representations of the same objects.
    k
        Number of neighbours of the Jaccard similarity.
    n_resamples
        Number of halves, and of bootstrap samples.
    rng
        Seed or generator of both.

    Returns
    -------
    DataFrame
        A row for each measure: ``value``, ``half-width`` (1.96 standard deviations over the halves), ``mean of the
        halves`` and ``mean of the bootstrap``.
    """
    import pandas as pd

    rng, measures, rows = generator(rng), core_measures(k), {}
    for name in REPEATED:
        half = halves(measures[name], x, y, rng, n_resamples)
        copies = bootstrap(measures[name], x, y, rng, n_resamples)
        rows[name] = {
            "value": measures[name](x, y),
            "half-width": 1.96 * half.std(ddof=1),
            "mean of the halves": half.mean(),
            "mean of the bootstrap": copies.mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def chance_figure(chance: pd.DataFrame, intervals: pd.DataFrame) -> Axes:
    """Values with their intervals, each beside what shuffled objects give.

    Parameters
    ----------
    chance
        Table from :func:`shuffled_values`.
    intervals
        Table from :func:`intervals_of`, whose measures are drawn.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(6.4, 3.2))
    for row, (name, found) in enumerate(intervals.iterrows()):
        level, edge = chance.loc[name, ["chance", "edge"]]
        ax.barh(row, level, height=0.62, color=INK, alpha=0.45, lw=0, label="chance" if row == 0 else None)
        ax.plot([edge, edge], [row - 0.31, row + 0.31], color=INK, lw=1.5, label="95 % of shuffles" if row == 0 else "")
        label = "value, 95 % interval" if row == 0 else None
        ax.errorbar(found["value"], row, xerr=found["half-width"], fmt="o", color="C0", ms=5, capsize=3, label=label)
    ax.set_yticks(range(len(intervals)), intervals.index)
    ax.set(xlim=(min(0.0, ax.get_xlim()[0]), 1), xlabel="words against letters")
    ax.invert_yaxis()
    ax.axvline(0, color=INK, lw=0.6)
    ax.legend(loc="lower right", fontsize=8)
    return ax


def coverage_of_intervals(
    n_worlds: int, *, n: int = 60, p: int = 8, n_resamples: int = 99, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """How often 95 % intervals of CKA contain its value in the population, which a Gaussian model gives.

    Parameters
    ----------
    n_worlds
        Number of samples, each with its three intervals.
    n
        Number of objects of a sample.
    p
        Number of features of either side.
    n_resamples
        Random halves, or bootstrap samples, of an interval.
    rng
        Seed or generator of everything.

    Returns
    -------
    DataFrame
        A row for each kind of interval: ``covered``, the share that contains the value, and the limits ``ci_low`` and
        ``ci_high`` of that share (Wilson's interval, 95 %).
    """
    import pandas as pd
    from scipy.stats import binomtest

    rng = generator(rng)
    shared = rng.normal(size=(p, p)) * 0.8 ** np.arange(p)
    mixing = rng.normal(size=(p, p))
    cov_x, cov_xy = shared.T @ shared, shared.T @ mixing
    cov_y = mixing.T @ mixing + 4 * np.eye(p)
    truth = np.linalg.norm(cov_xy) ** 2 / (np.linalg.norm(cov_x) * np.linalg.norm(cov_y))
    covered = {"unbiased CKA, halves": 0, "CKA, halves": 0, "CKA, bootstrap quantiles": 0}
    for _ in range(check_count(n_worlds, "n_worlds")):
        z = rng.normal(size=(n, p))
        x, y = z @ shared, z @ mixing + 2 * rng.normal(size=(n, p))
        for name, measure in (("unbiased CKA, halves", cka_unbiased), ("CKA, halves", cka)):
            error = 1.96 * halves(measure, x, y, rng, n_resamples).std(ddof=1)
            covered[name] += int(abs(measure(x, y) - truth) <= error)
        low, high = np.quantile(bootstrap(cka, x, y, rng, n_resamples), [0.025, 0.975])
        covered["CKA, bootstrap quantiles"] += int(low <= truth <= high)
    rows = {}
    for name, times in covered.items():
        limits = binomtest(times, n_worlds).proportion_ci(0.95, "wilson")
        rows[name] = {"covered": times / n_worlds, "ci_low": limits.low, "ci_high": limits.high}
    return pd.DataFrame.from_dict(rows, orient="index")


# Many pairs


class ManySpaces(NamedTuple):
    """Spaces of two models, of which only some pairs have anything in common."""

    first: dict[str, np.ndarray]
    """Name → array of shape (n, p), p growing from space to space."""
    second: dict[str, np.ndarray]
    """The same of the other model."""
    related: tuple[tuple[str, str], ...]
    """Pairs of names that share one direction."""


def many_spaces(
    n: int = 120,
    *,
    widths: Sequence[int] = (4, 6, 8, 16, 32, 64, 96, 128),
    related: Sequence[tuple[int, int]] = ((0, 0), (1, 2), (2, 1), (3, 4), (4, 3)),
    strength: float = 1.5,
    rng: int | np.random.Generator = 0,
) -> ManySpaces:
    """As many layers of two models as there are widths: noise, and for some pairs one direction in common.

    Parameters
    ----------
    n
        Number of objects.
    widths
        Numbers of features of the layers of either model.
    related
        Pairs of positions of layers that share a direction, none of them twice.
    strength
        Standard deviation of the shared direction, where that of every feature of the noise is 1.
    rng
        Seed or generator of everything.

    Returns
    -------
    ManySpaces
        Layers by the names "0", "1", ….

    Examples
    --------
    >>> from helpers.studies.chance import many_spaces
    >>> spaces = many_spaces(50, widths=(3, 9), related=((0, 1),))
    >>> spaces.first["0"].shape, spaces.second["1"].shape, spaces.related
    ((50, 3), (50, 9), (('0', '1'),))
    """
    rng, n = generator(rng), check_count(n, "n", least=4)
    first, second = ({str(i): rng.normal(size=(n, p)) for i, p in enumerate(widths)} for _ in range(2))
    for i, j in related:
        common = strength * rng.normal(size=(n, 1))
        for z in (first[str(i)], second[str(j)]):
            direction = rng.normal(size=(1, z.shape[1]))
            z += common * direction / np.linalg.norm(direction)
    return ManySpaces(first, second, tuple((str(i), str(j)) for i, j in related))


def discoveries(found: pd.DataFrame, related: Sequence[tuple[str, str]], *, q: float = 0.05) -> pd.DataFrame:
    """What different rules find among many pairs, and how much of it is not there.

    Parameters
    ----------
    found
        Table of one measure from :func:`helpers.similarity.calibrate`.
    related
        Pairs that have something in common.
    q
        Level of the tests, and of the false discovery rate.

    Returns
    -------
    DataFrame
        A row for each rule: how many pairs it names (``found``), how many of these share nothing (``false``), how many
        related pairs it misses (``missed``).
    """
    import pandas as pd

    true = np.array([pair in set(related) for pair in zip(found["x"], found["y"], strict=True)])
    largest = found["value"].rank(ascending=False, method="first") <= true.sum()
    rules = {
        f"the {true.sum()} largest values": largest,
        f"p ≤ {q:.2f}": found["p"] <= q,
        f"false discovery rate ≤ {q:.2f}": found["p_fdr"] <= q,
        f"any false one with probability ≤ {q:.2f}": found["p_max"] <= q,
    }
    rows = {
        name: {"found": int(named.sum()), "false": int((named & ~true).sum()), "missed": int((true & ~named).sum())}
        for name, named in rules.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def discoveries_figure(found: pd.DataFrame, related: Sequence[tuple[str, str]]) -> list[Axes]:
    """Values of all pairs beside their values after calibration, the related pairs framed."""
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2, figsize=(8.0, 3.9), sharey=True)
    for ax, (column, title) in zip(axes, (("value", "value"), ("calibrated", "beyond chance")), strict=True):
        table = found.pivot(index="x", columns="y", values=column)
        order = sorted(table, key=int)
        heatmap(table.loc[order, order], ax, high=float(found[column].max()), title=title)
        for text in ax.texts:
            text.set_text(text.get_text().replace("0.", "."))
            text.set_fontsize(7)
        for x, y in related:
            ax.add_patch(plt.Rectangle((order.index(y), order.index(x)), 1, 1, fill=False, ec="C1", lw=2.5))
        ax.set(xlabel="layer of the second model")
    axes[0].set(ylabel="layer of the first model")
    return list(axes)


def facts(chance: pd.DataFrame, formula: Mapping[str, float], intervals: pd.DataFrame) -> dict[str, float]:
    """What the text says of words against letters in numbers.

    Parameters
    ----------
    chance
        Table from :func:`shuffled_values`.
    formula
        Chance levels by formula, by the name of the measure.
    intervals
        Table from :func:`intervals_of`.
    """
    return {
        "worst_p": chance["p"].max(),
        "real_dcor": chance.loc["dCor", "value"],
        "real_dcor_chance": chance.loc["dCor", "chance"],
        "real_cka": chance.loc["CKA", "value"],
        "real_jaccard": chance.loc["Jaccard", "value"],
        "real_jaccard_ratio": chance.loc["Jaccard", "value"] / formula["Jaccard"],
        "jaccard_value": intervals.loc["Jaccard", "value"],
        "jaccard_boot": intervals.loc["Jaccard", "mean of the bootstrap"],
    }


def facts_of_coverage(coverage: pd.DataFrame) -> dict[str, float]:
    """Percentages and their limits of two kinds of intervals of :func:`coverage_of_intervals`."""
    named = {"unbiased": "unbiased CKA, halves", "boot": "CKA, bootstrap quantiles"}
    ends = {"covered": "", "ci_low": "_low", "ci_high": "_high"}
    return {
        f"cover_{key}{end}": 100 * coverage.loc[name, column]
        for key, name in named.items()
        for column, end in ends.items()
    }


def facts_of_discoveries(found: pd.DataFrame, spaces: ManySpaces) -> dict[str, float | bool]:
    """What the text says of many pairs in numbers: how many, how many are found, and what is the largest value."""
    rules = discoveries(found, spaces.related)
    top = found.loc[found["value"].idxmax()]
    widths = {name: z.shape[1] for name, z in spaces.first.items()}
    return {
        "pairs": len(found),
        "related": len(spaces.related),
        "top_value": top["value"],
        "top_chance": top["chance"],
        "top_width": widths[top["x"]],
        "plain_found": rules["found"].iloc[1],
        "plain_false": rules["false"].iloc[1],
        "fdr_found": rules["found"].iloc[2],
        "fdr_false": rules["false"].iloc[2],
    }
