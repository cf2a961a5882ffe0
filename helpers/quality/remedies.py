"""What helps against each finding of a diagnosis, tried on the space itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from helpers.arrays import svd, unit_rows
from helpers.quality._symptoms import CLOSE, Symptoms

__all__ = ["REMEDIES"]


def _complete(space: Symptoms) -> tuple[Symptoms, str, str]:
    after = Symptoms(space.x - space.x.mean(axis=0), space.metric)
    left = float(np.exp(-after.steep()))
    even = min(space.x.shape[1], len(space.x) - 1)
    even = even / (1 + even / len(space.x))  # what noise of the shape has
    words = f"what is left of the differences fills {left:.1f} directions"
    words += ", as noise does: train anew" if left > 0.8 * even else f", of {even:.0f} that noise would"
    return after, "centre, which brings back what differences there are; else train anew with a repelling term", words


def _dimensional(space: Symptoms) -> tuple[Symptoms, str, str]:
    values, axes = np.linalg.eigh(space.centred.T @ space.centred)
    values, axes = np.maximum(values[::-1], 0), axes[:, ::-1]
    if space.cliff() > 2:
        width = max(2, space.kept)
        share = float(values[:width].sum() / values.sum())
        after = Symptoms(space.centred @ axes[:, :width], "euclidean")
        words = f"{width} of {space.x.shape[1]} features hold {share:.2%} of the variance"
        return after, f"keep {width} principal axes, or train with a term that decorrelates", words
    kept = values > 1e-10 * values[0]
    half = (space.centred @ axes[:, kept]) / values[kept] ** 0.25
    after = Symptoms(half, "euclidean")
    words = f"the participation ratio goes from {np.exp(-space.steep()):.1f} to {np.exp(-after.steep()):.1f}"
    return after, "whiten half-way: divide each principal axis by the root of its deviation", words


def _cluster(space: Symptoms) -> tuple[Symptoms, str, str]:
    after = Symptoms(space.within, "euclidean")
    share = float(np.sum(space.within**2) / np.sum(space.centred**2))
    count = int(space.parts.max()) + 1
    words = f"{count} clusters hold all but {share:.2%} of the variance; without their means that is all there is"
    return after, "take off the mean of each cluster to see what is left, and train for less long", words


def _token(space: Symptoms) -> tuple[Symptoms, str, str]:
    crowd = space.crowd
    after = Symptoms(np.delete(space.x, crowd, axis=0), space.metric)
    words = f"{len(crowd)} of {len(space.x)} objects that were looked at are at one place"
    return after, "leave these objects out of searches, and train on the domain that they are from", words


def _duplicates(space: Symptoms) -> tuple[Symptoms, str, str]:
    near = space.by_angle if space.metric == "dot" else space.neighbours
    close = near.distance[:, 0] < CLOSE * space.rms
    again = close & (near.index[:, 0] < np.arange(len(space.x)))
    words = f"{int(close.sum())} of {len(space.x)} rows that were looked at are others but for less than a thousandth"
    return Symptoms(space.x[~again], space.metric), "keep one object of each group of nearly equal ones", words


def _codebook(codes: np.ndarray, n_codes: int, x: np.ndarray | None) -> tuple[float, str, str]:
    used = len(np.unique(codes))
    words = f"{used} of {n_codes} codes are in use"
    remedy = "start the book from k-means and restart dead codes"
    if x is None or len(np.unique(x[:2000], axis=0)) <= n_codes or len(x) < 2 * n_codes:
        return float("nan"), remedy, f"{words}; without the vectors that were quantised it cannot be tried"
    from sklearn.cluster import MiniBatchKMeans

    found = MiniBatchKMeans(n_codes, n_init=1, random_state=0).fit_predict(x.astype(np.float32))
    share = np.bincount(found, minlength=n_codes) / len(found)
    share = share[share > 0]
    after = float(np.exp(-np.sum(share * np.log(share)))) / min(n_codes, len(codes))
    return after, remedy, f"{words}; with the book of k-means {len(share)}"


def _rogue(space: Symptoms) -> tuple[Symptoms, str, str]:
    scale = space.x.std(axis=0)
    after = Symptoms((space.x - space.x.mean(axis=0)) / np.where(scale > 0, scale, 1), space.metric)
    share = float(space.moments[space.rogues].sum())
    names = ", ".join(map(str, space.rogues))
    kept = _overlap(space, after)
    words = f"coordinates {names} hold {share:.0%} of the squares; {1 - kept:.0%} of the neighbours become others"
    return after, "standardise each coordinate", words


def _unnormalised(space: Symptoms) -> tuple[Symptoms, str, str]:
    after = Symptoms(unit_rows(space.x), space.metric)
    before = Symptoms(space.x, "dot")
    words = f"of the neighbours by inner product {1 - before.disagreement():.0%} are those by cosine, then all"
    return after, "divide each row by its length", words


def _metric(space: Symptoms) -> tuple[Symptoms, str, str]:
    after = Symptoms(space.x, "cosine")
    words = f"the most frequent neighbour is one of {space.neighbours.occurrence.max()} objects, then of "
    words += f"{after.neighbours.occurrence.max()}"
    return after, "compare by cosine", words


def _hubs(space: Symptoms) -> tuple[Symptoms, str, str]:
    """The better of three: centring, without the first axis, without the hubs."""
    centred = space.rows - space.rows.mean(axis=0)
    top = svd(centred)[2][0]
    hubs = np.argsort(-space.neighbours.occurrence)[: max(1, len(space.x) // 20)]
    tried = {
        "centre": Symptoms(centred, space.metric),
        "centre and take off the first axis": Symptoms(centred - np.outer(centred @ top, top), space.metric),
        "leave the hubs out": Symptoms(np.delete(space.x, hubs, axis=0), space.metric),
    }
    most = {name: int(after.neighbours.occurrence.max()) for name, after in tried.items()}
    remedy = min(most, key=lambda name: most[name])
    others = ", ".join(f"{count} ({name})" for name, count in most.items())
    words = f"the most frequent neighbour is one of {space.neighbours.occurrence.max()} objects, then of {others}"
    return tried[remedy], remedy, words


def _overlap(a: Symptoms, b: Symptoms) -> float:
    """Share of neighbours in common."""
    both = [len(np.intersect1d(i, j)) for i, j in zip(a.neighbours.index, b.neighbours.index, strict=True)]
    return float(np.mean(both)) / a.k


REMEDIES: dict[str, Any] = {
    "complete collapse": _complete,
    "dimensional collapse": _dimensional,
    "cluster collapse": _cluster,
    "token collapse": _token,
    "codebook collapse": _codebook,
    "duplicates": _duplicates,
    "rogue dimensions": _rogue,
    "normalisation forgotten": _unnormalised,
    "wrong metric": _metric,
    "hubs": _hubs,
}
"""Finding → function of the space, or of codes: the space after the remedy, what that is, what it changed in words."""
