"""What a report says: each function turns tables and decisions into sentences in Markdown, without looking further."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.report.decisions import Decisions
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.recipes import PLAIN

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TRUST",
    "evaluation_in_words",
    "input_in_words",
    "no_gain_in_words",
    "no_target_in_words",
    "not_read_in_words",
    "redundancy_in_words",
    "trust_in_words",
    "verdict_in_words",
]

#: Mean rank correlation of three qualities with accuracy, and its 95 % interval over 17 experiments of several models
#: each: what :func:`helpers.quality.mean_rank_correlations` finds in ``data/results/clients_unlabelled_models.csv``.
TRUST = {
    "the effective rank": (-0.06, -0.23, 0.14),
    "low anisotropy": (0.38, 0.09, 0.57),
    "labels of other clients": (0.93, 0.88, 0.97),
}
TRUST_EXPERIMENTS = 17


def input_in_words(inputs: Any, target: str | None) -> str:
    """How many objects there are, how many rows were left out, and what says what the embeddings are for.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        What was read.
    target
        What :func:`helpers.report.target_kind` gives.
    """
    lost = f"; {len(inputs.losses)} rows were left out." if len(inputs.losses) else "."
    if len(inputs.ignored):
        lost += f" **Not read: {_listing(_first(inputs.ignored['file']))}**; the reasons are below."
    of = {
        "labels": "Labels say what the embeddings are for.",
        "pairs": f"Scores of {len(inputs.pairs) if inputs.pairs is not None else 0} pairs say what they are for.",
        "qrels": "Relevant documents of queries say what they are for.",
        None: "Nothing says what they are for: there is no target.",
    }[target]
    made = "" if inputs.sizes is None else f" {_pooled_in_words(inputs.sizes)}"
    return f"**{len(inputs)} objects** are described by all {len(inputs.representations)} embeddings{lost}{made} {of}"


def _pooled_in_words(sizes: np.ndarray) -> str:
    """Of how many items objects are made."""
    small = int((sizes == 1).sum())
    alone = f"; {small} of them {'is' if small == 1 else 'are'} one item alone" if small else ""
    return (
        f"Each object is a group of items, {int(sizes.sum())} in all: from {sizes.min()} to {sizes.max()}, half of the "
        f"groups of {np.median(sizes):g} or fewer{alone}. Folds and intervals are over groups."
    )


def not_read_in_words(inputs: Any) -> list[str]:
    """What lay there and was not read, and which rows were left out: a line for each, for a console.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        What was read.
    """
    lines = []
    if count := len(inputs.ignored):
        first = inputs.ignored.iloc[0]
        files = _listing(_first(inputs.ignored["file"]))
        lines.append(f"not read: {files} ({first['file']}: {first['reason']}{'; …' * (count > 1)})")
    for name, lost in inputs.losses.groupby("input", sort=False):
        first = lost.iloc[0]
        lines.append(f"{name}: {len(lost)} rows left out, such as {first['id']} ({first['reason']})")
    return lines


def redundancy_in_words(names: Sequence[str], found: pd.DataFrame, same_model: Sequence[str], threshold: float) -> str:
    """Which embeddings can go, and by what rule.

    Parameters
    ----------
    names
        All embeddings, in order.
    found, same_model, threshold
        What :func:`helpers.report.find_redundant` gives and takes.
    """
    rule = (
        f"at least as similar as {same_model[0]} and {same_model[1]}, one model trained twice"
        if same_model
        else f"CKA, RSA and distance correlation of {threshold:g} or more, because no two runs of one model were named"
    )
    if not len(found):
        return f"**No embedding is redundant** ({rule}): each of the {len(names)} says something of its own."
    words = {
        "noise": "**{embedding} is noise**: {evidence}.",
        "copy": "**{embedding} is a copy of {of}**, up to one factor and one shift: {evidence}.",
        "rotated copy": "**{embedding} is a rotated copy of {of}**, or the other way round: {evidence}.",
        "noisy copy": "**{embedding} is a noisy copy of {of}**, {noise:.0%} of it noise: {evidence}.",
        "redundant": "**{embedding} is redundant beside {of}**: {evidence}.",
    }
    lines = [f"- {words[row['finding']].format(**row)}" for row in found.to_dict("records")]
    gone = list(dict.fromkeys(found["embedding"]))
    kept = [name for name in names if name not in gone]
    lines.append(
        f"\n{_listing(gone)} can go; {_listing(kept)} {'say' if len(kept) > 1 else 'says'} something of "
        f"{'their' if len(kept) > 1 else 'its'} own (rule for redundancy: {rule})."
    )
    return "\n".join(lines)


def evaluation_in_words(evaluation: TargetEvaluation) -> str:
    """How embeddings and ensembles were judged, and what had to be done differently from what was asked for."""
    how = {
        "accuracy": "A linear probe (discriminant analysis) predicts the label from each embedding.",
        "R²": "A linear probe (ridge regression) predicts the target from each embedding.",
        "Spearman": "The cosines of pairs are correlated with their scores.",
        "nDCG@10": "Each query ranks the other objects by the cosine.",
    }[evaluation.metric]
    return " ".join(
        [
            how,
            "Every number is of objects that nothing was fitted on: in each of "
            f"{len(evaluation.folds)} folds qualities, weights, axes and the choice of the best single embedding come "
            "from the other folds alone.",
            *evaluation.notes,
        ]
    )


def no_target_in_words() -> str:
    """Why a report without a target does not say which embedding is better."""
    return (
        "Without labels, pairs or relevant documents nobody can say which embedding is better *for you*. "
        "The table has three qualities that need none. They describe the shape of a space, not its use: random numbers "
        f"have the highest effective rank and no anisotropy at all. {trust_in_words()} So the report does not choose "
        "by them."
    )


def trust_in_words() -> str:
    """How well qualities without labels ranked embeddings where labels were there to check, as recorded."""
    said = [f"{words} {value:+.2f} [{low:+.2f}, {high:+.2f}]" for words, (value, low, high) in TRUST.items()]
    return (
        f"How far they can be trusted was measured on embeddings of bank clients, in {TRUST_EXPERIMENTS} experiments "
        "of several models each, as the rank correlation with accuracy on labels that they never saw: "
        f"{said[0]} and {said[1]}, beside {said[2]}. What holds for one family of models need not hold for another."
    )


def verdict_in_words(
    evaluation: TargetEvaluation, scores: pd.DataFrame, gains: pd.DataFrame, decisions: Decisions
) -> str:
    """Better, not distinguishable or worse than the best single embedding and than plain concatenation; what to use.

    Parameters
    ----------
    evaluation, scores, gains
        What :func:`helpers.report.evaluate_target`, :func:`helpers.report.score_spaces` and
        :func:`helpers.report.gains_of_ensembles` give.
    decisions
        What :func:`helpers.report.decide` gives for these.
    """
    label = decisions.ensemble
    value = scores.loc[label]
    counts = evaluation.folds[BEST].value_counts()
    best = _listing([f"{name} ({count} of {int(counts.sum())} folds)" for name, count in counts.items()])
    lines = [
        f"The ensemble with the highest score is **{label}**: {evaluation.metric} {value['score']:.3f} "
        f"[{value['ci_low']:.3f}, {value['ci_high']:.3f}], chance {value['chance']:.3f}.",
        "",
    ]
    for reference, words in (
        (BEST, f"the best single embedding, chosen inside the training folds: {best}"),
        (PLAIN, "plain concatenation of everything with PCA"),
    ):
        row = gains[(gains["method"] == label) & (gains["against"] == reference)]
        if len(row):
            lines.append(f"- Against {words}: {_gain(row.iloc[0])}.")
        elif reference == label:
            lines.append("- Plain concatenation with PCA is itself the best of the ensembles.")
    alone = f"**Stay with {decisions.best_single} alone**"
    lines += [
        "",
        {
            "better": f"**Take the ensemble {label}.**",
            "not distinguishable": f"{alone}: nothing here shows that an ensemble is better, and one encoder is "
            "cheaper than several. More objects may tell them apart.",
            "worse": f"{alone}: combining these embeddings does harm.",
        }[decisions.verdict],
    ]
    return "\n".join(lines)


def no_gain_in_words(names: Sequence[str], decisions: Decisions) -> str:
    """What a report without a target leaves, and why."""
    return (
        "Without a target no gain can be measured. The report leaves the concatenation of "
        f"{', '.join(decisions.groups) or ', '.join(names)} with PCA: everything that is not redundant, and no choice "
        "that a label would be needed for."
    )


def _gain(row: Mapping[str, Any]) -> str:
    return (
        f"**{row['verdict']}** ({row['gain']:+.3f} [{row['ci_low']:+.3f}, {row['ci_high']:+.3f}], p = {row['p']:.3f})"
    )


def _first(names: Iterable[Any], most: int = 5) -> list[str]:
    """The first of different names, and how many more there are."""
    names = list(dict.fromkeys(map(str, names)))
    return names if len(names) <= most else [*names[:most], f"{len(names) - most} more"]


def _listing(names: Sequence[str]) -> str:
    names = [str(name) for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nothing"
