"""How well label-free qualities rank models, where labels are there to check."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.metrics import average_ranks

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["mean_rank_correlations", "rank_correlations"]


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
