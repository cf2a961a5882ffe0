"""What a published table of scores says by itself: its sums, its tests, its luck, and the cells that it would need."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, check_number
from helpers.book.data import table as recorded
from helpers.book.style import INK
from helpers.inference import (
    Interval,
    bootstrap_mean_ranks,
    format_p,
    friedman,
    interval,
    mean_ranks,
    nemenyi,
    paired,
    power,
    ranks,
    verdict_of,
)
from helpers.studies.comparing import paired_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "FUSED",
    "METHODS",
    "MODELS",
    "TASKS",
    "check_reanalysis_choices",
    "compare_parts",
    "facts",
    "facts_of_claims",
    "facts_of_luck",
    "facts_of_parts",
    "facts_of_power",
    "facts_of_sums",
    "facts_of_tests",
    "figure_bootstrap",
    "figure_gains",
    "figure_luck",
    "figure_power",
    "figure_quality",
    "published_scores",
    "published_summary",
    "share_first",
    "show_paired",
    "study_power",
    "table_leads",
    "table_needed",
    "table_paired",
    "table_pca",
    "table_sums",
    "table_tests",
]

METHODS = {
    "last_layer": "last layer",
    "best_layer": "best layer",
    "qp_weighted": "QP",
    "qp_pca": "QP + PCA",
    "cluster_pca": "cluster + PCA",
    "greedy": "greedy",
    "qp_masked": "masked QP",
}
"""Methods of the published table, and what the page calls them."""
TASKS = {
    "Banking77Classification": "Banking77",
    "TweetSentimentExtractionClassification": "Tweet sentiment",
    "STSBenchmark": "STS-B",
    "SprintDuplicateQuestions": "Sprint duplicates",
    "QuoraRetrieval": "Quora",
    "NFCorpus": "NFCorpus",
}
"""Tasks of the published table, and what the page calls them."""
MODELS = {"bert-base": "BERT", "roberta-base": "RoBERTa", "sup-simcse-bert-base": "SimCSE"}
"""Encoders of the published table, and what the page calls them."""
DEFAULT, BEST, DUPLICATES = "last layer", "best layer", "Sprint duplicates"
FUSED = list(METHODS.values())[2:]
"""The five ensembles, as the page calls them."""
ROUNDING = 0.001  # largest difference of a mean of scores of three decimals from one that is rounded to three


def check_reanalysis_choices(*, n_resamples: int, n_shuffles: int, n_studies: int, confidence_level: float) -> None:
    """Refuse at once what the page could not do.

    Parameters
    ----------
    n_resamples, n_shuffles, n_studies
        Draws of a bootstrap, at least 10; shuffled tables and simulated studies, at least 1.
    confidence_level
        Number between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If one of them is out of range.
    """
    check_count(n_resamples, "n_resamples", least=10)
    check_count(n_shuffles, "n_shuffles")
    check_count(n_studies, "n_studies")
    check_number(confidence_level, "confidence_level", lambda level: 0 < level < 1, "a number between 0 and 1")


def published_scores() -> pd.DataFrame:
    """Cells × methods: the published scores, between 0 and 1; larger is better.

    Returns
    -------
    DataFrame
        Shape (18, 7), index (model, task), columns :data:`METHODS` as the page calls them. The last layer of SimCSE is
        its pooler; its best layer was not published (NaN).
    """
    table = recorded("published/layer_fusion.csv").replace({"method": {"pooling": "last_layer"}})
    scores = table.pivot(index=["model", "task"], columns="method", values="score")
    scores = scores.loc[itertools.product(MODELS, TASKS), list(METHODS)]
    return scores.rename(index=MODELS | TASKS, columns=METHODS)


def published_summary() -> pd.DataFrame:
    """The published mean rank and mean quality of each ensemble: ``claimed_mean_rank``, ``claimed_mean_quality``."""
    return recorded("published/layer_fusion_claims.csv").set_index("method").rename(index=METHODS)


# Sums


def table_sums(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.DataFrame:
    """What was claimed, beside what the table gives.

    Parameters
    ----------
    scores
        Cells × methods.
    summary
        Table of :func:`published_summary`.

    Returns
    -------
    DataFrame
        A row for each ensemble: mean rank claimed, recomputed, and if ties take the lowest or the highest of their
        ranks; mean quality claimed and recomputed.
    """
    import pandas as pd

    low, high = (scores.rank(axis=1, ascending=False, method=way).mean() for way in ("min", "max"))
    columns = {
        "mean rank, claimed": summary["claimed_mean_rank"],
        "mean rank": mean_ranks(scores, missing="present"),
        "if ties rank low": low,
        "if ties rank high": high,
        "mean quality, claimed": summary["claimed_mean_quality"],
        "mean quality": scores.mean(),
    }
    return pd.DataFrame(columns).loc[summary.index].rename_axis(None)


def compare_parts(scores: pd.DataFrame, summary: pd.DataFrame) -> pd.Series:
    """How far the claimed mean qualities are from the means of every part of the table.

    Parameters
    ----------
    scores, summary
        Same meaning as in :func:`table_sums`.

    Returns
    -------
    Series
        Largest difference over the ensembles, smallest first; index (encoders, tasks) in words. A part is some of the
        encoders on some of the tasks.
    """
    import pandas as pd

    claimed, found = summary["claimed_mean_quality"], {}
    models, tasks = list(MODELS.values()), list(TASKS.values())
    for chosen in _choices(models):
        for some in _choices(tasks):
            part = scores.loc[list(itertools.product(chosen, some)), summary.index]
            left = [task for task in tasks if task not in some]
            words = f"all but {left[0]}" if len(left) == 1 else ", ".join(some)
            found[", ".join(chosen), words] = (part.mean() - claimed).abs().max()
    return pd.Series(found, name="largest difference").rename_axis(["encoders", "tasks"]).sort_values()


def _choices(labels: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All subsets but the empty one."""
    return itertools.chain.from_iterable(itertools.combinations(labels, n) for n in range(1, len(labels) + 1))


