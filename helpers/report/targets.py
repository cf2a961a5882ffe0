"""The evaluation that an input allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.arrays import generator
from helpers.ensembles.representations import Representations
from helpers.report.by_cosine import evaluate_by_pairs, evaluate_by_qrels
from helpers.report.by_labels import evaluate_by_labels
from helpers.report.evaluation import TargetEvaluation

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["evaluate_target", "target_kind"]

SEARCHED = 10_000  # objects, where groups alone say what is relevant


def evaluate_target(inputs: Any, **options: Any) -> TargetEvaluation | None:
    """The evaluation that the input allows: by labels, pairs, qrels or groups; ``None`` without any of them.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        The first that it has of labels, pairs, qrels and groups counts. Beside labels, groups say which rows stay
        in one fold; alone they are qrels: the members of the group of an object are relevant to it, for at most
        1000 objects, among at most 10 000, both drawn at random, which ``notes`` say.
    **options
        Fields of :class:`helpers.report.EvaluationPlan`.
    """
    kind = target_kind(inputs)
    if kind == "labels":
        return evaluate_by_labels(inputs.representations, inputs.labels, together=inputs.groups, **options)
    if kind == "pairs":
        pairs = inputs.pairs
        return evaluate_by_pairs(inputs.representations, pairs[["left", "right"]].to_numpy(), pairs["score"], **options)
    if kind == "qrels":
        if inputs.qrels is not None:
            return evaluate_by_qrels(inputs.representations, inputs.qrels, **options)
        n, few = len(inputs.groups), np.arange(len(inputs.groups))
        if n > SEARCHED:
            few = np.sort(generator(0).choice(n, SEARCHED, replace=False))
        found = evaluate_by_qrels(
            Representations(inputs.representations)[few], qrels_of_groups(inputs.groups[few]), **options
        )
        if n > SEARCHED:
            found.notes.append(f"The search is among {SEARCHED} of the {n} objects, drawn at random.")
        return found
    return None


def target_kind(inputs: Any) -> str | None:
    """``"labels"``, ``"pairs"``, ``"qrels"`` or ``None``: what :func:`evaluate_target` goes by."""
    if inputs.labels is not None:
        return "labels"
    if inputs.pairs is not None:
        return "pairs"
    return "qrels" if inputs.qrels is not None or inputs.groups is not None else None


def qrels_of_groups(groups: np.ndarray, queries: int = 1000) -> pd.DataFrame:
    """Relevance by which the members of a group are relevant to each other."""
    import pandas as pd

    codes = np.unique(groups, return_inverse=True)[1]
    asked = generator(0).permutation(np.flatnonzero(np.bincount(codes)[codes] > 1))[:queries]
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    parts = [
        pd.DataFrame({"query": query, "document": np.setdiff1d(members[codes[query]], [query]), "relevance": 1.0})
        for query in asked
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["query", "document", "relevance"])
