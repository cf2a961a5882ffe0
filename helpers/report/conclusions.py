"""What the tables of a report mean, in plain sentences, and what to take away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.ensembles.estimators import ConcatPCA, Ensemble
from helpers.ensembles.representations import Representations
from helpers.report.evaluation import BEST, PLAIN, Evaluation, ensembles, fit_ensemble
from helpers.report.moments import linear_cka

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["chosen_ensemble", "costs", "fit_chosen", "redundancy_in_words", "trust_in_words", "verdict_in_words"]

#: Objects from which similarities of the final ensemble are computed.
ROWS = 8192


def redundancy_in_words(names: Sequence[str], found: pd.DataFrame, rerun: Sequence[str], threshold: float) -> str:
    """Which embeddings can go, and by what rule; Markdown."""
    rule = (
        f"at least as alike as {rerun[0]} and {rerun[1]}, one model trained twice"
        if rerun
        else f"CKA, RSA and distance correlation of {threshold:g} or more, because no re-run of a model was named"
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


def chosen_ensemble(scores: pd.DataFrame) -> str:
    """The ensemble with the highest score; of equal ones the first."""
    part = scores.loc[scores["kind"] == "ensemble", "score"]
    return str(part.idxmax())


def verdict_in_words(evaluation: Evaluation, scores: pd.DataFrame, gains: pd.DataFrame) -> str:
    """Better, not distinguishable or worse than the best single embedding and than plain concatenation; Markdown."""
    label = chosen_ensemble(scores)
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
            row = row.iloc[0]
            lines.append(
                f"- Against {words}: **{row['verdict']}** ({row['gain']:+.3f} "
                f"[{row['ci_low']:+.3f}, {row['ci_high']:+.3f}], "
                f"p = {row['p']:.3f})."
            )
        elif reference == label:
            lines.append("- Plain concatenation with PCA is itself the best of the ensembles.")
    first = gains[(gains["method"] == label) & (gains["against"] == BEST)].iloc[0]["verdict"]
    leader = str(counts.index[0])
    lines += [
        "",
        {
            "better": f"**Take the ensemble {label}.**",
            "not distinguishable": f"**Stay with {leader} alone**: nothing here shows that an ensemble is better, and "
            "one encoder is cheaper than several. More objects may tell them apart.",
            "worse": f"**Stay with {leader} alone**: combining these embeddings does harm.",
        }[first],
    ]
    return "\n".join(lines)


def trust_in_words(*, n_resamples: int = 999) -> str:
    """How well qualities without labels ranked embeddings where labels were there to check, as recorded; Markdown."""
    from helpers.book.data import table
    from helpers.quality import mean_rank_correlations

    names = {"rankme": "the effective rank", "mean_cosine": "low anisotropy", "validation": "labels of other clients"}
    found = mean_rank_correlations(table("results/clients_unlabelled_models.csv"), list(names), n_resamples=n_resamples)
    said = [
        f"{words} {row['spearman']:+.2f} [{row['ci_low']:+.2f}, {row['ci_high']:+.2f}]"
        for words, (_, row) in zip(names.values(), found.loc[list(names)].iterrows(), strict=True)
    ]
    return (
        "How far they can be trusted was measured on embeddings of bank clients, in "
        f"{int(found['experiments'].max())} experiments of several models each, as the rank correlation with accuracy "
        f"on labels that they never saw: {said[0]} and {said[1]}, beside {said[2]}. "
        "What holds for one family of models need not hold for another."
    )


def costs(
    names: Sequence[str], widths: Sequence[int], recipes: Mapping[str, tuple[Sequence[str], int]], itemsize: int = 4
) -> pd.DataFrame:
    """Width, bytes per object (as float32) and encoders to run, of each embedding and of each ensemble.

    ``recipes`` gives for each ensemble the embeddings that it reads and its width.
    """
    import pandas as pd

    rows = {name: {"width": width, "encoders": 1} for name, width in zip(names, widths, strict=True)}
    rows |= {label: {"width": width, "encoders": len(used)} for label, (used, width) in recipes.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    table.insert(1, "bytes per object", table["width"] * itemsize)
    return table


def fit_chosen(
    representations: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    *,
    label: str | None = None,
    evaluation: Evaluation | None = None,
    width: int | None = None,
    normalize: str | None = "unit",
    added: bool = False,
) -> Ensemble:
    """The ensemble ``label`` fitted on all objects, as a report leaves it.

    Its qualities are the means over the folds of ``evaluation``, its λ is what most folds chose. Without an evaluation
    it is the concatenation of one embedding of each group, with PCA.
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
        parts = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), np.finfo(float).tiny) for x in parts]
    joined = np.concatenate([x - x.mean(axis=0) for x in parts], axis=1)
    similarity = linear_cka(joined.T @ joined, np.cumsum([0, *widths]))
    recipes = ensembles(
        names, widths, quality, groups, width=min(width or max(widths), n - 1),
        lam=float(evaluation.folds["lambda"].mode()[0]), normalize=normalize, added=added,
    )  # fmt: skip
    subset, estimator = recipes[label or PLAIN]
    at = [names.index(name) for name in subset]
    chosen = {name: representations[name] for name in subset}
    return fit_ensemble(estimator, chosen, quality[at], similarity[np.ix_(at, at)])


def _listing(names: Sequence[str]) -> str:
    names = [str(name) for name in names]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names) or "nothing"