# Tests


def table_tests(scores: pd.DataFrame) -> pd.DataFrame:
    """Friedman's test of all methods, and of parts of them.

    Returns
    -------
    DataFrame
        A row for each choice of methods and cells; columns ``cells``, ``methods``, ``χ²``, ``F``, ``p`` and ``W``.
    """
    import pandas as pd

    complete, with_best = scores.drop(columns=BEST), scores.dropna()
    choices = {
        "all, without best layer": complete,
        "the five ensembles": complete[FUSED],
        "all, cells with a best layer": with_best,
        "ensembles and best layer": with_best[[BEST, *FUSED]],
    }
    found = pd.DataFrame({name: friedman(cells)._asdict() for name, cells in choices.items()}).T
    names = {"cells": "cells", "methods": "methods", "chi_squared": "χ²", "f": "F", "f_p": "p", "kendall_w": "W"}
    return found[list(names)].rename(columns=names).astype(float).astype({"cells": int, "methods": int})


def table_paired(scores: pd.DataFrame, **options: Any) -> dict[str, pd.DataFrame]:
    """Paired differences of the ensembles to the last and to the best layer, in points of a hundred.

    Parameters
    ----------
    scores
        Cells × methods.
    options
        Passed to :func:`helpers.studies.comparing.paired_table`.

    Returns
    -------
    dict of str to DataFrame
        Tables of :func:`helpers.studies.comparing.paired_table` by what is compared; cells without a best layer are
        left out of the second.
    """
    found = {}
    for other, cells in ((DEFAULT, scores), (BEST, scores.dropna())):
        pairs = {name: (100 * cells[name], 100 * cells[other]) for name in FUSED}
        found[f"to the {other}"] = paired_table(pairs, **options)
    return found


