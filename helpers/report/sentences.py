"""What a report says: each function turns tables and decisions into sentences in Markdown, without looking further."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.report.decisions import Decisions, best_ensemble
from helpers.report.evaluation import BEST, TargetEvaluation
from helpers.report.recipes import PLAIN
from helpers.report.redundancy import SAME

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
    encoded = "".join(f"\n\nVectors of **{model}**: {words}." for model, words in inputs.encoded.items())
    objects = f"**{len(inputs)} objects** are described by all {len(inputs.representations)} embeddings{lost}"
    return f"{objects}{made} {of}{encoded}"


def _pooled_in_words(sizes: np.ndarray) -> str:
    """Of how many items objects are made."""
    small = int((sizes == 1).sum())
    alone = f"; {small} of them {'is' if small == 1 else 'are'} one item alone" if small else ""
    several = f"from {sizes.min()} to {sizes.max()} each, half of the groups of {np.median(sizes):g} or fewer{alone}"
    of_items = several if sizes.min() < sizes.max() else f"{sizes.min()} each"
    return (
        f"Each object is a group of items, {int(sizes.sum())} in all, {of_items}. Folds and intervals are over groups."
    )


def not_read_in_words(inputs: Any) -> list[str]:
    """What lay there and was not read, and which rows were left out: a line for each, for a console.

    Parameters
    ----------
    inputs : helpers.inputs.Inputs
        What was read.
    """
    lines = [f"{model}: {words}" for model, words in inputs.encoded.items()]
    if count := len(inputs.ignored):
        first = inputs.ignored.iloc[0]
        files = _listing(_first(inputs.ignored["file"]))
        lines.append(f"not read: {files} ({first['file']}: {first['reason']}{'; …' * (count > 1)})")
    for name, lost in inputs.losses.groupby("input", sort=False):
        first = lost.iloc[0]
        lines.append(f"{name}: {len(lost)} rows left out, such as {first['id']} ({first['reason']})")
    return lines


def redundancy_in_words(
    names: Sequence[str], found: pd.DataFrame, decisions: Decisions, same_model: Sequence[str], threshold: float
) -> str:
    """Which embeddings can go, and by what rule.

    Parameters
    ----------
    names
        All embeddings, in order.
    found, same_model, threshold
        What :func:`helpers.report.find_redundant` gives and takes.
    decisions
        What :func:`helpers.report.decide` gives for these.
    """
    rule = (
        f"at least as similar as {same_model[0]} and {same_model[1]}, one model trained twice"
        if same_model
        else f"CKA, RSA and distance correlation of {threshold:g} or more, because no two runs of one model were named"
    )
    if not len(found):
        return f"**No embedding is redundant** ({rule}): none of the {len(names)} is a copy of another one."
    lines = [_finding_in_words(row, decisions) for row in found.to_dict("records")]
    gone, kept = decisions.redundant, [name for name in names if name not in decisions.redundant]
    if gone:
        lines.append(f"\n**{_listing(gone)} can go**; what is left is {_listing(kept)} (rule for redundancy: {rule}).")
    else:
        lines.append(f"\n**No embedding can go** for what is found here (rule for redundancy: {rule}).")
    return "\n".join(lines)


def _finding_in_words(row: Mapping[str, Any], decisions: Decisions) -> str:
    """One finding, told from what stays."""
    words = {
        "noise": "**{embedding} is related to none of the others**, as noise is, or rows in another order: {evidence}.",
        "unrelated": "**{embedding} is related to none of the others**, and no two of these are related: {evidence}.",
        "copy": "**{embedding} is a copy of {of}**, up to one factor and one shift: {evidence}.",
        "rotated copy": "**{embedding} is a rotated copy of {of}**, or the other way round: {evidence}.",
        "partial copy": "**{embedding} is {of} in a part of the rows**: {evidence}.",
        "noisy copy": "**{embedding} is a noisy copy of {of}**, {noise:.0%} of it noise: {evidence}.",
        "narrower copy": "**{embedding} is a narrower copy of {of}**: {evidence}.",
        "redundant": "**{embedding} is redundant beside {of}**: {evidence}.",
    }
    row = dict(row)
    if row["finding"] in SAME and row["of"] in decisions.redundant and row["embedding"] not in decisions.redundant:
        row["embedding"], row["of"] = row["of"], row["embedding"]
    said = f"- {words[row['finding']].format(**row)}"
    if row["finding"] == "unrelated" and row["embedding"] in decisions.redundant:
        said += " It is not above chance for the target, as another one is."
    why = decisions.stays.get(row["embedding"])
    return said if why is None else f"{said} It stays: {why}."


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
    value, which = scores.loc[label], "with the highest score" if label == best_ensemble(scores) else "of what is left"
    counts = evaluation.folds[BEST].value_counts()
    best = _listing([f"{name} ({count} of {int(counts.sum())} folds)" for name, count in counts.items()])
    lines = [
        f"The ensemble {which} is **{label}**: {evaluation.metric} {value['score']:.3f} "
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
    top = best_ensemble(scores)
    if label != top:
        row = gains[(gains["method"] == top) & (gains["against"] == label)]
        over = f" over it: {_gain(row.iloc[0])}" if len(row) else ""
        lines.append(f"- **{top}** scores higher, but reads what can go; its gain{over}.")
    alone = f"**Stay with {decisions.use} alone**"
    if decisions.verdict == "better":
        end = f"**Take the ensemble {label}**, which reads {_listing(decisions.reads)}."
    elif not decisions.useful:
        end = (
            f"**Nothing here is above chance**: neither the single embeddings nor their ensembles tell what is asked; "
            f"{decisions.use} is as good as any."
        )
    elif decisions.verdict == "worse":
        end = f"{alone}: combining these embeddings does harm."
    else:
        end = (
            f"{alone}: nothing here shows that an ensemble is better, and one encoder is cheaper than several. More "
            "objects may tell them apart."
        )
    return "\n".join([*lines, "", end])


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
