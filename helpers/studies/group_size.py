"""The experiments of the chapter "How many items?": error, coverage, numbers needed, shrinkage, and their figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import check_count, generator
from helpers.book.style import INK
from helpers.groups import READOUTS, centroid, group_regions, items_needed, readout, shrink
from helpers.groups.regions import MOMENTS_NEEDED
from helpers.inference import Interval

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "LAWS",
    "READOUTS_HERE",
    "coverage",
    "coverage_by_cell",
    "coverage_facts",
    "coverage_figure",
    "coverage_table",
    "digits_coverage",
    "draw",
    "error_by_size",
    "error_figure",
    "known_readouts",
    "needed_by_readout",
    "reached",
    "share_with_interval",
    "shrinkage_by_size",
    "shrinkage_figure",
    "true_vectors",
]

LAWS = ("normal", "heavy-tailed", "clustered", "skewed", "non-spherical")
"""Laws of the items of a group, about their mean."""

READOUTS_HERE = ("centroid", "trimmed_mean", "geometric_median", "medoid")
"""Readouts with the width of the items."""


def draw(law: str, n_groups: int, n: int, p: int, *, rng: int | np.random.Generator = 0) -> np.ndarray:
    """Items of groups whose true mean is zero.

    Parameters
    ----------
    law
        ``"normal"``: independent of variance 1. ``"heavy-tailed"``: the same, each item times the root of 3 / χ²(3), so
        that fourth moments are infinite. ``"clustered"``: three clusters of equal weight, their centres at distance 3
        from zero, which is that of the items about them in nine dimensions. ``"skewed"``: log-normal features less
        their mean. ``"non-spherical"``: normal, variances falling as 1, 1/2, 1/3 …, their mean 1.
    n_groups, n, p
        Numbers of groups, of items in each and of features.
    rng
        Seed or generator of all draws.

    Returns
    -------
    ndarray of shape (n_groups, n, p), float64
        Items of one group after the other.

    Raises
    ------
    ValueError
        If the law is unknown or a number is not positive.
    """
    if law not in LAWS:
        raise ValueError(f"law {law!r} is unknown; it is one of {', '.join(map(repr, LAWS))}")
    shape = (check_count(n_groups, "n_groups"), check_count(n, "n"), check_count(p, "p"))
    rng = generator(rng)
    if law == "skewed":
        return rng.lognormal(size=shape) - np.exp(0.5)
    x = rng.normal(size=shape)
    if law == "heavy-tailed":
        x *= np.sqrt(3 / rng.chisquare(3, size=(*shape[:2], 1)))
    elif law == "clustered":
        corners = np.zeros((3, p))
        angles = 2 * np.pi * np.arange(3) / 3
        corners[:, 0] = 3 * np.cos(angles)
        corners[:, 1 % p] += 3 * np.sin(angles) if p > 1 else 0
        x += corners[rng.integers(3, size=shape[:2])]
    elif law == "non-spherical":
        variances = 1 / np.arange(1, p + 1)
        x *= np.sqrt(variances / variances.mean())
    return x


def true_vectors(
    law: str, p: int, *, n_items: int = 50_000, rng: int | np.random.Generator = 1
) -> dict[str, np.ndarray]:
    """What the readouts tend to as items are added: zero where the law says so, otherwise of so many items.

    Returns
    -------
    dict of str to ndarray of shape (p,)
        By the names of :data:`READOUTS_HERE`, and ``"moments"`` of width 2p; a medoid tends to where the geometric
        median does.
    """
    zero = np.zeros(p)
    moments = np.concatenate([zero, np.sqrt(_variances(law, p))])
    if law not in ("skewed", "clustered"):
        return dict.fromkeys(READOUTS_HERE, zero) | {"moments": moments}
    x, one = draw(law, 1, n_items, p, rng=rng)[0], np.zeros(n_items, dtype=int)
    trimmed = readout(x, one, "trimmed_mean").vectors[0]
    # Three clusters around zero look the same after a third of a turn: their geometric median is zero.
    median = zero if law == "clustered" else readout(x, one, "geometric_median").vectors[0]
    found = {"centroid": zero, "trimmed_mean": trimmed, "geometric_median": median, "medoid": median}
    return found | {"moments": moments}


def _variances(law: str, p: int) -> np.ndarray:
    """True variances of the features of a law."""
    out = np.ones(p)
    if law == "heavy-tailed":
        out *= 3  # of Student's t with three degrees of freedom
    elif law == "skewed":
        out *= np.e * (np.e - 1)
    elif law == "clustered":
        out[: min(p, 2)] += 9 / 2  # a circle of radius 3 has half of its square along each axis
    elif law == "non-spherical":
        out = 1 / np.arange(1, p + 1)
        out /= out.mean()
    return out


def coverage(
    law: str,
    p: int,
    sizes: Sequence[int] = (5, 10, 20, 50, 200),
    *,
    n_groups: int = 2000,
    methods: Sequence[tuple[str, str]] = (("centroid", "shape"),),
    confidence_level: float = 0.95,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often regions hold the true vector, by simulation.

    Parameters
    ----------
    law, p
        As of :func:`draw`.
    sizes
        Numbers of items in each group.
    n_groups
        Groups of each size.
    methods
        Pairs of a readout and of the ``covariance`` of :func:`~helpers.groups.regions.group_regions`; ``"own"`` is
        what a group given by itself gets.
    confidence_level, rng
        Confidence level of the regions; seed or generator of the items.

    Returns
    -------
    DataFrame
        Columns ``law``, ``p``, ``n``, ``readout``, ``covariance``, ``coverage`` with ``ci_low`` and ``ci_high``
        (Wilson's interval at 0.95), ``radius`` (median), ``correction`` (median of the factor by which drawn groups
        changed it), ``error`` (root mean square distance from the truth) and ``tail`` (order up to which the items have
        moments, as the regions estimate it).
    """
    import pandas as pd
    from scipy import stats

    rng, truth, rows = generator(rng), true_vectors(law, p), []
    for n in sizes:
        x = draw(law, n_groups, n, p, rng=rng).reshape(-1, p)
        groups = np.repeat(np.arange(n_groups), n)
        for name, covariance in methods:
            found = group_regions(x, groups, name, covariance=covariance, confidence_level=confidence_level)
            target = np.tile(truth[name], (n_groups, 1))
            held = int(found.contains(target).sum())
            limits = stats.binomtest(held, n_groups).proportion_ci(0.95, "wilson")
            rows.append(
                {
                    "law": law,
                    "p": p,
                    "n": n,
                    "readout": name,
                    "covariance": covariance,
                    "coverage": held / n_groups,
                    "ci_low": limits.low,
                    "ci_high": limits.high,
                    "radius": float(np.median(found.radii)),
                    "correction": float(np.median(found.corrections)),
                    "error": float(np.sqrt(np.mean(np.sum((found.vectors - target) ** 2, axis=1)))),
                    "tail": found.tail,
                }
            )
    return pd.DataFrame(rows)


