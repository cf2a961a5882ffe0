"""Blocks of distances between objects, right to the last digits also for duplicates and large offsets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from helpers.similarity._arrays import centred, to_numpy

__all__ = [
    "METRICS",
    "Points",
    "condensed",
    "distance_block",
    "distance_matrix",
    "pair_distances",
    "pair_sums",
    "points",
    "rescaled",
    "row_blocks",
]

Array = Any
METRICS = ("cosine", "correlation", "euclidean", "sqeuclidean")
BLOCK = 1 << 22  # entries of one block of distances
# Below this share of the two squared norms, a squared distance taken from a Gram matrix has lost too many digits.
CANCELLED = {4: 1e-2, 8: 1e-4}


class Points(NamedTuple):
    """Rows ready for blocks of distances; made by :func:`points`."""

    rows: Array  # (n, p): Euclidean distances between these give the metric
    near: Array  # the same rows less their mean: a Gram matrix of these loses the fewest digits
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


def points(x: Array, metric: str) -> Points:
    """``x`` prepared for distances of one of :data:`METRICS`.

    A row without a direction has, as in scikit-learn, cosine and correlation 0 with every other row.
    """
    xp = array_namespace(x)
    rows, scale = rescaled(x)
    void = None
    if metric in ("cosine", "correlation"):
        if metric == "correlation":
            flat = xp.all(rows == rows[:, :1], axis=1)
            rows = rows - xp.astype(xp.mean(rows, axis=1, keepdims=True, dtype=xp.float64), rows.dtype)
            rows = xp.where(flat[:, None], xp.zeros_like(rows), rows)
        largest = xp.max(xp.abs(rows), axis=1, keepdims=True)
        void = largest[:, 0] == 0
        rows = rows / xp.where(largest == 0, xp.ones_like(largest), largest)
        length = xp.sqrt(xp.sum(rows * rows, axis=1, keepdims=True, dtype=xp.float64))
        rows = rows / xp.astype(xp.where(length == 0, xp.ones_like(length), length), rows.dtype)
        void, scale = (void if bool(xp.any(void)) else None), 1.0
    near = centred(rows, varies=False)
    norms = xp.astype(xp.sum(near * near, axis=1, dtype=xp.float64), near.dtype)
    return Points(rows, near, norms, void, metric, scale)


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
    xp = array_namespace(of.near)
    a, b = slice(*rows), slice(*(columns or (0, of.near.shape[0])))
    out = _squared(of, a, b, of.near, of.norms)
    if of.void is not None:
        void = of.void[a][:, None] | of.void[b][None, :]
        out = xp.where(void, xp.full_like(out, 2.0), out)
        same = xp.arange(a.start, a.stop, device=device(out))[:, None] == xp.arange(b.start, b.stop, device=device(out))
        out = xp.where(same, xp.zeros_like(out), out)
    return _finish(of, out)


def pair_distances(of: Points, i: Array, j: Array) -> Array:
    """float64 distances of the pairs ``(i[m], j[m])`` from differences of rows: the same for equal rows, always."""
    xp = array_namespace(of.rows)
    out = [_differences(of.rows, i[s:e], j[s:e]) for s, e in row_blocks(i.shape[0], of.rows.shape[1], BLOCK // 4)]
    out = xp.concat(out) if out else xp.empty(0, dtype=xp.float64, device=device(of.rows))
    if of.void is not None:
        out = xp.where((of.void[i] | of.void[j]) & (i != j), xp.full_like(out, 2.0), out)
    return _finish(of, out)


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


def pair_sums(x: Points, y: Points) -> tuple[np.ndarray, float, float, float]:
    """Row sums (2, n) of the two distance matrices, and the sums of their products xy, xx and yy, in float64.

    One pass over the upper triangle, a block at a time.
    """
    xp = array_namespace(x.near)
    n = x.near.shape[0]
    rows = xp.zeros((2, n), dtype=xp.float64, device=device(x.near))
    products = [0.0, 0.0, 0.0]
    for start, stop in row_blocks(n, entries=BLOCK // 4):
        size = stop - start
        a, b = (xp.astype(distance_block(p, (start, stop), (start, n)), xp.float64, copy=False) for p in (x, y))
        for side, block in enumerate((a, b)):
            rows[side, start:stop] += xp.sum(block, axis=1)
            rows[side, stop:] += xp.sum(block[:, size:], axis=0)
        for m, (left, right) in enumerate(((a, b), (a, a), (b, b))):
            whole = float(xp.vecdot(xp.reshape(left, (-1,)), xp.reshape(right, (-1,))))
            square = float(xp.sum(left[:, :size] * right[:, :size]))
            products[m] += 2 * whole - square
    return to_numpy(rows), *products


def _squared(of: Points, a: slice, b: slice, near: Array, norms: Array) -> Array:
    """Squared Euclidean distances of two ranges of rows, mended where they cancelled."""
    xp = array_namespace(near)
    total = norms[a][:, None] + norms[b][None, :]
    out = total - 2 * xp.matmul(near[a, :], near[b, :].T)
    lost = out < CANCELLED[near.dtype.itemsize] * total
    i, j = xp.nonzero(lost)
    if near.dtype == xp.float32 and 64 * i.shape[0] > out.shape[0] * out.shape[1] and i.shape[0] > 4096:
        # Tight clusters far apart: single precision loses most pairs inside them, double precision hardly any.
        wide = xp.astype(near, xp.float64)
        return xp.astype(_squared(of, a, b, wide, xp.sum(wide * wide, axis=1)), near.dtype)
    for s, e in row_blocks(i.shape[0], near.shape[1], BLOCK // 4):
        exact = _differences(of.rows, i[s:e] + a.start, j[s:e] + b.start)
        out[i[s:e], j[s:e]] = xp.astype(exact, out.dtype)
    return out


def _differences(rows: Array, i: Array, j: Array) -> Array:
    """Squared Euclidean distances, in float64, of pairs of rows."""
    xp = array_namespace(rows)
    gap = xp.astype(rows[i, :], xp.float64) - xp.astype(rows[j, :], xp.float64)
    if is_torch_array(rows):
        return xp.sum(gap * gap, axis=1)
    return np.einsum("ij,ij->i", gap, gap)


def _finish(of: Points, squared: Array) -> Array:
    """The metric from squared Euclidean distances of ``of.rows``."""
    xp = array_namespace(squared)
    if of.metric in ("cosine", "correlation"):
        return squared / 2
    if of.metric == "sqeuclidean":
        return squared * of.scale**2 if of.scale != 1 else squared
    out = xp.sqrt(squared)
    return out * of.scale if of.scale != 1 else out
