"""What the page about measuring at scale shows: costs and their exponents, topology on subsets, errors of subsets."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.similarity import rtd, rtd_lite, similarity_matrices

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "costs_by_size",
    "error_by_size_and_measure",
    "facts_of_costs",
    "facts_of_subsets",
    "figure_costs",
    "figure_subsets",
    "fit_exponents",
    "pair_values",
    "subset_errors",
    "table_exponents",
    "table_subsets",
    "time_topology",
]

AXES = {"n": "objects $n$", "d": "features $d$", "layers": "representations $L$"}
"""What is changed, one at a time, and how figures write it."""

Embeddings = Mapping[str, np.ndarray]


def pair_values(matrices: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Entries above the diagonals of matrices of one set of representations.

    Parameters
    ----------
    matrices
        Measure → matrix, from :func:`helpers.similarity.similarity_matrices`.

    Returns
    -------
    DataFrame
        A row for each pair, named ``FIRST, SECOND``, a column for each measure.
    """
    import pandas as pd

    names = list(next(iter(matrices.values())).index)
    pairs = list(itertools.combinations(names, 2))
    values = {measure: [matrix.loc[pair] for pair in pairs] for measure, matrix in matrices.items()}
    return pd.DataFrame(values, index=[f"{a}, {b}" for a, b in pairs])


# Costs


