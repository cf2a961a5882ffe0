"""How much each item moves the vector of its group: what regions and sample sizes are made of.

To first order a readout is its limit plus the mean of the influences of the items, so that their scatter over n is its
covariance. Influences here sum to zero over each group (but for the rounding of the readout itself).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from helpers.groups.membership import Batch
from helpers.groups.readouts import geometric_median

__all__ = ["INFLUENCES", "influences"]

SINGULAR = 1e-10  # least eigenvalue of a curvature, as a share of the largest, at which it still counts as one

Influences = tuple[np.ndarray, np.ndarray]  # vectors (n_groups_here, q) and influences (m, q)


def influences(batch: Batch, readout: str | Callable[..., Any], *, tol: float = 1e-8) -> Influences:
    """Vectors of the groups of a batch, and the influence of each of their items on them.

    Parameters
    ----------
    batch
        Some whole groups; see :func:`~helpers.groups.membership.batches`.
    readout
        A name of :data:`INFLUENCES`, or a function ``(x, groups) -> GroupVectors``, whose influences are those of the
        jackknife: n_g - 1 times what leaving the item out changes.
    tol
        Where the iteration of geometric medians ends; see :func:`~helpers.groups.readouts.geometric_median`.

    Returns
    -------
    tuple of ndarray
        Vectors (n_groups_here, q) and influences (m, q), zero in groups of one, infinite where they are not known: for
        a geometric median of items on a line.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    if callable(readout):
        return _jackknife(batch, readout)
    if readout not in INFLUENCES:
        known = ", ".join(map(repr, INFLUENCES))
        raise ValueError(f"readout {readout!r} has no known influences; it is one of {known}, or a function")
    return _geometric_median(batch, tol) if readout == "geometric_median" else INFLUENCES[readout](batch)


def _centroid(batch: Batch) -> Influences:
    means = batch.means()
    return means, batch.rows - means[batch.within]


def _trimmed_mean(batch: Batch, proportion: float = 0.1) -> Influences:
    """Items drawn in to the last values kept, about their mean, over the share that is kept."""
    vectors, out = batch.means(), np.empty_like(batch.rows)
    for count in np.unique(batch.counts).tolist():  # groups of one size at once
        which = np.flatnonzero(batch.counts == count)
        places = batch.starts[which, None] + np.arange(count)
        rows, cut = batch.rows[places], int(proportion * count)
        if cut:
            ordered = np.sort(rows, axis=1)
            vectors[which] = ordered[:, cut : count - cut].mean(axis=1)
            rows = np.clip(rows, ordered[:, cut, None], ordered[:, count - 1 - cut, None])
        out[places] = (rows - rows.mean(axis=1, keepdims=True)) * (count / (count - 2 * cut))
    return vectors, out


def _geometric_median(batch: Batch, tol: float = 1e-8) -> Influences:
    """Unit vectors towards the items, turned by the inverse curvature of the sum of distances."""
    labels = batch.within
    vectors = geometric_median(batch.rows, labels, tol=tol).vectors
    out = np.zeros_like(batch.rows)
    for g, (start, count) in enumerate(zip(batch.starts, batch.counts, strict=True)):
        if count == 1:
            continue
        difference = batch.rows[start : start + count] - vectors[g]
        distance = np.linalg.norm(difference, axis=1)
        free = distance > 1e-7 * distance.mean()
        if not free.any():
            continue  # all items are equal: nothing moves the median
        away = np.where(free, distance, np.inf)  # a zero vector without weight
        unit = difference / away[:, None]
        # The median is off by about the distance over √n; nearer than that, an item bends the sum as if it were there.
        blur = np.median(distance) ** 2 / (3 * count)
        weight = np.sqrt((1 + 1 / (3 * count)) / (away**2 + blur))
        found = None if count == 2 else _turned(unit - unit.mean(axis=0), unit, weight / weight.sum())
        out[start : start + count] = np.inf if found is None else found / weight.mean()
    return vectors, out


def _turned(rows: np.ndarray, unit: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Rows times the inverse of I - C, or None where the items lie on a line and there is no inverse.

    C is the weighted mean of the outer squares of the unit vectors, drawn towards I/p by the share of it that is noise:
    few vectors fill only few directions, in which I - C is far too small. Where there are fewer vectors than features,
    the axes of C come from the inner products of the vectors.
    """
    n, p = unit.shape
    scaled = unit * np.sqrt(weight)[:, None]
    if n < p:
        values, axes = np.linalg.eigh(scaled @ scaled.T)
        lengths = np.sqrt(np.maximum(values, SINGULAR))
        axes = scaled.T @ (axes / lengths)
    else:
        values, axes = np.linalg.eigh(scaled.T @ scaled)
    square, few = np.sum(values**2), np.sum(weight**2)  # the latter one over the effective number of vectors
    noise = (1 - square) * few / (1 - few)
    share = min(noise / (square - 1 / p), 1.0) if square > 1 / p else 1.0
    rest = 1 - share / p  # of I - C, in the directions that no vector has
    inside = rest - (1 - share) * np.maximum(values, 0)
    if inside.min() <= SINGULAR:
        return None
    filled = np.where(values > SINGULAR, 1 / inside - 1 / rest, 0)
    return rows / rest + ((rows @ axes) * filled) @ axes.T


def _moments(batch: Batch) -> Influences:
    """Of a mean, the item; of a standard deviation s, (square - s²) / 2s."""
    means, centred = _centroid(batch)
    variance = batch.sums(centred**2) / np.maximum(batch.counts - 1, 1)[:, None]
    sd = np.sqrt(variance)
    square = centred**2 - (batch.sums(centred**2) / batch.counts[:, None])[batch.within]
    half = 2 * sd[batch.within]
    spread = np.divide(square, half, out=np.zeros_like(square), where=half > 0)
    return np.hstack([means, sd]), np.hstack([centred, spread])


def _jackknife(batch: Batch, readout: Callable[..., Any]) -> Influences:
    vectors = np.asarray(readout(batch.rows, batch.within).vectors, dtype=np.float64)
    out = np.zeros((len(batch.rows), vectors.shape[1]))
    for start, count in zip(batch.starts, batch.counts, strict=True):
        if count == 1:
            continue
        rows = batch.rows[start : start + count]
        kept = np.tile(np.arange(count), (count, 1))[~np.eye(count, dtype=bool)]
        without = readout(rows[kept], np.repeat(np.arange(count), count - 1)).vectors
        out[start : start + count] = (count - 1) * (np.mean(without, axis=0) - without)
    return vectors, out


INFLUENCES: dict[str, Callable[[Batch], Influences]] = {
    "centroid": _centroid,
    "geometric_median": _geometric_median,
    "trimmed_mean": _trimmed_mean,
    "moments": _moments,
}
"""Readouts whose influences have a formula, by name."""
