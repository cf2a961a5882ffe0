"""What the page about weights without labels shows of rankings: how well qualities order the models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from helpers.book.style import INK
from helpers.inference import format_interval, format_p, paired
from helpers.quality import QUALITIES, mean_rank_correlations, rank_correlations
from helpers.studies.comparing import paired_table
from helpers.studies.label_free import FURTHER, PUBLISHED

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CALLED",
    "VIEWED",
    "Ranking",
    "experiments_seen_twice",
    "facts_of_columns",
    "facts_of_ranking",
    "facts_of_views",
    "figure_quality_ranks",
    "figure_ranking",
    "held_fixed",
    "rank_qualities",
    "rank_run",
    "table_given_columns",
    "table_quality_entries",
    "table_ranking",
    "table_views",
]

CALLED = {name: name.replace("_", " ") for name in QUALITIES} | {
    "rankme": "RankMe",
    "persistence_h0": "persistence H0",
    "alpha_req": "α-ReQ",
    "nesum": "NESum",
    "self_clustering": "SelfCluster",
    "lidar": "LiDAR",
    "alignment_halves": "alignment (halves)",
    "lidar_halves": "LiDAR (halves)",
    "validation": "validation labels",
    "columns": "columns given",
    "equal": "equal weights",
    "difference": "difference alone",
    "random": "one at random",
    "test": "test labels",
}
"""What the page calls qualities, and whatever else weighs or ranks models."""

VIEWED = ("alignment", "lidar")
"""Qualities that compare views of a client."""


class Ranking(NamedTuple):
    """How well qualities rank models.

    Attributes
    ----------
    qualities : DataFrame
        Table of :func:`helpers.quality.mean_rank_correlations` of the qualities.
    known : DataFrame
        The same of the number of columns and of validation labels; no correction.
    reliability : float
        Mean correlation of the accuracies on two halves of the test clients.
    """

    qualities: pd.DataFrame
    known: pd.DataFrame
    reliability: float

    @property
    def all(self) -> pd.DataFrame:
        """Qualities and what they are compared with in one table."""
        import pandas as pd

        return pd.concat([self.qualities, self.known.assign(p_holm=np.nan)])

    @property
    def top(self) -> str:
        """Name of the quality of highest correlation among those that are known in every experiment."""
        return _everywhere(self.qualities)["spearman"].idxmax()


def rank_qualities(models: pd.DataFrame, names: Sequence[str], **options: Any) -> Ranking:
    """How well qualities rank the models of each experiment, beside what else is known of them.

    Parameters
    ----------
    models
        Models with ``experiment``, their qualities, ``columns``, ``validation``, ``test``, ``half_a`` and ``half_b``.
    names
        Names of the qualities.
    options
        Passed to :func:`helpers.quality.mean_rank_correlations`.
    """
    qualities = mean_rank_correlations(models, names, **options)
    known = mean_rank_correlations(models, ["columns", "validation"], **options)
    halves = mean_rank_correlations(models, ["half_a"], score="half_b", **options)
    return Ranking(qualities, known, float(halves["spearman"].iloc[0]))


def rank_run(models: pd.DataFrame, names: Sequence[str], **options: Any) -> pd.DataFrame:
    """Table of :func:`helpers.quality.mean_rank_correlations` of a run; empty if fewer than two experiments can rank.

    Parameters
    ----------
    models, names
        Models with ``experiment`` and ``test``, and names of which those that the models have are ranked.
    options
        Passed to :func:`helpers.quality.mean_rank_correlations`.
    """
    import pandas as pd

    tests = models.groupby("experiment")["test"]
    if ((tests.size() >= 3) & (tests.nunique() > 1)).sum() < 2:
        return pd.DataFrame()
    return mean_rank_correlations(models, [name for name in names if name in models], **options)


def held_fixed(models: pd.DataFrame, names: Sequence[str], **options: Any) -> pd.DataFrame:
    """Partial rank correlation of each quality with accuracy, the number of columns held fixed, against zero.

    Parameters
    ----------
    models, names
        Arguments of :func:`rank_qualities`.
    options
        Passed to :func:`helpers.studies.comparing.paired_table`, whose table is returned.
    """
    found = rank_correlations(models, names, given="columns")
    return paired_table({name: (values, np.zeros(len(values))) for name, values in found.items()}, **options)


def experiments_seen_twice(models: pd.DataFrame) -> int:
    """Number of experiments whose models have embedded halves of histories."""
    return models.dropna(subset=["lidar_halves"])["experiment"].nunique() if "lidar_halves" in models else 0


# Tables


def table_quality_entries(names: Iterable[str] = PUBLISHED + FURTHER) -> pd.DataFrame:
    """What is written down of each quality before a label is seen: which direction is better, and what it ignores."""
    import pandas as pd

    rows = {
        CALLED[name]: {
            "better": QUALITIES[name].better,
            "range": QUALITIES[name].range,
            "unchanged by": ", ".join(QUALITIES[name].invariances),
            "needs": QUALITIES[name].needs,
        }
        for name in QUALITIES
        if name in set(names)
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def table_ranking(ranking: Ranking) -> pd.DataFrame:
    """Rank correlations with intervals and tests, and how often the first by a quality is the best model."""
    import pandas as pd

    ranked = ranking.all
    columns = {
        "Spearman": ranked.apply(format_interval, value="spearman", axis=1),
        "p": ranked["p"].map(format_p),
        "p, Holm": ["" if np.isnan(p) else format_p(p) for p in ranked["p_holm"]],
        "its best is the best": ranked["top"].map("{:.0%}".format),
    }
    return pd.DataFrame(columns).rename(index=CALLED).rename_axis(None)


def table_given_columns(ranking: Ranking, fixed: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation of each quality, and what is left of it when the number of columns is held fixed."""
    import pandas as pd

    columns = {
        "Spearman": ranking.qualities.apply(format_interval, value="spearman", axis=1),
        "columns held fixed": fixed.apply(format_interval, axis=1),
        "p, Holm": fixed["p_holm"].map(format_p),
    }
    order = ranking.qualities["spearman"].sort_values(ascending=False).index
    return pd.DataFrame(columns).loc[order].rename(index=CALLED).rename_axis(None)


