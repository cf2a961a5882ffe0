"""What a report decides: which embeddings can go, which ensemble to keep, and whether to use it at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import unit_rows
from helpers.ensembles.base import Ensemble
from helpers.ensembles.baselines import ConcatPCA
from helpers.ensembles.representations import Representations
from helpers.report.defaults import CONFIDENCE_LEVEL, NORMALIZE
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.moments import linear_cka
from helpers.report.recipes import FEWER, ONE_EACH, PLAIN, candidate_ensembles, fit_ensemble
from helpers.report.redundancy import redundancy_groups

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Decisions", "best_ensemble", "cost_table", "decide", "fit_chosen"]

#: Findings of embeddings that may be worth more to a target than what they are copies of.
UNEQUAL = ("noisy copy", "partial copy", "narrower copy")
#: Objects from which similarities of the final ensemble are computed.
ROWS = 8192


@dataclass(frozen=True)
class Decisions:
    """What follows from the tables of a report; no two of its statements disagree.

    What is used is never among what can go, and of embeddings that say the same, one stays.

    Attributes
    ----------
    target : str or None
        What embeddings were judged by: ``"labels"``, ``"pairs"``, ``"qrels"``, or ``None``.
    redundant : list of str
        Embeddings that can go.
    stays : dict of str to str
        Embeddings that say nothing of their own by the rules of :func:`helpers.report.find_redundant`, and stay all the
        same: why.
    groups : dict of str to list of str
        Groups of embeddings that say the same, by the member that stays; noise, noisy and partial copies are in none.
    ensemble : str
        The ensemble that is fitted on all objects.
    best_single : str or None
        The embedding that most folds chose as the best single one; ``None`` without a target.
    verdict : str or None
        What is said of the ensemble against the best single embedding, one of
        :data:`helpers.inference.VERDICTS`; ``None`` without a target.
    use : str
        What to use: ``ensemble`` if it is better or if there is no target, else the best single embedding that stays.
    reads : list of str
        The embeddings that this needs.
    useful : bool
        Whether anything at all, a single embedding or an ensemble, is above chance at the level 5 % for all of them
        together, as far as there is a target.
    representatives : list of str
        What *one of each group* reads.
    """

    target: str | None
    redundant: list[str]
    groups: dict[str, list[str]]
    ensemble: str
    best_single: str | None
    verdict: str | None
    use: str
    stays: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    useful: bool = True
    representatives: list[str] = field(default_factory=list)


def decide(
    names: Sequence[str],
    found: pd.DataFrame,
    target: str | None = None,
    evaluation: TargetEvaluation | None = None,
    scores: pd.DataFrame | None = None,
    gains: pd.DataFrame | None = None,
) -> Decisions:
    """The decisions that the tables of a report lead to, all taken together.

    1. What the rules found says what could go; of a group of interchangeable embeddings the one stays that the folds
       chose, else the one with the highest score.
    2. What could go stays if the target contradicts: noise that scores above chance (at the level 5 % for all
       scores together), a noisy, partial or narrower copy whose interval is above that of the original.
    3. The ensemble with the highest score is taken if it is better than the best single embedding. If it reads what
       could go, *one of each group* takes its place where that is better than the best single embedding, too, and not
       worse than the former; else what it reads stays.

    Parameters
    ----------
    names
        All embeddings, in order.
    found
        What :func:`helpers.report.find_redundant` gives.
    target
        What :func:`helpers.report.target_kind` gives.
    evaluation, scores, gains
        What :func:`helpers.report.evaluate_target`, :func:`helpers.report.score_spaces` and
        :func:`helpers.report.gains_of_ensembles` give, the gains over *one of each group* included if it is among the
        ensembles; none of them without a target.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report import decide, find_redundant, pairwise_similarity
    >>> x = np.random.default_rng(0).normal(size=(200, 4))
    >>> spaces = {"x": x, "twice": 2 * x}
    >>> decisions = decide(list(spaces), find_redundant(spaces, pairwise_similarity(spaces)))
    >>> decisions.redundant, decisions.use
    (['twice'], 'one of each group + PCA')
    """
    names = [str(name) for name in names]
    rows = [row for row in found.to_dict("records") if row["finding"] != "unrelated"]
    groups = redundancy_groups(names, found)
    if evaluation is None:
        gone = [name for name in names if name in {row["embedding"] for row in rows}]
        kept = [name for name in names if name not in gone]
        groups = {next(name for name in members if name in kept): members for members in groups.values()}
        one_each = list(groups)
        return Decisions(target, gone, groups, ONE_EACH, None, None, ONE_EACH, {}, one_each, True, one_each)
    single = str(evaluation.folds[BEST].value_counts().index[0])
    score = scores["score"].to_dict()
    narrow = {row["embedding"] for row in rows if row["finding"] == "narrower copy"}
    groups = {_representative(members, single, score, narrow): members for members in groups.values()}
    one_each, whole, stays = list(groups), groups, _held_back(rows, scores, groups)
    idle = _idle(names, found, scores)
    gone = {row["embedding"] for row in rows} | idle | {m for members in groups.values() for m in members}
    groups = {name: members for name, members in groups.items() if not idle.intersection(members)}
    gone = [name for name in names if name in gone and name not in groups and name not in stays]
    label, verdict = best_ensemble(scores), {}
    for row in gains.to_dict("records"):
        verdict[row["method"], row["against"]] = str(row["verdict"])
    if verdict[label, BEST] != "better":
        kept = [name for name in names if name not in gone]
        use = single if single in kept else max(kept, key=lambda name: score[name])
        useful = bool(_surely_above(scores).any())
        told = verdict[label, BEST]
        return Decisions(target, gone, groups, label, single, told, use, stays, [use], useful, one_each)
    reads = _read_by(label, names, evaluation)
    others = sorted((one for one in FEWER if one in score), key=lambda one: -score[one])
    for other in others if set(reads) & set(gone) else ():
        if verdict.get((other, BEST)) == "better" and verdict.get((label, other)) != "better":
            read = _read_by(other, names, evaluation)
            label, reads = other, [name for name, members in whole.items() if set(members) & set(read)]
            break
    stays |= {name: f"the ensemble {label} reads it" for name in reads if name in gone}
    gone = [name for name in gone if name not in reads]
    return Decisions(target, gone, groups, label, single, "better", label, stays, reads, True, one_each)


def _idle(names: Sequence[str], found: pd.DataFrame, scores: pd.DataFrame) -> set[str]:
    """Unrelated embeddings that are not above chance, where another one is; nothing but the target can tell."""
    surely = set(scores.index[_surely_above(scores)]).intersection(names)
    above = surely | {name for name in names if scores.loc[name, "ci_low"] > scores.loc[name, "chance"]}
    unrelated = set(found.loc[found["finding"] == "unrelated", "embedding"])
    return unrelated - above if surely else set()


def _surely_above(scores: pd.DataFrame) -> pd.Series:
    """Which methods are above chance, at one level for all of them, as a reader goes by the best."""
    return scores["p"] <= 1 - CONFIDENCE_LEVEL


def _representative(members: Sequence[str], single: str, score: Mapping[str, float], narrow: Collection[str]) -> str:
    """The member of a group that stays: what the folds chose, else the best of those that hold everything."""
    whole = [name for name in members if name not in narrow]
    return single if single in members else max(whole, key=lambda name: score[name])


def _held_back(rows: Sequence[Mapping[str, Any]], scores: pd.DataFrame, groups: Mapping[str, Any]) -> dict[str, str]:
    """What could go, but the target says that it says something."""
    above, out = _surely_above(scores), {}
    for row in rows:
        name, own = row["embedding"], scores.loc[row["embedding"]]
        if row["finding"] == "noise":
            if above[row["embedding"]]:
                out[name] = "alone it scores above chance, so it is related to the target and to no other embedding"
        elif row["finding"] in UNEQUAL and name not in groups and own["ci_low"] > scores.loc[row["of"], "ci_high"]:
            out[name] = f"it scores higher than {row['of']}"
    return out


def _read_by(label: str, names: Sequence[str], evaluation: TargetEvaluation) -> list[str]:
    """The embeddings with a weight in an ensemble, in any fold."""
    weights = evaluation.weights[evaluation.weights["method"] == label]
    return [name for name in names if (weights[name] != 0).any()]


def best_ensemble(scores: pd.DataFrame) -> str:
    """The ensemble with the highest score; of equal ones the first."""
    return str(scores.loc[scores["kind"] == "ensemble", "score"].idxmax())


def fit_chosen(
    representations: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    *,
    label: str | None = None,
    evaluation: TargetEvaluation | None = None,
    width: int | None = None,
    normalize: str | None = NORMALIZE,
    allow_sums: bool = False,
) -> Ensemble:
    """The ensemble ``label`` fitted on all objects, as a report leaves it.

    Its qualities are the means over the folds of ``evaluation``, its λ is what most folds chose. Without an evaluation
    it is the concatenation of one embedding of each group, with PCA.

    Parameters
    ----------
    representations
        Name → array of shape (n, p).
    groups
        What :func:`helpers.report.redundancy_groups` gives.
    label
        Name of the ensemble; concatenation + PCA by default.
    evaluation
        What :func:`helpers.report.evaluate_target` gives.
    width, normalize, allow_sums
        Same meaning as in :class:`helpers.report.EvaluationPlan`.
    """
    everything = Representations(dict(representations))
    names, widths, n = everything.names, everything.widths, len(everything)
    if evaluation is None:
        kept = list(groups) or names
        total = sum(w for name, w in zip(names, widths, strict=True) if name in kept)
        estimator: Ensemble = ConcatPCA(min(width or max(widths), total, n - 1), normalize=normalize)
        return estimator.fit({name: representations[name] for name in kept})
    quality = np.array([evaluation.folds[f"quality of {name}"].mean() for name in names])
    rows = np.linspace(0, n - 1, min(n, ROWS)).astype(int)
    parts = [everything[rows].block(i).astype(np.float64) for i in range(len(names))]
    if normalize == "unit":
        parts = [unit_rows(x) for x in parts]
    joined = np.concatenate([x - x.mean(axis=0) for x in parts], axis=1)
    similarity = linear_cka(joined.T @ joined, np.cumsum([0, *widths]))
    recipes = candidate_ensembles(
        names, widths, quality, groups, width=min(width or max(widths), n - 1),
        lam=float(evaluation.folds["lambda"].mode()[0]), normalize=normalize, allow_sums=allow_sums,
    )  # fmt: skip
    subset, estimator = recipes[label or PLAIN]
    at = [names.index(name) for name in subset]
    chosen = {name: representations[name] for name in subset}
    return fit_ensemble(estimator, chosen, quality[at], similarity[np.ix_(at, at)])


def cost_table(
    names: Sequence[str], widths: Sequence[int], recipes: Mapping[str, tuple[Sequence[str], int]], itemsize: int = 4
) -> pd.DataFrame:
    """Width, bytes per object and encoders to run, of each embedding and of each ensemble.

    Parameters
    ----------
    names, widths
        Names of the embeddings and their numbers of features.
    recipes
        Embeddings that each ensemble reads, and its width.
    itemsize
        Bytes of a number: 4 for float32.
    """
    import pandas as pd

    rows = {name: {"width": width, "encoders": 1} for name, width in zip(names, widths, strict=True)}
    rows |= {label: {"width": width, "encoders": len(used)} for label, (used, width) in recipes.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    table.insert(1, "bytes_per_object", table["width"] * itemsize)
    return table
