"""What the page about failures of measures shows: measures beside their chance levels, curves, verdicts, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator, integer_seed, svd
from helpers.book.style import INK
from helpers.similarity import cross_barcode, jaccard, rtd

if TYPE_CHECKING:
    import pandas as pd
    from pandas.io.formats.style import Styler

__all__ = [
    "QUESTIONS",
    "adjusted_by_factor",
    "bars_of",
    "beside_chance",
    "curves_over",
    "facts_of_broken",
    "facts_of_groups",
    "facts_of_leading",
    "facts_of_loudest",
    "facts_of_rings",
    "facts_of_whitening",
    "figure_bars",
    "figure_batch",
    "figure_clouds",
    "figure_factor",
    "figure_leading",
    "figure_moved",
    "figure_neighbours",
    "figure_rearranged",
    "figure_rings",
    "figure_shared",
    "figure_stretch",
    "figure_verdicts",
    "figure_width",
    "jaccard_by_k",
    "longest_bar",
    "loudness",
    "rtd_by_batch",
    "rtd_by_outliers",
    "show_questions",
    "values_along",
    "values_of",
    "verdicts_of",
]

QUESTIONS = (
    ("wide noise", "Is anything shared?", "unlike"),
    ("stretched", "Are the neighbours the same?", "unlike"),
    ("stretched", "Does a linear model read the same?", "alike"),
    ("one unit changed", "Does a linear model read the same?", "alike"),
    ("one shared direction", "Is more than one direction shared?", "unlike"),
    ("one object moved", "Are all objects but one the same?", "alike"),
    ("shared outliers", "Is anything shared beside the outliers?", "unlike"),
    ("shared clusters", "Is anything shared within clusters?", "unlike"),
    ("rows rescaled", "Do all rows point the same way?", "alike"),
    ("clusters rearranged", "Do the clusters stand in the same order?", "unlike"),
    ("duplicates", "Are they the same but for rounding?", "alike"),
    ("ring cut open", "Do both close a loop?", "unlike"),
)
"""Pairs of the page, the question that is asked of each, and the answer that its construction gives."""

Measure = Callable[[np.ndarray, np.ndarray], float]
Measures = Mapping[str, Measure]
Pair = tuple[np.ndarray, np.ndarray]


# Values


def bars_of(x: np.ndarray, y: np.ndarray, *, batch: int = 100, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Bars of the R-cross-barcodes of both directions.

    Parameters
    ----------
    x, y
        Arrays (n, p) and (n, q), rows of the same objects.
    batch
        Objects in the subset, if there are more.
    rng
        Seed or generator of the subset, the same for both directions.

    Returns
    -------
    ndarray
        Beginnings and ends (bars, 2), the longest bar last.
    """
    seed = integer_seed(rng)
    bars = np.vstack([cross_barcode(*pair, batch=batch, rng=seed) for pair in ((x, y), (y, x))])
    return bars[np.argsort(bars[:, 1] - bars[:, 0])]


def longest_bar(x: np.ndarray, y: np.ndarray, *, batch: int = 100, rng: int | np.random.Generator = 0) -> float:
    """Length of the longest bar of :func:`bars_of`; a distance, 0 for identical representations."""
    return float(np.diff(bars_of(x, y, batch=batch, rng=rng)[-1:]).sum())