def share_with_interval(right: float, n: int) -> str:
    """A share of n, with Wilson's interval at 0.95.

    >>> from helpers.studies.group_size import share_with_interval
    >>> share_with_interval(0.94, 200)
    '0.940 [0.898, 0.965]'
    """
    from scipy import stats

    limits = stats.binomtest(round(right * n), n).proportion_ci(0.95, "wilson")
    return f"{Interval(right, limits.low, limits.high, 0.95):.3f}"


def error_by_size(
    law: str,
    p: int,
    sizes: Sequence[int] = (3, 5, 10, 20, 50, 100),
    *,
    n_groups: int = 200,
    readouts: Sequence[str] = READOUTS_HERE,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Distance of groups' vectors from the true ones, and the radius of their regions, by the number of items.

    Returns
    -------
    DataFrame
        Columns ``readout``, ``n``, ``error`` (root mean square over groups), ``error_low`` and ``error_high`` (the
        middle nine tenths of the groups), ``radius`` (median).
    """
    import pandas as pd

    rng, truth, rows = generator(rng), true_vectors(law, p), []
    for n in dict.fromkeys(sizes):
        x = draw(law, n_groups, n, p, rng=rng).reshape(-1, p)
        groups = np.repeat(np.arange(n_groups), n)
        for name in readouts:
            found = group_regions(x, groups, name, n_resamples=0)
            apart = np.linalg.norm(found.vectors - truth[name], axis=1)
            low, high = np.quantile(apart, [0.05, 0.95])
            rows.append(
                {
                    "readout": name,
                    "n": n,
                    "error": np.sqrt(np.mean(apart**2)),
                    "error_low": low,
                    "error_high": high,
                    "radius": np.median(found.radii),
                }
            )
    return pd.DataFrame(rows)


def needed_by_readout(
    p: int,
    precision: float,
    *,
    pilot: int = 50,
    n_groups: int = 100,
    laws: Sequence[str] = LAWS,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Median number of items until groups are known to a precision, by law (rows) and readout (columns).

    Parameters
    ----------
    p
        Number of features.
    precision
        Distance from the true vector, in standard deviations of a feature of the normal law.
    pilot, n_groups
        Items of each group that are there, and groups.
    laws
        Laws of the items, among :data:`LAWS`.
    rng
        Seed or generator of the items.
    """
    import pandas as pd

    rng, rows = generator(rng), {}
    groups = np.repeat(np.arange(n_groups), pilot)
    names = [name for name in READOUTS_HERE if name != "medoid"]
    for law in laws:
        x = draw(law, n_groups, pilot, p, rng=rng).reshape(-1, p)
        rows[law] = {name: np.median(items_needed(x, groups, precision, name).needed) for name in names}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("law")


def shrinkage_by_size(
    p: int,
    sizes: Sequence[int] = (2, 3, 5, 8, 12, 20, 40),
    *,
    n_groups: int = 200,
    within: float = 3.0,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Errors of three vectors for each group: its own mean, the mean of all, and the one between.

    Parameters
    ----------
    p
        Number of features.
    sizes
        Numbers of items in each group.
    n_groups
        Groups, whose true means are normal of variance 1 in each feature.
    within
        Standard deviation of the items of a group in each feature.
    rng
        Seed or generator of all draws.

    Returns
    -------
    DataFrame
        Index ``n``; root mean square distances from the true means, ``own``, ``centre``, ``shrunk``; ``expected`` by
        the shrunk vectors themselves; ``break_even``.
    """
    import pandas as pd

    rng, rows = generator(rng), {}
    true = rng.normal(size=(n_groups, p))
    for n in sizes:
        groups = np.repeat(np.arange(n_groups), n)
        x = true[groups] + within * rng.normal(size=(len(groups), p))
        found = shrink(x, groups)
        vectors = {"own": centroid(x, groups).vectors, "centre": x.mean(axis=0), "shrunk": found.vectors}
        rows[n] = {name: np.sqrt(np.mean(np.sum((v - true) ** 2, axis=1))) for name, v in vectors.items()}
        rows[n] |= {"expected": np.sqrt(np.mean(found.errors**2)), "break_even": found.break_even}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("n")


def error_figure(found: pd.DataFrame, precision: float) -> Axes:
    """Errors against the number of items on two logarithmic axes, with the regions of the centroid and the medoid."""
    import matplotlib.pyplot as plt

    ax = plt.gca()
    for i, (name, rows) in enumerate(found.groupby("readout", sort=False)):
        ax.plot(rows["n"], rows["error"], "o-", ms=4, color=f"C{i}", label=name.replace("_", " "))
        if name == "centroid":
            ax.fill_between(rows["n"], rows["error_low"], rows["error_high"], color=f"C{i}", alpha=0.2, lw=0)
            ax.plot(rows["n"], rows["radius"], ls="--", color=f"C{i}", label="radius of its region")
    ax.axhline(precision, color=INK, ls=":", lw=1)
    sizes = sorted(found["n"].unique())
    ax.set(xscale="log", yscale="log", xlabel="items in the group", ylabel="distance from the true vector")
    ax.set_xticks(sizes, [str(n) for n in sizes])
    ax.set_yticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    ax.minorticks_off()
    ax.legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.6))
    return ax


def coverage_figure(found: pd.DataFrame, readouts: Sequence[str] = (*READOUTS_HERE, "moments")) -> list[Axes]:
    """Coverage against the number of items: a panel for each readout, a line for each law, dashes for few features."""
    import matplotlib.pyplot as plt

    axes = plt.gcf().subplots(1, len(readouts), sharey=True, sharex=True)
    sizes, widest = sorted(found["n"].unique()), found["p"].max()
    styles = dict(zip(sorted(found["p"].unique(), reverse=True), ("-", "--", ":"), strict=False))
    for ax, name in zip(axes, readouts, strict=True):
        ax.axhspan(0.935, 0.965, color=INK, alpha=0.2, lw=0)
        shown = found[(found["readout"] == name) & (found["covariance"] == "shape")]
        for (law, p), part in shown.groupby(["law", "p"]):
            label = law if p == widest else None
            ax.plot(part["n"], part["coverage"], styles[p], color=f"C{LAWS.index(law)}", lw=1.3, label=label)
        ax.set(xscale="log", title=name.replace("_", " "), xlabel="items")
        ax.set_xticks(sizes, [str(n) for n in sizes], fontsize=7)
        ax.minorticks_off()
    axes = list(axes)
    axes[0].set(ylabel="coverage")
    axes[-1].legend(fontsize=7)
    return axes


def coverage_table(found: pd.DataFrame) -> pd.DataFrame:
    """Least and largest coverage over the laws, by readout, number of items (rows) and number of features (columns)."""
    shown = found[found["covariance"] == "shape"].copy()
    shown["readout"] = shown["readout"].str.replace("_", " ")
    ends = shown.groupby(["readout", "n", "p"], sort=False)["coverage"].agg(["min", "max"])
    return ends.apply(lambda row: f"{row['min']:.3f} to {row['max']:.3f}", axis=1).unstack()


def reached(found: pd.DataFrame) -> pd.DataFrame:
    """The least number of items from which coverage is 95 ± 1.5 % for every law, as far as 2000 groups tell.

    Parameters
    ----------
    found
        Rows of ``data/results/groups_coverage.csv``; those of regions that say themselves that their tails are too long
        are left out.

    Returns
    -------
    DataFrame
        Index ``readout`` and ``covariance``, columns the numbers of features; infinite where the largest number of
        items that was tried does not do.
    """
    import pandas as pd

    near = _within(found) | _too_long(found)
    rows: dict[tuple[str, str], dict[int, float]] = {}
    for (name, covariance, p), part in near.groupby([found["readout"], found["covariance"], found["p"]], sort=False):
        sizes = part.groupby(found["n"]).all().sort_index(ascending=False)
        held = sizes.index[sizes.cummin()]
        rows.setdefault((name, covariance), {})[p] = float(held.min()) if len(held) else np.inf
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["readout", "covariance"])


def _within(found: pd.DataFrame) -> pd.Series:
    """Whether coverage is within 1.5 points of 95 %, as far as the interval tells."""
    return (found["ci_low"] <= 0.965) & (found["ci_high"] >= 0.935)


def _too_long(found: pd.DataFrame) -> pd.Series:
    """Whether the regions say that the tails of the items are too long for their standard error."""
    return found["tail"] < found["readout"].map(MOMENTS_NEEDED).fillna(0)


def coverage_by_cell(found: pd.DataFrame) -> pd.DataFrame:
    """Coverage of every readout, law and width (rows) by the number of items (columns), as text.

    Parameters
    ----------
    found
        Rows of ``data/results/groups_coverage.csv``.

    Returns
    -------
    DataFrame
        Shares, with ↓ or ↑ where 95 ± 1.5 % is missed by more than 2000 groups leave open, and ? where the regions say
        that the tails of the items are too long.
    """
    ours = found[found["covariance"] == "shape"].copy()
    ours["readout"] = ours["readout"].str.replace("_", " ")
    signs = np.where(_within(ours), "", np.where(ours["coverage"] < 0.95, " ↓", " ↑"))
    refused = np.where(_too_long(found)[ours.index], " ?", "")
    ours["text"] = ours["coverage"].map("{:.3f}".format) + signs + refused
    wide = ours.pivot(index=["readout", "law", "p"], columns="n", values="text").fillna("")
    return wide.sort_index()


def coverage_facts(found: pd.DataFrame) -> dict[str, int | str]:
    """What the page says of recorded coverage: cells within 1.5 points of 95 %, and the worst of centroids.

    Parameters
    ----------
    found
        Rows of ``data/results/groups_coverage.csv``.

    Returns
    -------
    dict
        By readout with the covariance ``"shape"``: ``cells_…``, ``within_…``; ``refused``, cells of means with spreads
        whose tails are said to be too long, and ``within_refused`` and ``within_kept`` of these and of the others;
        ``worst``, of centroids, with its interval.
    """
    ours = found[found["covariance"] == "shape"]
    within = ours["coverage"].sub(0.95).abs() <= 0.015
    out: dict[str, int | str] = {}
    for name, part in within.groupby(ours["readout"]):
        out |= {f"cells_{name}": len(part), f"within_{name}": int(part.sum())}
    refused = _too_long(found)[ours.index]
    spreads = ours["readout"] == "moments"
    out |= {"refused": int(refused.sum()), "kept": int((spreads & ~refused).sum())}
    out |= {"within_refused": int(within[refused].sum()), "within_kept": int(within[spreads & ~refused].sum())}
    means = ours[ours["readout"] == "centroid"]
    worst = means.loc[means["coverage"].sub(0.95).abs().idxmax()]
    return out | {"worst": f"{Interval(worst['coverage'], worst['ci_low'], worst['ci_high'], 0.95):.3f}"}


def digits_coverage(
    sizes: Sequence[int] = (5, 10, 20),
    *,
    n_draws: int = 50,
    readouts: Sequence[str] = ("centroid", "geometric_median"),
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How often regions from a few images of a handwritten digit hold the vector of all images of that digit.

    Parameters
    ----------
    sizes
        Numbers of images of each digit that are drawn with replacement, from the 1797 of scikit-learn, 64 pixels each.
    n_draws
        How often all ten digits are drawn.
    readouts
        Names of readouts.
    rng
        Seed or generator of the draws.

    Returns
    -------
    DataFrame
        Index ``n``; a column for each readout, shares of the regions.
    """
    import pandas as pd
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rng = generator(rng)
    images = [np.flatnonzero(y == digit) for digit in range(10)]
    truth = {name: np.tile(readout(x, y, name).vectors, (n_draws, 1)) for name in readouts}
    rows = {}
    for n in sizes:
        drawn = np.concatenate([rng.choice(images[g % 10], n) for g in range(10 * n_draws)])
        groups = np.repeat(np.arange(10 * n_draws), n)
        regions = {name: group_regions(x[drawn], groups, name) for name in readouts}
        rows[n] = {name: found.contains(truth[name]).mean() for name, found in regions.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("n")


def shrinkage_figure(found: pd.DataFrame) -> Axes:
    """Errors of the three vectors against the number of items, and where the first two cross."""
    import matplotlib.pyplot as plt

    ax = plt.gca()
    words = {"own": "mean of the group", "centre": "mean of all", "shrunk": "between them"}
    for name, label in words.items():
        ax.plot(found.index, found[name], "o-", ms=4, label=label)
    ax.axvline(found["break_even"].iloc[-1], color=INK, ls=":", lw=1)
    ax.set(xscale="log", xlabel="items in the group", ylabel="distance from the true vector")
    ax.set_xticks(found.index, [str(n) for n in found.index])
    ax.minorticks_off()
    ax.legend(fontsize=8)
    return ax


def known_readouts() -> pd.DataFrame:
    """What the registry says of the readouts, as a table."""
    import pandas as pd

    rows = {
        name: {
            "what it is": entry.definition,
            "moves with": ", ".join(entry.moves_with) or "–",
            "breakdown": entry.breakdown,
            "time": entry.cost,
        }
        for name, entry in READOUTS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("readout")