def show_paired(found: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The tables of :func:`table_paired` side by side: points with their interval, p, and p by Holm."""
    import pandas as pd

    columns = {}
    for name, rows in found.items():
        points = [_limits(row) for _, row in rows.iterrows()]
        shown = {"points": points, "p": rows["p"].map(format_p), "p, Holm": rows["p_holm"].map(format_p)}
        columns[name] = pd.DataFrame(shown, rows.index)
    return pd.concat(columns, axis=1)


def share_first(draws: pd.DataFrame) -> pd.Series:
    """How often each ensemble has the best mean rank among the ensembles; those that tie for it share it.

    Parameters
    ----------
    draws
        Draws × methods, from :func:`helpers.inference.bootstrap_mean_ranks`.
    """
    leading = draws[FUSED].round(9).eq(draws[FUSED].round(9).min(axis=1), axis=0)
    return leading.div(leading.sum(axis=1), axis=0).mean()


def table_leads(
    scores: pd.DataFrame, drawn: Mapping[str, pd.DataFrame], *, confidence_level: float = 0.95
) -> pd.DataFrame:
    """Ranks by which each ensemble is ahead of the last layer, by what is drawn at random.

    Parameters
    ----------
    scores
        Cells × methods.
    drawn
        Draws × methods of mean ranks, by what was drawn.
    confidence_level
        Confidence level of the intervals.

    Returns
    -------
    DataFrame
        A row for each ensemble: ``cells won`` against the last layer, then an interval for each way to draw.
    """
    import pandas as pd

    rows = []
    for name in FUSED:
        row = {"cells won": int((scores[name] > scores[DEFAULT]).sum())}
        for way, draws in drawn.items():
            limits = interval(draws[DEFAULT] - draws[name], None, confidence_level=confidence_level)
            row[way] = f"[{limits.low:.1f}, {limits.high:.1f}]"
        rows.append(row)
    return pd.DataFrame(rows, pd.Index(FUSED, name="ranks ahead"))


def table_pca(scores: pd.DataFrame) -> pd.DataFrame:
    """Points by which QP + PCA leads QP: tasks × encoders."""
    lead = 100 * (scores["QP + PCA"] - scores["QP"])
    lead = lead.unstack("model")[list(MODELS.values())]
    return lead.rename_axis("QP + PCA less QP").rename_axis(None, axis=1)


def study_power(complete: pd.DataFrame, sizes: Sequence[int], **options: Any) -> dict[str, pd.DataFrame]:
    """Power to tell two ensembles apart, by ranks and by scores; options as of :func:`helpers.inference.power`."""
    cells = complete[FUSED]
    return {
        "by ranks (Nemenyi)": power(cells, sizes, **options),
        "by scores (t)": power(cells, sizes, test="t", **options),
    }


def table_needed(curves: Mapping[str, pd.DataFrame], *, target: float = 0.8) -> pd.DataFrame:
    """From how many cells on the power stays above a target: pairs of methods × tests.

    Parameters
    ----------
    curves
        Tables of :func:`study_power`.
    target
        Power that is enough.

    Returns
    -------
    DataFrame
        Number of cells, in words where it is beyond the largest size.
    """
    import pandas as pd

    def enough(curve: pd.Series) -> str:
        short = np.flatnonzero(curve.to_numpy() < target)
        after = 0 if not len(short) else short[-1] + 1
        return str(curve.index[after]) if after < len(curve) else f"over {curve.index[-1]}"

    needed = pd.DataFrame({name: curve.apply(enough) for name, curve in curves.items()})
    needed.index = [f"{a}, {b}" for a, b in needed.index]
    return needed.rename_axis("cells needed")


# Facts


def facts(scores: pd.DataFrame) -> dict[str, Any]:
    """Sizes of the table, and its gains over the default in points."""
    over = 100 * scores[FUSED].mean(axis=1).sub(scores[DEFAULT])
    on_duplicates = over.xs(DUPLICATES, level="task")
    elsewhere = over.drop(index=DUPLICATES, level="task")
    simcse = scores.xs("SimCSE")
    lost = {name: int((simcse[name] < simcse[DEFAULT]).sum()) for name in FUSED}
    return {
        "numbers": int(scores.notna().to_numpy().sum()),
        "n_cells": len(scores),
        "n_best": int(scores[BEST].notna().sum()),
        "gain_duplicates_ci_low": on_duplicates.min(),
        "gain_duplicates_ci_high": on_duplicates.max(),
        "gain_elsewhere": elsewhere.median(),
        "gain_elsewhere_ci_high": elsewhere.max(),
        "won_least": min(int((scores[name] > scores[DEFAULT]).sum()) for name in FUSED),
        "simcse_lost": max(lost.values()),
        "simcse_loser": max(lost, key=lost.get),
    }


def facts_of_sums(sums: pd.DataFrame) -> dict[str, Any]:
    """Which claimed sums follow from the table; ranks fit if a convention for ties and rounding explain them."""
    rank, half = sums["mean rank, claimed"], 0.005
    fits = rank.between(sums["if ties rank low"] - half, sums["if ties rank high"] + half)
    return {
        "claim_rank_qp": rank["QP"],
        "claim_quality_qp": sums["mean quality, claimed"]["QP"],
        "quality_qp": sums["mean quality"]["QP"],
        "quality_best": sums["mean quality"].max(),
        "quality_winner": sums["mean quality"].idxmax(),
        "rank_fits": int(fits.sum()),
        "rank_misfit": ", ".join(fits.index[~fits]),
        "order": "the same as" if rank.rank().equals(sums["mean rank"].rank()) else "not the same as",
    }


def facts_of_parts(scores: pd.DataFrame, mismatches: pd.Series) -> dict[str, Any]:
    """How many parts of the table fit the claimed qualities, and the table without the duplicates."""
    without = scores.drop(index=DUPLICATES, level="task")
    return {
        "parts": len(mismatches),
        "matching": int((mismatches <= ROUNDING).sum()),
        "n_without": len(without),
        "without_qp": without["QP"].mean(),
    }


def facts_of_tests(
    scores: pd.DataFrame, tests: pd.DataFrame, differences: Mapping[str, pd.DataFrame], *, confidence_level: float
) -> dict[str, Any]:
    """What Friedman's, Nemenyi's and the paired tests find.

    Parameters
    ----------
    scores
        Cells × methods.
    tests
        Table of :func:`table_tests`.
    differences
        Tables of :func:`table_paired`.
    confidence_level
        Confidence level of Nemenyi's test and of Holm's procedure.
    """
    found = nemenyi(scores.drop(columns=BEST), confidence_level=confidence_level)
    pairs = found.pairs
    default = (pairs[["a", "b"]] == DEFAULT).any(axis=1)
    ahead = ((pairs["b"] == DEFAULT) & (pairs["verdict"] == "better")) | (
        (pairs["a"] == DEFAULT) & (pairs["verdict"] == "worse")
    )
    last, best = differences.values()

    def better(table: pd.DataFrame) -> int:
        found = verdict_of(table["ci_low"], table["ci_high"], table["p_holm"], confidence_level)
        return int((found == "better").sum())

    return {
        "p_all": tests["p"].iloc[0],
        "p_fused": tests["p"].iloc[1],
        "w_fused": tests["W"].iloc[1],
        "w_chance": 1 / len(scores),
        "p_best": tests["p"].iloc[3],
        "cd": found.critical_difference,
        "cd_beat_default": int(ahead.sum()),
        "cd_among": int(((pairs["verdict"] != "not distinguishable") & ~default).sum()),
        "n_pairs": int((~default).sum()),
        "level": 100 * confidence_level,
        "alpha": 1 - confidence_level,
        "beat_default": better(last),
        "beat_best": better(best),
        "best_ci_low": best["difference"].min(),
        "best_ci_high": best["difference"].max(),
        "best_pca": _limits(best.loc["QP + PCA"]),
    }


def facts_of_luck(scores: pd.DataFrame, luck: np.ndarray, first: pd.DataFrame) -> dict[str, Any]:
    """How far ahead the winner is, beside winners of tables without a difference.

    Parameters
    ----------
    scores
        Cells × methods.
    luck
        Best mean ranks of shuffled tables.
    first
        Ensembles × what is drawn: shares of the draws in which each comes first.
    """
    five = ranks(scores[FUSED]).mean()
    return {
        "winner_five": five.idxmin(),
        "winner_five_rank": five.min(),
        "luck_median": np.median(luck),
        "luck_share": 100 * np.mean(luck <= five.min() + 1e-9),
        "n_shuffles": len(luck),
        "winner_all": mean_ranks(scores, missing="present").idxmin(),
        "first_qp_ci_low": 100 * first.loc["QP"].min(),
        "first_qp_ci_high": 100 * first.loc["QP"].max(),
    }


def facts_of_claims(scores: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """What the claims about PCA and about the two plain encoders rest on; options of the tests and bootstraps."""
    lead, without = table_pca(scores), scores.drop(index=DUPLICATES, level="task")
    cost = paired(100 * without["QP + PCA"], 100 * without["QP"], **options)
    places = ranks(scores.xs(DUPLICATES, level="task")[FUSED])
    plain = scores.loc[["BERT", "RoBERTa"]]
    level = options.pop("confidence_level")
    draws = bootstrap_mean_ranks(plain, **options)
    ahead = interval(draws["QP"] - draws["greedy"], None, confidence_level=level)
    return {
        "pca_top": int((places[["QP + PCA", "cluster + PCA"]].max(axis=1) <= 2).sum()),
        "pca_elsewhere": f"{cost:+.1f}",
        "pca_elsewhere_p": cost.p,
        "pca_verdict": "excludes" if cost.low > 0 or cost.high < 0 else "includes",
        "pca_gain": lead.loc[DUPLICATES].mean(),
        "pca_gain_roberta": lead.loc[DUPLICATES, "RoBERTa"],
        "pca_gain_simcse": lead.loc[DUPLICATES, "SimCSE"],
        "smallest_p": paired(np.ones(len(places)), np.zeros(len(places))).p,
        "plain_winner": mean_ranks(plain).idxmin(),
        "plain_rank": mean_ranks(plain).min(),
        "plain_qp": mean_ranks(plain)["QP"],
        "plain_p": friedman(plain.drop(columns=DEFAULT)).f_p,
        "plain_lead": f"{ahead:.1f}",
    }


def facts_of_power(curves: Mapping[str, pd.DataFrame], needed: pd.DataFrame) -> dict[str, Any]:
    """The largest power by ranks at the first size, and the cells that two pairs need."""
    by_ranks, _ = curves.values()
    found = {"power_now": 100 * by_ranks.iloc[0].max()}
    for name, pair in {"pca": "QP, QP + PCA", "greedy": "QP, greedy"}.items():
        found[f"need_ranks_{name}"], found[f"need_scores_{name}"] = needed.loc[pair]
    return found


def _limits(row: pd.Series) -> str:
    return f"{Interval(row['difference'], row['ci_low'], row['ci_high'], np.nan):+.1f}"


# Figures


def figure_gains(scores: pd.DataFrame) -> Axes:
    """Gain of every method over the default, by cell, in points of a hundred."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    gains = 100 * scores.drop(columns=DEFAULT).sub(scores[DEFAULT], axis=0)
    gains.index = [f"{model}, {task}" for model, task in gains.index]
    gains.columns = [name.replace(" ", "\n", 1) for name in gains.columns]
    _, ax = plt.subplots(figsize=(6.0, 5.8))
    colours = {"cmap": "PuOr", "center": 0, "vmin": -20, "vmax": 20, "cbar": False}
    numbers = {"annot": True, "fmt": "+.1f", "annot_kws": {"size": 8}}
    sns.heatmap(gains, ax=ax, linewidths=0.5, linecolor="none", **colours, **numbers)
    for row in (6, 12):
        ax.axhline(row, color=INK, lw=1)
    ax.set(xlabel="", ylabel="")
    ax.tick_params(length=0)
    return ax


def figure_quality(scores: pd.DataFrame, summary: pd.DataFrame) -> Axes:
    """Mean quality less that of QP over all cells and without each task, with the published means."""
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns

    columns = {"all cells": scores}
    for task in TASKS.values():
        columns[f"without\n{task}".replace(" ", "\n")] = scores.drop(index=task, level="task")
    lead = pd.DataFrame({name: 100 * (part[FUSED].mean() - part["QP"].mean()) for name, part in columns.items()})
    _, ax = plt.subplots(figsize=(6.4, 3.6))
    ax.axhline(0, color=INK, lw=1)
    ax.text(-0.45, 0.03, "QP", va="bottom", fontsize=9)
    claimed = summary["claimed_mean_quality"]
    there = list(columns).index("without\n" + DUPLICATES.replace(" ", "\n"))
    for i, (name, marker) in enumerate(zip(FUSED[1:], "osD^", strict=True)):
        x = np.arange(len(columns)) + 0.12 * (i - 1.5)
        ax.plot(x, lead.loc[name], marker, color=f"C{i + 1}", ms=6, label=name)
        ax.plot(x[there], 100 * (claimed[name] - claimed["QP"]), "o", ms=12, mfc="none", mec=INK, zorder=0)
    ax.set_xticks(range(len(columns)), columns, fontsize=8)
    ax.set(ylabel="mean quality less that of QP")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1.2), ncol=4, fontsize=9, handletextpad=0.1)
    sns.despine(ax=ax, bottom=True)
    return ax


