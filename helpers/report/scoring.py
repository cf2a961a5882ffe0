"""Scores of an evaluation with their intervals, and gains with their verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from helpers.arrays import generator
from helpers.inference import Paired, interval, paired
from helpers.metrics import spearman
from helpers.report.defaults import CONFIDENCE_LEVEL
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.recipes import PLAIN

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["gains_of_ensembles", "score_spaces"]

BLOCKS = 1000
RESAMPLES = 1999
DRAWN = 1 << 21


def score_spaces(
    evaluation: TargetEvaluation, *, confidence_level: float = CONFIDENCE_LEVEL, rng: int | np.random.Generator = 0
) -> pd.DataFrame:
    """The score of every single embedding, of the best single one and of every ensemble, with its interval.

    Parameters
    ----------
    evaluation
        What :func:`evaluate_by_labels`, :func:`evaluate_by_pairs` or :func:`evaluate_by_qrels` gives.
    confidence_level
        Coverage of each interval.
    rng
        Seed for the resampling of items.

    Returns
    -------
    DataFrame
        ``score``, ``ci_low``, ``ci_high``, ``chance`` by method, ``kind``: ``"single"`` or ``"ensemble"``, and ``p``:
        one-sided, of scores at chance, the probability that the best of all methods would lie as many standard errors
        above it. Then whatever method is picked, one at chance is taken for better at the rate at which p is compared
        at most (single step max T over resamples of the items).
    """
    import pandas as pd

    kinds = dict.fromkeys(evaluation.methods, "ensemble")
    if evaluation.target is not None:
        draws, value = _pair_draws(evaluation, rng)
        found = {
            name: interval(draws[name], statistic=None, estimate=value[name], confidence_level=confidence_level)
            for name in evaluation.items.columns
        }
        resampled = draws.to_numpy()
    else:
        blocks = _blocked(evaluation, rng)
        found = {
            name: interval(blocks[name], confidence_level=confidence_level, n_resamples=RESAMPLES, rng=rng)
            for name in evaluation.items.columns
        }  # fmt: skip
        resampled = _means_of_resamples(np.column_stack([blocks[name] for name in evaluation.items.columns]), rng)
    p = _p_above(np.array([of.estimate for of in found.values()]), evaluation.chance, resampled)
    rows = {
        name: {"kind": kinds.get(name, "single"), "score": of.estimate, "ci_low": of.low, "ci_high": of.high,
               "chance": evaluation.chance, "p": p[at]}
        for at, (name, of) in enumerate(found.items())
    }  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def gains_of_ensembles(
    evaluation: TargetEvaluation,
    against: Sequence[str] = (BEST, PLAIN),
    *,
    confidence_level: float = CONFIDENCE_LEVEL,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """The gain of every ensemble over references on the same held-out items, with a verdict.

    Parameters
    ----------
    evaluation
        What :func:`evaluate_by_labels`, :func:`evaluate_by_pairs` or :func:`evaluate_by_qrels` gives.
    against
        Columns of its items: the methods to compare with.
    confidence_level
        Probability that *all* intervals against one reference hold together: with m ensembles each has the level
        1 - (1 - confidence_level) / m (Bonferroni), because the reader will look at the best of them.
    rng
        Seed for the resampling of items.

    Returns
    -------
    DataFrame
        ``method``, ``against``, ``gain``, ``ci_low``, ``ci_high``, ``p`` and ``verdict``, one of
        :data:`helpers.inference.VERDICTS`.
    """
    import pandas as pd

    rows = []
    if evaluation.target is not None:
        draws, value = _pair_draws(evaluation, rng)
    else:
        blocks = _blocked(evaluation, rng)
    for reference in against:
        methods = [name for name in evaluation.methods if name != reference]
        each = 1 - (1 - confidence_level) / max(len(methods), 1)
        for method in methods:
            if evaluation.target is not None:
                found = paired(
                    value[method], value[reference], draws=(draws[method], draws[reference]), confidence_level=each
                )
            else:
                a, b = blocks[method], blocks[reference]
                if np.array_equal(a, b):
                    found = Paired(0.0, 0.0, 0.0, 1.0, "not distinguishable", len(a), each)
                else:
                    found = paired(a, b, confidence_level=each, n_resamples=RESAMPLES, rng=rng)
            rows.append({
                "method": method, "against": reference, "gain": found.difference,
                "ci_low": found.low, "ci_high": found.high, "p": found.p, "verdict": found.verdict,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "against", "gain", "ci_low", "ci_high", "p", "verdict"])


def _blocked(evaluation: TargetEvaluation, rng: int | np.random.Generator) -> dict[str, np.ndarray]:
    """Sums over groups of items, dealt at random to at most 1000 blocks, scaled so that their mean is the score."""
    codes = np.unique(evaluation.groups, return_inverse=True)[1]
    count = int(codes.max()) + 1
    if count > BLOCKS:
        codes = (generator(rng).permutation(count) % BLOCKS)[codes]
        count = BLOCKS
    scale = count / len(codes)
    return {
        name: np.bincount(codes, weights=evaluation.items[name].to_numpy(np.float64), minlength=count) * scale
        for name in evaluation.items.columns
    }


def _means_of_resamples(values: np.ndarray, rng: int | np.random.Generator) -> np.ndarray:
    """Means of the columns of values, for resamples of the rows that all columns share: (resamples, columns)."""
    n, rng = len(values), generator(rng)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float32)
    return counts @ values / n


def _p_above(score: np.ndarray, chance: float, resampled: np.ndarray) -> np.ndarray:
    """p of each score above chance, for all together; a score that no resample changes is certain."""
    spread = resampled.std(axis=0)
    moves = spread > np.sqrt(np.finfo(np.float32).eps) * (np.abs(score) + np.abs(chance) + spread)
    fixed = np.where(score > chance + 1e-9, np.inf, -np.inf)
    reached = np.divide(score - chance, spread, out=fixed, where=moves)
    highest = np.full(len(resampled), -np.inf)
    if moves.any():
        highest = ((resampled[:, moves] - score[moves]) / spread[moves]).max(axis=1)
    return (1 + (highest[:, None] >= reached).sum(axis=0)) / (1 + len(resampled))


def _pair_draws(evaluation: TargetEvaluation, rng: int | np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """Bootstrap draws of the mean Spearman correlation over folds, the same resampled pairs for all methods."""
    import pandas as pd

    rng = generator(rng)
    given, fold = evaluation.target[:, 0], evaluation.target[:, 1].astype(int)
    folds = np.unique(fold)
    draws = {name: np.zeros(RESAMPLES // 2) for name in evaluation.items.columns}
    value = dict.fromkeys(evaluation.items.columns, 0.0)
    for k in folds:
        rows = np.flatnonzero(fold == k)
        codes = np.unique(evaluation.groups[rows], return_inverse=True)[1]
        members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
        whole = codes.max() + 1 == len(rows)
        for name in evaluation.items.columns:
            value[name] += spearman(evaluation.items[name].to_numpy()[rows], given[rows], undefined=0.0) / len(folds)
        cosines = evaluation.items.to_numpy()[rows].T
        size = max(1, DRAWN // cosines.size) if whole else 1
        for start in range(0, RESAMPLES // 2, size):
            which = rng.integers(len(members), size=(min(size, RESAMPLES // 2 - start), len(members)))
            at = which if whole else np.concatenate([members[i] for i in which[0]])[None]
            found = spearman(cosines[:, at], given[rows][at], undefined=0.0)
            for name, values in zip(evaluation.items.columns, found, strict=True):
                draws[name][start : start + len(at)] += values / len(folds)
    return pd.DataFrame(draws), pd.Series(value)
