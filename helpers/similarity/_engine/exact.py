"""The one distance that decides which objects are nearest, and in which order; compiled.

Blocks of matrix products find candidates; these distances order them. A distance depends on nothing but the numbers of
its two rows: not on the block, the place of the rows, the precision in which they are stored, the threads or the
device. So every operation is one of IEEE double precision in a fixed order: the terms of a sum are folded in halves
(:func:`fold`), which tensors do in the same order.

- Euclidean: the squared distance, from differences.
- Cosine and correlation: 1 - u·v / √(u·u v·v), which keeps the ties of whole numbers; below 10⁻⁶, where it cancels,
  half the squared distance of the two unit vectors. A row without a direction is at distance 1 from every other.

Distances are rounded to 40 bits, those of angles above 10⁻⁶ to multiples of 2⁻⁴⁴: what is equal but for the rounding
of double precision is equal, and then the object with the lower index is the nearer one.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numba import njit

__all__ = ["CLOSE", "GRID", "NOTHING", "SPLIT", "Exact", "insert"]

CLOSE = 1e-6  # below, 1 - cosine cancels
GRID = 384.0  # a double near it is a multiple of 2**-44
SPLIT = 8193.0  # 2**13 + 1: times a double, what is cut off leaves 40 bits
NOTHING = 1e-30  # unit vectors nearer than rounding have the same direction
_compiled = {"nogil": True, "cache": True}  # and no fast-math: the order of every operation is part of the rule


@njit(**_compiled)
def fold(terms):
    """The sum of ``terms``: the second half is added to the first until one is left; overwrites them."""
    n = terms.size
    while n > 1:
        rest = (n + 1) // 2
        low, high = terms[: n - rest], terms[rest:n]
        for k in range(low.size):
            low[k] += high[k]
        n = rest
    return terms[0]


@njit(**_compiled)
def describe(x, rows, centred, scale, mean, square, terms):
    """Powers of two that bring the rows near 1, the means that are taken off them, and squared lengths after that."""
    p = x.shape[1]
    for i in rows:
        size = 0.0
        flat = True
        for k in range(p):
            size = max(size, abs(np.float64(x[i, k])))
            flat = flat and x[i, k] == x[i, 0]
        if size == 0 or (centred and flat):
            scale[i], mean[i], square[i] = 1.0, np.float64(x[i, 0]), 0.0
            continue
        scale[i] = math.ldexp(1.0, min(1000, -math.frexp(size)[1]))
        mean[i] = 0.0
        if centred:
            for k in range(p):
                terms[k] = np.float64(x[i, k]) * scale[i]
            mean[i] = fold(terms) / p
        for k in range(p):
            v = np.float64(x[i, k]) * scale[i] - mean[i]
            terms[k] = v * v
        square[i] = fold(terms)


@njit(**_compiled)
def _scaled(row, scale, mean, out):
    for k in range(row.size):
        out[k] = np.float64(row[k]) * scale - mean


@njit(**_compiled)
def _rounded(value):
    """To 40 bits."""
    far = value * 8193.0
    return far - (far - value)


@njit(**_compiled)
def _distance(angular, u, row, scale, mean, uu, vv, terms):
    """Between a row that is scaled already and one that is not."""
    if not angular:
        for k in range(u.size):
            gap = u[k] - np.float64(row[k])
            terms[k] = gap * gap
        return _rounded(fold(terms))
    if uu == 0 or vv == 0:
        return 1.0
    for k in range(u.size):
        terms[k] = u[k] * (np.float64(row[k]) * scale - mean)
    d = 1.0 - fold(terms) / math.sqrt(uu * vv)
    if d >= 1e-6:
        return (d + 384.0) - 384.0
    a, b = math.sqrt(uu), math.sqrt(vv)
    for k in range(u.size):
        gap = u[k] / a - (np.float64(row[k]) * scale - mean) / b
        terms[k] = gap * gap
    d = fold(terms) * 0.5
    return 0.0 if d < 1e-30 else _rounded(d)


@njit(**_compiled)
def distances(x, angular, scale, mean, square, i, j, out):
    """Distances of the pairs (i[m], j[m]); quicker where equal ``i`` follow one another."""
    p = x.shape[1]
    u, terms, last = np.empty(p), np.empty(p), -1
    for m in range(i.size):
        a, b = i[m], j[m]
        if a != last:
            _scaled(x[a], scale[a], mean[a], u)
            last = a
        out[m] = 0.0 if a == b else _distance(angular, u, x[b], scale[b], mean[b], square[a], square[b], terms)


@njit(**_compiled)
def insert(best, index, value, name):
    """Put a value and its name in their place among ascending values, ties by name; the last one goes."""
    t = best.size - 1
    while t > 0 and (best[t - 1] > value or (best[t - 1] == value and index[t - 1] > name)):
        best[t] = best[t - 1]
        index[t] = index[t - 1]
        t -= 1
    best[t] = value
    index[t] = name


@njit(**_compiled)
def settle(x, angular, scale, mean, square, at, others, keys, names, unit, best, index, complete):
    """The k nearest of some rows among candidates that ascend by a lower bound ``keys * unit`` of their distance.

    ``complete``: whether no object beyond the candidates can belong to the k nearest. Names are -1 where there are
    fewer objects than places.
    """
    p, k = x.shape[1], best.shape[1]
    u, terms = np.empty(p), np.empty(p)
    for r in range(at.size):
        a, filled, done = at[r], 0, False
        _scaled(x[a], scale[a], mean[a], u)
        best[r, :] = np.inf
        index[r, :] = -1
        for t in range(others.shape[1]):
            name = names[r, t]
            if name < 0 or (filled == k and np.float64(keys[r, t]) * unit > best[r, k - 1]):
                done = True
                break
            b = others[r, t]
            d = _distance(angular, u, x[b], scale[b], mean[b], square[a], square[b], terms)
            if filled < k:
                filled += 1
                insert(best[r, :filled], index[r, :filled], d, name)
            elif d < best[r, k - 1] or (d == best[r, k - 1] and name < index[r, k - 1]):
                insert(best[r], index[r], d, name)
        complete[r] = done


class Exact:
    """Distances between rows of one representation, (n, p) in float32 or float64; rows are described when needed."""

    def __init__(self, x: np.ndarray, metric: str):
        self.x, self.angular, self.centred = x, metric != "euclidean", metric == "correlation"
        self.scale, self.mean, self.square = np.ones(len(x)), np.zeros(len(x)), np.ones(len(x))
        self.known = np.full(len(x), not self.angular)
        self.lock = threading.Lock()

    def describe(self, rows: np.ndarray) -> None:
        """See to it that what the distances of these rows need is there."""
        with self.lock:
            new = np.flatnonzero(np.bincount(rows.ravel(), minlength=len(self.x)).astype(bool) & ~self.known)
            if len(new):
                describe(self.x, new, self.centred, self.scale, self.mean, self.square, np.empty(self.x.shape[1]))
                self.known[new] = True

    def void(self, rows: np.ndarray) -> np.ndarray:
        """Which of the rows have no direction."""
        self.describe(rows)
        return self.square[rows] == 0

    @property
    def _rows(self) -> tuple[Any, ...]:
        return self.x, self.angular, self.scale, self.mean, self.square

    def distances(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Distances (squared for the Euclidean metric) of pairs of rows, float64."""
        self.describe(i)
        self.describe(j)
        out = np.empty(len(i))
        distances(*self._rows, i, j, out)
        return out

    def settle(
        self, at: np.ndarray, others: np.ndarray, keys: np.ndarray, names: np.ndarray, unit: float, k: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Distances and names of the k nearest of the rows ``at`` among ``others``, and whether they are complete."""
        self.describe(at)
        self.describe(np.maximum(others, 0))
        best, index = np.empty((len(at), k)), np.empty((len(at), k), np.int64)
        complete = np.empty(len(at), bool)
        settle(*self._rows, at, others, keys, names, unit, best, index, complete)
        return best, index, complete

    def within(self, i: np.ndarray, j: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places in ``i`` and in ``j`` of all pairs not further than ``limits[i]``, and their distances."""
        a, b = self._plain(i), self._plain(j)
        if not self.angular:
            middle = b.mean(axis=0)
            a, b = a - middle, b - middle
        lengths = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)[None, :]
        squares = lengths - 2 * (a @ b.T)
        squares -= (4 * a.shape[1] + 64) * 2.0**-53 * lengths
        most = limits * (1 + 2.0**-38)
        if self.angular:
            squares[:, self.square[j] == 0] = 2.0
            most = 2 * most + 2.0**-41
        left, right = np.nonzero(squares <= most[:, None])
        found = self.distances(i[left], j[right])
        near = found <= limits[left]
        return left[near], right[near], found[near]

    def _plain(self, rows: np.ndarray) -> np.ndarray:
        """Rows in float64, of unit length where only the direction counts."""
        self.describe(rows)
        out = self.x[rows].astype(np.float64) * self.scale[rows, None] - self.mean[rows, None]
        if self.angular:
            square = self.square[rows]
            out /= np.sqrt(np.where(square > 0, square, 1.0))[:, None]
        return out