def figure_luck(scores: pd.DataFrame, luck: np.ndarray) -> Axes:
    """Best mean ranks of tables without a difference, and that of the published table."""
    import matplotlib.pyplot as plt
    import seaborn as sns

    five = ranks(scores[FUSED]).mean()
    _, ax = plt.subplots(figsize=(6.0, 2.9))
    ax.hist(luck, bins=np.arange(1.86, 3.05, 1 / len(scores)), color="C0", alpha=0.6)
    ax.axvline(five.min(), color="C3", lw=2)
    place = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
    ax.annotate(f"published: {five.idxmin()}", (five.min(), 0.97), (8, 0), color="C3", **place)
    ax.set(xlabel="best mean rank of five", ylabel="tables", yticks=[])
    sns.despine(ax=ax, left=True)
    return ax


def figure_bootstrap(
    complete: pd.DataFrame, drawn: Mapping[str, pd.DataFrame], *, confidence_level: float = 0.95
) -> Axes:
    """Mean ranks with the intervals of several bootstraps.

    Parameters
    ----------
    complete
        Cells × methods without gaps.
    drawn
        Draws × methods of mean ranks, by what was drawn.
    confidence_level
        Confidence level of the intervals.
    """
    import matplotlib.pyplot as plt
    import seaborn as sns

    means = mean_ranks(complete)
    order = means.sort_values().index[::-1]
    _, ax = plt.subplots(figsize=(6.4, 4.4))
    for j, (way, draws) in enumerate(drawn.items()):
        for i, name in enumerate(order):
            limits = interval(draws[name].dropna(), None, confidence_level=confidence_level)
            y, label = i + 0.17 * (1.5 - j), way if i == 0 else None
            ax.plot([limits.low, limits.high], [y, y], color=f"C{j}", lw=2.5, label=label)
            ax.plot(means[name], y, "o", color=f"C{j}", ms=4)
    ax.set_yticks(range(len(order)), order)
    ax.set(xlabel="mean rank (1 is best)", xlim=(1, complete.shape[1]))
    ax.legend(title="drawn at random", loc="upper center", bbox_to_anchor=(0.4, 1.22), ncol=4, fontsize=9)
    sns.despine(ax=ax, left=True)
    ax.tick_params(axis="y", length=0)
    return ax


