"""The ensembles that a report tries: fitted on rows, or worked out from second moments alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from helpers.ensembles.base import Ensemble
from helpers.ensembles.baselines import ConcatPCA, MeanOfLayers
from helpers.ensembles.greedy import Greedy
from helpers.ensembles.programs import QP, ClusterPCA, QPSelectionPCA
from helpers.ensembles.representations import Representations
from helpers.report.moments import leading_axes

__all__ = ["FEWER", "ONE_EACH", "PLAIN", "WEIGHTED", "candidate_ensembles", "fit_ensemble", "linear_map", "mixing_of"]

PLAIN = "concatenation + PCA"
WEIGHTED = "QP + selection + PCA"
ONE_EACH = "one of each group + PCA"
#: Ensembles that read nothing redundant.
FEWER = (ONE_EACH, "one of each group, QP + PCA")


def candidate_ensembles(
    names: Sequence[str],
    widths: Sequence[int],
    quality: Sequence[float],
    groups: Mapping[str, Sequence[str]],
    *,
    width: int,
    lam: float,
    normalize: str | None,
    allow_sums: bool,
) -> dict[str, tuple[list[str], Ensemble]]:
    """The ensembles of a report: label → the embeddings it is given, and the unfitted estimator.

    Parameters
    ----------
    names, widths, quality
        Names of the embeddings, their numbers of features, and how good each is on training items.
    groups
        What :func:`helpers.report.redundancy_groups` gives: *one of each group* takes the best member of each.
    width
        Features of the result; less where fewer go in.
    lam
        Similarity penalty λ of the quadratic program, at least 0.
    normalize
        ``"unit"`` or ``None``, as in :class:`helpers.ensembles.Ensemble`.
    allow_sums
        Whether the embeddings have coordinates in common, as the layers of one model do, so that ensembles that add
        them up make sense: then these are among the candidates.
    """
    names, total = list(names), int(sum(widths))
    of = dict(zip(names, quality, strict=True))
    kept = [max(members, key=lambda name: of[name]) for members in groups.values()]
    kept = [name for name in names if name in kept]
    shared = {"normalize": normalize}
    all_of = min(width, total)
    out: dict[str, tuple[list[str], Ensemble]] = {
        PLAIN: (names, ConcatPCA(all_of, **shared)),
        "concatenation + PCA, whitened": (names, ConcatPCA(all_of, whiten=1.0, **shared)),
        WEIGHTED: (names, QPSelectionPCA(lam, all_of, **shared)),
    }
    if 0 < len(kept) < len(names):
        fewer = min(width, sum(w for name, w in zip(names, widths, strict=True) if name in kept))
        out[ONE_EACH] = (kept, ConcatPCA(fewer, **shared))
        if len(kept) > 1:
            out[FEWER[1]] = (kept, QPSelectionPCA(lam, fewer, **shared))
    if allow_sums:
        pad = {"align": "pad", **shared}
        count = max(1, min(len(groups), len(names)))
        out["mean"] = (names, MeanOfLayers(**pad))
        out["QP"] = (names, QP(lam, **pad))
        out["greedy"] = (names, Greedy(min(4, len(names)), lam=lam, **pad))
        out["cluster + PCA"] = (names, ClusterPCA(min(4, count), min(width, max(widths)), lam=lam, **pad))
    return out


def mixing_of(
    estimator: Ensemble, names: Sequence[str], widths: Sequence[int], quality: np.ndarray, similarity: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights and mixing matrix that an ensemble finds from qualities and similarities alone."""
    blank = Representations({n: np.broadcast_to(np.float32(0), (2, w)) for n, w in zip(names, widths, strict=True)})
    takes = "similarity" in estimator.get_params(deep=False)
    return estimator._mix(blank, None, quality if takes else None, similarity if takes else None)


def fit_ensemble(estimator: Ensemble, representations: Any, quality: np.ndarray, similarity: np.ndarray) -> Ensemble:
    """The fitted ensemble; of a projection no wider than the rows and the features that it selects allow."""
    data = Representations(representations)
    if estimator._projects:
        mixing = mixing_of(estimator, data.names, data.widths, quality, similarity)[1]
        size = sum(max(width for width, c in zip(data.widths, part, strict=True) if c) for part in mixing)
        estimator.set_params(width=min(estimator.width, size, len(data) - 1))
    return estimator.fit(data, quality=quality, similarity=similarity)


def linear_map(
    estimator: Ensemble,
    mixing: np.ndarray,
    at: Sequence[int],
    scatter: np.ndarray,
    edges: np.ndarray,
    count: float,
    known: dict,
) -> np.ndarray:
    """What the fitted ensemble does to centred features, (all features, its width), from their scatter.

    ``known`` keeps axes, which ensembles that differ in whitening only share.
    """
    widths = np.diff(edges)[list(at)]
    parts = [int(max(widths[g != 0])) for g in mixing]
    lefts = np.cumsum([0, *parts])
    blocks = [
        (g, int(edges[at[i]]), int(widths[i]), coefficient)
        for g, row in enumerate(mixing)
        for i, coefficient in enumerate(row)
        if coefficient
    ]
    if not estimator._projects:
        out = np.zeros((len(scatter), lefts[-1]))
        for g, left, size, coefficient in blocks:
            out[left : left + size, lefts[g] : lefts[g] + size] += coefficient * np.eye(size)
        return out
    key = mixing.tobytes(), tuple(at), estimator.width
    if key not in known:
        if len(blocks) == len(parts):  # side by side
            columns = np.concatenate([np.arange(left, left + size) for _, left, size, _ in blocks])
            scale = np.repeat([c for *_, c in blocks], [size for _, _, size, _ in blocks]).astype(scatter.dtype)
            whole = len(columns) == len(scatter) and np.all(scale == scale[0])
            combined = scatter * scale[0] ** 2 if whole else scatter[np.ix_(columns, columns)] * scale * scale[:, None]
        else:
            combined = np.zeros((lefts[-1], lefts[-1]), scatter.dtype)
            for g, left, size, c in blocks:
                for h, other, length, d in blocks:
                    target = combined[lefts[g] : lefts[g] + size, lefts[h] : lefts[h] + length]
                    target += c * d * scatter[left : left + size, other : other + length]
        known[key] = leading_axes(combined, min(estimator.width, int(count) - 1), lefts, known)
    values, axes = known[key]
    axes = axes * (values / (count - 1)) ** (-estimator.whiten / 2)
    out = np.zeros((len(scatter), axes.shape[1]))
    for g, left, size, coefficient in blocks:
        out[left : left + size] += coefficient * axes[lefts[g] : lefts[g] + size]
    return out