def beside_chance(
    x: np.ndarray,
    y: np.ndarray,
    measures: Measures,
    *,
    distances: Iterable[str] = (),
    n_shuffles: int = 10,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Value, chance level and chance-adjusted value of measures of one pair of representations.

    Parameters
    ----------
    x, y
        Arrays (n, p) and (n, q), rows of the same objects.
    measures
        Functions of two arrays, by name.
    distances
        Names of those that are 0 for identical representations; the others are 1.
    n_shuffles
        Random orders of the rows of ``y`` behind the chance level, the same for all measures.
    rng
        Seed or generator of the orders.

    Returns
    -------
    DataFrame
        A row for each measure: ``value``, ``chance`` (mean over the orders), ``spread`` (standard deviation over them)
        and ``adjusted``, which is 0 at chance and 1 for identical representations.

    Raises
    ------
    ValueError
        If a name of ``distances`` is no name of ``measures``.
    """
    import pandas as pd

    if unknown := set(distances) - set(measures):
        raise ValueError(f"distances names {sorted(unknown)}; the measures are {sorted(measures)}")
    rows, orders = {}, _orders(len(y), n_shuffles, integer_seed(rng))
    for name, measure in measures.items():
        value, shuffled = measure(x, y), [measure(x, y[order]) for order in orders]
        chance, identical = np.mean(shuffled), float(name not in distances)
        rows[name] = [value, chance, np.std(shuffled), (value - chance) / (identical - chance)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "chance", "spread", "adjusted"])


def values_of(
    x: np.ndarray, y: np.ndarray, measures: Measures, *, shuffle: np.random.Generator | None = None
) -> pd.Series:
    """Values of measures of one pair, by name.

    Parameters
    ----------
    x, y
        Arrays (n, p) and (n, q), rows of the same objects.
    measures
        Functions of two arrays, by name.
    shuffle
        Generator that gives the rows of ``y`` a new order for each measure; without it the rows stay.
    """
    import pandas as pd

    def other() -> np.ndarray:
        return y if shuffle is None else y[shuffle.permutation(len(y))]

    return pd.Series({name: measure(x, other()) for name, measure in measures.items()})


def values_along(pairs: Mapping[Any, Pair], measures: Measures) -> pd.DataFrame:
    """Values of measures along a row of pairs: a row for each key of ``pairs``, a column for each measure."""
    import pandas as pd

    return pd.DataFrame({key: values_of(x, y, measures) for key, (x, y) in pairs.items()}).T


def curves_over(
    make: Callable[[Any, np.random.Generator], Pair],
    places: Sequence[Any],
    measures: Measures,
    *,
    n_repeats: int = 3,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Values of measures of random pairs, over a parameter of their making.

    Parameters
    ----------
    make
        Function of a value of the parameter and a generator that returns a pair of arrays.
    places
        Values of the parameter.
    measures
        Functions of two arrays, by name.
    n_repeats
        Pairs that are made for each value.
    rng
        Seed or generator, from which each pair has a generator of its own.

    Returns
    -------
    DataFrame
        Columns ``place``, ``repeat``, ``measure`` and ``value``.
    """
    import warnings

    import pandas as pd

    seed, rows = integer_seed(rng), []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*whatever the data")  # too few rows are the subject
        for i, place in enumerate(places):
            for repeat in range(check_count(n_repeats, "n_repeats")):
                pair = make(place, np.random.default_rng([seed, i, repeat]))
                rows += [(place, repeat, name, measure(*pair)) for name, measure in measures.items()]
    return pd.DataFrame(rows, columns=["place", "repeat", "measure", "value"])


def adjusted_by_factor(
    x: np.ndarray,
    factors: Sequence[float],
    measures: Measures,
    *,
    distances: Iterable[str] = (),
    n_shuffles: int = 10,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Chance-adjusted values of a representation and itself with its first feature multiplied.

    Parameters
    ----------
    x
        Array (n, p).
    factors
        What the first feature is multiplied by.
    measures, distances, n_shuffles, rng
        Same meaning as in :func:`beside_chance`.

    Returns
    -------
    DataFrame
        A row for each factor, a column for each measure.
    """
    import pandas as pd

    options, rows = {"distances": distances, "n_shuffles": n_shuffles, "rng": integer_seed(rng)}, {}
    for factor in factors:
        y = x * np.where(np.arange(x.shape[1]) == 0, factor, 1)
        rows[factor] = beside_chance(x, y, measures, **options)["adjusted"]
    return pd.DataFrame(rows).T


def jaccard_by_k(pairs: Mapping[str, Pair], ks: Sequence[int], *, rng: int | np.random.Generator = 0) -> pd.DataFrame:
    """Jaccard similarity of pairs over the number of neighbours, and of the same with the rows shuffled once.

    Parameters
    ----------
    pairs
        Pairs of arrays by name.
    ks
        Numbers of neighbours.
    rng
        Seed or generator of the order of the shuffled rows.

    Returns
    -------
    DataFrame
        A row for each of ``ks``; columns are the names, and ``NAME, shuffled``.
    """
    import pandas as pd

    seed, columns = integer_seed(rng), {}
    for name, (x, y) in pairs.items():
        order = np.random.default_rng(seed).permutation(len(y))
        columns[name] = [jaccard(x, y, k=k, metric="euclidean") for k in ks]
        columns[f"{name}, shuffled"] = [jaccard(x, y[order], k=k, metric="euclidean") for k in ks]
    return pd.DataFrame(columns, index=pd.Index(ks, name="k"))


def rtd_by_batch(
    x: np.ndarray, others: Mapping[str, np.ndarray], batches: Sequence[int], *, trials: int = 2, rng: int = 0
) -> pd.DataFrame:
    """RTD of a representation and others over the size of the subset: a row for each size, a column for each other."""
    import pandas as pd

    found = {name: [rtd(x, y, batch=batch, trials=trials, rng=rng) for batch in batches] for name, y in others.items()}
    return pd.DataFrame(found, index=pd.Index(batches, name="batch"))


def rtd_by_outliers(x: np.ndarray, y: np.ndarray, counts: Sequence[int], *, distance: float = 100) -> pd.Series:
    """RTD of two representations whose first objects have been moved away together, over how many these are.

    Parameters
    ----------
    x, y
        Arrays (n, p) of one shape; all objects are taken.
    counts
        How many objects are moved.
    distance
        How far they are moved along the first feature.
    """
    import pandas as pd

    found = {}
    for count in counts:
        far = np.zeros(x.shape)
        far[:count, 0] = distance
        found[int(count)] = rtd(x + far, y + far, batch=len(x), trials=1)
    return pd.Series(found, name="RTD").rename_axis("outliers")


def loudness(embeddings: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """How much of each embedding one direction, or a few rows, hold.

    Parameters
    ----------
    embeddings
        Arrays (n, p) by name.

    Returns
    -------
    DataFrame
        A row for each embedding, shares between 0 and 1: ``variance in the first direction``, ``its weight in CKA``
        (of the sum of squared variances), and ``variance in the top 1 % of rows``.
    """
    import pandas as pd

    rows = {}
    for name, z in embeddings.items():
        centred = z - z.mean(axis=0)
        variances, norms = np.linalg.svd(centred, compute_uv=False) ** 2, np.sum(centred**2, axis=1)
        rows[name] = {
            "variance in the first direction": variances.max() / variances.sum(),
            "its weight in CKA": (variances**2).max() / (variances**2).sum(),
            "variance in the top 1 % of rows": np.sort(norms)[-max(1, len(z) // 100) :].sum() / norms.sum(),
        }
    return pd.DataFrame(rows).T


# Verdicts


def verdicts_of(tables: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Chance-adjusted values of all measures on the pairs of :data:`QUESTIONS`, and who is fooled.

    Parameters
    ----------
    tables
        Tables of :func:`beside_chance` by the name of the pair.

    Returns
    -------
    adjusted, verdict : DataFrame
        A row for each question, named ``PAIR [ANSWER]``, a column for each measure: adjusted values, and 0 for not
        fooled, 1 for half fooled, 2 for fooled, by the thirds of the way from chance to identity.
    """
    import pandas as pd

    labels = [f"{pair} [{answer}]" for pair, _, answer in QUESTIONS]
    adjusted = pd.DataFrame([tables[pair]["adjusted"].to_numpy() for pair, *_ in QUESTIONS], labels)
    adjusted.columns = list(next(iter(tables.values())).index)
    unlike = np.array([answer == "unlike" for *_, answer in QUESTIONS])
    wrong = np.where(unlike[:, None], adjusted, 1 - adjusted)  # near 1: the other answer
    verdict = 1 + (wrong > 2 / 3).astype(int) - (wrong < 1 / 3).astype(int)
    return adjusted, pd.DataFrame(verdict, labels, adjusted.columns)


def show_questions() -> Styler:
    """The table of :data:`QUESTIONS`, text to the left."""
    import pandas as pd

    table = pd.DataFrame(QUESTIONS, columns=["pair", "question", "answer"])
    return table.style.hide(axis="index").set_table_styles([{"selector": "th, td", "props": "text-align: left;"}])


# Facts


def facts_of_groups(tables: Mapping[str, pd.DataFrame]) -> dict[str, float]:
    """Values of RSA and Jaccard on shared outliers and on shared clusters, and what Jaccard has there by chance."""
    found = {}
    for group in ("outliers", "clusters"):
        for measure in ("RSA Pearson", "RSA Spearman", "Jaccard"):
            found[f"{group}_{measure.split()[-1].lower()}"] = tables[f"shared {group}"].loc[measure, "value"]
    return found | {"clusters_chance": tables["shared clusters"].loc["Jaccard", "chance"]}


def facts_of_rings(table: pd.DataFrame) -> dict[str, float]:
    """RTD and the longest bar of each changed circle, the columns of ``table``."""
    rows = {"rtd": "RTD", "longest": "longest bar"}
    return {f"ring_{name}_{key}": table.loc[row, name] for name in table for key, row in rows.items()}


def facts_of_leading(plain: pd.DataFrame, weighted: pd.DataFrame) -> dict[str, float]:
    """CKA of plain counts and of weighted ones, with no and with one component removed."""
    pairs = {"counts": plain, "weighted": weighted}
    return {f"{name}_{count}": table.loc[count, "CKA"] for name, table in pairs.items() for count in (0, 1)}


def facts_of_loudest(checks: pd.DataFrame, name: str, z: np.ndarray, texts: Sequence[str]) -> dict[str, float]:
    """Share of variance of the first direction of an embedding, in per cent, and its correlation with text lengths.

    Parameters
    ----------
    checks
        Table of :func:`loudness`.
    name, z
        Row of that table, and the array (n, p) that it is about.
    texts
        The n texts.
    """
    first = svd(z - z.mean(axis=0))[0][:, 0]
    lengths = [len(text) for text in texts]
    share = checks.loc[name, "variance in the first direction"]
    return {"letters_share": 100 * share, "letters_length": abs(np.corrcoef(first, lengths)[0, 1])}


def facts_of_broken(damage: pd.DataFrame) -> dict[str, float]:
    """Values of three measures before lines are broken, with both sides broken, and with one."""
    found = {}
    for i, column in enumerate(("words, characters", "both broken", "words, words broken")):
        for name in ("CKA", "RSA Spearman", "Jaccard"):
            found[f"broken_{i}_{name.split()[-1].lower()}"] = damage.loc[name, column]
    return found


def facts_of_whitening(table: pd.DataFrame) -> dict[str, float]:
    """What whitening does to the neighbours, and CCA and distance correlation of few sentences."""
    return {
        "whitened_jaccard": table.loc["Jaccard", "words, whitened words"],
        "few_cca": table.loc["CCA", "few, shuffled"],
        "all_cca": table.loc["CCA", "words, characters"],
        "few_dcor": table.loc["dCor", "few, shuffled"],
    }


# Figures


def figure_width(curves: pd.DataFrame, n: int) -> Any:
    """Values on independent data over the width, mean and range of the repetitions; ``place`` is the width."""
    _, ax = _subplots(figsize=(6.6, 3.6))
    look = {"CCA": "C0-", "SVCCA": "C0--", "PWCCA": "C0:", "dCor": "C1-", "CKA": "C2-"}
    look |= {"dCor unbiased": "C1--", "CKA unbiased": "C2--"}
    for name, part in curves.groupby("measure", sort=False):
        values, style = part.groupby("place")["value"], look[name]
        ends = values.agg(["mean", "min", "max"])
        ax.plot(ends.index / n, ends["mean"], style[2:], color=style[:2], label=name)
        ax.fill_between(ends.index / n, ends["min"], ends["max"], color=style[:2], alpha=0.15, lw=0)
    ax.axvline(1, color=INK, lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="width over number of objects, $p/n$", ylabel="value on independent data")
    ax.set_ylim(-0.1, 1.04)
    _legend_outside(ax)
    return ax


def figure_stretch(x: np.ndarray, y: np.ndarray, k: int) -> Any:
    """One object of a plane cloud with its neighbours before and after a stretch."""
    star = int(np.argmin(np.linalg.norm(x - [0.2, 0.5], axis=1)))
    _, axes = _subplots(1, 2, figsize=(6.6, 3.1))
    for ax, z, title in zip(axes, (x, y), ("$X$", "$Y = XA$"), strict=True):
        ax.scatter(*z.T, s=8, color=INK, alpha=0.4, lw=0)
        for by, size, colour, label in ((x, 60, "C0", "nearest in $X$"), (y, 22, "C1", "nearest in $Y$")):
            near = np.argsort(np.linalg.norm(by - by[star], axis=1), kind="stable")[1 : k + 1]
            ax.scatter(*z[near].T, s=size, color=colour, lw=0, label=label)
        ax.scatter(*z[star], s=180, marker="*", color=INK, edgecolor="white", lw=0.8, zorder=3)
        _bare(ax, title)
    axes[1].legend(loc="lower right")
    return axes


def figure_shared(curves: pd.DataFrame, p: int) -> Any:
    """Values over the share of variance in the one common direction, with the prediction for CKA."""
    _, ax = _subplots()
    for name, part in curves.groupby("measure", sort=False):
        mean = part.groupby("place")["value"].mean()
        ax.plot(mean.index, mean, marker="o", ms=4, label=name)
    fine = np.linspace(0, curves["place"].max(), 200)
    ax.plot(fine, p * fine**2 / (p * fine**2 + (1 - fine) ** 2), color=INK, lw=1, ls="--", label="prediction")
    ax.set(xlabel="share of variance in the one common direction", ylabel="value", ylim=(0, 1.03))
    _legend_outside(ax)
    return ax


def figure_moved(moved: Mapping[str, pd.DataFrame]) -> Any:
    """Values over the distance that some objects are moved, a panel for each table of :func:`values_along`."""
    _, (axes,) = _subplots(1, len(moved), figsize=(7, 3.3), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes, moved.items(), strict=True):
        for name in table:
            ax.plot(table.index, table[name], marker="o", ms=3.5, label=name)
        ax.set(title=title, xlabel="distance moved")
    axes[0].set(ylabel="value", ylim=(-0.08, 1.03))
    _legend_outside(axes[-1])
    return axes


def figure_clouds(
    pairs: Mapping[str, Pair],
    tables: Mapping[str, pd.DataFrame],
    groups: Mapping[str, np.ndarray],
    *,
    rng: int | np.random.Generator = 0,
) -> Any:
    """Distances in one representation against those in the other, pairs within and across groups.

    Parameters
    ----------
    pairs, tables
        Pairs and their tables of :func:`beside_chance`, ``"shared outliers"`` and ``"shared clusters"`` among them.
    groups
        Group of each object in these two; of the outliers whether it is one.
    rng
        Seed or generator that chooses the pairs of objects that are drawn.
    """
    import pandas as pd
    from scipy.spatial.distance import pdist

    seed = integer_seed(rng)
    _, axes = _subplots(1, 2, figsize=(6.6, 3.2))
    kinds = {"shared outliers": ("Pearson", "distance"), "shared clusters": ("Spearman", "rank of distance")}
    for ax, (name, (kind, unit)) in zip(axes, kinds.items(), strict=True):
        a, b = (pd.Series(pdist(z)) for z in pairs[name])
        if kind == "Spearman":
            a, b = a.rank(pct=True), b.rank(pct=True)
        i, j = np.triu_indices(len(groups[name]), 1)
        inside = groups[name][i] == groups[name][j]
        some = np.random.default_rng(seed).permutation(len(a))[:4000]
        for chosen, colour, label in ((some[inside[some]], "C0", "same group"), (some[~inside[some]], "C1", "across")):
            ax.scatter(a[chosen], b[chosen], s=4, color=colour, alpha=0.35, lw=0, label=label)
        ax.set_title(f"{name}: {kind} {tables[name].loc[f'RSA {kind}', 'value']:.2f}")
        ax.set(xlabel=f"{unit} in $X$", ylabel=f"{unit} in $Y$")
    axes[0].legend(markerscale=3, loc="upper left")
    return axes


def figure_rearranged(x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> Any:
    """Plane clusters on a circle before and after they have changed places, numbered from 1."""
    _, axes = _subplots(1, 2, figsize=(6.4, 3.2))
    for ax, z, title in zip(axes, (x, y), ("$X$", "$Y$"), strict=True):
        ax.scatter(*z.T, s=9, c=clusters, cmap="viridis", lw=0)
        for cluster in np.unique(clusters):
            ax.text(*1.3 * z[clusters == cluster].mean(axis=0), cluster + 1, ha="center", va="center")
        _bare(ax, title)
        ax.set(xlim=(-15, 15), ylim=(-15, 15))
    return axes


def figure_neighbours(table: pd.DataFrame, sizes: Sequence[int]) -> Any:
    """Jaccard over k from :func:`jaccard_by_k`, with lines at the ``sizes`` of groups less one."""
    _, ax = _subplots()
    names = [name for name in table if not name.endswith(", shuffled")]
    for i, name in enumerate(names):
        ax.plot(table.index, table[name], "o-", ms=3.5, color=f"C{i}", label=name)
        ax.plot(table.index, table[f"{name}, shuffled"], color=f"C{i}", ls="--", lw=1)
    for size in sizes:
        ax.axvline(size - 1, color=INK, lw=0.8, ls=":")
    ax.set(xscale="log", xlabel="neighbours $k$", ylabel="Jaccard", ylim=(0, 1.03))
    _legend_outside(ax)
    return ax


def figure_factor(table: pd.DataFrame) -> Any:
    """Chance-adjusted values from :func:`adjusted_by_factor`."""
    _, ax = _subplots()
    for name in table:
        ax.plot(table.index, table[name], marker="o", ms=4, label=name)
    ax.set(xscale="log", xlabel="factor on one feature", ylabel="chance-adjusted value", ylim=(0, 1.03))
    _legend_outside(ax)
    return ax


def figure_bars(cut: np.ndarray, circle: np.ndarray) -> Any:
    """A cut circle and the circle, joined at a scale within the longest bar, and the bars of both directions."""
    from scipy.spatial.distance import pdist, squareform

    bars, back = cross_barcode(cut, circle), cross_barcode(circle, cut)
    alpha = bars[np.argmax(bars[:, 1] - bars[:, 0])].mean()
    back = back[np.argsort(back[:, 1] - back[:, 0])][-15:]
    _, axes = _subplots(1, 3, figsize=(7.2, 2.6), width_ratios=(1, 1, 1.2))
    for ax, z, title in zip(axes[:2], (cut, circle), ("cut", "circle"), strict=True):
        d = squareform(pdist(z))
        for i, j in np.argwhere(np.triu(d < alpha * np.quantile(d, 0.9), 1)):
            ax.plot(*z[[i, j]].T, color=INK, lw=0.9, alpha=0.6)
        ax.scatter(*z.T, s=14, color="C0", zorder=2, lw=0)
        _bare(ax, title)
        ax.set(xlim=(-1.15, 1.15), ylim=(-1.15, 1.15))
    axes[2].hlines(np.arange(len(back)), *back.T, color="C1", lw=2, label="circle → cut")
    axes[2].hlines(len(back) + np.arange(len(bars)), *bars.T, color="C0", lw=2, label="cut → circle")
    axes[2].axvline(alpha, color=INK, lw=0.8, ls=":")
    axes[2].set(xlabel="scale $\\alpha$", yticks=[], ylim=(-1, len(back) + len(bars) + 6))
    axes[2].legend(loc="upper right")
    axes[2].spines["left"].set_visible(False)
    return axes


def figure_rings(rings: Mapping[str, np.ndarray], bars: Mapping[str, np.ndarray], table: pd.DataFrame) -> Any:
    """Changed circles, and below each its longest bars; the rows ``CKA`` and ``RTD`` of ``table`` are the titles."""
    _, axes = _subplots(2, len(rings), figsize=(6.8, 4.2), height_ratios=(1.4, 1), sharex="row", squeeze=False)
    for (name, z), (top, bottom) in zip(rings.items(), axes.T, strict=True):
        top.scatter(*z.T, s=8, color="C0", lw=0)
        _bare(top, f"{name}: CKA {table.loc['CKA', name]:.3f}")
        found = bars[name][-40:]
        bottom.hlines(np.arange(len(found)), *found.T, color="C0", lw=1.2)
        bottom.set(xlabel="scale", yticks=[], ylim=(-2, 41), title=f"RTD {table.loc['RTD', name]:.2f}")
        bottom.spines["left"].set_visible(False)
    return axes


def figure_batch(by_batch: pd.DataFrame, by_outliers: pd.Series, n: int) -> Any:
    """RTD over the size of the subset, and over the share of ``n`` objects that are far outliers."""
    _, (left, right) = _subplots(1, 2, figsize=(7, 3.1))
    for name, style in zip(by_batch, ("o-", "o--"), strict=True):
        left.plot(by_batch.index, by_batch[name], style, ms=4, color="C0", label=name)
    left.set(xlabel="objects in a batch", ylabel="RTD", ylim=(0, None))
    left.legend()
    right.plot(100 * by_outliers.index / n, by_outliers, "o-", ms=4, color="C1")
    right.axvline(100 * (1 - np.sqrt(0.9)), color=INK, lw=0.8, ls=":")
    right.set(xlabel="outliers, % of objects", ylabel="RTD", ylim=(0, None))
    return left, right


def figure_verdicts(adjusted: pd.DataFrame, verdict: pd.DataFrame) -> Any:
    """Adjusted values of every measure on every pair, coloured by the verdict of :func:`verdicts_of`."""
    from matplotlib.colors import ListedColormap

    palette, words = ["#9ecae1", "#fee8a0", "#d55e00"], ("not fooled", "half fooled", "fooled")
    _, ax = _subplots(figsize=(8.2, 5.0))
    ax.imshow(verdict, cmap=ListedColormap(palette), vmin=0, vmax=2, aspect="auto")
    for (i, j), value in np.ndenumerate(adjusted.to_numpy()):
        wrong = verdict.iat[i, j] == 2
        look = {"color": "white", "weight": "bold"} if wrong else {"color": "#222222"}
        ax.text(j, i, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", size=8.5, **look)
    ax.set_xticks(range(len(adjusted.columns)), adjusted.columns, rotation=45, ha="left")
    ax.set_yticks(range(len(adjusted)), adjusted.index)
    ax.xaxis.tick_top()
    ax.spines[:].set_visible(False)
    ax.set_xticks(np.arange(len(adjusted.columns) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(adjusted) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=1.5)
    ax.tick_params(which="both", length=0)
    for colour, label in zip(palette, words, strict=True):
        ax.scatter([], [], marker="s", s=60, color=colour, label=label)
    ax.legend(loc="upper center", bbox_to_anchor=(0.4, -0.01), ncols=3)
    return ax


def figure_leading(tables: Mapping[str, pd.DataFrame]) -> Any:
    """Values after leading components have been removed, a panel for each table of :func:`values_along`."""
    _, (axes,) = _subplots(1, len(tables), figsize=(7, 3.3), sharey=True, squeeze=False)
    for ax, (title, table) in zip(axes, tables.items(), strict=True):
        for name in table:
            ax.plot(range(len(table)), table[name], "o-", ms=4, label=name)
        ax.set(title=title, xlabel="components removed")
        ax.set_xticks(range(len(table)), table.index)
    axes[0].set(ylabel="value", ylim=(0, 1.03))
    _legend_outside(axes[-1])
    return axes


def _orders(n: int, n_shuffles: int, seed: Any) -> list[np.ndarray]:
    """Random orders of ``n`` rows, each from a generator of its own."""
    return [generator([seed, i]).permutation(n) for i in range(check_count(n_shuffles, "n_shuffles"))]


def _subplots(*shape: int, **options: Any) -> tuple[Any, Any]:
    import matplotlib.pyplot as plt

    return plt.subplots(*shape, **options)


def _bare(ax: Any, title: str) -> None:
    """A picture of points: equal units, no axes."""
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
    ax.spines[:].set_visible(False)


def _legend_outside(ax: Any) -> None:
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