def table_views(ranking: Ranking, models: pd.DataFrame, *, n_resamples: int = 2000, rng: int = 0) -> pd.DataFrame:
    """Correlation with accuracy of alignment and LiDAR on halves of histories and on stand-ins, and of the two.

    Parameters
    ----------
    ranking, models
        Recorded ranking, and the models that it ranks.
    n_resamples, rng
        Bootstrap samples and permutations, and their seed.
    """
    import pandas as pd

    found = facts_of_views(ranking, models, n_resamples=n_resamples, rng=rng)
    columns = {
        "on halves": "halves",
        "on stand-ins": "dropout",
        "difference": "more",
        "verdict": "verdict",
        "one with the other": "like",
    }
    rows = {CALLED[name]: {title: found[f"{name}_{key}"] for title, key in columns.items()} for name in VIEWED}
    return pd.DataFrame.from_dict(rows, orient="index")


# Figures


def figure_ranking(ranking: Ranking, models: pd.DataFrame, live: pd.DataFrame) -> Any:
    """Rank correlation of each quality with accuracy: recorded with its interval, and hollow that of the run.

    Parameters
    ----------
    ranking, models
        Recorded ranking, and the models that it ranks.
    live
        Table of :func:`helpers.quality.mean_rank_correlations` of the run; empty if it has too few models.
    """
    import matplotlib.pyplot as plt

    ranked = ranking.all
    order = [*ranking.qualities["spearman"].sort_values().index, *ranking.known.index]
    _, ax = plt.subplots(figsize=(6.4, 0.7 + 0.27 * len(order)))
    band = 1.96 / np.sqrt((models.groupby("experiment").size() - 1).mean() * ranked["experiments"].max())
    ax.axvspan(-band, band, color=INK, alpha=0.2, lw=0)
    ax.axvline(ranking.reliability, color=INK, ls="--", lw=1)
    for y, name in enumerate(order):
        color = {"validation": "C1", "columns": INK}.get(name) or ("C2" if name in PUBLISHED else "C0")
        row = ranked.loc[name]
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=color, lw=1.6)
        ax.plot(row["spearman"], y, "o", color=color, ms=6)
        if name in live.index:
            ax.plot(live.loc[name, "spearman"], y, "o", mfc="none", mec=color, ms=5)
    ax.set_yticks(range(len(order)), [CALLED[name] for name in order], fontsize=9)
    ax.set(xlim=(-1, 1), xlabel="mean Spearman correlation with test accuracy")
    return ax


def figure_quality_ranks(models: pd.DataFrame, names: Sequence[str], *, rng: int = 0) -> Any:
    """Accuracy of each model less the mean of its experiment, against its rank by each of some qualities.

    Parameters
    ----------
    models, names
        Models with ``experiment``, ``test`` and the qualities, and the qualities to show.
    rng
        Seed of the jitter.
    """
    import matplotlib.pyplot as plt

    generator = np.random.default_rng(rng)
    centred = 100 * (models["test"] - models.groupby("experiment")["test"].transform("mean"))
    _, axes = plt.subplots(1, len(names), figsize=(7.2, 2.6), sharey=True)
    for ax, name in zip(axes, names, strict=True):
        rank = models.groupby("experiment")[name].rank()
        ax.plot(rank + generator.uniform(-0.15, 0.15, len(rank)), centred, "o", ms=3, alpha=0.6)
        for place, mean in centred.groupby(rank.round()).mean().items():
            ax.plot([place - 0.3, place + 0.3], [mean, mean], color="C3", lw=2)
        ax.axhline(0, color=INK, lw=0.8)
        ax.set(xlabel=f"rank by {CALLED[name]}")
    axes[0].set_ylabel("accuracy, points")
    return axes