def figure_power(curves: Mapping[str, pd.DataFrame], n_cells: int) -> list[Axes]:
    """Power against the number of cells for four pairs of ensembles, by ranks and by scores.

    Parameters
    ----------
    curves
        Tables of :func:`study_power`.
    n_cells
        Number of cells that there are, marked in the figure.
    """
    import matplotlib.pyplot as plt

    pairs = [("QP", "QP + PCA"), ("QP", "greedy"), ("QP", "masked QP"), ("cluster + PCA", "greedy")]
    fig, axes = plt.subplots(1, 2, figsize=(7.0, 3.4), sharey=True)
    for ax, (title, curve) in zip(axes, curves.items(), strict=True):
        for (a, b), line in zip(pairs, ("-", "--", "-.", ":"), strict=True):
            ax.plot(curve.index, curve[(a, b)], line, lw=2, label=f"{a} and {b}")
        ax.axvline(n_cells, color=INK, ls=":", lw=1)
        ax.axhline(0.8, color=INK, lw=0.6)
        ax.set(xscale="log", ylim=(0, 1.02), xlabel="cells", title=title)
        ax.set_xticks([20, 100, 500, 2000], ["20", "100", "500", "2000"])
        ax.minorticks_off()
    axes[0].set(ylabel="power")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncol=2, fontsize=9)
    return list(axes)
