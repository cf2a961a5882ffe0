"""How well label-free qualities rank models, where labels are there to check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.inference.paired import two_sided_p
from helpers.metrics import average_ranks, spearman

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["crossed_rank_correlations", "mean_rank_correlations", "rank_correlations"]


def rank_correlations(
    models: pd.DataFrame, names: Sequence[str], *, by: str = "experiment", score: str = "test", given: str = ""
) -> pd.DataFrame:
    """Spearman's correlation of each quality with a score over the models of each experiment.

    Parameters
    ----------
    models : DataFrame
        A row per model, with columns ``by``, ``score`` and the qualities (larger is better).
    names
        The columns of qualities.
    by
        The column of the experiment. Experiments of fewer than three models, or in which all scores are the same, are
        left out.
    score
        The column of the models' accuracy.
    given
        A column that is held fixed: the partial correlation, of what straight lines in the ranks of this column leave
        of the ranks of quality and score. Empty: none.

    Returns
    -------
    DataFrame
        Experiments × qualities; 0 where a quality is the same for all models, or nothing of it is left; NaN where it is
        missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.quality import rank_correlations
    >>> rows = {"experiment": [0] * 4, "good": [1, 2, 3, 4], "size": [1, 2, 4, 3], "test": [5, 6, 8, 7]}
    >>> rank_correlations(pd.DataFrame(rows), ["good"]).round(1).loc[0, "good"].item()
    0.8
    >>> rank_correlations(pd.DataFrame(rows), ["good"], given="size").loc[0, "good"].item()
    0.0
    """
    import pandas as pd

    rows = {}
    for key, part in _experiments(models, by, score):
        base = _standard_ranks(part, score, given)
        rows[key] = {
            name: math.nan if part[name].isna().any() else float(base @ _standard_ranks(part, name, given))
            for name in names
        }
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(names)).rename_axis(by)


def mean_rank_correlations(
    models: pd.DataFrame,
    names: Sequence[str],
    *,
    by: str = "experiment",
    score: str = "test",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How well qualities rank the models of an experiment: the mean of :func:`rank_correlations` over experiments.

    Parameters
    ----------
    models : DataFrame
        A row per model, with columns ``by``, ``score`` and the qualities (larger is better).
    names
        The columns of qualities.
    by
        The column of the experiment, which is the unit that is resampled. Experiments of fewer than three models, or
        in which all scores are the same, are left out.
    score
        The column of the models' accuracy.
    confidence_level
        Level of the bootstrap intervals.
    n_resamples
        Bootstrap resamples of experiments, and random orders of the scores within them.
    rng
        Seed or generator of the resamples and orders.

    Returns
    -------
    DataFrame
        A row per quality: mean ``spearman`` over the experiments (a quality that is the same for all models of one
        counts 0 there), its bootstrap limits ``ci_low`` and ``ci_high`` over experiments, the two-sided ``p`` of a
        permutation of the scores within each experiment, ``p_holm`` over the rows, ``experiments``, and ``top``: in
        what share of them the best by the quality is the best by score.

    Raises
    ------
    ValueError
        If fewer than two experiments are left, or a quality is known of some models of an experiment only.

    Notes
    -----
    An experiment that lacks a quality for all its models is left out for that quality.

    Without relation every order of the scores within an experiment is equally likely, whatever the qualities are, so
    that p is exact up to the number of permutations. The bootstrap over few experiments is too narrow.

    Examples
    --------
    >>> import pandas as pd
    >>> from helpers.quality import mean_rank_correlations
    >>> models = pd.DataFrame({"experiment": [0] * 4 + [1] * 4, "good": [1, 2, 3, 4] * 2, "test": [5, 6, 7, 8] * 2})
    >>> mean_rank_correlations(models, ["good"], n_resamples=99).loc["good", ["spearman", "p", "top"]].tolist()
    [1.0, 0.01, 1.0]
    """
    import pandas as pd

    from helpers.inference import holm, interval

    n_resamples, rng = check_count(n_resamples, "n_resamples"), generator(rng)
    parts = dict(_experiments(models, by, score))
    for name in names:
        for key, part in parts.items():
            missing = part[name].isna()
            if missing.any() and not missing.all():
                raise ValueError(f"{name!r} is missing for {missing.sum()} of the models of {by} {key}")
    found, rows = rank_correlations(models, names, by=by, score=score), {}
    for name in names:
        each = found[name].dropna()
        if len(each) < 2:
            raise ValueError(f"{len(each)} experiments tell models by {score!r} and have {name!r}; two are the least")
        ranks = [[_standard_ranks(parts[key], column) for column in (score, name)] for key in each.index]
        orders = (np.argsort(rng.random((n_resamples, len(a))), axis=1) for a, _ in ranks)
        draws = sum(a[order] @ b for (a, b), order in zip(ranks, orders, strict=True)) / len(ranks)
        limits = interval(each.to_numpy(), confidence_level=confidence_level, n_resamples=n_resamples, rng=rng)
        rows[name] = {
            "spearman": limits.estimate,
            "ci_low": limits.low,
            "ci_high": limits.high,
            "p": (1 + int(np.count_nonzero(np.abs(draws) >= abs(limits.estimate) - 1e-12))) / (1 + n_resamples),
            "top": float(np.mean([np.ptp(b) > 0 and b.argmax() == a.argmax() for a, b in ranks])),
            "experiments": len(each),
        }
    out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quality")
    out.insert(out.columns.get_loc("p") + 1, "p_holm", holm(out["p"]))
    return out