def costs_by_size(
    grids: Mapping[str, Sequence[int]],
    middle: Mapping[str, int],
    measures: Sequence[str],
    *,
    repeats: int = 2,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Seconds for the full matrix of each measure on random data, one of three sizes changed at a time.

    Parameters
    ----------
    grids
        Values of ``n`` (objects), ``d`` (features) and ``layers`` (representations).
    middle
        Values of the two that are not changed.
    measures
        Names of measures of :func:`helpers.similarity.similarity_matrices`.
    repeats
        Runs of which the quickest counts, at least; short ones are run until a tenth of a second has passed.
    rng
        Seed or generator of the data.

    Returns
    -------
    DataFrame
        Columns ``axis``, ``value``, ``measure`` and ``seconds``.
    """
    import pandas as pd

    rng, repeats, rows = generator(rng), check_count(repeats, "repeats"), []
    _seconds(200, 16, 2, "cka", repeats, rng)  # what is compiled or loaded at first is not timed
    for axis, values in grids.items():
        for value, measure in itertools.product(values, measures):
            sizes = {**middle, axis: value}
            rows.append(
                (axis, value, measure, _seconds(sizes["n"], sizes["d"], sizes["layers"], measure, repeats, rng))
            )
    return pd.DataFrame(rows, columns=["axis", "value", "measure", "seconds"])


def fit_exponents(costs: pd.DataFrame) -> pd.DataFrame:
    """Slopes of lines through the logarithms of sizes and seconds.

    Parameters
    ----------
    costs
        Table of :func:`costs_by_size`.

    Returns
    -------
    DataFrame
        A row for each axis and measure: ``exponent`` and ``standard error``, which is NaN for less than three sizes.
    """
    import pandas as pd

    rows = {}
    for key, group in costs.groupby(["axis", "measure"], sort=False):
        x, y = np.log(group["value"].to_numpy(float)), np.log(group["seconds"].to_numpy())
        if len(x) > 2:
            line, cov = np.polyfit(x, y, 1, cov=True)
            rows[key] = [line[0], np.sqrt(cov[0, 0])]
        else:
            rows[key] = [np.polyfit(x, y, 1)[0] if len(x) > 1 else np.nan, np.nan]
    index = pd.MultiIndex.from_tuples(rows, names=["axis", "measure"])
    return pd.DataFrame(rows.values(), index, columns=["exponent", "standard error"])


def table_exponents(exponents: pd.DataFrame) -> pd.DataFrame:
    """Exponents of :func:`fit_exponents` with their standard errors in one cell: measures by what was changed."""
    cells = [f"{value:.2f}" + ("" if np.isnan(error) else f" ± {error:.2f}") for value, error in exponents.to_numpy()]
    long = exponents.assign(cell=cells).reset_index()
    table = long.pivot(index="measure", columns="axis", values="cell")
    table = table.loc[list(dict.fromkeys(long["measure"])), list(dict.fromkeys(long["axis"]))]
    names = {axis: label.split()[0] for axis, label in AXES.items()}
    return table.rename(columns=names).rename_axis(index=None, columns=None)


def time_topology(
    embeddings: Embeddings,
    *,
    batch: int = 300,
    trials: int = 3,
    n_lite: int = 1500,
    rng: int = 0,
) -> pd.DataFrame:
    """RTD on subsets and RTD-lite on the first objects, for all pairs, with the seconds that they take.

    Parameters
    ----------
    embeddings
        Arrays (n, p) by name.
    batch, trials
        Objects in a subset of RTD, and how many subsets.
    n_lite
        How many objects RTD-lite takes, from the first one on.
    rng
        Seed of the subsets, the same for all pairs.

    Returns
    -------
    DataFrame
        A row for each pair: ``RTD``, ``RTD seconds``, ``RTD-lite``, ``RTD-lite seconds``.
    """
    import pandas as pd

    rows, few = {}, {name: z[:n_lite] for name, z in embeddings.items()}
    for i, (a, b) in enumerate(itertools.combinations(embeddings, 2)):
        if i == 0:  # what is compiled or loaded at first is not timed
            rtd(few[a][:20], few[b][:20], trials=1, batch=20, rng=rng)
            rtd_lite(few[a][:20], few[b][:20])
        began = time.perf_counter()
        value = rtd(embeddings[a], embeddings[b], trials=trials, batch=batch, rng=rng)
        between = time.perf_counter()
        lite = rtd_lite(few[a], few[b])
        rows[f"{a}, {b}"] = [value, between - began, lite, time.perf_counter() - between]
    columns = ["RTD", "RTD seconds", "RTD-lite", "RTD-lite seconds"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


# Subsets


def subset_errors(
    embeddings: Embeddings,
    exact: pd.DataFrame,
    sizes: Sequence[int],
    *,
    n_subsets: int = 12,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Deviations of measures on random subsets from their values on all objects.

    Parameters
    ----------
    embeddings
        Arrays (n, p) by name.
    exact
        Values on all objects, from :func:`pair_values`; its columns are the measures.
    sizes
        Objects in a subset, each below n.
    n_subsets
        Subsets of each size.
    rng
        Seed or generator of the subsets.

    Returns
    -------
    DataFrame
        Columns ``size``, ``measure``, ``pair`` and ``error``.

    Raises
    ------
    ValueError
        If a size is not below the number of objects.
    """
    import pandas as pd

    rng, n, parts = generator(rng), len(next(iter(embeddings.values()))), []
    if wrong := [size for size in sizes if not 0 < size < n]:
        raise ValueError(f"sizes has {wrong}; a subset of {n} objects has between 1 and {n - 1} of them")
    for size, _ in itertools.product(sizes, range(check_count(n_subsets, "n_subsets", least=2))):
        index = np.sort(rng.choice(n, size=size, replace=False))
        part = {name: z[index] for name, z in embeddings.items()}
        error = pair_values(similarity_matrices(part, list(exact), progress=False)) - exact
        long = error.rename_axis("pair").reset_index().melt("pair", var_name="measure", value_name="error")
        parts.append(long.assign(size=size))
    return pd.concat(parts, ignore_index=True)[["size", "measure", "pair", "error"]]


def error_by_size_and_measure(errors: pd.DataFrame) -> pd.DataFrame:
    """Bias and spread of subsets, over the pairs.

    Parameters
    ----------
    errors
        Table of :func:`subset_errors`.

    Returns
    -------
    DataFrame
        Index ``measure, size``; root mean squares over the pairs of the ``bias``, the mean error over the subsets, and
        of the ``spread``, its standard deviation; and the ``largest bias`` of a pair, with its sign.
    """
    cells = errors.groupby(["measure", "size", "pair"])["error"].agg(bias="mean", spread="std").reset_index()
    grouped = cells.groupby(["measure", "size"])
    found = grouped[["bias", "spread"]].agg(lambda values: np.sqrt(np.mean(values**2)))
    found["largest bias"] = grouped["bias"].agg(lambda values: values.loc[values.abs().idxmax()])
    return found


def table_subsets(summary: pd.DataFrame, measures: Sequence[str], size: int) -> pd.DataFrame:
    """Rows of :func:`error_by_size_and_measure` at one size, measures in their order."""
    found = summary.xs(size, level="size").loc[list(measures)]
    return found.rename(columns={"bias": "root mean square bias"}).rename_axis(None)


# Facts


def facts_of_costs(exponents: pd.DataFrame) -> dict[str, float]:
    """Exponent in the number of objects of each measure of :func:`fit_exponents`, as ``exponent_MEASURE``."""
    found = exponents.loc["n", "exponent"]
    return {f"exponent_{measure}": value for measure, value in found.items()}


def facts_of_subsets(summary: pd.DataFrame, size: int) -> dict[str, float]:
    """Spread and size of the largest bias of each measure at one size, as ``spread_MEASURE`` and ``bias_MEASURE``."""
    found = summary.xs(size, level="size")
    spreads = {f"spread_{measure}": value for measure, value in found["spread"].items()}
    return spreads | {f"bias_{measure}": abs(value) for measure, value in found["largest bias"].items()}


# Figures


def figure_costs(costs: pd.DataFrame) -> Any:
    """Seconds over the sizes, a panel for each axis of :func:`costs_by_size`, both scales logarithmic."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(AXES), figsize=(7.2, 2.9), sharey=True)
    for ax, (axis, label) in zip(axes, AXES.items(), strict=True):
        part = costs[costs["axis"] == axis]
        for marker, (measure, one) in zip("osD^vP", part.groupby("measure", sort=False), strict=False):
            ax.plot(one["value"], one["seconds"], marker=marker, ms=4, label=measure.replace("_", " "))
        _ticks(ax, sorted(part["value"].unique()))
        ax.set_xlabel(label)
    axes[0].set_ylabel("seconds")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize="small")
    return axes


def figure_subsets(summary: pd.DataFrame, measures: Sequence[str]) -> Any:
    """Spread and bias over the size of the subset, with a line that falls as one over its square root."""
    import matplotlib.pyplot as plt

    sizes = np.array(sorted(summary.index.unique("size")))
    fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
    for ax, column in zip(axes, ("spread", "bias"), strict=True):
        for marker, measure in zip("osD^vP", measures, strict=False):
            part = summary.loc[measure]
            ax.plot(part.index, part[column], marker=marker, ms=4, label=measure.replace("_", " "))
        ax.plot(sizes, summary["spread"].max() * np.sqrt(sizes[0] / sizes), color=INK, lw=1, ls=":")
        _ticks(ax, sizes)
        ax.set(xlabel="objects in the subset", title=column)
    axes[0].set_ylabel("error")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize="small")
    return axes


def _seconds(n: int, d: int, layers: int, measure: str, repeats: int, rng: np.random.Generator) -> float:
    data, times = {str(i): rng.normal(size=(n, d)).astype(np.float32) for i in range(layers)}, []
    while len(times) < repeats or (sum(times) < 0.1 and len(times) < 20):
        began = time.perf_counter()
        similarity_matrices(data, [measure], progress=False)
        times.append(time.perf_counter() - began)
    return min(times)


def _ticks(ax: Any, values: Sequence[int]) -> None:
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(values, [str(value) for value in values], rotation=45)
    ax.minorticks_off()
