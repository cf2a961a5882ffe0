"""What a report decides: which embeddings can go, which ensemble to keep, and whether to use it at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import unit_rows
from helpers.ensembles.base import Ensemble
from helpers.ensembles.baselines import ConcatPCA
from helpers.ensembles.representations import Representations
from helpers.report.defaults import NORMALIZE
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.moments import linear_cka
from helpers.report.recipes import PLAIN, candidate_ensembles, fit_ensemble
from helpers.report.redundancy import redundancy_groups

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ONE_EACH", "Decisions", "best_ensemble", "cost_table", "decide", "fit_chosen"]

#: The ensemble that is left where no target can choose one.
ONE_EACH = "one of each group + PCA"
#: Objects from which similarities of the final ensemble are computed.
ROWS = 8192


@dataclass(frozen=True)
class Decisions:
    """What follows from the tables of a report.

    Attributes
    ----------
    target : str or None
        What embeddings were judged by: ``"labels"``, ``"pairs"``, ``"qrels"``, or ``None``.
    redundant : list of str
        Embeddings that can go.
    groups : dict of str to list of str
        Groups of embeddings that say the same, by their first members; noise and noisy copies are in none.
    ensemble : str
        The ensemble that is fitted on all objects.
    best_single : str or None
        The embedding that most folds chose as the best single one; ``None`` without a target.
    verdict : str or None
        What is said of the ensemble against the best single embedding, one of
        :data:`helpers.inference.VERDICTS`; ``None`` without a target.
    use : str
        What to use: ``ensemble`` if it is better or if there is no target, else ``best_single``.
    """

    target: str | None
    redundant: list[str]
    groups: dict[str, list[str]]
    ensemble: str
    best_single: str | None
    verdict: str | None
    use: str


def decide(
    names: Sequence[str],
    found: pd.DataFrame,
    target: str | None = None,
    evaluation: TargetEvaluation | None = None,
    scores: pd.DataFrame | None = None,
    gains: pd.DataFrame | None = None,
) -> Decisions:
    """The decisions that the tables of a report lead to.

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
        :func:`helpers.report.gains_of_ensembles` give; none of them without a target.

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
    redundant = list(dict.fromkeys(found["embedding"]))
    groups = redundancy_groups(names, found)
    if evaluation is None:
        return Decisions(target, redundant, groups, ONE_EACH, None, None, ONE_EACH)
    label = best_ensemble(scores)
    single = str(evaluation.folds[BEST].value_counts().index[0])
    verdict = str(gains.set_index(["method", "against"]).loc[(label, BEST), "verdict"])
    use = label if verdict == "better" else single
    return Decisions(target, redundant, groups, label, single, verdict, use)


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