# Facts


def facts_of_ranking(ranking: Ranking, models: pd.DataFrame) -> dict[str, Any]:
    """Which qualities rank models, which is highest, and what validation labels and chance do.

    Parameters
    ----------
    ranking, models
        Recorded ranking, and the models that it ranks.
    """
    qualities, known = ranking.qualities, ranking.known
    sure = qualities[qualities["p_holm"] <= 0.05]
    good, bad = sure[sure["spearman"] > 0], sure[sure["spearman"] < 0]
    everywhere, top = _everywhere(qualities), ranking.top
    found = {
        "n_qualities": len(qualities),
        "n_good": len(good),
        "rank_good": _listed(good),
        "rank_bad": _listed(bad),
        "rank_top": CALLED[top],
        "rank_picks": CALLED[everywhere["top"].idxmax()],
        "rank_picks_top": 100 * everywhere["top"].max(),
        "rank_halves": ranking.reliability,
        "rank_chance": 100 / models.groupby("experiment").size().mean(),
    }
    for short, row in (("top", qualities.loc[top]), ("validation", known.loc["validation"])):
        found[f"rank_{short}_top"] = 100 * row["top"]
        found[f"rank_{short}_said"] = format_interval(row, "spearman", spec=".2f")
    return found | {"rank_top_holm": qualities.loc[top, "p_holm"]}


def facts_of_views(ranking: Ranking, models: pd.DataFrame, *, n_resamples: int = 2000, rng: int = 0) -> dict[str, Any]:
    """What alignment and LiDAR say on halves of histories, beside stand-ins; dashes where halves are not recorded.

    Parameters
    ----------
    ranking, models
        Recorded ranking, and the models that it ranks.
    n_resamples, rng
        Bootstrap samples and permutations, and their seed.
    """
    options, found = {"n_resamples": n_resamples, "rng": rng}, {}
    for name in VIEWED:
        halves = f"{name}_halves"
        if experiments_seen_twice(models) < 2:
            found |= {f"{name}_{kind}": "—" for kind in ("like", "dropout", "halves", "more", "verdict")}
            continue
        like = mean_rank_correlations(models, [name], score=halves, **options)
        both = rank_correlations(models, [halves, name])[[halves, name]].dropna()
        more = paired(*both.to_numpy().T, **options)
        found |= {f"{name}_like": format_interval(like.iloc[0], "spearman")}
        found |= {f"{name}_dropout": format_interval(ranking.qualities.loc[name], "spearman")}
        found |= {f"{name}_halves": format_interval(ranking.qualities.loc[halves], "spearman")}
        found |= {f"{name}_more": f"{more:+.2f}", f"{name}_verdict": more.verdict}
    return found


def facts_of_columns(
    ranking: Ranking, models: pd.DataFrame, fixed: pd.DataFrame, *, n_resamples: int = 2000, rng: int = 0
) -> dict[str, Any]:
    """How well the number of columns ranks models, what qualities say beyond it, and which say the same.

    Parameters
    ----------
    ranking, models
        Recorded ranking, and the models that it ranks.
    fixed
        Table of :func:`held_fixed`.
    n_resamples, rng
        Bootstrap samples and permutations, and their seed.
    """
    qualities, columns = ranking.qualities, ranking.known.loc["columns"]
    names, top = list(qualities.index), ranking.top
    each = rank_correlations(models, [*names, "columns"])
    above = paired(*each[["columns", top]].to_numpy().T, n_resamples=n_resamples, rng=rng)
    left = fixed.index[(fixed["p_holm"] <= 0.05) & (fixed["difference"] > 0)]
    ranks = models.groupby("experiment")[names].rank()
    alike = sum(part.corr() for _, part in ranks.groupby(models["experiment"])) / models["experiment"].nunique()
    family = [name for name in names if alike.loc["stable_rank", name] > 0.9]
    return {
        "family": ", ".join(CALLED[name] for name in family),
        "family_least": float(alike.loc[family, family].to_numpy().min()),
        "family_size": len(family),
        "family_nesum": float(alike.loc["stable_rank", "nesum"]),
        "columns": format_interval(columns, "spearman", spec=".2f"),
        "columns_top": 100 * columns["top"],
        "columns_above": f"{above:+.2f}",
        "columns_verdict": above.verdict,
        "left": _listed(qualities.loc[left]),
        "top_left": format_interval(fixed.loc[top]),
    }


def _everywhere(qualities: pd.DataFrame) -> pd.DataFrame:
    """Qualities that are known in every experiment."""
    return qualities[qualities["experiments"] == qualities["experiments"].max()]


def _listed(part: pd.DataFrame) -> str:
    """Names in a sentence, the strongest first."""
    names = part.sort_values("spearman", key=abs, ascending=False).index
    return ", ".join(CALLED[name] for name in names) if len(names) else "none"
