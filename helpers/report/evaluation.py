"""What an evaluation on a target is, and how it is planned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import check_count, generator
from helpers.ensembles.base import Ensemble
from helpers.report.defaults import FOLDS, LAMBDAS, NORMALIZE
from helpers.report.recipes import candidate_ensembles

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BEST", "LEAST_FOLDS", "EvaluationPlan", "TargetEvaluation", "folds_of"]

BEST = "best single"
LEAST_FOLDS = 3


@dataclass(frozen=True)
class TargetEvaluation:
    """Scores on held-out items, of every single embedding, of the best single one and of every ensemble.

    Attributes
    ----------
    metric
        ``"accuracy"``, ``"R²"``, ``"Spearman"`` or ``"nDCG@10"``; larger is better.
    chance
        What knows nothing of the objects scores.
    items : DataFrame (items, methods)
        What each held-out item adds: the score is the mean of a column. For pairs: their cosines.
    groups : ndarray of shape (items,)
        Items with one number are not independent of each other.
    folds : DataFrame
        One row for each fold: the single embedding that its training part chose (``best single``), ``lambda``, the
        quality of each embedding there (``quality of NAME``), and ``items``.
    weights : DataFrame
        Rows (method, fold), a column for each embedding.
    target : ndarray or None
        Scores and folds of pairs, (items, 2); ``None`` for other targets.
    notes : list of str
        What had to be done differently from what was asked for.
    """

    metric: str
    chance: float
    items: pd.DataFrame
    groups: np.ndarray
    folds: pd.DataFrame
    weights: pd.DataFrame
    target: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def methods(self) -> list[str]:
        """Names of the ensembles."""
        return list(dict.fromkeys(self.weights["method"]))


@dataclass(frozen=True)
class EvaluationPlan:
    """How an evaluation goes: the keyword arguments of each ``evaluate_by_...`` function.

    Attributes
    ----------
    groups
        What :func:`helpers.report.redundancy_groups` gives; each embedding for itself by default.
    width
        Features of each ensemble; by default as many as the widest embedding has.
    folds
        Folds of the cross-validation, at least 3.
    lambdas
        Similarity penalties λ of quadratic programs to choose among, in the training part of each fold.
    normalize, allow_sums
        Same meaning as in :func:`helpers.report.recipes.candidate_ensembles`.
    rng
        Seed for the fold of each item.
    step
        ``step(what, function)`` calls a function, or gives what it gave before, as :class:`helpers.report.Steps` does.
    """

    groups: Mapping[str, Sequence[str]] | None = None
    width: int | None = None
    folds: int = FOLDS
    lambdas: Sequence[float] = LAMBDAS
    normalize: str | None = NORMALIZE
    allow_sums: bool = False
    rng: int | np.random.Generator = 0
    step: Callable[[str, Callable[[], Any]], Any] = lambda what, function: function()

    def __post_init__(self) -> None:
        check_count(self.folds, "folds", least=LEAST_FOLDS)

    def groups_of(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return {name: [name] for name in names} if self.groups is None else self.groups

    def width_of(self, widths: Sequence[int], rows: int) -> int:
        """Features of the ensembles that so many training rows allow."""
        most = min(sum(widths), rows - 1)
        if self.width is not None and check_count(self.width, "width") > most:
            raise ValueError(
                f"width is {self.width}; {rows} training rows of {sum(widths)} features have at most {most} principal "
                "axes"
            )
        return min(max(widths), most) if self.width is None else self.width

    def recipes(self, names, widths, quality, width: int, lam: float) -> dict[str, tuple[list[str], Ensemble]]:
        """What :func:`candidate_ensembles` gives for this λ."""
        shared = {"normalize": self.normalize, "allow_sums": self.allow_sums}
        return candidate_ensembles(names, widths, quality, self.groups_of(names), width=width, lam=lam, **shared)


def folds_of(
    n: int, folds: int, *, labels: np.ndarray | None = None, together: np.ndarray | None = None, rng: Any = 0
) -> np.ndarray:
    """The fold of each row: classes spread evenly, rows of one group in one fold.

    Examples
    --------
    >>> import numpy as np
    >>> from helpers.report.evaluation import folds_of
    >>> found = folds_of(6, 3, labels=np.array([0, 0, 0, 1, 1, 1]))
    >>> sorted(found[:3]), sorted(found[3:])
    ([np.int64(0), np.int64(1), np.int64(2)], [np.int64(0), np.int64(1), np.int64(2)])
    """
    rng = generator(rng)
    _, first, group = np.unique(np.arange(n) if together is None else together, return_index=True, return_inverse=True)
    order = rng.permutation(len(first))
    if labels is not None:
        order = order[np.argsort(labels[first][order], kind="stable")]
    fold = np.empty(len(first), dtype=np.int64)
    fold[order] = np.arange(len(first)) % folds
    return fold[group]