def crossed_rank_correlations(
    models: pd.DataFrame,
    names: Sequence[str],
    *,
    data: str = "data",
    clusters: str = "",
    within: bool = False,
    score: str = "score",
    confidence_level: float = 0.95,
    n_resamples: int = 999,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """How well qualities rank models that share encoders and are tried on the same data sets.

    Twelve layers of one encoder on ten tasks are not 120 models: what holds of one of them holds of its neighbours,
    and what holds on one task holds on the next. Intervals allow for another choice of encoders *and* of data sets.

    Parameters
    ----------
    models : DataFrame
        A row per model and data set, with the columns ``data``, ``clusters``, ``score`` and the qualities (larger is
        better).
    names
        The columns of qualities.
    data
        The column of the data set.
    clusters
        The column of what several models share, such as their encoder. Empty: models of different data sets have
        nothing in common, and those of one are compared with each other.
    within
        Whether models are compared only with those of their own cluster, as when the layer of an encoder is chosen.
        By default all models of a data set are.
    score
        The column of what a model reaches with labels.
    confidence_level
        Level of the intervals.
    n_resamples
        Draws of clusters, where models of several clusters are compared.
    rng
        Seed or generator of the draws.

    Returns
    -------
    DataFrame
        A row per quality: ``spearman``, the mean over cells (data sets, or data sets × clusters with ``within``), its
        limits ``ci_low`` and ``ci_high``, ``p`` and ``p_holm`` over the rows; ``captured``, the mean over cells of the
        part of the way from the mean score to the best one that the first by the quality goes; how many ``cells``,
        ``data`` and ``clusters`` there are, and how many rows had no value of the quality and were ``left_out``.
        NaN where fewer than two data sets are left.

    Raises
    ------
    KeyError, ValueError
        If a column is not there, a score is missing, ``within`` is asked without ``clusters``, or no cell has three
        models that differ in score.

    Notes
    -----
    Cells of fewer than three models, or in which all scores are the same, are left out; a quality that is the same for
    all models of a cell counts 0 there. With ``within``, or without clusters, the interval is that of
    :func:`helpers.inference.crossed_mean` (Cameron, Gelbach and Miller 2011). Else clusters are drawn with replacement,
    all data sets with the same draws; to the variance of the mean over draws that over data sets is added, which counts
    the noise of single cells twice, and limits are Student's with the degrees of freedom of Satterthwaite.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from helpers.quality import crossed_rank_correlations
    >>> rng = np.random.default_rng(0)
    >>> models = pd.DataFrame({"data": np.repeat(["a", "b", "c"], 12), "encoder": np.tile(list("ABC") * 4, 3)})
    >>> models["score"] = rng.normal(size=36)
    >>> models["good"], models["noise"] = models["score"] + 0.1 * rng.normal(size=36), rng.normal(size=36)
    >>> found = crossed_rank_correlations(models, ["good", "noise"], clusters="encoder", n_resamples=99)
    >>> (found["ci_low"] > 0).to_dict()
    {'good': True, 'noise': False}
    """
    import pandas as pd

    from helpers.inference import holm

    n_resamples, rng = check_count(n_resamples, "n_resamples", least=2), generator(rng)
    columns = [data, score, *([clusters] if clusters else []), *names]
    if gone := [name for name in columns if name not in models]:
        raise KeyError(f"models has no column {gone[0]!r}; its columns are {', '.join(map(str, models.columns))}")
    if within and not clusters:
        raise ValueError("within is set without clusters; name the column of what models are compared within")
    if models[score].isna().any():
        raise ValueError(f"{score!r} is missing in {models[score].isna().sum()} rows; every model needs a score")
    rows = {}
    for name in names:
        known = models[models[name].notna()]
        by = [data, clusters] if within else [data]
        cells = {key: part for key, part in known.groupby(by) if len(part) >= 3 and part[score].nunique() > 1}
        if not cells and len(known):
            raise ValueError(f"no cell of {by} has three models that differ in {score!r}; {name!r} ranks nothing")
        found = {key: float(_standard_ranks(part, score) @ _standard_ranks(part, name)) for key, part in cells.items()}
        n_data = len({key[0] for key in found})
        row = {"spearman": math.nan, "ci_low": math.nan, "ci_high": math.nan, "p": math.nan}
        if n_data >= 2:
            if within or not clusters:
                limits = _crossed_limits(found, confidence_level)
            else:
                limits = _drawn_limits(cells, name, score, clusters, found, confidence_level, n_resamples, rng)
            row |= dict(zip(row, limits, strict=True))
        row["captured"] = (
            float(np.mean([_captured(part, name, score) for part in cells.values()])) if cells else math.nan
        )
        of = pd.concat(cells.values()) if cells else known
        row |= {"cells": len(cells), "data": n_data, "clusters": of[clusters].nunique() if clusters else len(of)}
        rows[name] = row | {"left_out": len(models) - len(of)}
    out = pd.DataFrame.from_dict(rows, orient="index").rename_axis("quality")
    corrected = pd.Series(math.nan, index=out.index)
    tested = out["p"].notna()
    if tested.any():
        corrected[tested] = holm(out.loc[tested, "p"])
    out.insert(out.columns.get_loc("p") + 1, "p_holm", corrected)
    return out


def _crossed_limits(found: dict[tuple, float], confidence_level: float) -> tuple[float, float, float, float]:
    """Mean over cells, limits, and p, for another choice of data sets, and of clusters where cells have one."""
    from helpers.inference import crossed_mean

    data = [str(key[0]) for key in found]
    runs = [str(key[1]) if len(key) > 1 else "" for key in found]
    mean = crossed_mean(list(found.values()), data, runs, confidence_level=confidence_level)
    return mean.difference, max(mean.low, -1.0), min(mean.high, 1.0), mean.p


def _drawn_limits(
    cells: dict[tuple, pd.DataFrame],
    name: str,
    score: str,
    clusters: str,
    found: dict[tuple, float],
    confidence_level: float,
    n_resamples: int,
    rng: np.random.Generator,
) -> tuple[float, float, float, float]:
    """The same where models of several clusters share a cell, so that clusters are drawn with replacement."""
    from scipy import stats

    labels = sorted({label for part in cells.values() for label in part[clusters]}, key=str)
    place = {label: i for i, label in enumerate(labels)}
    counts = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels)), n_resamples)
    total, known = np.zeros(n_resamples), np.zeros(n_resamples)
    for part in cells.values():
        drawn = counts[:, [place[label] for label in part[clusters]]]
        there = (drawn > 0).sum(axis=1) >= 3
        x, y = part[score].to_numpy(dtype=float), part[name].to_numpy(dtype=float)
        if there.any():
            total[there] += spearman(x, y, counts=drawn[there], undefined=0.0)
            known += there
    draws, values = total[known > 0] / known[known > 0], np.array(list(found.values()))
    estimate, n_clusters, n_data = float(values.mean()), len(labels), len(cells)
    if n_clusters < 2 or len(draws) < 2:
        return estimate, math.nan, math.nan, math.nan
    by_clusters = float(np.var(draws, ddof=1)) * n_clusters / (n_clusters - 1)
    by_data = float(np.var(values, ddof=1)) / n_data
    variance = by_clusters + by_data
    if variance == 0:
        return estimate, estimate, estimate, float(estimate == 0)
    freedom = variance**2 / (by_clusters**2 / (n_clusters - 1) + by_data**2 / (n_data - 1))
    error = math.sqrt(variance)
    reach = error * stats.t.isf((1 - confidence_level) / 2, freedom)
    p = two_sided_p(estimate / error, freedom)
    return estimate, max(estimate - reach, -1.0), min(estimate + reach, 1.0), p


def _captured(part: pd.DataFrame, name: str, score: str) -> float:
    """Of the way from the mean score to the best, the part that the first by a quality goes; ties count their mean."""
    scores = part[score]
    chosen = scores[part[name] == part[name].max()].mean()
    return float((chosen - scores.mean()) / (scores.max() - scores.mean()))


def _experiments(models: pd.DataFrame, by: str, score: str) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The experiments in which there is something to rank."""
    for key, part in models.groupby(by):
        if len(part) >= 3 and part[score].nunique() > 1:
            yield key, part


def _standard_ranks(part: pd.DataFrame, name: str, given: str = "") -> np.ndarray:
    """Ranks of a column, less a straight line in those of ``given``, with mean 0 and length 1; 0 if nothing is left."""
    ranks = average_ranks(part[name].to_numpy(dtype=float)) - (len(part) + 1) / 2
    ranks = ranks / max(math.sqrt(ranks @ ranks), 0.5)  # less only where all are equal
    if not given:
        return ranks
    fixed = _standard_ranks(part, given)
    ranks = ranks - (ranks @ fixed) * fixed
    length = math.sqrt(ranks @ ranks)
    return ranks / length if length > 1e-6 else np.zeros_like(ranks)
