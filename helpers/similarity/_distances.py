"""Blocks of distances between objects, right to the last digits also for duplicates and large offsets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.arrays import centred

__all__ = [
    "METRICS",
    "Points",
    "condensed",
    "distance_block",
    "distance_matrix",
    "pair_distances",
    "points",
    "rescaled",
    "row_blocks",
    "well_scaled",
]

Array = Any
METRICS = ("cosine", "correlation", "euclidean", "sqeuclidean")
BLOCK = 1 << 22  # entries of one block of distances
# Below this share of the two squared norms, a squared distance taken from a Gram matrix has lost too many digits.
CANCELLED = {4: 1e-2, 8: 1e-4}


class Points(NamedTuple):
    """Rows ready for blocks of distances; made by :func:`points`."""

    rows: Array  # (n, p) the data but for powers of two
    means: Array | None  # (n,) float64 means of the rows, which "correlation" takes off them, or None
    lengths: Array | None  # (n,) float64 lengths of the rows, which the metric divides them by, or None
    near: Array  # (n, p) the rows less their common mean, after that: a Gram matrix of these cancels least
    norms: Array  # (n,) squared norms of ``near``
    void: Array | None  # rows without a direction (zero, or constant for "correlation"), or None
    metric: str
    scale: float  # distances between the rows times this are distances of the data


def rescaled(x: Array) -> tuple[Array, float]:
    """``x / s`` and ``s``, a power of two that keeps squares of the entries far from overflow and underflow."""
    xp = array_namespace(x)
    exponent = math.frexp(max(float(xp.max(x)), -float(xp.min(x))))[1]
    if abs(exponent) <= 20:
        return x, 1.0
    half = exponent // 2  # in two steps, because 2 ** -exponent may itself overflow
    return x * 2.0**-half * 2.0 ** (half - exponent), 2.0**exponent


def well_scaled(x: Array, name: str) -> Array:
    """Centred columns times a power of two, for measures that do not see the scale; raises if all are constant."""
    return rescaled(centred(rescaled(x)[0], name))[0]


def points(x: Array, metric: str) -> Points:
    """``x`` prepared for distances of one of :data:`METRICS`.

    A row without a direction has, as in scikit-learn, cosine and correlation 0 with every other row.
    """
    xp = array_namespace(x)
    if metric not in METRICS:
        raise ValueError(f"metric is {metric!r}; it must be one of {', '.join(map(repr, METRICS))}")
    if metric in ("euclidean", "sqeuclidean"):
        rows, scale = rescaled(x)
        near = _centred_exactly(rows)
        return Points(rows, None, None, near, _squared_norms(near), None, metric, scale)
    size = xp.max(xp.abs(x), axis=1, keepdims=True)
    size = xp.where(size == 0, xp.ones_like(size), size)
    rows = x / 2 ** xp.floor(xp.log2(size))
    means = None
    if metric == "correlation":
        flat = xp.all(rows == rows[:, :1], axis=1)
        means = xp.where(flat, xp.astype(rows[:, 0], xp.float64), xp.mean(rows, axis=1, dtype=xp.float64))
    lengths = xp.concat([xp.sqrt(_row_dots(u, u)) for _, _, u in _units(rows, means, None)])
    void = lengths == 0
    lengths = xp.where(void, xp.ones_like(lengths), lengths)
    mean = sum(xp.sum(unit, axis=0) for _, _, unit in _units(rows, means, lengths)) / rows.shape[0]
    near = xp.empty_like(rows)
    for start, stop, unit in _units(rows, means, lengths):
        near[start:stop, :] = xp.astype(unit - mean, rows.dtype)
    void = void if bool(xp.any(void)) else None
    return Points(rows, means, lengths, near, _squared_norms(near), void, metric, 1.0)


def row_blocks(n: int, width: int | None = None, entries: int = BLOCK) -> Iterator[tuple[int, int]]:
    """Half-open ranges of rows such that a block of ``width`` columns has about ``entries`` entries."""
    step = max(1, entries // (width or n))
    for start in range(0, n, step):
        yield start, min(start + step, n)


def distance_block(of: Points, rows: tuple[int, int], columns: tuple[int, int] | None = None) -> Array:
    """Distances between two ranges of rows, in the units of the data (for cosine: 1 - cosine).

    From the Gram matrix of the centred rows; the pairs that cancellation leaves without digits (near-duplicates) are
    computed again from their differences, so that duplicates are at distance 0 exactly.
    """
    a, b = slice(*rows), slice(*(columns or (0, of.near.shape[0])))
    return _finish(of, _with_void(of, a, b, _squared(of, a, b, of.near, of.norms)))


def pair_distances(of: Points, i: Array, j: Array) -> Array:
    """float64 distances of the pairs ``(i[m], j[m])`` row by row: the same for equal rows, wherever they stand."""
    xp = array_namespace(of.rows)
    out = [_pair_squares(of, i[s:e], j[s:e]) for s, e in row_blocks(i.shape[0], of.rows.shape[1], BLOCK // 4)]
    return _finish(of, xp.concat(out) if out else xp.empty(0, dtype=xp.float64, device=device(of.rows)))


def condensed(of: Points) -> Array:
    """All n(n - 1)/2 distances in SciPy's condensed order."""
    xp = array_namespace(of.near)
    n = of.near.shape[0]
    out = xp.empty(n * (n - 1) // 2, dtype=of.near.dtype, device=device(of.near))
    position = 0
    for start, stop in row_blocks(n):
        block = distance_block(of, (start, stop), (start, n))
        for i in range(stop - start):
            size = n - start - i - 1
            out[position : position + size] = block[i, i + 1 :]
            position += size
    return out


def distance_matrix(of: Points) -> Array:
    """All distances, (n, n), symmetric to the bit."""
    xp = array_namespace(of.near)
    n = of.near.shape[0]
    out = xp.empty((n, n), dtype=of.near.dtype, device=device(of.near))
    for start, stop in row_blocks(n):
        block = distance_block(of, (start, stop), (start, n))
        size = stop - start
        corner = xp.triu(block[:, :size])
        out[start:stop, start:stop] = corner + corner.T  # the diagonal is 0
        out[start:stop, stop:] = block[:, size:]
        out[stop:, start:stop] = block[:, size:].T
    return out


def _squared(of: Points, a: slice, b: slice, near: Array, norms: Array) -> Array:
    """Squared Euclidean distances of two ranges of rows, computed from differences where they cancelled."""
    xp = array_namespace(near)
    total = norms[a][:, None] + norms[b][None, :]
    out = xp.matmul(near[a, :], near[b, :].T)
    out *= -2
    out += total
    total *= CANCELLED[near.dtype.itemsize]
    i, j = xp.nonzero(out < total)
    if near.dtype == xp.float32 and 64 * i.shape[0] > out.shape[0] * out.shape[1] and i.shape[0] > 4096:
        # Tight clusters far apart: single precision loses most pairs inside them, double precision hardly any.
        wide = xp.astype(near, xp.float64)
        return xp.astype(_squared(of, a, b, wide, _squared_norms(wide)), near.dtype)
    for s, e in row_blocks(i.shape[0], near.shape[1], BLOCK // 4):
        out[i[s:e], j[s:e]] = xp.astype(_pair_squares(of, i[s:e] + a.start, j[s:e] + b.start), out.dtype)
    return out


def _pair_squares(of: Points, i: Array, j: Array) -> Array:
    """Squared Euclidean distances, in float64, of pairs of rows (divided by their lengths)."""
    xp = array_namespace(of.rows)
    u, v = (xp.astype(of.rows[m, :], xp.float64) for m in (i, j))
    if of.lengths is None:
        return _row_dots(u - v, u - v)
    if of.means is not None:
        u, v = u - of.means[i][:, None], v - of.means[j][:, None]
    # Of whole numbers this is exact, and keeps ties; where it cancels, the difference has more digits.
    out = 2 - 2 * _row_dots(u, v) / xp.sqrt(_row_dots(u, u) * _row_dots(v, v) + 1e-300)
    close = xp.nonzero(out < 1e-6)[0]
    gap = u[close, :] / of.lengths[i[close]][:, None] - v[close, :] / of.lengths[j[close]][:, None]
    out[close] = _row_dots(gap, gap)
    if of.void is not None:
        out = xp.where(of.void[i] | of.void[j], xp.where(i == j, 0.0, 2.0), out)
    return out


def _row_dots(u: Array, v: Array) -> Array:
    """Inner products of the rows of two matrices."""
    return (u * v).sum(dim=1) if is_torch_array(u) else np.einsum("ij,ij->i", u, v)


def _squared_norms(x: Array) -> Array:
    """Squared length of every row, accumulated in float64."""
    xp = array_namespace(x)
    return xp.astype(xp.concat([_row_dots(u, u) for _, _, u in _units(x, None, None)]), x.dtype, copy=False)


def _units(rows: Array, means: Array | None, lengths: Array | None) -> Iterator[tuple[int, int, Array]]:
    """float64 blocks of the rows less their means and divided by their lengths."""
    xp = array_namespace(rows)
    for start, stop in row_blocks(*rows.shape):
        out = xp.astype(rows[start:stop, :], xp.float64, copy=False)
        out = out if means is None else out - means[start:stop, None]
        yield start, stop, out if lengths is None else out / lengths[start:stop, None]


def _centred_exactly(rows: Array) -> Array:
    """Centred rows; whole numbers less a whole number, so that their products and the ties among them are exact."""
    xp = array_namespace(rows)
    if bool(xp.all(rows[0, :] == xp.round(rows[0, :]))) and bool(xp.all(rows == xp.round(rows))):
        return rows - xp.astype(xp.round(xp.mean(rows, axis=0, keepdims=True, dtype=xp.float64)), rows.dtype)
    return centred(rows, varies=False)


def _with_void(of: Points, a: slice, b: slice, squared: Array) -> Array:
    """Squared distances with cosine 0 for rows without a direction."""
    if of.void is None:
        return squared
    xp = array_namespace(squared)
    out = xp.where(of.void[a][:, None] | of.void[b][None, :], 2.0, squared)
    at = device(squared)
    same = xp.arange(a.start, a.stop, device=at)[:, None] == xp.arange(b.start, b.stop, device=at)[None, :]
    return xp.where(same, 0.0, out)


def _finish(of: Points, squared: Array) -> Array:
    """The metric from squared Euclidean distances of ``of.rows``."""
    xp = array_namespace(squared)
    if of.metric in ("cosine", "correlation"):
        return squared / 2
    if of.metric == "sqeuclidean":
        return squared * of.scale**2 if of.scale != 1 else squared
    out = xp.sqrt(squared)
    return out * of.scale if of.scale != 1 else out
